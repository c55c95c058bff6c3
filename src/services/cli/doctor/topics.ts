/** The checks of topics and channels, over all nsqds of a cluster. */
import type { Finding } from "./Finding.ts"
import type { Observation } from "./Observation.ts"

interface Sum {
  depth: number
  clients: number
}

const addTo = (sums: Map<string, Sum>, name: string, depth: number, clients: number): void => {
  const sum = sums.get(name) ?? { depth: 0, clients: 0 }
  sums.set(name, { depth: sum.depth + depth, clients: sum.clients + clients })
}

const topicsOf = ({ nsqds }: Observation) => nsqds.flatMap(({ stats }) => stats?.topics ?? [])

const byName = ([a]: readonly [string, Sum], [b]: readonly [string, Sum]): number => a < b ? -1 : 1

/** Topics that no nsqd has a channel of: their messages stay. */
export const topicsWithoutChannels = (observation: Observation): ReadonlyArray<Finding> => {
  const topics = topicsOf(observation)
  const served = new Set(topics.filter(({ channels }) => channels.length > 0).map(({ topic_name: name }) => name))
  const sums = new Map<string, Sum>()
  for (const { depth, topic_name: name } of topics) if (!served.has(name)) addTo(sums, name, depth, 0)
  return [...sums].toSorted(byName).map(([name, { depth }]) => ({
    severity: "warning",
    check: "topic-without-channel",
    subject: `topic ${name}`,
    cause: `it has no channel, and keeps ${depth} messages`,
    remedy: `start its consumers, or delete it: nsq topic delete ${name}`
  }))
}

/** Channels without a consumer on any nsqd: their messages accumulate. */
export const channelsWithoutConsumers = (observation: Observation): ReadonlyArray<Finding> => {
  const sums = new Map<string, Sum>()
  for (const { channels, topic_name: topic } of topicsOf(observation)) {
    for (const { channel_name: channel, client_count: clients, depth } of channels) {
      addTo(sums, `${topic} ${channel}`, depth, clients)
    }
  }
  return [...sums].filter(([, { clients }]) => clients === 0).toSorted(byName).map(([name, { depth }]) => ({
    severity: "warning",
    check: "channel-without-consumer",
    subject: `channel ${name.replace(" ", "/")}`,
    cause: `it has no consumer, and ${depth} messages`,
    remedy: `start its consumers, or delete it: nsq channel delete ${name}`
  }))
}

/**
 * The figures of a cluster's topics and channels, summed over its nsqds.
 */
import { Effect } from "effect"
import type { NsqdApi, Stats } from "../admin/index.ts"
import * as ChannelSum from "../cluster/ChannelSum.ts"
import { daemonFailure } from "./CliError.ts"

/** The figures of a topic or of a channel. */
export interface Figures extends Omit<ChannelSum.ChannelSum, "backendDepth"> {
  readonly topic: string
  /** Empty for the topic's own queue. */
  readonly channel: string
  readonly paused: boolean
  /** The number of nsqds that have it. */
  readonly nodes: number
}

/** The columns of tables of figures. */
export const columns = {
  topic: { heading: "TOPIC", cell: ({ topic }: Pick<Figures, "topic">) => topic },
  channel: { heading: "CHANNEL", cell: ({ channel }: Pick<Figures, "channel">) => channel },
  depth: { heading: "DEPTH", cell: ({ depth }: Pick<Figures, "depth">) => depth },
  inFlight: { heading: "IN FLIGHT", cell: ({ inFlight }: Pick<Figures, "inFlight">) => inFlight },
  deferred: { heading: "DEFERRED", cell: ({ deferred }: Pick<Figures, "deferred">) => deferred },
  requeues: { heading: "REQUEUED", cell: ({ requeues }: Pick<Figures, "requeues">) => requeues },
  timeouts: { heading: "TIMED OUT", cell: ({ timeouts }: Pick<Figures, "timeouts">) => timeouts },
  messages: { heading: "MESSAGES", cell: ({ messages }: Pick<Figures, "messages">) => messages },
  clients: { heading: "CLIENTS", cell: ({ clients }: Pick<Figures, "clients">) => clients },
  nodes: { heading: "NSQDS", cell: ({ nodes }: Pick<Figures, "nodes">) => nodes },
  paused: { heading: "", cell: ({ paused }: Pick<Figures, "paused">) => paused ? "paused" : "" }
}

/** Sums the figures by topic and channel, in the order of names; a topic stands before its channels. */
export const sum = (nodes: ReadonlyArray<Stats>): ReadonlyArray<Figures> => {
  const rows: Array<Figures> = []
  const topics = Map.groupBy(nodes.flatMap(({ topics }) => topics ?? []), ({ topic_name: name }) => name)
  for (const [topic, onNodes] of topics) {
    rows.push({
      topic,
      channel: "",
      depth: onNodes.reduce((sum, { depth }) => sum + depth, 0),
      messages: onNodes.reduce((sum, { message_count: messages }) => sum + messages, 0),
      paused: onNodes.some(({ paused }) => paused),
      inFlight: 0,
      deferred: 0,
      requeues: 0,
      timeouts: 0,
      clients: 0,
      nodes: onNodes.length
    })
    const channels = Map.groupBy(onNodes.flatMap(({ channels }) => channels), ({ channel_name: name }) => name)
    for (const [channel, each] of channels) {
      const { backendDepth: _, ...sum } = ChannelSum.sum(each)
      rows.push({ topic, channel, ...sum, paused: each.some(({ paused }) => paused), nodes: each.length })
    }
  }
  return rows.toSorted((a, b) => a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.channel < b.channel ? -1 : 1)
}

/** Queries the figures of a topic and a channel, or of all. */
export const query = (nsqds: ReadonlyArray<NsqdApi.NsqdApi>, topic: string | undefined, channel: string | undefined) =>
  Effect.forEach(nsqds, ({ stats }) =>
    stats({
      clients: false,
      memory: false,
      ...topic === undefined ? {} : { topic },
      ...channel === undefined ? {} : { channel }
    }), { concurrency: 16 }).pipe(Effect.map(sum), Effect.mapError(daemonFailure))

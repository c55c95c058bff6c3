/**
 * The figures of a cluster's topics and channels, summed over its nsqds.
 */
import { Effect } from "effect"
import type { NsqdApi, Stats } from "../admin/index.ts"
import { daemonFailure } from "./CliError.ts"

/** The figures of a topic or of a channel. */
export interface Figures {
  readonly topic: string
  /** Empty for the topic's own queue. */
  readonly channel: string
  readonly depth: number
  readonly inFlight: number
  readonly deferred: number
  readonly messages: number
  readonly requeues: number
  readonly timeouts: number
  readonly clients: number
  readonly paused: boolean
  /** The number of nsqds that have it. */
  readonly nodes: number
}

const add = (sums: Map<string, Figures>, figures: Figures): void => {
  const key = `${figures.topic}\n${figures.channel}`
  const before = sums.get(key)
  sums.set(
    key,
    before === undefined ? figures : {
      ...figures,
      depth: before.depth + figures.depth,
      inFlight: before.inFlight + figures.inFlight,
      deferred: before.deferred + figures.deferred,
      messages: before.messages + figures.messages,
      requeues: before.requeues + figures.requeues,
      timeouts: before.timeouts + figures.timeouts,
      clients: before.clients + figures.clients,
      paused: before.paused || figures.paused,
      nodes: before.nodes + 1
    }
  )
}

/** Sums the figures by topic and channel, in the order of names; a topic stands before its channels. */
export const sum = (nodes: ReadonlyArray<Stats>): ReadonlyArray<Figures> => {
  const sums = new Map<string, Figures>()
  for (const { topics } of nodes) {
    for (const topic of topics ?? []) {
      const { depth, message_count: messages, paused, topic_name: name } = topic
      const none = { inFlight: 0, deferred: 0, requeues: 0, timeouts: 0, clients: 0, nodes: 1 }
      add(sums, { topic: name, channel: "", depth, messages, paused, ...none })
      for (const channel of topic.channels) {
        add(sums, {
          topic: name,
          channel: channel.channel_name,
          depth: channel.depth,
          inFlight: channel.in_flight_count,
          deferred: channel.deferred_count,
          messages: channel.message_count,
          requeues: channel.requeue_count,
          timeouts: channel.timeout_count,
          clients: channel.client_count,
          paused: channel.paused,
          nodes: 1
        })
      }
    }
  }
  return [...sums.values()].toSorted((a, b) =>
    a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : a.channel < b.channel ? -1 : 1
  )
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

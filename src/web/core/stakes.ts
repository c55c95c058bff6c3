/** The messages that an action would lose, by nsqd. Pure. */
import type { ChannelStats, TopicStats } from "../../protocol/http/admin/AdminStats.ts"
import type { Points } from "./flowRows.ts"

/** The messages at stake on one nsqd. */
export interface Stake {
  /** `host:port` of the nsqd. */
  readonly node: string
  readonly waiting: number
  readonly inFlight: number
  readonly deferred: number
  /** The time of the last known figures of an nsqd that is away, whose messages remain; null for one that responds. */
  readonly away: number | null
}

/** Number of messages above which the user has to type the name. */
export const manyMessages = 1000

/** The sum of all messages at stake on nsqds that respond, or on those that are away. */
export const sumOf = (stakes: ReadonlyArray<Stake>, isAway = false): Omit<Stake, "node" | "away"> => {
  const sum = { waiting: 0, inFlight: 0, deferred: 0 }
  for (const { away, deferred, inFlight, waiting } of stakes) {
    if ((away !== null) !== isAway) continue
    sum.waiting += waiting
    sum.inFlight += inFlight
    sum.deferred += deferred
  }
  return sum
}

/** Number of all messages at stake. */
export const countOf = (stakes: ReadonlyArray<Stake>, isAway = false): number => {
  const { deferred, inFlight, waiting } = sumOf(stakes, isAway)
  return waiting + inFlight + deferred
}

/** Returns what emptying or deleting a channel loses. */
export const ofChannel = (
  channel: Pick<ChannelStats, "channel_name" | "nodes">,
  points: Points
): ReadonlyArray<Stake> => [
  ...(channel.nodes ?? []).map(({ deferred_count, depth, in_flight_count, node }) => ({
    node,
    waiting: depth,
    inFlight: in_flight_count,
    deferred: deferred_count,
    away: null
  })),
  ...points.away(channel.channel_name).map(({ away, deferred_count, depth, in_flight_count, node }) => ({
    node,
    waiting: depth,
    inFlight: in_flight_count,
    deferred: deferred_count,
    away
  }))
]

/** Returns what emptying a topic loses: the messages that are not in its channels yet. */
export const ofTopicQueue = ({ nodes }: Pick<TopicStats, "nodes">, points: Points): ReadonlyArray<Stake> => [
  ...nodes.map(({ depth, node }) => ({ node, waiting: depth, inFlight: 0, deferred: 0, away: null })),
  ...points.away("").map(({ away, depth, node }) => ({ node, waiting: depth, inFlight: 0, deferred: 0, away }))
]

/** Returns what deleting a topic loses: its messages and those of all its channels. */
export const ofTopic = ({ nodes }: Pick<TopicStats, "nodes">, points: Points): ReadonlyArray<Stake> => {
  const known = nodes.map(({ channels, depth, node }) => ({
    node,
    waiting: channels.reduce((sum, channel) => sum + channel.depth, depth),
    inFlight: channels.reduce((sum, channel) => sum + channel.in_flight_count, 0),
    deferred: channels.reduce((sum, channel) => sum + channel.deferred_count, 0),
    away: null
  }))
  const gone = points.away("").map(({ away, deferred_count, depth, in_flight_count, node }) => ({
    node,
    waiting: points.all.filter((point) => point.node === node && point.channel !== "")
      .reduce((sum, channel) => sum + channel.depth, depth),
    inFlight: in_flight_count,
    deferred: deferred_count,
    away
  }))
  return [...known, ...gone]
}

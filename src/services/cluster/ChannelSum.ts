/**
 * The sum of a channel's figures over several nsqds.
 */
import type { Channel } from "../../protocol/http/StatsResponse.ts"

/** A channel on one nsqd. */
export type CountedChannel = Pick<
  Channel,
  | "backend_depth"
  | "client_count"
  | "deferred_count"
  | "depth"
  | "in_flight_count"
  | "message_count"
  | "requeue_count"
  | "timeout_count"
>

/** The figures of a channel, summed. */
export interface ChannelSum {
  readonly depth: number
  readonly backendDepth: number
  readonly inFlight: number
  readonly deferred: number
  readonly messages: number
  readonly requeues: number
  readonly timeouts: number
  readonly clients: number
}

/** Sums the channel over the nsqds that have it. Without nsqds all figures are 0. */
export const sum = (channels: ReadonlyArray<CountedChannel>): ChannelSum => {
  const total = (count: (channel: CountedChannel) => number): number =>
    channels.reduce((all, channel) => all + count(channel), 0)
  return {
    depth: total(({ depth }) => depth),
    backendDepth: total(({ backend_depth }) => backend_depth),
    inFlight: total(({ in_flight_count }) => in_flight_count),
    deferred: total(({ deferred_count }) => deferred_count),
    messages: total(({ message_count }) => message_count),
    requeues: total(({ requeue_count }) => requeue_count),
    timeouts: total(({ timeout_count }) => timeout_count),
    clients: total(({ client_count }) => client_count)
  }
}

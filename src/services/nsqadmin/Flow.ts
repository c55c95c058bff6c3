/**
 * The flow of messages through one topic or channel: its depths and counters, the rates between two samples, and the age of its oldest
 * message. nsqd reports neither finished messages per channel nor their age, so both are derived from its counters. Pure.
 */
import type { TopicSummary } from "../../protocol/http/admin/AdminLive.ts"
import type { SampledChannel, SampledTopic } from "../../protocol/http/StatsResponse.ts"

/** The figures of a topic or a channel. */
export type Flow = Omit<TopicSummary, "topic" | "channel_depth" | "backlog" | "channel_count" | "channels">

/** The number of messages that had been received at a time. */
interface Checkpoint {
  /** Unix milliseconds. */
  readonly at: number
  readonly received: number
}

/** The flow of a topic or a channel on one nsqd. */
export interface FlowOnNode extends Flow {
  /** When the messages that still wait were received, oldest first; empty if none waits. */
  readonly checkpoints: ReadonlyArray<Checkpoint>
  /** Messages that policies have removed from a channel: dropped, expired or dead letters. */
  readonly removed: number
  /** Messages that had been finished in a channel by the last sample, and the level that others have to exceed to count. */
  readonly finished: number
  readonly finishedLevel: number
}

/** The time of a sample, and since the previous one. */
export interface Interval {
  /** Unix milliseconds. */
  readonly at: number
  /** Seconds since the previous sample of this nsqd; 0 if it has none. */
  readonly seconds: number
  /** Whether the nsqd has started since the previous sample: its counters were 0 meanwhile, also those that are larger now. */
  readonly isRestarted: boolean
}

const noCheckpoints: ReadonlyArray<Checkpoint> = []

/**
 * The age of the oldest message divided by the time between two checkpoints. They need not be closer, and without a new one a list is that
 * of the sample before.
 */
const precision = 8

/** Limit for checkpoints of a channel. Above it every second one is dropped, which makes the age of a message less precise. */
const maxCheckpoints = 24

/** More digits would show the jitter of sampling. */
const rounded = (rate: number): number => Math.round(rate * 1000) / 1000

/** A counter that decreased restarted from 0. */
const rateOf = (now: number, before: number, seconds: number): number =>
  rounded((now >= before ? now - before : now) / seconds)

/**
 * Returns the messages that have left a channel and that no policy has removed. Negative after a restart with messages on disk: only
 * differences count.
 */
export const finishedOf = ({ deferred_count, depth, in_flight_count, message_count, removed }: Counted): number =>
  message_count - depth - in_flight_count - deferred_count - removed

type Counted = Pick<Flow, "depth" | "in_flight_count" | "deferred_count" | "message_count"> & {
  readonly removed: number
}

/**
 * Returns the level above which messages count as finished. nsqd's counters are not from one moment: a message that it counts twice for an
 * instant makes the number of finished ones smaller in one sample, and must not count as finished in the next. A number that remains
 * smaller is the new level, as after a rewind.
 */
const levelOf = (finished: number, before: FlowOnNode): number =>
  finished < before.finishedLevel && before.finished < before.finishedLevel ? before.finished : before.finishedLevel

const checkpointsOf = (
  before: ReadonlyArray<Checkpoint>,
  now: Checkpoint,
  waiting: number
): ReadonlyArray<Checkpoint> => {
  if (waiting <= 0) return noCheckpoints
  const last = before.at(-1)
  if (last === undefined || now.received < last.received) return [now]
  const gone = now.received - waiting
  // The oldest message is the one after those that are gone: it had been received by the first checkpoint beyond them.
  const first = before.findIndex(({ received }) => received > gone)
  const oldest = before[first]
  if (oldest === undefined) return [now]
  const current = first === 0 ? before : before.slice(first)
  if (last.received === now.received || now.at - last.at < (now.at - oldest.at) / precision) return current
  const kept = current.length > maxCheckpoints ? current.filter((_, i) => i % 2 === 0) : current
  return [...kept, now]
}

/** Returns the flow of a channel on one nsqd. `before` is undefined for a channel that was not in the previous sample. */
export const ofChannel = (
  channel: SampledChannel,
  previous: FlowOnNode | undefined,
  { at, isRestarted, seconds }: Interval
): FlowOnNode => {
  const {
    backend_depth = 0,
    client_count = 0,
    dead_letter_count = 0,
    deferred_count = 0,
    depth = 0,
    dropped_count = 0,
    expired_count = 0,
    in_flight_count = 0,
    message_count = 0,
    paused = false,
    requeue_count = 0,
    timeout_count = 0
  } = channel
  const isNew = previous === undefined
  const before = isNew || isRestarted || message_count < previous.message_count ? undefined : previous
  const removed = dropped_count + expired_count + dead_letter_count
  const counted = { depth, in_flight_count, deferred_count, message_count, removed }
  const rate = (now: number, then = 0): number | null => seconds > 0 ? rateOf(now, then, seconds) : null
  const finished = finishedOf(counted)
  // A new channel begins with 0, one of a restarted nsqd with the messages on disk.
  const level = before === undefined ? isNew ? 0 : finished : levelOf(finished, before)
  const finishRate = seconds > 0 && (isNew || before !== undefined)
    ? rounded(Math.max(0, finished - level) / seconds)
    : null
  const now = { at, received: message_count }
  const checkpoints = checkpointsOf(before?.checkpoints ?? [], now, depth + in_flight_count)
  return {
    ...counted,
    finished,
    finishedLevel: Math.max(level, finished),
    backend_depth,
    requeue_count,
    timeout_count,
    client_count,
    rate: rate(message_count, before?.message_count),
    finish_rate: finishRate,
    requeue_rate: rate(requeue_count, before?.requeue_count),
    timeout_rate: rate(timeout_count, before?.timeout_count),
    oldest: checkpoints[0]?.at ?? null,
    paused,
    away: null,
    checkpoints
  }
}

/** Returns the flow of a topic's own queue on one nsqd, without its channels. */
export const ofTopic = (
  { backend_depth = 0, depth = 0, message_count = 0, paused = false }: SampledTopic,
  previous: FlowOnNode | undefined,
  { at, isRestarted, seconds }: Interval
): FlowOnNode => {
  const before = isRestarted ? undefined : previous
  const checkpoints = checkpointsOf(before?.checkpoints ?? [], { at, received: message_count }, depth)
  return {
    ...none,
    depth,
    backend_depth,
    message_count,
    rate: seconds > 0 ? rateOf(message_count, before?.message_count ?? 0, seconds) : null,
    oldest: checkpoints[0]?.at ?? null,
    paused,
    checkpoints,
    removed: 0,
    finished: 0,
    finishedLevel: 0
  }
}

/** A flow without messages. */
export const none: Flow = {
  depth: 0,
  backend_depth: 0,
  in_flight_count: 0,
  deferred_count: 0,
  message_count: 0,
  requeue_count: 0,
  timeout_count: 0,
  client_count: 0,
  rate: null,
  finish_rate: null,
  requeue_rate: null,
  timeout_rate: null,
  oldest: null,
  paused: false,
  away: null
}

/** Returns the last known figures of an nsqd that is away. Its rates are unknown. */
export const awaySince = <F extends FlowOnNode>(last: F, away: number): F => ({
  ...last,
  rate: null,
  finish_rate: null,
  requeue_rate: null,
  timeout_rate: null,
  away
})

type Mutable<A> = { -readonly [K in keyof A]: A[K] }

/** A flow to which others are added. */
export type Summing = Mutable<Flow>

const plus = (sum: number | null, rate: number | null): number | null =>
  rate === null ? sum : rounded((sum ?? 0) + rate)

const earlier = (a: number | null, b: number | null): number | null => a === null ? b : b === null ? a : Math.min(a, b)

/** Adds a flow to the sum of the same topic or channel over other nsqds. */
export const add = (sum: Summing, flow: Flow): void => {
  sum.depth += flow.depth
  sum.backend_depth += flow.backend_depth
  sum.message_count += flow.message_count
  sum.rate = plus(sum.rate, flow.rate)
  if (flow.paused) sum.paused = true
  addToTopic(sum, flow)
}

/** Adds the flow of a channel to the flow of its topic, whose own queue remains as it is. */
export const addToTopic = (sum: Summing, flow: Flow): void => {
  sum.in_flight_count += flow.in_flight_count
  sum.deferred_count += flow.deferred_count
  sum.requeue_count += flow.requeue_count
  sum.timeout_count += flow.timeout_count
  sum.client_count += flow.client_count
  sum.finish_rate = plus(sum.finish_rate, flow.finish_rate)
  sum.requeue_rate = plus(sum.requeue_rate, flow.requeue_rate)
  sum.timeout_rate = plus(sum.timeout_rate, flow.timeout_rate)
  sum.oldest = earlier(sum.oldest, flow.oldest)
  sum.away = earlier(sum.away, flow.away)
}

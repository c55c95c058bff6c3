/**
 * The counters of a Consumer, and its metrics. The hot path adds to plain numbers; a report adds what has changed to Effect's
 * metrics, so that several consumers of a channel add up.
 */
import { Effect, Metric } from "effect"

/** The numbers that a consumer counts. All but the last two only grow. */
export interface Totals {
  /** Messages that arrived. */
  received: number
  /** Messages that were processed; without those that were given up, and without duplicates. */
  processed: number
  requeued: number
  /** Messages that became dead letters of nsqd. */
  rejected: number
  givenUp: number
  /** Messages that were finished because their key was processed before. */
  duplicates: number
  /** Results of handlers that are failures: one for each message. */
  failed: number
  /** Bodies that could not be decoded. */
  undecodable: number
  backoffs: number
  /** Connections that were lost or could not be made. */
  disconnections: number
  /** Messages that are not acknowledged. */
  inFlight: number
  /** Subscribed connections. */
  connections: number
}

/** Returns zero for all numbers. */
export const noTotals = (): Totals => ({
  received: 0,
  processed: 0,
  requeued: 0,
  rejected: 0,
  givenUp: 0,
  duplicates: 0,
  failed: 0,
  undecodable: 0,
  backoffs: 0,
  disconnections: 0,
  inFlight: 0,
  connections: 0
})

const counter = (name: string, description: string) => Metric.counter(name, { description, incremental: true })

const messages = counter("nsq_consumer_messages", "Messages that were acknowledged, by outcome")
const outcome = (outcome: string) => Metric.withAttributes(messages, { outcome })

const metrics: ReadonlyArray<readonly [keyof Totals, Metric.Counter<number>]> = [
  ["received", counter("nsq_consumer_received", "Messages that arrived")],
  ["processed", outcome("processed")],
  ["requeued", outcome("requeued")],
  ["rejected", outcome("rejected")],
  ["givenUp", outcome("given_up")],
  ["duplicates", outcome("duplicate")],
  ["failed", counter("nsq_consumer_failures", "Messages whose handler failed")],
  ["undecodable", counter("nsq_consumer_undecodable", "Messages whose body could not be decoded")],
  ["backoffs", counter("nsq_consumer_backoffs", "Waits of the backoff")],
  ["disconnections", counter("nsq_consumer_disconnections", "Connections that were lost or could not be made")],
  ["inFlight", Metric.counter("nsq_consumer_in_flight", { description: "Messages that are not acknowledged" })],
  ["connections", Metric.counter("nsq_consumer_connections", { description: "Subscribed connections" })]
]

/**
 * Returns the Effect that adds what has changed since its last run to the metrics of a topic and a channel. `totals` returns the
 * present numbers.
 */
export const reporter = (topic: string, channel: string, totals: () => Totals): Effect.Effect<void> => {
  const attributed = metrics.map(([key, metric]) => [key, Metric.withAttributes(metric, { topic, channel })] as const)
  const reported = noTotals()
  return Effect.suspend(() => {
    const now = totals()
    const updates = attributed.flatMap(([key, metric]) => {
      const more = now[key] - reported[key]
      reported[key] = now[key]
      return more === 0 ? [] : [Metric.update(metric, more)]
    })
    return Effect.all(updates, { discard: true })
  })
}

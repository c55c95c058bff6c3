/**
 * The response of nsqd's `/drain` (docs/protocol/http.md#drain). NSQ's nsqd does not have it.
 */
import { Schema } from "effect"

/** What a topic and its channels still have. */
export const DrainedTopic = Schema.Struct({
  topic_name: Schema.String,
  /** Messages that wait: those of the topic and of all its channels. */
  depth: Schema.Finite,
  in_flight_count: Schema.Finite,
  /** Deferred messages, also those that the drain does not wait for. */
  deferred_count: Schema.Finite,
  /** Whether the drain waits for the topic. */
  waited_for: Schema.Boolean
})
export type DrainedTopic = typeof DrainedTopic.Type

/**
 * The progress of a drain.
 *
 * @since 0.2.0
 * @category schemas
 */
export const DrainProgress = Schema.Struct({
  draining: Schema.Boolean,
  /** When the drain began, in Unix seconds; 0 while nsqd does not drain. */
  since: Schema.Finite,
  /** Whether nsqd drains and the drain waits for no topic. */
  drained: Schema.Boolean,
  /** The topics that have messages, by name. */
  topics: Schema.Array(DrainedTopic)
})
export type DrainProgress = typeof DrainProgress.Type

/**
 * The response of nsqd's `/channel/seek` (docs/protocol/http.md#rewind). NSQ's nsqd does not have it.
 */
import { Schema } from "effect"

/**
 * The new place of a channel.
 *
 * @since 0.2.0
 * @category schemas
 */
export const SeekResponse = Schema.Struct({
  /** The sequence of the first message that the channel gets. */
  sequence: Schema.Finite,
  /** How many messages wait then: those of the log from there on, deferred ones included. */
  messages: Schema.Finite,
  /** Whether the channel was moved; false for a preview. */
  moved: Schema.Boolean
})
/**
 * The new place of a channel.
 *
 * @since 0.2.0
 * @category models
 */
export type SeekResponse = typeof SeekResponse.Type

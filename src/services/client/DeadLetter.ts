/**
 * The envelope of a message that a consumer gave up, as it is published to the topic of dead letters: the message, where it came
 * from, and why it was given up.
 */
import { Cause, Schema } from "effect"
import { masked } from "../core/Masked.ts"
import * as ClientTopic from "./ClientTopic.ts"
import type { Delivery } from "./Delivery.ts"

/**
 * A message that was given up. In JSON the body is in Base64.
 *
 * @since 0.2.0
 * @category models
 */
export const DeadLetter = Schema.Struct({
  /** Topic and channel that the message was consumed from. */
  topic: Schema.String,
  channel: Schema.String,
  id: Schema.String,
  /** Number of deliveries. */
  attempts: Schema.Int,
  /** Time at which nsqd accepted the message, in nanoseconds since the Unix epoch. */
  timestamp: Schema.BigIntFromString,
  /** Address of the nsqd that delivered the message last, `host:port`. */
  address: Schema.String,
  /** The cause as text: the error of the handler, or why the body cannot be decoded. At most 10,000 characters. */
  cause: Schema.String,
  body: Schema.Uint8ArrayFromBase64
})
export type DeadLetter = typeof DeadLetter.Type

/**
 * Returns a topic of dead letters in JSON, for the option `deadLetter` of a consumer and for the consumers that read them. Dies if
 * NSQ does not accept the name.
 *
 * ```ts
 * const rejected = DeadLetter.topic("orders.rejected")
 * ```
 *
 * @since 0.2.0
 * @category constructors
 */
export const topic = (name: string): ClientTopic.Topic<DeadLetter> => ClientTopic.make(name, DeadLetter)

const maxCauseLength = 10_000

/**
 * Returns the envelope of a message that is given up for this cause.
 *
 * @since 0.2.0
 * @category constructors
 */
export const fromDelivery = (
  delivery: Delivery<unknown>,
  from: { readonly topic: string; readonly channel: string },
  cause: Cause.Cause<unknown>
): DeadLetter => ({
  ...from,
  id: delivery.id,
  attempts: delivery.attempts,
  timestamp: delivery.timestamp,
  address: delivery.address,
  cause: masked(Cause.pretty(cause)).slice(0, maxCauseLength),
  body: delivery.body
})

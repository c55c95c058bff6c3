/**
 * The envelope of a message that a consumer gave up, as it is published to the topic of dead letters: the message, where it came
 * from, and why it was given up.
 */
import { Cause } from "effect"
import { lazySchema } from "../core/LazySchema.ts"
import { masked } from "../core/Masked.ts"
import type * as ClientTopic from "./ClientTopic.ts"
import * as DeadLetterSchema from "./DeadLetterSchema.ts"
import type { Delivery } from "./Delivery.ts"
import * as ValueTopic from "./ValueTopic.ts"

/**
 * A message that was given up. In JSON the body is in Base64.
 *
 * @since 0.2.0
 * @category models
 */
export const DeadLetter = /* @__PURE__ */ lazySchema(DeadLetterSchema.make)
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
export const topic = (name: string): ClientTopic.Topic<DeadLetter> =>
  ValueTopic.make(name, ({ deadLetters }) => deadLetters)

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

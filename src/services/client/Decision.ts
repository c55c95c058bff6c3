/**
 * What a consumer does with a message that was not processed: the result of `onError` and `onUndecodable`.
 */
import { Data, type Duration } from "effect"

/**
 * The decision about a message whose handler failed or whose body cannot be decoded.
 *
 * - `Finish` acknowledges the message as processed, and counts as a success for the backoff.
 * - `Requeue` returns the message to nsqd. `delay` is by default that of `retry`, or of `defaultRequeueDelay`; `backoff` is whether
 *   the consumer backs off, by default true for errors of handlers and false for undecodable bodies. After `maxAttempts`
 *   deliveries, or when `retry` has ended, the message is given up instead.
 * - `GiveUp` gives the message up at once: the consumer publishes it to `deadLetter`, runs `onGivenUp` and finishes it. The consumer
 *   does not back off.
 * - `Reject` gives the message up like `GiveUp`, but nsqd makes it a dead letter (docs/policies.md#dead-letters) in place of the
 *   consumer, with the `reason`, by default the message of the error. At a server that has no dead letters, such as NSQ's nsqd, it is
 *   `GiveUp`.
 *
 * @since 0.2.0
 * @category models
 */
export type Decision = Data.TaggedEnum<{
  Finish: {}
  Requeue: { readonly delay?: Duration.Input; readonly backoff?: boolean }
  GiveUp: {}
  Reject: { readonly reason?: string }
}>

/**
 * Constructors of the decisions, and `$match`.
 *
 * ```ts
 * const onError = (error: OrderError) => error.isFinal ? Decision.GiveUp() : Decision.Requeue({ delay: "1 minute" })
 * ```
 *
 * @since 0.2.0
 * @category constructors
 */
export const Decision = Data.taggedEnum<Decision>()

/**
 * A message in the hands of a consuming program. It is acknowledged once: the first finish, requeue or reject counts.
 */
import type { Duration, Effect } from "effect"
import type { Headers } from "../../protocol/client/Headers.ts"
import type { MessageId } from "../../protocol/client/Message.ts"
import type { ClientError } from "./ClientError.ts"

/**
 * A message that a consumer received.
 *
 * @since 0.1.0
 * @category models
 */
export interface Delivery<A> {
  /** Identifies the message at its nsqd, 16 characters. */
  readonly id: MessageId
  /** Time at which nsqd accepted the message, in nanoseconds since the Unix epoch. */
  readonly timestamp: bigint
  /** Number of deliveries, including this one. */
  readonly attempts: number
  /** The bytes of the message. They are a view of what was read and must not be changed. */
  readonly body: Uint8Array
  /**
   * The headers of the message by name, in lower case; empty without headers. NSQ's nsqd has none.
   *
   * @since 0.2.0
   */
  readonly headers: Headers
  /** Address of the nsqd that sent it, `host:port`. */
  readonly address: string
  /**
   * Time at which nsqd redelivers the message unless it is acknowledged or touched before, in milliseconds since the Unix epoch.
   * A touch, also that of `autoTouch`, moves it, up to the server's limit for one delivery. It is computed on access from the
   * message's arrival, so that nsqd's own deadline is earlier by the time on the network.
   */
  readonly deadline: number
  /** The body decoded by the topic's Schema. Fails with the reason `InvalidMessage`. */
  readonly value: Effect.Effect<A, ClientError>
  /** Acknowledges the message as processed. */
  readonly finish: Effect.Effect<void>
  /**
   * Returns the message to nsqd for redelivery after `delay`. Default: `defaultRequeueDelay` times the attempts. The consumer
   * backs off unless `backoff` is false.
   */
  readonly requeue: (options?: {
    readonly delay?: Duration.Input
    readonly backoff?: boolean
  }) => Effect.Effect<void>
  /**
   * Gives the message up for this reason, of at most 256 characters: nsqd makes it a dead letter (docs/policies.md#dead-letters) after
   * `onGivenUp`. At a server that has no dead letters, such as NSQ's nsqd, the consumer publishes it to `deadLetter` and finishes it, also
   * without one. The consumer does not back off. Completes when the message is acknowledged; a failure on the way is logged and requeues
   * it. Default: `rejected`.
   *
   * @since 0.2.0
   */
  readonly reject: (reason?: string) => Effect.Effect<void>
  /** Restarts the timeout of the message. Has no effect after finish, requeue or reject. */
  readonly touch: Effect.Effect<void>
}

/** The operations of a Producer. */
import type { Duration, Effect, Stream } from "effect"
import type { ClientError } from "./ClientError.ts"
import type * as ClientTopic from "./ClientTopic.ts"
import type { ConnectionState } from "./Connections.ts"
import type { PublishOptions } from "./ProducerOptions.ts"

/** A message before it is sent: bytes, or a string as UTF-8. */
export type Body = Uint8Array | string

/**
 * Publishes messages. Each Effect completes when a server has confirmed; publish from several fibers to have many in flight.
 * Bodies must not change before that.
 *
 * All publishes fail with the reasons `PublishRefused`, `PublishTimedOut`, `NoServer`, `UnknownOutcome`, `Closed` and, for values,
 * `InvalidMessage`. Nothing is sent of a publish with an empty or too large body, a topic name that NSQ does not accept, or a value
 * that does not match its Schema.
 *
 * @since 0.1.0
 * @category models
 */
export interface ProducerService {
  /** Publishes bytes to a topic by name, or a value to a topic with a Schema. */
  readonly publish: {
    (topic: string, body: Body, options?: PublishOptions): Effect.Effect<void, ClientError>
    <A>(topic: ClientTopic.Topic<A>, value: A, options?: PublishOptions): Effect.Effect<void, ClientError>
  }
  /** Publishes all messages with one MPUB: the server takes all of them or none. Does nothing for an empty list. */
  readonly publishAll: {
    (topic: string, bodies: ReadonlyArray<Body>, options?: PublishOptions): Effect.Effect<void, ClientError>
    <A>(
      topic: ClientTopic.Topic<A>,
      values: ReadonlyArray<A>,
      options?: PublishOptions
    ): Effect.Effect<void, ClientError>
  }
  /**
   * Publishes a message that is delivered after the delay, with DPUB. A delay that is not a Duration of 0 or more fails with
   * `PublishRefused`, and so does one above nsqd's `--max-req-timeout` (1 h).
   */
  readonly publishDeferred: {
    (topic: string, body: Body, delay: Duration.Input, options?: PublishOptions): Effect.Effect<void, ClientError>
    <A>(
      topic: ClientTopic.Topic<A>,
      value: A,
      delay: Duration.Input,
      options?: PublishOptions
    ): Effect.Effect<void, ClientError>
  }
  /**
   * Publishes messages that are delivered after the same delay, with one DPUB each, sent together: NSQ has no deferred MPUB.
   * Nothing is sent if the producer refuses one of them. If a server refuses some, the others are published nevertheless; fails
   * with the first failure after all have ended. Does nothing for an empty list.
   */
  readonly publishAllDeferred: {
    (
      topic: string,
      bodies: ReadonlyArray<Body>,
      delay: Duration.Input,
      options?: PublishOptions
    ): Effect.Effect<void, ClientError>
    <A>(
      topic: ClientTopic.Topic<A>,
      values: ReadonlyArray<A>,
      delay: Duration.Input,
      options?: PublishOptions
    ): Effect.Effect<void, ClientError>
  }
  /** Addresses of the nsqd that are connected. */
  readonly connected: Effect.Effect<ReadonlyArray<string>>
  /**
   * Completes as soon as an nsqd is connected, at once if one is. Fails with the error of an nsqd if all known ones refuse this
   * producer permanently, for example because its secret is wrong (`ClientError.isPermanent`), and with the reason `Closed`.
   */
  readonly awaitConnected: Effect.Effect<void, ClientError>
  /** The states of the connections to all known nsqd, and then each change. Ends with the producer. */
  readonly connectionStates: Stream.Stream<ConnectionState>
}

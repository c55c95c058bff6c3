/**
 * What a persisted queue needs of NSQ, in process or over the network.
 */
import type { Effect, Scope } from "effect"
import { PersistedQueue } from "effect/persistence"
import type { ChannelName, TopicName } from "../../protocol/client/Names.ts"

/** A delivered message. It is in flight until it is finished or requeued. */
export interface QueueMessage {
  readonly body: Uint8Array
  /** Deliveries, including this one. */
  readonly attempts: number
  readonly finish: Effect.Effect<void>
  readonly requeue: (delayMillis: number) => Effect.Effect<void>
}

/** A subscription to a channel. */
export interface QueueSubscription {
  /** Sets the maximum number of messages in flight. */
  readonly setReady: (count: number) => Effect.Effect<void>
}

/** The operations of a broker. */
export interface QueueBackend {
  /** The longest delay of a publish or a requeue, in ms. */
  readonly maxDelayMillis: number
  /** Publishes; completes when the broker has the message. */
  readonly publish: (
    topic: TopicName,
    body: string,
    delayMillis: number
  ) => Effect.Effect<void, PersistedQueue.PersistedQueueError>
  /** Subscribes with nothing ready, until the Scope closes. `closed` is called when nothing more will be delivered before that. */
  readonly subscribe: (
    topic: TopicName,
    channel: ChannelName,
    receive: (message: QueueMessage) => void,
    closed: () => void
  ) => Effect.Effect<QueueSubscription, PersistedQueue.PersistedQueueError, Scope.Scope>
}

/** Returns the error of an operation with its cause. */
export const queueError =
  (action: string) => (cause: { readonly message: string }): PersistedQueue.PersistedQueueError =>
    new PersistedQueue.PersistedQueueError({ message: `${action}: ${cause.message}`, cause })

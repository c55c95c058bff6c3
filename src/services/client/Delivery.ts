/**
 * A message in the hands of a consuming program. It is answered once: the first of finish and requeue counts.
 */
import type { Duration, Effect } from "effect"
import type { MessageId } from "../../protocol/client/Message.ts"
import type { MessageCodecError } from "./ClientTopic.ts"

export interface Delivery<A> {
  readonly id: MessageId
  /** Nanoseconds since the Unix epoch, when nsqd accepted it. */
  readonly timestamp: bigint
  /** How often it has been delivered, this time included. */
  readonly attempts: number
  readonly body: Uint8Array
  /** The nsqd it came from, `host:port`. */
  readonly address: string
  /** What the body says, by the topic's Schema. */
  readonly value: Effect.Effect<A, MessageCodecError>
  /** The message has been dealt with. */
  readonly finish: Effect.Effect<void>
  /**
   * The message is to be delivered again, after a delay that grows with its attempts unless one is given. The consumer slows
   * down, unless `backoff` is false.
   */
  readonly requeue: (options?: {
    readonly delay?: Duration.Input
    readonly backoff?: boolean
  }) => Effect.Effect<void>
  /** The message needs more time. Nothing happens once it has been answered. */
  readonly touch: Effect.Effect<void>
}

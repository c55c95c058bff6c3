/**
 * The broker's error, with NSQ's texts where NSQ has one. Failures of storage that have no outcome of their own are a
 * `StorageError`.
 */
import { Data } from "effect"
import type { StorageError } from "../disk/StorageError.ts"

/**
 * The reasons of a `BrokerError`. `description` is the operating system's text.
 *
 * @since 0.2.0
 * @category errors
 */
export type BrokerErrorReason = Data.TaggedEnum<{
  /** A publish or a consumer was refused, because the topic or channel is being closed. */
  Exiting: {}
  /** A publish was refused, because the broker drains (`Broker.drain`). */
  Draining: {}
  /** A publish was refused, because the disk is full. */
  DiskFull: { readonly description: string }
  /** A publish was refused, because the disk fails. */
  DiskFailure: { readonly description: string }
  /** A check refused a publish; see `Publisher.layerChecked`. */
  Rejection: { readonly description: string }
  /** A publish was refused, because the topic or a channel has reached a limit of its policy. */
  TopicFull: { readonly description: string }
  /** A publish was refused, because messages arrive faster than the policy of the topic permits. */
  RateLimit: { readonly description: string }
  /** A topic was not created, because there are `max` topics. */
  TopicLimit: { readonly max: number }
  /** A channel was not created, because the topic has `max` channels. */
  ChannelLimit: { readonly topic: string; readonly max: number }
  /** A consumer was refused, because the channel has `max` consumers. */
  ConsumerLimit: { readonly topic: string; readonly channel: string; readonly max: number }
  /** The topic to delete does not exist. */
  MissingTopic: { readonly topic: string }
  /** The channel to delete does not exist. */
  MissingChannel: { readonly topic: string; readonly channel: string }
  /** A rewind was refused, because the topic has no log of its messages. */
  NotDurable: { readonly topic: string }
  /** The broker could not start: its metadata could not be read or written. */
  MetadataFailure: { readonly action: "load" | "persist"; readonly description: string }
}>

/**
 * Constructors of the reasons, and `$match`.
 *
 * @since 0.2.0
 * @category constructors
 */
export const BrokerErrorReason = Data.taggedEnum<BrokerErrorReason>()

/**
 * The broker refused an operation, or could not start.
 *
 * @since 0.2.0
 * @category errors
 */
export class BrokerError extends Data.TaggedError("BrokerError")<{
  readonly reason: BrokerErrorReason
  /** The number of messages of a publish that were accepted nevertheless; 0 for other operations. */
  readonly accepted: number
}> {
  override get message(): string {
    const { reason } = this
    switch (reason._tag) {
      case "Exiting":
        return "exiting"
      case "Draining":
        return "draining, publish to another nsqd"
      case "TopicLimit":
        return `there are ${reason.max} topics already (--max-topics)`
      case "ChannelLimit":
        return `topic ${reason.topic} has ${reason.max} channels already (--max-channels-per-topic)`
      case "ConsumerLimit":
        return `consumers for ${reason.topic}:${reason.channel} exceeds limit of ${reason.max}`
      case "MissingTopic":
        return `topic ${reason.topic} does not exist`
      case "NotDurable":
        return `topic ${reason.topic} is not durable (--topic-durability)`
      case "MissingChannel":
        return `channel ${reason.topic}:${reason.channel} does not exist`
      default:
        return reason.description
    }
  }

  /** Creates the error that the check of a `Publisher.layerChecked` refuses a message with. */
  static rejection(description: string): BrokerError {
    return brokerError(BrokerErrorReason.Rejection({ description }))
  }
}

/**
 * Whether an error refuses a message and not the connection or the topic: others may be accepted, and the connection stays open.
 */
export const isRefusal = ({ reason }: BrokerError): boolean =>
  reason._tag === "Rejection" || reason._tag === "TopicFull" || reason._tag === "RateLimit"

/** Creates the error. */
export const brokerError = (reason: BrokerErrorReason, accepted = 0): BrokerError =>
  new BrokerError({ reason, accepted })

/** Converts the failure to write a publish of which `accepted` messages were accepted in memory. */
export const writeFailure = ({ isFull, message: description }: StorageError, accepted: number): BrokerError =>
  brokerError(
    isFull ? BrokerErrorReason.DiskFull({ description }) : BrokerErrorReason.DiskFailure({ description }),
    accepted
  )

/**
 * The broker's errors: one per outcome, with NSQ's texts where NSQ has one.
 */
import { Schema } from "effect"

/**
 * A publish was refused, or accepted only in part: `accepted` messages of it were accepted.
 *
 * @since 0.1.0
 * @category errors
 */
export class PublishError extends Schema.TaggedError<PublishError>()("PublishError", {
  /** `exiting`, the operating system's text for a failed write, or the reason of a check that refused the message. */
  reason: Schema.String,
  /**
   * `full` and `storage`: the write failed, because the disk is full or for another reason. `rejected`: a check
   * refused it.
   */
  kind: Schema.Literals(["exiting", "full", "storage", "rejected"]),
  accepted: Schema.Int
}) {
  override get message(): string {
    return this.reason
  }
}

/**
 * A consumer could not subscribe to a channel.
 *
 * @since 0.1.0
 * @category errors
 */
export class SubscribeError extends Schema.TaggedError<SubscribeError>()("SubscribeError", {
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason
  }
}

/**
 * A topic or channel was not created, because the limit is reached.
 *
 * @since 0.1.0
 * @category errors
 */
export class LimitReached extends Schema.TaggedError<LimitReached>()("LimitReached", {
  /** The topic whose channels reached the limit; `undefined` for the limit of topics. */
  topic: Schema.UndefinedOr(Schema.String),
  max: Schema.Int
}) {
  /** The flag that sets the limit. */
  get option(): string {
    return this.topic === undefined ? "--max-topics" : "--max-channels-per-topic"
  }
  override get message(): string {
    return this.topic === undefined
      ? `there are ${this.max} topics already (${this.option})`
      : `topic ${this.topic} has ${this.max} channels already (${this.option})`
  }
}

/**
 * The topic does not exist.
 *
 * @since 0.1.0
 * @category errors
 */
export class TopicNotFound extends Schema.TaggedError<TopicNotFound>()("TopicNotFound", {
  topic: Schema.String
}) {
  override get message(): string {
    return `topic ${this.topic} does not exist`
  }
}

/**
 * The channel, or its topic, does not exist.
 *
 * @since 0.1.0
 * @category errors
 */
export class ChannelNotFound extends Schema.TaggedError<ChannelNotFound>()("ChannelNotFound", {
  topic: Schema.String,
  channel: Schema.String
}) {
  override get message(): string {
    return `channel ${this.topic}:${this.channel} does not exist`
  }
}

/**
 * The broker could not start: its metadata could not be read or written.
 *
 * @since 0.1.0
 * @category errors
 */
export class MetadataError extends Schema.TaggedError<MetadataError>()("MetadataError", {
  action: Schema.Literals(["load", "persist"]),
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason
  }
}

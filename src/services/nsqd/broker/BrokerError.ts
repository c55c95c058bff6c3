/**
 * Why the broker refuses something: one error per outcome, each with the text NSQ uses in its own messages.
 */
import { Schema } from "effect"

/** A publish was not, or not wholly, taken. `accepted` messages of it were. */
export class PublishError extends Schema.TaggedError<PublishError>()("PublishError", {
  /** `exiting`, the operating system's words for a failed write, or why a check refused the message. */
  reason: Schema.String,
  /** `full` and `storage`: the write failed, because the disk is full or for another reason. `rejected`: a check refused it. */
  kind: Schema.Literals(["exiting", "full", "storage", "rejected"]),
  accepted: Schema.Int
}) {
  override get message(): string {
    return this.reason
  }
}

/** A consumer was not let on a channel. */
export class SubscribeError extends Schema.TaggedError<SubscribeError>()("SubscribeError", {
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason
  }
}

/** A topic or channel was not created: there are as many as the option allows. */
export class LimitReached extends Schema.TaggedError<LimitReached>()("LimitReached", {
  /** The topic that has its most channels; undefined for the limit of topics. */
  topic: Schema.UndefinedOr(Schema.String),
  max: Schema.Int
}) {
  /** The command-line flag that sets the limit. */
  get option(): string {
    return this.topic === undefined ? "--max-topics" : "--max-channels-per-topic"
  }
  override get message(): string {
    return this.topic === undefined
      ? `there are ${this.max} topics already (${this.option})`
      : `topic ${this.topic} has ${this.max} channels already (${this.option})`
  }
}

export class TopicNotFound extends Schema.TaggedError<TopicNotFound>()("TopicNotFound", {
  topic: Schema.String
}) {
  override get message(): string {
    return `topic ${this.topic} does not exist`
  }
}

export class ChannelNotFound extends Schema.TaggedError<ChannelNotFound>()("ChannelNotFound", {
  topic: Schema.String,
  channel: Schema.String
}) {
  override get message(): string {
    return `channel ${this.topic}:${this.channel} does not exist`
  }
}

/** A broker does not start: what it has kept cannot be read, or what it will keep cannot be written. */
export class MetadataError extends Schema.TaggedError<MetadataError>()("MetadataError", {
  action: Schema.Literals(["load", "persist"]),
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason
  }
}

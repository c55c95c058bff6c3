/**
 * The response of nsqd's `/messages` (docs/protocol/http.md#messages). NSQ's nsqd does not have it.
 */
import { Schema } from "effect"

/** Where a message is. */
export const MessageState = Schema.Literals(["waiting", "in_flight", "deferred", "retained", "dead"])
export type MessageState = typeof MessageState.Type

/**
 * A message of a topic. A `dead` one is a dead letter in the topic of the page.
 *
 * @since 0.2.0
 * @category schemas
 */
export const BrowsedMessage = Schema.Struct({
  /** The number of the message in its topic, from 1 on; only of a durable topic. */
  sequence: Schema.optionalKey(Schema.Finite),
  id: Schema.String,
  /** When nsqd accepted the message: nanoseconds since the Unix epoch, as a decimal number. */
  timestamp: Schema.String,
  /** Deliveries so far; of a channel, otherwise 0. */
  attempts: Schema.Finite,
  state: MessageState,
  /** When a deferred message becomes due, in milliseconds since the Unix epoch. */
  due: Schema.optionalKey(Schema.Finite),
  /** The client that has a message in flight: its `host:port`. */
  client: Schema.optionalKey(Schema.String),
  /** The headers, for a message that has some. */
  headers: Schema.optionalKey(Schema.Record(Schema.String, Schema.String)),
  /** Size of the whole body in bytes. */
  body_size: Schema.Finite,
  /** The beginning of the body, if it is UTF-8. */
  body: Schema.optionalKey(Schema.String),
  /** The beginning of another body, in Base64. */
  body_base64: Schema.optionalKey(Schema.String)
})
/**
 * A message of a topic.
 *
 * @since 0.2.0
 * @category models
 */
export type BrowsedMessage = typeof BrowsedMessage.Type

/** Where a page of messages starts: a sequence of a durable topic, or a text that only nsqd reads of another topic. */
export const NextPage = Schema.Union([Schema.Finite, Schema.String])

/**
 * A page of messages.
 *
 * @since 0.2.0
 * @category schemas
 */
export const MessagesPage = Schema.Struct({
  messages: Schema.Array(BrowsedMessage),
  /** The `from` of the next page; null after the last message. */
  next: Schema.NullOr(NextPage),
  /** How many messages were looked at. */
  scanned: Schema.Finite,
  /** The dead-letter topic that has the messages, whose sequences are theirs; only of a request for the state `dead`. */
  topic: Schema.optionalKey(Schema.String)
})
export type MessagesPage = typeof MessagesPage.Type

/**
 * The message format (docs/protocol/client.md#messages), the data of a message frame and the content of a record on disk:
 * `[int64 timestamp][uint16 attempts][16 bytes id][body]`. A `MessageKey` is the id as four int32, which the hot path compares
 * without creating strings.
 */
import { Effect, Schema, SchemaIssue, SchemaTransformation } from "effect"
import { decodeMessage, encodeMessage, messageIdLength } from "./MessageBytes.ts"

export {
  decodeMessage,
  decodeMessageWithHeaders,
  encodeMessage,
  messageHeaderSize,
  messageIdLength
} from "./MessageBytes.ts"

/**
 * 16 lower-case hex characters.
 *
 * @since 0.1.0
 * @category schemas
 */
export const MessageId = Schema.String.pipe(
  Schema.check(Schema.isPattern(/^[0-9a-f]{16}$/)),
  Schema.brand("MessageId")
)
/** 16 lower-case hex characters. */
export type MessageId = typeof MessageId.Type

/**
 * A message.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Message = Schema.Struct({
  /** The time when nsqd accepted the message, in nanoseconds since the Unix epoch. */
  timestamp: Schema.BigInt.pipe(
    Schema.check(Schema.isBetweenBigInt({ minimum: -(2n ** 63n), maximum: 2n ** 63n - 1n }))
  ),
  attempts: Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 65535 }))),
  id: MessageId,
  body: Schema.Uint8Array
})
/** A message. */
export type Message = typeof Message.Type

/**
 * `Message` as a codec of bytes.
 *
 * @since 0.1.0
 * @category schemas
 */
export const MessageFromBytes = Schema.Uint8Array.pipe(
  Schema.decodeTo(
    Schema.toType(Message),
    SchemaTransformation.transformEffect({
      decode: (bytes) => {
        const message = decodeMessage(bytes)
        return message === undefined
          ? Effect.fail(new SchemaIssue.InvalidValue({ message: `message of ${bytes.length} bytes` }, bytes))
          : Effect.succeed(message)
      },
      encode: (message) => Effect.succeed(encodeMessage(message))
    })
  )
)

/**
 * A message id as four big-endian int32 of its 16 bytes. As in NSQ, the bytes need not be hex.
 *
 * @since 0.1.0
 * @category models
 */
export interface MessageKey {
  readonly a: number
  readonly b: number
  readonly c: number
  readonly d: number
}

/**
 * Returns the message id of a key.
 *
 * @since 0.1.0
 * @category codecs
 */
export const formatMessageKey = (key: MessageKey): string => {
  const out = Buffer.allocUnsafe(messageIdLength)
  out.writeInt32BE(key.a, 0)
  out.writeInt32BE(key.b, 4)
  out.writeInt32BE(key.c, 8)
  out.writeInt32BE(key.d, 12)
  return out.toString("latin1")
}

/**
 * Returns the key of a message id.
 *
 * @since 0.1.0
 * @category operations
 */
export const messageKey = (id: Uint8Array | string): MessageKey => {
  const bytes = typeof id === "string" ? Buffer.from(id, "latin1") : Buffer.from(id)
  return { a: bytes.readInt32BE(0), b: bytes.readInt32BE(4), c: bytes.readInt32BE(8), d: bytes.readInt32BE(12) }
}

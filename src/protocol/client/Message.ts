/**
 * The message format (docs/protocol/client.md#messages), the data of a message frame and the content of a record on disk:
 * `[int64 timestamp][uint16 attempts][16 bytes id][body]`. A `MessageKey` is the id as four int32, which the hot path compares
 * without creating strings.
 */
import { Effect, Schema, SchemaIssue, SchemaTransformation } from "effect"

/**
 * Size of the header before the body, in bytes.
 *
 * @since 0.1.0
 * @category constants
 */
export const messageHeaderSize = 26
/**
 * Length of a message id, in bytes.
 *
 * @since 0.1.0
 * @category constants
 */
export const messageIdLength = 16

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
 * Decodes a message; returns `undefined` if `data` is too short. The body is a view, not a copy.
 *
 * @since 0.1.0
 * @category codecs
 */
export const decodeMessage = (data: Uint8Array): Message | undefined => {
  if (data.length < messageHeaderSize) return undefined
  const view = Buffer.from(data.buffer, data.byteOffset, data.length)
  const id = view.toString("latin1", 10, messageHeaderSize)
  return {
    timestamp: view.readBigInt64BE(0),
    attempts: view.readUInt16BE(8),
    id: id as MessageId,
    body: view.subarray(messageHeaderSize)
  }
}

/**
 * Decodes the data of a frame of type `messageWithHeaders`: a message whose headers precede its body, which is a view as well. Returns
 * `undefined` if the data is too short.
 *
 * @since 0.2.0
 * @category codecs
 */
export const decodeMessageWithHeaders = (
  data: Uint8Array
): { readonly message: Message; readonly headers: Buffer } | undefined => {
  const message = decodeMessage(data)
  if (message === undefined || message.body.length < 4) return undefined
  const rest = Buffer.from(message.body.buffer, message.body.byteOffset, message.body.length)
  const end = 4 + rest.readUInt32BE(0)
  if (end > rest.length) return undefined
  return { message: { ...message, body: rest.subarray(end) }, headers: rest.subarray(4, end) }
}

/**
 * Encodes a message.
 *
 * @since 0.1.0
 * @category codecs
 */
export const encodeMessage = (message: Message): Buffer => {
  const out = Buffer.allocUnsafe(messageHeaderSize + message.body.length)
  out.writeBigInt64BE(message.timestamp, 0)
  out.writeUInt16BE(message.attempts, 8)
  out.write(message.id, 10, "latin1")
  out.set(message.body, messageHeaderSize)
  return out
}

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

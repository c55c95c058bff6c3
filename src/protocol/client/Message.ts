/**
 * The message layout (section 3 of the protocol notes), the data of a message frame and the record body on disk:
 * `[int64 timestamp][uint16 attempts][16 bytes id][body]`. `MessageId` keys: the 16 bytes as four int32, the form in which
 * ids are compared on the hot path without building strings.
 */
import { Effect, Schema, SchemaIssue, SchemaTransformation } from "effect"

/** Bytes before the body. */
export const messageHeaderSize = 26
export const messageIdLength = 16

/** 16 lower-case hex characters. */
export const MessageId = Schema.String.pipe(
  Schema.check(Schema.isPattern(/^[0-9a-f]{16}$/)),
  Schema.brand("MessageId")
)
export type MessageId = typeof MessageId.Type

export const Message = Schema.Struct({
  /** Nanoseconds since the Unix epoch, taken when the publish was accepted. */
  timestamp: Schema.BigInt.pipe(
    Schema.check(Schema.isBetweenBigInt({ minimum: -(2n ** 63n), maximum: 2n ** 63n - 1n }))
  ),
  attempts: Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 65535 }))),
  id: MessageId,
  body: Schema.Uint8Array
})
export type Message = typeof Message.Type

/** The message in `data`, or `undefined` when it is too short to be one. The body is a view, not a copy. */
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

export const encodeMessage = (message: Message): Buffer => {
  const out = Buffer.allocUnsafe(messageHeaderSize + message.body.length)
  out.writeBigInt64BE(message.timestamp, 0)
  out.writeUInt16BE(message.attempts, 8)
  out.write(message.id, 10, "latin1")
  out.set(message.body, messageHeaderSize)
  return out
}

/** `Message` as a codec of bytes. */
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

/** A message id as four big-endian int32 of its 16 bytes. Contents are not checked to be hex: NSQ does not either. */
export interface MessageKey {
  readonly a: number
  readonly b: number
  readonly c: number
  readonly d: number
}

/** The 16 bytes of a key, as text. */
export const formatMessageKey = (key: MessageKey): string => {
  const out = Buffer.allocUnsafe(messageIdLength)
  out.writeInt32BE(key.a, 0)
  out.writeInt32BE(key.b, 4)
  out.writeInt32BE(key.c, 8)
  out.writeInt32BE(key.d, 12)
  return out.toString("latin1")
}

export const messageKey = (id: Uint8Array | string): MessageKey => {
  const bytes = typeof id === "string" ? Buffer.from(id, "latin1") : Buffer.from(id)
  return { a: bytes.readInt32BE(0), b: bytes.readInt32BE(4), c: bytes.readInt32BE(8), d: bytes.readInt32BE(12) }
}

/**
 * The bytes of a message (docs/protocol/client.md#messages): `[int64 timestamp][uint16 attempts][16 bytes id][body]`. `Message` has the
 * Schemas, which a client does not load.
 */
import type { Brand } from "effect"

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

/** 16 lower-case hex characters. */
export type MessageId = string & Brand.Brand<"MessageId">

/** A message. */
export interface Message {
  /** The time when nsqd accepted the message, in nanoseconds since the Unix epoch. */
  readonly timestamp: bigint
  readonly attempts: number
  readonly id: MessageId
  readonly body: Uint8Array
}

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

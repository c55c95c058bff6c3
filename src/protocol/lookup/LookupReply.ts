/**
 * The replies of nsqlookupd over TCP (docs/protocol/nsqlookupd.md#responses): `[int32 size][data]`, without the type of nsqd's frames.
 * `ReplyDecoder` is nsqd's side: pure and resumable at every byte; it keeps only bytes that have arrived.
 */
import { Schema } from "effect"

const headerSize = 4

/**
 * Encodes a reply.
 *
 * @since 0.1.0
 * @category codecs
 */
export const encodeReply = (data: Uint8Array): Buffer => {
  const out = Buffer.allocUnsafe(headerSize + data.length)
  out.writeInt32BE(data.length, 0)
  out.set(data, headerSize)
  return out
}

/**
 * Whether a reply is an error: it begins with a code, for example `E_BAD_TOPIC`.
 *
 * @since 0.2.0
 * @category predicates
 */
export const isRefusal = (reply: string): boolean => reply.startsWith("E_")

/**
 * The size is negative or exceeds the limit; no further input can be decoded.
 *
 * @since 0.1.0
 * @category errors
 */
export class ReplyError extends Schema.TaggedError<ReplyError>()("ReplyError", {
  size: Schema.Int,
  limit: Schema.Int
}) {
  override get message(): string {
    return this.size < 0
      ? `response body size (${this.size}) is negative`
      : `response body size (${this.size}) is greater than limit (${this.limit})`
  }
}

/**
 * Decodes replies from input in pieces of any size.
 *
 * @since 0.1.0
 * @category models
 */
export class ReplyDecoder {
  private buffer: Buffer = Buffer.alloc(0)
  private readonly limit: number

  /** `limit` is the maximum size of the data of a reply, in bytes. */
  constructor(limit: number) {
    this.limit = limit
  }

  feed(chunk: Uint8Array): void {
    this.buffer = this.buffer.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.buffer, chunk])
  }

  /** Returns the data of the next complete reply; `undefined` while bytes are missing. */
  next(): Buffer | ReplyError | undefined {
    if (this.buffer.length < headerSize) return undefined
    const size = this.buffer.readInt32BE(0)
    if (size < 0 || size > this.limit) return new ReplyError({ size, limit: this.limit })
    if (this.buffer.length < headerSize + size) return undefined
    const data = this.buffer.subarray(headerSize, headerSize + size)
    this.buffer = this.buffer.subarray(headerSize + size)
    return data
  }
}

/**
 * What nsqlookupd answers (section 2 of the nsqlookupd notes): `[int32 size][data]`, without the type that nsqd's frames
 * have. `AnswerDecoder` is nsqd's side: pure, resumable at every byte; it holds only bytes that have arrived.
 */
import { Schema } from "effect"

const headerSize = 4

export const encodeAnswer = (data: Uint8Array): Buffer => {
  const out = Buffer.allocUnsafe(headerSize + data.length)
  out.writeInt32BE(data.length, 0)
  out.set(data, headerSize)
  return out
}

/** A size that no answer has, or a larger one than allowed; nothing after it can be read. */
export class AnswerError extends Schema.TaggedError<AnswerError>()("AnswerError", {
  size: Schema.Int,
  limit: Schema.Int
}) {
  override get message(): string {
    return this.size < 0
      ? `response body size (${this.size}) is negative`
      : `response body size (${this.size}) is greater than limit (${this.limit})`
  }
}

/** Reads answers however their bytes are cut. */
export class AnswerDecoder {
  private buffer: Buffer = Buffer.alloc(0)
  private readonly limit: number

  /** `limit` bounds the data of an answer, in bytes. */
  constructor(limit: number) {
    this.limit = limit
  }

  feed(chunk: Uint8Array): void {
    this.buffer = this.buffer.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.buffer, chunk])
  }

  /** The data of the next whole answer, `undefined` while bytes are missing. */
  next(): Buffer | AnswerError | undefined {
    if (this.buffer.length < headerSize) return undefined
    const size = this.buffer.readInt32BE(0)
    if (size < 0 || size > this.limit) return new AnswerError({ size, limit: this.limit })
    if (this.buffer.length < headerSize + size) return undefined
    const data = this.buffer.subarray(headerSize, headerSize + size)
    this.buffer = this.buffer.subarray(headerSize + size)
    return data
  }
}

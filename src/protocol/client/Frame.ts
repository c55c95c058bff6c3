/**
 * Frames, what a server sends (section 2 of the protocol notes): `[int32 size][int32 type][data]`, size counting type and
 * data. `FrameDecoder` is the client's side: pure, resumable at every byte; too few bytes are a value, not an error.
 */
import { Schema } from "effect"
import { ArrivedBytes } from "./ArrivedBytes.ts"

export const FrameType = { response: 0, error: 1, message: 2 } as const

/** A frame as a value. */
export const Frame = Schema.Struct({
  type: Schema.Literals([FrameType.response, FrameType.error, FrameType.message]),
  data: Schema.Uint8Array
})
export type Frame = typeof Frame.Type

/** Bytes of size and type before the data of a frame. */
export const frameHeaderSize = 8

export const encodeFrame = (type: Frame["type"], data: Uint8Array): Buffer => {
  const out = Buffer.allocUnsafe(frameHeaderSize + data.length)
  out.writeInt32BE(data.length + 4, 0)
  out.writeInt32BE(type, 4)
  out.set(data, frameHeaderSize)
  return out
}

export const encodeResponse = (text: string): Buffer => encodeFrame(FrameType.response, Buffer.from(text))

/** What a peer sent is not a frame, or is a larger one than allowed; nothing after it can be read. */
export class FrameError extends Schema.TaggedError<FrameError>()("FrameError", {
  size: Schema.Int,
  type: Schema.Int
}) {
  override get message(): string {
    return `invalid frame: size ${this.size}, type ${this.type}`
  }
}

/** Reads frames however their bytes are cut. Holds only bytes that have arrived. */
export class FrameDecoder {
  private readonly arrived = new ArrivedBytes()
  private readonly maxFrameSize: number

  /** `maxFrameSize` bounds the size field, in bytes. */
  constructor(maxFrameSize: number = 64 * 1024 * 1024) {
    this.maxFrameSize = maxFrameSize
  }

  feed(chunk: Uint8Array): void {
    this.arrived.add(chunk)
  }

  /** The next whole frame, `undefined` while bytes are missing. */
  next(): Frame | FrameError | undefined {
    if (this.arrived.length < frameHeaderSize) return undefined
    const bytes = this.arrived.all
    const size = bytes.readInt32BE(0)
    const type = bytes.readInt32BE(4)
    if (size < 4 || size > this.maxFrameSize || (type !== 0 && type !== 1 && type !== 2)) {
      return new FrameError({ size, type })
    }
    if (bytes.length < size + 4) return undefined
    const data = bytes.subarray(frameHeaderSize, size + 4)
    this.arrived.drop(size + 4)
    return { type, data }
  }

  /** Takes what has arrived and belongs to no frame yet: the connection goes on in another way. */
  takeRest(): Buffer {
    const rest = this.arrived.all
    this.arrived.drop(rest.length)
    return rest
  }
}

/**
 * Frames, which a server sends (docs/protocol/client.md#frames): `[int32 size][int32 type][data]`, where size includes type and
 * data. `FrameReader` is the client's side: pure, and resumable at every byte.
 */
import { ArrivedBytes } from "./ArrivedBytes.ts"

/**
 * The types of frames. Only clients that negotiated headers get `messageWithHeaders`.
 *
 * @since 0.1.0
 * @category models
 */
export const FrameType = { response: 0, error: 1, message: 2, messageWithHeaders: 3 } as const

/** A frame as a value. */
export interface Frame {
  readonly type: (typeof FrameType)[keyof typeof FrameType]
  readonly data: Uint8Array
}

/**
 * Size of the header of a frame in bytes: size and type.
 *
 * @since 0.1.0
 * @category constants
 */
export const frameHeaderSize = 8

/**
 * Encodes a frame.
 *
 * @since 0.1.0
 * @category codecs
 */
export const encodeFrame = (type: Frame["type"], data: Uint8Array): Buffer => {
  const out = Buffer.allocUnsafe(frameHeaderSize + data.length)
  out.writeInt32BE(data.length + 4, 0)
  out.writeInt32BE(type, 4)
  out.set(data, frameHeaderSize)
  return out
}

/**
 * Encodes a response frame.
 *
 * @since 0.1.0
 * @category codecs
 */
export const encodeResponse = (text: string): Buffer => encodeFrame(FrameType.response, Buffer.from(text))

const ok = encodeResponse("OK")
const okSize = ok.length

/** Returns the number of `OK` responses at the front of the bytes. */
const countOks = (bytes: Uint8Array): number => {
  let end = 0
  for (let at = 0; at < bytes.length && bytes[at] === ok[at - end]; at++) if (at - end === okSize - 1) end += okSize
  return end / okSize
}

/** The input is not a frame, or the frame exceeds the limit; no further input can be decoded. */
export class InvalidFrame {
  readonly size: number
  readonly type: number

  constructor(size: number, type: number) {
    this.size = size
    this.type = type
  }

  get message(): string {
    return `invalid frame: size ${this.size}, type ${this.type}`
  }
}

/** Decodes frames from input in pieces of any size. Keeps only bytes that have arrived. */
export class FrameReader {
  private readonly arrived = new ArrivedBytes()
  private readonly maxFrameSize: number
  /** `OK` responses before the other input. */
  private oks = 0

  /** `maxFrameSize` limits the size field, in bytes. Default: 64 MiB. */
  constructor(maxFrameSize: number = 64 * 1024 * 1024) {
    this.maxFrameSize = maxFrameSize
  }

  feed(chunk: Uint8Array): void {
    // The replies to publishes are counted where they arrive, and not copied.
    const oks = this.arrived.length === 0 ? countOks(chunk) : 0
    this.oks += oks
    const start = oks * okSize
    if (start < chunk.length) this.arrived.add(start === 0 ? chunk : chunk.subarray(start))
  }

  /** Returns the next complete frame; `undefined` while bytes are missing. */
  next(): Frame | InvalidFrame | undefined {
    if (this.oks > 0) {
      this.oks--
      return { type: FrameType.response, data: ok.subarray(frameHeaderSize) }
    }
    const { arrived } = this
    if (arrived.length < frameHeaderSize) return undefined
    const size = arrived.int32At(0)
    const type = arrived.int32At(4)
    if (size < 4 || size > this.maxFrameSize || (type !== 0 && type !== 1 && type !== 2 && type !== 3)) {
      return new InvalidFrame(size, type)
    }
    if (arrived.length < size + 4) return undefined
    const data = arrived.view(frameHeaderSize, size + 4)
    arrived.drop(size + 4)
    return { type, data }
  }

  /**
   * Removes the `OK` responses at the front of the input; returns their number. Many publishes have nothing but these replies: one
   * comparison for each takes less than a frame as a value.
   */
  takeOks(): number {
    const { arrived } = this
    let count = 0
    while (arrived.length >= (count + 1) * okSize && arrived.matches(ok, count * okSize)) count++
    arrived.drop(count * okSize)
    count += this.oks
    this.oks = 0
    return count
  }

  /** Removes and returns the input after the last frame, for a connection that is upgraded. */
  takeRest(): Buffer {
    const rest = Buffer.concat([...Array.from({ length: this.oks }, () => ok), this.arrived.all])
    this.oks = 0
    this.arrived.drop(this.arrived.length)
    return rest
  }
}

/** Frames, which a server sends, as Schemas (docs/protocol/client.md#frames). `FrameReader` has their bytes. */
import { Schema } from "effect"
import { FrameReader, FrameType, InvalidFrame } from "./FrameReader.ts"

export { encodeFrame, encodeResponse, frameHeaderSize, FrameType } from "./FrameReader.ts"

/**
 * A frame as a value.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Frame = Schema.Struct({
  type: Schema.Literals([FrameType.response, FrameType.error, FrameType.message, FrameType.messageWithHeaders]),
  data: Schema.Uint8Array
})
/** A frame as a value. */
export type Frame = typeof Frame.Type

/**
 * The input is not a frame, or the frame exceeds the limit; no further input can be decoded.
 *
 * @since 0.1.0
 * @category errors
 */
export class FrameError extends Schema.TaggedError<FrameError>()("FrameError", {
  size: Schema.Int,
  type: Schema.Int
}) {
  override get message(): string {
    return new InvalidFrame(this.size, this.type).message
  }
}

/**
 * Decodes frames from input in pieces of any size. Keeps only bytes that have arrived.
 *
 * @since 0.1.0
 * @category models
 */
export class FrameDecoder extends FrameReader {
  /** Returns the next complete frame; `undefined` while bytes are missing. */
  override next(): Frame | FrameError | undefined {
    const frame = super.next()
    return frame instanceof InvalidFrame ? new FrameError({ size: frame.size, type: frame.type }) : frame
  }
}

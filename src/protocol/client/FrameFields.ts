/**
 * The fields of a message frame of the TCP protocol, read and changed where they are. A message with headers has a frame of its own type,
 * whose body follows the headers (docs/headers.md).
 *
 * Hot path: no objects, except for a view of the headers.
 */
import { frameHeaderSize, FrameType } from "./Frame.ts"
import { noHeaders, valueStart } from "./HeaderLines.ts"
import { messageHeaderSize } from "./Message.ts"

/**
 * Size of the header before the body in a message frame, in bytes: size, type, timestamp, attempts, id.
 *
 * @since 0.1.0
 * @category operations
 */
export const messageFrameHeaderSize = frameHeaderSize + messageHeaderSize
/**
 * The offset of the timestamp in a message frame.
 *
 * @since 0.1.0
 * @category constants
 */
export const frameTimestampOffset = 8
/**
 * The offset of the attempts in a message frame.
 *
 * @since 0.1.0
 * @category constants
 */
export const frameAttemptsOffset = 16
/**
 * The offset of the message id in a message frame.
 *
 * @since 0.1.0
 * @category constants
 */
export const frameIdOffset = 18

/** The size before the headers, in bytes. */
const sizeBytes = 4

/**
 * Returns when the message of the frame at `position` was accepted, in ms since the Unix epoch. A double of its nanoseconds is exact to
 * 256 ns.
 *
 * @since 0.2.0
 * @category operations
 */
export const frameMillis = (frames: Buffer, position: number): number => {
  const at = position + frameTimestampOffset
  return (frames.readUInt32BE(at) * 2 ** 32 + frames.readUInt32BE(at + 4)) / 1e6
}

/**
 * Returns the attempts of the frame at `position`.
 *
 * @since 0.1.0
 * @category operations
 */
export const frameAttempts = (frames: Buffer, position: number): number =>
  frames.readUInt16BE(position + frameAttemptsOffset)

/**
 * Increments the attempts of the frame at `position`; wraps at 65536, as in NSQ.
 *
 * @since 0.1.0
 * @category operations
 */
export const raiseAttempts = (frames: Buffer, position: number): void => {
  frames.writeUInt16BE((frameAttempts(frames, position) + 1) & 0xffff, position + frameAttemptsOffset)
}

/**
 * Sets the attempts of the frame at `position`.
 *
 * @since 0.2.0
 * @category operations
 */
export const setAttempts = (frames: Buffer, position: number, attempts: number): void => {
  frames.writeUInt16BE(attempts & 0xffff, position + frameAttemptsOffset)
}

/**
 * Whether the frame at `position` has headers.
 *
 * @since 0.2.0
 * @category predicates
 */
export const hasHeadersAt = (frames: Buffer, position: number): boolean =>
  frames.readInt32BE(position + 4) === FrameType.messageWithHeaders

/**
 * Returns the encoded headers of the frame at `position`, as a view; empty without headers.
 *
 * @since 0.2.0
 * @category operations
 */
export const frameHeaders = (frames: Buffer, position: number): Buffer => {
  if (!hasHeadersAt(frames, position)) return noHeaders
  const at = position + messageFrameHeaderSize
  return frames.subarray(at + sizeBytes, at + sizeBytes + frames.readInt32BE(at))
}

/**
 * Returns where the value of one header of the frame at `position` begins, whose name is in lower case; `undefined` without it. The value
 * goes to the end of its line.
 *
 * @since 0.2.0
 * @category operations
 */
export const headerStartAt = (frames: Buffer, position: number, name: string): number | undefined => {
  if (!hasHeadersAt(frames, position)) return undefined
  const at = position + messageFrameHeaderSize
  const start = at + sizeBytes
  return valueStart(frames, name, start, start + frames.readInt32BE(at))
}

/**
 * Returns where the body of the frame at `position` begins.
 *
 * @since 0.2.0
 * @category operations
 */
export const frameBodyStart = (frames: Buffer, position: number): number => {
  const at = position + messageFrameHeaderSize
  return hasHeadersAt(frames, position) ? at + sizeBytes + frames.readInt32BE(at) : at
}

/**
 * The bytes of messages: as published bodies, as frames of the TCP protocol, and as records of a disk queue; and the conversions
 * between them.
 *
 * Hot path: plain loops over bytes, no objects per message.
 */
import { frameHeaderSize, FrameType } from "./Frame.ts"
import { type GuidBlock, GuidWriter, writeGuid } from "./Guid.ts"
import { messageHeaderSize } from "./Message.ts"

/**
 * Size of the header before the body in a message frame, in bytes: size, type, timestamp, attempts, id.
 *
 * @since 0.1.0
 * @category operations
 */
export const messageFrameHeaderSize = frameHeaderSize + messageHeaderSize
/**
 * Size of the header before the body in a disk record, in bytes: size, timestamp, attempts, id.
 *
 * @since 0.1.0
 * @category constants
 */
export const recordHeaderSize = 4 + messageHeaderSize
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

/** The size before each published body, in bytes. */
const sizeBytes = 4
/** Larger bodies, on average, are copied once. */
const movedBytesMax = 1024

/**
 * Consecutive size-prefixed bodies with `gap` bytes between them: an MPUB (gap 0) or pipelined PUBs.
 *
 * @since 0.1.0
 * @category models
 */
export interface PublishedBodies {
  readonly bytes: Buffer
  /** Offset of the first size. */
  readonly start: number
  readonly gap: number
  readonly count: number
  /** Sum of the body sizes. */
  readonly bodyBytes: number
}

/**
 * Consecutive disk records in `bytes`, from `start` to `end`.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoredRecords {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly count: number
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
 * Size of published messages as frames, in bytes.
 *
 * @since 0.2.0
 * @category operations
 */
export const framesSize = (bodies: PublishedBodies): number => bodies.count * messageFrameHeaderSize + bodies.bodyBytes

/**
 * Writes published messages as frames to position `to` of `out`, which must not share its memory; returns their end.
 *
 * @since 0.2.0
 * @category codecs
 */
export const layOutPublished = (
  out: Buffer,
  to: number,
  bodies: PublishedBodies,
  timestamp: bigint,
  ids: GuidBlock
): number => {
  const { bytes, count, gap } = bodies
  // For one or two ids the writer does not pay.
  const guids = count > 2 ? new GuidWriter(ids) : undefined
  const high = Number(BigInt.asIntN(32, timestamp >> 32n))
  const low = Number(BigInt.asIntN(32, timestamp))
  const view = new DataView(out.buffer, out.byteOffset)
  let source = bytes
  let from = bodies.start
  if (count > 2 && bodies.bodyBytes < count * movedBytesMax && sizeBytes + gap <= messageFrameHeaderSize) {
    // All bodies at once to the end of their frames, and from there each to its place: a move within a buffer takes half the time
    // of a copy between two. Frames are longer than what they are made of, so that none reaches the bodies that follow.
    const length = count * sizeBytes + bodies.bodyBytes + (count - 1) * gap
    source = out
    from = to + framesSize(bodies) - length
    bytes.copy(out, from, bodies.start, bodies.start + length)
  }
  for (let i = 0; i < count; i++) {
    const size = source.readInt32BE(from)
    const body = from + sizeBytes
    if (source === out) out.copyWithin(to + messageFrameHeaderSize, body, body + size)
    else bytes.copy(out, to + messageFrameHeaderSize, body, body + size)
    view.setInt32(to, size + messageHeaderSize + 4)
    view.setInt32(to + 4, FrameType.message)
    view.setInt32(to + 8, high)
    view.setInt32(to + 12, low)
    view.setUint16(to + frameAttemptsOffset, 1)
    if (guids === undefined) writeGuid(out, to + frameIdOffset, ids, i)
    else guids.write(view, to + frameIdOffset)
    from = body + size + gap
    to += messageFrameHeaderSize + size
  }
  return to
}

/**
 * Returns the messages `first` to `to` of published ones as disk records, without deliveries.
 *
 * @since 0.2.0
 * @category codecs
 */
export const recordsOfPublished = (
  bodies: PublishedBodies,
  timestamp: bigint,
  ids: GuidBlock,
  first: number,
  to: number
): StoredRecords => {
  const { bytes, gap } = bodies
  let from = bodies.start
  for (let i = 0; i < first; i++) from += 4 + bytes.readInt32BE(from) + gap
  let total = 0
  for (let i = first, position = from; i < to; i++) {
    const size = bytes.readInt32BE(position)
    total += recordHeaderSize + size
    position += 4 + size + gap
  }
  const out = Buffer.allocUnsafeSlow(total)
  const high = Number(BigInt.asIntN(32, timestamp >> 32n))
  const low = Number(BigInt.asIntN(32, timestamp))
  const view = new DataView(out.buffer)
  let position = 0
  for (let i = first; i < to; i++) {
    const size = bytes.readInt32BE(from)
    view.setInt32(position, size + messageHeaderSize)
    view.setInt32(position + 4, high)
    view.setInt32(position + 8, low)
    view.setUint16(position + 12, 0)
    writeGuid(out, position + 14, ids, i)
    bytes.copy(out, position + recordHeaderSize, from + 4, from + 4 + size)
    from += 4 + size + gap
    position += recordHeaderSize + size
  }
  return { bytes: out, start: 0, end: total, count: to - first }
}

/**
 * Returns the messages of disk records as frames. Their attempts include the coming delivery.
 *
 * @since 0.2.0
 * @category codecs
 */
export const layOutStored = (records: StoredRecords): Buffer => {
  const bytes = Buffer.from(records.bytes.buffer, records.bytes.byteOffset, records.bytes.length)
  const out = Buffer.allocUnsafeSlow(records.end - records.start + 4 * records.count)
  let from = records.start
  let to = 0
  for (let i = 0; i < records.count; i++) {
    const size = bytes.readInt32BE(from)
    out.writeInt32BE(size + 4, to)
    out.writeInt32BE(FrameType.message, to + 4)
    bytes.copy(out, to + frameHeaderSize, from + 4, from + 4 + size)
    raiseAttempts(out, to)
    from += 4 + size
    to += frameHeaderSize + size
  }
  return out
}

/**
 * Returns `count` frames from `position` on as disk records. Their attempts count past deliveries only.
 *
 * @since 0.2.0
 * @category codecs
 */
export const recordsOfFrames = (frames: Buffer, position: number, count: number): StoredRecords => {
  let end = position
  for (let i = 0; i < count; i++) end += frames.readInt32BE(end) + 4
  const out = Buffer.allocUnsafeSlow(end - position - 4 * count)
  let from = position
  let to = 0
  for (let i = 0; i < count; i++) {
    const size = frames.readInt32BE(from) - 4
    out.writeInt32BE(size, to)
    frames.copy(out, to + 4, from + frameHeaderSize, from + frameHeaderSize + size)
    out.writeUInt16BE((frameAttempts(frames, from) - 1) & 0xffff, to + 12)
    from += frameHeaderSize + size
    to += 4 + size
  }
  return { bytes: out, start: 0, end: to, count }
}

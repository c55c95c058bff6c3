/**
 * The bytes of messages: as published bodies, as frames of the TCP protocol, and as records of a disk queue; and the conversions
 * between them. Records of a disk queue have NSQ's format, which cannot hold headers.
 *
 * Hot path: plain loops over bytes, no objects per message.
 */
import { frameHeaderSize, FrameType } from "./Frame.ts"
import {
  frameAttempts,
  frameAttemptsOffset,
  frameBodyStart,
  frameIdOffset,
  frameTimestampOffset,
  messageFrameHeaderSize,
  raiseAttempts
} from "./FrameFields.ts"
import { type GuidBlock, GuidWriter, writeGuid } from "./Guid.ts"
import { noHeaders } from "./Headers.ts"
import { messageHeaderSize } from "./Message.ts"

/**
 * Size of the header before the body in a disk record, in bytes: size, timestamp, attempts, id.
 *
 * @since 0.1.0
 * @category constants
 */
export const recordHeaderSize = 4 + messageHeaderSize
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
  /**
   * Encoded headers (`MessageHeaders.encodeHeaders`), which have been checked: one block for all messages, or one for each, empty for a
   * message without headers. Default: no message has headers.
   *
   * @since 0.2.0
   */
  readonly headers?: Buffer | ReadonlyArray<Buffer>
  /**
   * Where the key begins in the headers, which are one block then: the value of `nsq-dedup-key`. The publish is stored once within the
   * topic's window (docs/headers.md#de-duplication). Default: the publish has no key.
   *
   * @since 0.2.0
   */
  readonly dedupKeyStart?: number
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
 * Size of published messages as frames, in bytes.
 *
 * @since 0.2.0
 * @category operations
 */
export const framesSize = (bodies: PublishedBodies): number => {
  const size = bodies.count * messageFrameHeaderSize + bodies.bodyBytes
  return bodies.headers === undefined ? size : size + headersSize(bodies.headers, bodies.count)
}

/** The headers of message `index`. */
const headersOf = (headers: Buffer | ReadonlyArray<Buffer>, index: number): Buffer =>
  (Buffer.isBuffer(headers) ? headers : headers[index]) ?? noHeaders

/**
 * Returns the headers of the messages from number `first` to `end`, which is excluded.
 *
 * @since 0.2.0
 * @category operations
 */
export const headersPart = (
  headers: Buffer | ReadonlyArray<Buffer>,
  first: number,
  end: number
): Buffer | ReadonlyArray<Buffer> => Buffer.isBuffer(headers) ? headers : headers.slice(first, end)

/** Bytes of the headers of `count` messages in their frames. */
const headersSize = (headers: Buffer | ReadonlyArray<Buffer>, count: number): number => {
  let size = 0
  for (let i = 0; i < count; i++) {
    const { length } = headersOf(headers, i)
    if (length > 0) size += sizeBytes + length
  }
  return size
}

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
  if (bodies.headers !== undefined) return layOutWithHeaders(out, to, bodies, bodies.headers, timestamp, ids)
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

const layOutWithHeaders = (
  out: Buffer,
  to: number,
  bodies: PublishedBodies,
  headers: Buffer | ReadonlyArray<Buffer>,
  timestamp: bigint,
  ids: GuidBlock
): number => {
  const { bytes, count, gap } = bodies
  let from = bodies.start
  for (let i = 0; i < count; i++) {
    const size = bytes.readInt32BE(from)
    const block = headersOf(headers, i)
    let at = to + messageFrameHeaderSize
    if (block.length > 0) {
      at = out.writeInt32BE(block.length, at)
      at += block.copy(out, at)
    }
    at += bytes.copy(out, at, from + sizeBytes, from + sizeBytes + size)
    out.writeInt32BE(at - to - sizeBytes, to)
    out.writeInt32BE(block.length > 0 ? FrameType.messageWithHeaders : FrameType.message, to + 4)
    out.writeBigInt64BE(timestamp, to + frameTimestampOffset)
    out.writeUInt16BE(1, to + frameAttemptsOffset)
    writeGuid(out, to + frameIdOffset, ids, i)
    from += sizeBytes + size + gap
    to = at
  }
  return to
}

/**
 * Returns a copy of the frames between two positions without headers, as consumers get them that did not negotiate headers.
 *
 * @since 0.2.0
 * @category operations
 */
export const framesWithoutHeaders = (frames: Buffer, from: number, end: number): Buffer => {
  const out = Buffer.allocUnsafeSlow(end - from)
  let to = 0
  for (let at = from; at < end;) {
    const next = at + frames.readInt32BE(at) + 4
    frames.copy(out, to, at, at + messageFrameHeaderSize)
    const size = messageFrameHeaderSize +
      frames.copy(out, to + messageFrameHeaderSize, frameBodyStart(frames, at), next)
    out.writeInt32BE(size - sizeBytes, to)
    out.writeInt32BE(FrameType.message, to + 4)
    to += size
    at = next
  }
  return out.subarray(0, to)
}

/**
 * Returns the messages `first` to `to` of published ones as disk records, without deliveries and without headers.
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

/**
 * Messages that travel together: what one MPUB, one run of PUBs or one read from disk brought. A batch stays one object from
 * the socket through topic and channels; fan-out to N channels costs N references. Its bytes start in the layout they came
 * in and are laid out once, when first delivered, as ready-made message frames; every first delivery of any channel is then
 * a plain copy of those bytes. Small publishes that wait together are gathered in one batch, laid out at once.
 *
 * Hot path: plain loops over bytes, no Effects, no objects per message.
 */
import { frameHeaderSize, FrameType } from "./Frame.ts"
import { type GuidBlock, writeGuid } from "./Guid.ts"
import { messageHeaderSize } from "./Message.ts"

/** Bytes before the body in a message frame: size, type, timestamp, attempts, id. */
export const messageFrameHeaderSize = frameHeaderSize + messageHeaderSize
/** Bytes before the body in a disk record: size, timestamp, attempts, id. */
export const recordHeaderSize = 4 + messageHeaderSize
/** Where time stamp, attempts and id lie in a message frame. */
export const frameTimestampOffset = 8
export const frameAttemptsOffset = 16
export const frameIdOffset = 18

/** Size-prefixed bodies lying one after another, `gap` bytes between them: an MPUB (gap 0) or pipelined PUBs. */
export interface PublishedBodies {
  readonly bytes: Buffer
  /** Position of the first size. */
  readonly start: number
  readonly gap: number
  readonly count: number
  /** Sum of the body sizes. */
  readonly bodyBytes: number
}

/** Disk records lying one after another in `bytes`, from `start` to `end`. */
export interface StoredRecords {
  readonly bytes: Uint8Array
  readonly start: number
  readonly end: number
  readonly count: number
}

/** What keeps a message on disk until it has been dealt with. */
export interface Ledger {
  /** `count` messages, the first of which is the frame at `position`, are finished, dropped, or written elsewhere. */
  settle(position: number, count: number): void
}

/** Bytes that gathered messages may have in one batch. */
const gatheredBytesMax = 32 * 1024
/** Larger ones stay as they came: copying them would cost more than an object does. */
const gatherableBytesMax = 4 * 1024

const framesSize = (bodies: PublishedBodies): number => bodies.count * messageFrameHeaderSize + bodies.bodyBytes

export class MessageBatch {
  /** Changes only while messages are gathered. */
  count: number
  bodyBytes: number
  /** Delay in ms that starts when the message reaches a channel; 0 for none. A batch with a delay has one message. */
  readonly deferMillis: number
  private readonly ledger: Ledger | undefined
  /** Where the ledger's batch has the first message of this one. */
  private ledgerPosition = 0
  private published: PublishedBodies | undefined
  private stored: StoredRecords | undefined
  /** Of the first message, in ns since the epoch; 0 for messages that were not just published. */
  private readonly timestamp: bigint
  /** Of the last one, where messages were gathered. */
  private newest = 0n
  private readonly ids: GuidBlock | undefined
  private laidOut: Buffer | undefined
  /** Bytes at the end of `laidOut` that are free for messages to be gathered. */
  private room = 0

  private constructor(
    count: number,
    bodyBytes: number,
    deferMillis: number,
    ledger: Ledger | undefined,
    published: PublishedBodies | undefined,
    stored: StoredRecords | undefined,
    timestamp: bigint,
    ids: GuidBlock | undefined,
    laidOut: Buffer | undefined
  ) {
    this.count = count
    this.bodyBytes = bodyBytes
    this.deferMillis = deferMillis
    this.ledger = ledger
    this.published = published
    this.stored = stored
    this.timestamp = timestamp
    this.ids = ids
    this.laidOut = laidOut
  }

  /** Freshly published messages, accepted at `timestamp` (ns since the epoch) under the ids of `ids`. */
  static published(bodies: PublishedBodies, timestamp: bigint, ids: GuidBlock, deferMillis = 0): MessageBatch {
    return new MessageBatch(
      bodies.count,
      bodies.bodyBytes,
      deferMillis,
      undefined,
      bodies,
      undefined,
      timestamp,
      ids,
      undefined
    )
  }

  /** Whether the messages are on disk as well, until they are settled. */
  get isOnDisk(): boolean {
    return this.ledger !== undefined
  }

  /** Messages read from a disk queue. */
  static stored(records: StoredRecords, ledger?: Ledger, deferMillis = 0): MessageBatch {
    const bodyBytes = records.end - records.start - records.count * recordHeaderSize
    return new MessageBatch(records.count, bodyBytes, deferMillis, ledger, undefined, records, 0n, undefined, undefined)
  }

  /** `count` message frames that lie one after another in a buffer of their own. */
  static ofFrames(frames: Buffer, count: number): MessageBatch {
    const bodyBytes = frames.length - count * messageFrameHeaderSize
    return new MessageBatch(count, bodyBytes, 0, undefined, undefined, undefined, 0n, undefined, frames)
  }

  /** The message at `position` of `frames`, copied, so that it may wait long, change its attempts and let go of its batch. */
  single(position: number): MessageBatch {
    const { frames } = this
    const size = frames.readInt32BE(position) + 4
    const copy = Buffer.allocUnsafeSlow(size)
    frames.copy(copy, 0, position, position + size)
    const bodyBytes = size - messageFrameHeaderSize
    const batch = new MessageBatch(1, bodyBytes, 0, this.ledger, undefined, undefined, 0n, undefined, copy)
    batch.ledgerPosition = this.ledgerPosition + position
    return batch
  }

  /**
   * A batch that starts with these messages and gathers those published next, for as long as nobody else knows it. Undefined
   * for large ones. `predecessor` is the batch before it: batches grow while publishing outruns delivery, and stay small
   * where it does not.
   */
  static gathering(
    bodies: PublishedBodies,
    timestamp: bigint,
    ids: GuidBlock,
    predecessor: MessageBatch
  ): MessageBatch | undefined {
    const size = framesSize(bodies)
    if (size > gatherableBytesMax) return undefined
    const capacity = Math.min(gatheredBytesMax, 4 * Math.max(size, predecessor.capacity))
    const frames = Buffer.allocUnsafeSlow(capacity)
    const batch = new MessageBatch(0, 0, 0, undefined, undefined, undefined, timestamp, ids, frames)
    batch.room = capacity
    batch.gather(bodies, timestamp, ids)
    return batch
  }

  /** When the first message was published, in ns since the epoch; undefined for messages that were not just published. */
  get publishedNanos(): number | undefined {
    return this.timestamp === 0n ? undefined : Number(this.timestamp)
  }

  /** How long after it the last one was, in ns: 0 where all were published at once. */
  get gatheringNanos(): number {
    return this.newest === 0n ? 0 : Number(this.newest - this.timestamp)
  }

  private get capacity(): number {
    return this.laidOut?.length ?? this.count * messageFrameHeaderSize + this.bodyBytes
  }

  /** Adds freshly published messages; false when this batch does not gather, or has no room for them. */
  gather(bodies: PublishedBodies, timestamp: bigint, ids: GuidBlock): boolean {
    const { laidOut, room } = this
    if (laidOut === undefined || framesSize(bodies) > room) return false
    this.room = laidOut.length - layOutPublished(laidOut, laidOut.length - room, bodies, timestamp, ids)
    this.count += bodies.count
    this.bodyBytes += bodies.bodyBytes
    this.newest = timestamp
    return true
  }

  /** `count` messages, the first of which is at `position` of `frames`, are finished, dropped, or written elsewhere. */
  settle(position: number, count: number): void {
    this.ledger?.settle(this.ledgerPosition + position, count)
  }

  /** All messages as frames, one after another, attempts counting the delivery that is about to happen. */
  get frames(): Buffer {
    return this.laidOut ?? this.layOut()
  }

  private layOut(): Buffer {
    let out: Buffer
    if (this.published !== undefined && this.ids !== undefined) {
      out = Buffer.allocUnsafeSlow(framesSize(this.published))
      layOutPublished(out, 0, this.published, this.timestamp, this.ids)
    } else if (this.stored !== undefined) {
      out = layOutStored(this.stored)
    } else {
      throw new Error("invariant: a batch has published bodies, stored records or frames")
    }
    this.laidOut = out
    this.published = undefined
    this.stored = undefined
    return out
  }

  /**
   * Messages `from` to `to` as disk records, their attempts counting the deliveries that have happened. `position` is where
   * message `from` lies in `frames`, where that is known.
   */
  encodeRecords(from: number, to: number, position?: number): StoredRecords {
    if (this.laidOut === undefined && this.stored !== undefined && from === 0 && to === this.count) return this.stored
    if (this.published !== undefined && this.ids !== undefined) {
      return recordsOfPublished(this.published, this.timestamp, this.ids, from, to)
    }
    return recordsOfFrames(this.frames, position ?? this.positionOf(from), to - from)
  }

  private positionOf(index: number): number {
    const frames = this.frames
    let position = 0
    for (let i = 0; i < index; i++) position += frames.readInt32BE(position) + 4
    return position
  }
}

/** Attempts of the frame at `position`. */
export const frameAttempts = (frames: Buffer, position: number): number =>
  frames.readUInt16BE(position + frameAttemptsOffset)

/** Counts one more delivery; wraps at 65536 as NSQ's 16 bits do. */
export const raiseAttempts = (frames: Buffer, position: number): void => {
  frames.writeUInt16BE((frameAttempts(frames, position) + 1) & 0xffff, position + frameAttemptsOffset)
}

/** Writes published messages as frames from position `to` of `out`, a buffer of its own; returns where they end. */
const layOutPublished = (
  out: Buffer,
  to: number,
  bodies: PublishedBodies,
  timestamp: bigint,
  ids: GuidBlock
): number => {
  const { bytes, count, gap } = bodies
  const high = Number(BigInt.asIntN(32, timestamp >> 32n))
  const low = Number(BigInt.asIntN(32, timestamp))
  const view = new DataView(out.buffer)
  let from = bodies.start
  for (let i = 0; i < count; i++) {
    const size = bytes.readInt32BE(from)
    view.setInt32(to, size + messageHeaderSize + 4)
    view.setInt32(to + 4, FrameType.message)
    view.setInt32(to + 8, high)
    view.setInt32(to + 12, low)
    view.setUint16(to + frameAttemptsOffset, 1)
    writeGuid(out, to + frameIdOffset, ids, i)
    bytes.copy(out, to + messageFrameHeaderSize, from + 4, from + 4 + size)
    from += 4 + size + gap
    to += messageFrameHeaderSize + size
  }
  return to
}

const recordsOfPublished = (
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

const layOutStored = (records: StoredRecords): Buffer => {
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

const recordsOfFrames = (frames: Buffer, position: number, count: number): StoredRecords => {
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

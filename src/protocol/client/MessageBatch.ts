/**
 * Messages that are handled together: those of one MPUB, one run of PUBs or one read from disk. A batch stays one object from
 * the socket through topic and channels; fan-out to N channels costs N references. Its bytes keep the layout of their source
 * until the first delivery, which lays them out once as message frames; every first delivery of any channel is then a plain
 * copy of those bytes. Small publishes that wait together are gathered in one batch, which is laid out immediately.
 *
 * Hot path: plain loops over bytes, no Effects, no objects per message.
 */
import { hasHeadersAt, messageFrameHeaderSize } from "./FrameFields.ts"
import type { GuidBlock } from "./Guid.ts"
import {
  framesSize,
  framesWithoutHeaders,
  layOutPublished,
  layOutStored,
  type PublishedBodies,
  recordHeaderSize,
  recordsOfFrames,
  recordsOfPublished,
  type StoredRecords
} from "./MessageLayout.ts"

// The package exports the layout as a part of `MessageBatch`.
export {
  frameAttempts,
  frameAttemptsOffset,
  frameBodyStart,
  frameHeaders,
  frameIdOffset,
  frameTimestampOffset,
  hasHeadersAt,
  messageFrameHeaderSize,
  raiseAttempts,
  setAttempts
} from "./FrameFields.ts"
export {
  framesSize,
  framesWithoutHeaders,
  headersPart,
  layOutPublished,
  type PublishedBodies,
  recordHeaderSize,
  type StoredRecords
} from "./MessageLayout.ts"

/**
 * Keeps messages on disk until they are settled.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ledger {
  /** Records that `count` messages, starting with the frame at `position`, are finished, dropped, or written elsewhere. */
  settle(position: number, count: number): void
  /** The sequence of the message at `position`, if the messages have sequences (docs/protocol/files.md#durable-log). */
  sequenceAt?(position: number): number
  /**
   * Whether the disk does not have the messages any more. Default: false.
   *
   * @since 0.2.0
   */
  readonly isGone?: boolean
  /**
   * Of messages in the disk queue of a topic: whether every channel still has the message at `position` to settle.
   *
   * @since 0.2.0
   */
  isWhole?(position: number): boolean
}

/** The maximum size of a batch of gathered messages, in bytes. */
const gatheredBytesMax = 32 * 1024
/** Larger publishes are not gathered, because copying them would cost more than an object. */
const gatherableBytesMax = 4 * 1024

/**
 * A batch of messages.
 *
 * @since 0.1.0
 * @category models
 */
export class MessageBatch {
  /** Changes only while messages are gathered. */
  count: number
  /** Bytes of the bodies and of the headers in `frames`. */
  bodyBytes: number
  /** Whether some messages may have headers: the types of their frames tell. */
  readonly hasHeaders: boolean
  /** Delay in ms that starts when the message reaches a channel; 0 for no delay. A batch with a delay has one message. */
  readonly deferMillis: number
  private readonly ledger: Ledger | undefined
  /** The position of the first message in the ledger's batch. */
  private ledgerPosition = 0
  private published: PublishedBodies | undefined
  private stored: StoredRecords | undefined
  /** Of the first message, in ns since the epoch; 0 unless the messages were just published. */
  private readonly timestamp: bigint
  /** Of the last message, if messages were gathered. */
  private newest = 0n
  private readonly ids: GuidBlock | undefined
  private laidOut: Buffer | undefined
  /** Free bytes at the end of `laidOut` for gathering messages. */
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
    laidOut: Buffer | undefined,
    hasHeaders: boolean
  ) {
    this.hasHeaders = hasHeaders
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

  /** Returns a batch of newly published messages, accepted at `timestamp` (ns since the epoch), with the ids of `ids`. */
  static published(bodies: PublishedBodies, timestamp: bigint, ids: GuidBlock, deferMillis = 0): MessageBatch {
    return new MessageBatch(
      bodies.count,
      framesSize(bodies) - bodies.count * messageFrameHeaderSize,
      deferMillis,
      undefined,
      bodies,
      undefined,
      timestamp,
      ids,
      undefined,
      bodies.headers !== undefined
    )
  }

  /** Whether the messages are on disk as well, until they are settled. */
  get isOnDisk(): boolean {
    return this.ledger !== undefined && this.ledger.isGone !== true
  }

  /**
   * Whether every channel still has the message at `position` of `frames` to settle; undefined unless it is on disk in the queue of the
   * topic.
   */
  isWholeAt(position: number): boolean | undefined {
    return this.isOnDisk ? this.ledger?.isWhole?.(this.ledgerPosition + position) : undefined
  }

  /** Returns a batch of messages read from a disk queue. */
  static stored(records: StoredRecords, ledger?: Ledger, deferMillis = 0): MessageBatch {
    const bodyBytes = records.end - records.start - records.count * recordHeaderSize
    return new MessageBatch(
      records.count,
      bodyBytes,
      deferMillis,
      ledger,
      undefined,
      records,
      0n,
      undefined,
      undefined,
      false
    )
  }

  /** Returns a batch of `count` consecutive message frames, which fill their buffer. `hasHeaders` says whether some may have headers. */
  static ofFrames(frames: Buffer, count: number, ledger?: Ledger, hasHeaders = false): MessageBatch {
    const bodyBytes = frames.length - count * messageFrameHeaderSize
    return new MessageBatch(count, bodyBytes, 0, ledger, undefined, undefined, 0n, undefined, frames, hasHeaders)
  }

  /** Returns a copy of the message at `position` of `frames`, which can change its attempts and does not retain its batch. */
  single(position: number): MessageBatch {
    const { frames } = this
    const size = frames.readInt32BE(position) + 4
    const copy = Buffer.allocUnsafeSlow(size)
    frames.copy(copy, 0, position, position + size)
    const bodyBytes = size - messageFrameHeaderSize
    const hasHeaders = this.hasHeaders && hasHeadersAt(frames, position)
    const batch = new MessageBatch(1, bodyBytes, 0, this.ledger, undefined, undefined, 0n, undefined, copy, hasHeaders)
    batch.ledgerPosition = this.ledgerPosition + position
    return batch
  }

  /**
   * Returns a batch that starts with these messages and gathers further ones, as long as it has one owner. Returns undefined
   * for large messages. `predecessor` is the batch before it: batches grow while publishing is faster than delivery, and stay
   * small otherwise.
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
    const hasHeaders = bodies.headers !== undefined
    const batch = new MessageBatch(0, 0, 0, undefined, undefined, undefined, timestamp, ids, frames, hasHeaders)
    batch.room = capacity
    batch.gather(bodies, timestamp, ids)
    return batch
  }

  /** The time when the first message was published, in ns since the epoch; undefined unless the messages were just published. */
  get publishedNanos(): number | undefined {
    return this.timestamp === 0n ? undefined : Number(this.timestamp)
  }

  /** The time from the first to the last publish, in ns: 0 if all messages were published at once. */
  get gatheringNanos(): number {
    return this.newest === 0n ? 0 : Number(this.newest - this.timestamp)
  }

  private get capacity(): number {
    return this.laidOut?.length ?? this.framesBytes
  }

  /** The size of `frames`, in bytes. */
  get framesBytes(): number {
    return this.count * messageFrameHeaderSize + this.bodyBytes
  }

  /** Copies `frames` to position `to` of `out`, which must not share its memory. */
  copyFrames(out: Buffer, to: number): void {
    if (this.published !== undefined && this.ids !== undefined) {
      layOutPublished(out, to, this.published, this.timestamp, this.ids)
    } else {
      this.frames.copy(out, to, 0, this.framesBytes)
    }
  }

  /**
   * Adds newly published messages; returns false if this batch does not gather, has no room for them, or if only one of the two has
   * headers.
   */
  gather(bodies: PublishedBodies, timestamp: bigint, ids: GuidBlock): boolean {
    const { laidOut, room } = this
    if (laidOut === undefined || (bodies.headers !== undefined) !== this.hasHeaders) return false
    const size = framesSize(bodies)
    if (size > room) return false
    this.room = laidOut.length - layOutPublished(laidOut, laidOut.length - room, bodies, timestamp, ids)
    this.count += bodies.count
    this.bodyBytes += size - bodies.count * messageFrameHeaderSize
    this.newest = timestamp
    return true
  }

  /** Records that `count` messages, starting at `position` of `frames`, are finished, dropped, or written elsewhere. */
  settle(position: number, count: number): void {
    this.ledger?.settle(this.ledgerPosition + position, count)
  }

  /** The sequence in its log of the message at `position` of `frames`; undefined if the messages are not in a log. */
  sequenceAt(position: number): number | undefined {
    return this.ledger?.sequenceAt?.(this.ledgerPosition + position)
  }

  /** All messages as consecutive frames. Their attempts include the coming delivery. */
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
   * Returns the messages `from` to `to` as disk records, which have no headers. Their attempts count past deliveries only. `position`
   * is the position of message `from` in `frames`, if known.
   */
  encodeRecords(from: number, to: number, position?: number): StoredRecords {
    if (this.laidOut === undefined && this.stored !== undefined && from === 0 && to === this.count) return this.stored
    if (this.published !== undefined && this.ids !== undefined) {
      return recordsOfPublished(this.published, this.timestamp, this.ids, from, to)
    }
    const start = position ?? this.positionOf(from)
    if (!this.hasHeaders) return recordsOfFrames(this.frames, start, to - from)
    return recordsOfFrames(framesWithoutHeaders(this.frames, start, this.positionOf(to - from, start)), 0, to - from)
  }

  /** The position of the message `index` messages after the one at `from`. */
  private positionOf(index: number, from = 0): number {
    const frames = this.frames
    let position = from
    for (let i = 0; i < index; i++) position += frames.readInt32BE(position) + 4
    return position
  }
}

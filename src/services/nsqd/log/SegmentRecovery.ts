/**
 * Finds the records of a segment that an earlier process has left, a piece of the file at a time. All records that can be read are
 * kept. The messages between them were not acknowledged or are damaged; a durable mark above them tells which.
 */
import { Effect } from "effect"
import { readGuid } from "../../../protocol/client/Guid.ts"
import { frameIdOffset } from "../../../protocol/client/MessageBatch.ts"
import {
  findLogHeader,
  isIntact,
  logEpochOf,
  type LogHeader,
  logHeaderSize,
  readLogHeader
} from "../../../protocol/storage/LogRecord.ts"
import type { Disk, DiskError } from "../disk/Disk.ts"
import { type NextPiece, readPieces } from "./FilePieces.ts"
import type { IssuedId } from "./LogCommits.ts"
import type { Segment } from "./Segment.ts"

/** A range of sequences. */
export interface SequenceRange {
  readonly from: number
  readonly to: number
}

/** Messages that do not exist, between two records. */
export interface Hole extends SequenceRange {
  /** Whether the messages were durable. */
  readonly isDamage: boolean
}

/** Messages that were published together, and their due time in ms since the Unix epoch. */
export interface DeferredRange {
  readonly first: number
  /** The sequence after the last one. */
  readonly end: number
  readonly due: number
}

/** The records of a segment. */
export interface RecoveredSegment {
  /** The sequence after the last message. */
  readonly end: number
  /** Where the records end, in bytes. */
  readonly size: number
  readonly holes: ReadonlyArray<Hole>
  readonly lastId: IssuedId | undefined
  readonly deferred: ReadonlyArray<DeferredRange>
  /** Whether a record has headers. */
  readonly hasHeaders: boolean
  /** Whether an incomplete record follows; otherwise zeros do, or records of the file's earlier life. */
  readonly isTorn: boolean
}

/** No log has it, so that no record is valid. */
const noEpoch = -1

class Walk implements RecoveredSegment {
  end: number
  size = 0
  readonly holes: Array<Hole> = []
  readonly deferred: Array<DeferredRange> = []
  hasHeaders = false
  lastId: IssuedId | undefined
  private readonly segment: Segment
  private readonly epoch: number
  private readonly deferredFrom: number
  /** The first valid header behind the records. */
  private behind: { readonly first: number; readonly position: number } | undefined
  /** Whether the bytes between the records and `behind` are zeros. */
  private isZero = true

  constructor(segment: Segment, epoch: number | undefined, deferredFrom: number) {
    this.segment = segment
    this.end = segment.first
    this.epoch = epoch ?? noEpoch
    this.deferredFrom = deferredFrom
  }

  get isTorn(): boolean {
    const { behind } = this
    return behind === undefined ? !this.isZero : behind.position === this.size && behind.first >= this.end
  }

  /** Reads the records that start in a piece of the file. */
  step(piece: Buffer, position: number, fileSize: number): NextPiece | undefined {
    const isEnd = position + piece.length >= fileSize
    let at = 0
    let last: { readonly frames: Buffer; readonly count: number } | undefined
    let next: NextPiece | undefined
    for (;;) {
      const header = readLogHeader(piece, at, this.epoch)
      if (header !== undefined) this.behind ??= { first: header.first, position: position + at }
      const end = header === undefined ? 0 : at + logHeaderSize + header.payloadBytes
      if (header !== undefined && this.mayFollow(header) && position + end <= fileSize) {
        if (end > piece.length) {
          next = { position: position + at, atLeast: end - at }
          break
        }
        const frames = piece.subarray(at + logHeaderSize, end)
        if (isIntact(header, frames)) {
          this.keep(header, position + at, position + end)
          last = { frames, count: header.count }
          at = end
          continue
        }
      }
      const found = findLogHeader(piece, at + 1, this.epoch)
      // A header may lie across two pieces.
      const to = found >= 0 ? found : isEnd ? piece.length : Math.max(at, piece.length - logHeaderSize + 1)
      if (this.behind === undefined) this.isZero &&= isZero(piece.subarray(at, to))
      at = to
      if (found >= 0) continue
      if (!isEnd) next = { position: position + at, atLeast: 0 }
      break
    }
    if (last !== undefined) this.lastId = lastIdOf(last.frames, last.count)
    return next
  }

  private mayFollow({ first }: LogHeader): boolean {
    return first >= this.end && first < this.segment.end
  }

  private keep({ count, due, durable, first, hasHeaders }: LogHeader, position: number, end: number): void {
    if (first > this.end) this.holes.push({ from: this.end, to: first, isDamage: durable > this.end })
    this.segment.note(first, position)
    this.end = first + count
    this.size = end
    if (hasHeaders) this.hasHeaders = true
    if (due > 0 && first >= this.deferredFrom) this.deferred.push({ first, end: this.end, due })
    this.behind = undefined
    this.isZero = true
  }
}

/**
 * Reads the records of `segment`. Without an epoch no record is valid. Only deferred messages from `deferredFrom` on are returned.
 * `pieceBytes` is the usual size of a read, by default 1 MiB.
 */
export const recoverSegment = (
  disk: Disk["Service"],
  segment: Segment,
  epoch: number | undefined,
  deferredFrom: number,
  pieceBytes?: number
): Effect.Effect<RecoveredSegment, DiskError> =>
  Effect.suspend(() => {
    const walk = new Walk(segment, epoch, deferredFrom)
    const step = (piece: Buffer, position: number, size: number) => walk.step(piece, position, size)
    return Effect.as(readPieces(disk, segment.path, step, pieceBytes), walk)
  })

/** Returns the epoch of the first record in the file; `undefined` without a record. */
export const epochOfFile = (disk: Disk["Service"], path: string): Effect.Effect<number | undefined, DiskError> =>
  Effect.suspend(() => {
    let epoch: number | undefined
    const step = (piece: Buffer, position: number, size: number): NextPiece | undefined => {
      epoch = logEpochOf(piece)
      const end = position + piece.length
      return epoch !== undefined || end >= size ? undefined : { position: end - logHeaderSize + 1, atLeast: 0 }
    }
    return Effect.map(readPieces(disk, path, step), () => epoch)
  })

const zeros = Buffer.alloc(64 * 1024)

/** Whether the bytes are those that a segment is filled with ahead of its records. */
const isZero = (bytes: Buffer): boolean => {
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const piece = bytes.subarray(at, at + zeros.length)
    if (!piece.equals(zeros.subarray(0, piece.length))) return false
  }
  return true
}

const lastIdOf = (frames: Buffer, count: number): IssuedId | undefined => {
  let at = 0
  for (let i = 1; i < count; i++) at += frames.readInt32BE(at) + 4
  return readGuid(frames, at + frameIdOffset)
}

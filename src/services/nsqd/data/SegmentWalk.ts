/**
 * Reads all records of a segment of a log, a part of the file at a time. Unlike `SegmentReader`, which looks for one message,
 * it judges every byte: what is between two records is damage.
 */
import { Effect } from "effect"
import {
  findLogHeader,
  isIntact,
  type LogHeader,
  logHeaderSize,
  readLogHeader
} from "../../../protocol/storage/LogRecord.ts"
import type { Disk, DiskError, DiskFile } from "../disk/Disk.ts"
import type { StorageError } from "../disk/StorageError.ts"

/** Bytes per read, unless a record is larger. */
const blockBytes = 1024 * 1024

/** The segment to read. */
export interface WalkedSegment {
  readonly path: string
  /** The sequence of the first message. */
  readonly first: number
  /** The first sequence of the next segment; `Infinity` for the last one, whose end a crash may have left incomplete. */
  readonly end: number
}

/** Receives what a segment contains, in order. */
export interface SegmentVisitor {
  readonly record: (header: LogHeader, frames: Buffer) => Effect.Effect<void, StorageError>
  /** The bytes at `position` are not a record. The messages from `from` up to, but not including, `to` are missing there. */
  readonly damage: (position: number, from: number, to: number) => void
  /** Messages are missing between two records, or after the last one. */
  readonly gap: (position: number, from: number, to: number) => void
}

/** The end of a segment. */
export interface SegmentEnd {
  /** The sequence after the last message. */
  readonly end: number
  /** Where the records end. */
  readonly size: number
  /** Whether other bytes follow than zeros and records of the file's earlier life. */
  readonly isTorn: boolean
  /** The sequence after the last message of records that follow all the same; `end` without such records. */
  readonly behind: number
}

/** A part of a file in memory. */
class Window {
  private bytes: Buffer = Buffer.alloc(0)
  private start = 0
  private readonly file: DiskFile
  readonly size: number

  constructor(file: DiskFile, size: number) {
    this.file = file
    this.size = size
  }

  /** The bytes from `from`: at least `want`, or all up to the end of the file. */
  at(from: number, want: number): Effect.Effect<Buffer, DiskError> {
    return Effect.suspend(() => {
      const isPresent = from >= this.start &&
        Math.min(from + want, this.size) <= this.start + this.bytes.length
      if (isPresent) return Effect.succeed(this.bytes.subarray(from - this.start))
      const block = Buffer.allocUnsafeSlow(Math.max(0, Math.min(Math.max(want, blockBytes), this.size - from)))
      return Effect.map(this.file.read(block, from), (count) => {
        this.start = from
        return this.bytes = block.subarray(0, count)
      })
    })
  }
}

/** Reads a segment of the log with this epoch. */
export const walkSegment = (
  disk: Disk["Service"],
  segment: WalkedSegment,
  epoch: number,
  visitor: SegmentVisitor
): Effect.Effect<SegmentEnd, DiskError | StorageError> =>
  Effect.acquireUseRelease(
    disk.open(segment.path),
    (file) => Effect.flatMap(file.size, (size) => walk(new Window(file, size), segment, epoch, visitor)),
    (file) => file.close
  )

const walk = Effect.fnUntraced(function*(
  window: Window,
  segment: WalkedSegment,
  epoch: number,
  visitor: SegmentVisitor
): Effect.fn.Return<SegmentEnd, DiskError | StorageError> {
  let expected = segment.first
  let position = 0
  while (position < window.size) {
    const header = readLogHeader(yield* window.at(position, logHeaderSize), 0, epoch)
    const size = logHeaderSize + (header?.payloadBytes ?? 0)
    if (header !== undefined && isPlausible(header, expected, segment) && position + size <= window.size) {
      const frames = (yield* window.at(position, size)).subarray(logHeaderSize, size)
      if (frames.length === header.payloadBytes && isIntact(header, frames)) {
        if (header.first > expected) visitor.gap(position, expected, header.first)
        yield* visitor.record(header, frames)
        expected = header.first + header.count
        position += size
        continue
      }
    }
    // In the last segment, as in recovery, a record counts that was written after the message `expected` had become durable:
    // others may be what a crash has left of commits that were never acknowledged.
    const durable = expected
    const isKept = (header: LogHeader) => segment.end !== Infinity || header.durable > durable
    const next = yield* findNext(window, position + 1, segment, epoch, expected, isKept)
    if (next === undefined) break
    visitor.damage(position, expected, next.header.first)
    expected = next.header.first
    position = next.position
  }
  if (segment.end !== Infinity && expected < segment.end) visitor.gap(position, expected, segment.end)
  const isTorn = !(yield* isZero(window, position)) && !(yield* isEarlier(window, position, epoch, expected))
  let behind = expected
  for (let from = position + 1;;) {
    const next = yield* findNext(window, from, segment, epoch, behind, () => true)
    if (next === undefined) break
    behind = next.header.first + next.header.count
    from = next.position + logHeaderSize + next.header.payloadBytes
  }
  return { end: expected, size: position, isTorn, behind }
})

const isPlausible = (header: LogHeader, expected: number, segment: WalkedSegment): boolean =>
  header.first >= expected && header.first + header.count <= segment.end

/** The next header from `from` on that follows the message before `expected` and is accepted. */
const findNext = Effect.fnUntraced(function*(
  window: Window,
  from: number,
  segment: WalkedSegment,
  epoch: number,
  expected: number,
  isKept: (header: LogHeader) => boolean
) {
  // A header may lie across two blocks.
  for (let start = from; start < window.size; start += blockBytes - logHeaderSize) {
    const bytes = (yield* window.at(start, blockBytes)).subarray(0, blockBytes)
    for (let at = findLogHeader(bytes, 0, epoch); at >= 0; at = findLogHeader(bytes, at + 1, epoch)) {
      const header = readLogHeader(bytes, at, epoch)
      const isNext = header !== undefined && isPlausible(header, expected, segment) && isKept(header)
      if (isNext) return { position: start + at, header }
    }
  }
  return undefined
})

/** Whether the next record is of the file's earlier life, before it was used again for this segment: its sequence is lower. */
const isEarlier = Effect.fnUntraced(function*(window: Window, from: number, epoch: number, expected: number) {
  for (let start = from; start < window.size; start += blockBytes - logHeaderSize) {
    const bytes = (yield* window.at(start, blockBytes)).subarray(0, blockBytes)
    const at = findLogHeader(bytes, 0, epoch)
    const header = at < 0 ? undefined : readLogHeader(bytes, at, epoch)
    if (header !== undefined) return header.first < expected
  }
  return false
})

/** Whether only zeros follow, with which segments of `synced` topics are filled ahead of their records. */
const isZero = Effect.fnUntraced(function*(window: Window, from: number) {
  for (let at = from; at < window.size; at += blockBytes) {
    const bytes = (yield* window.at(at, blockBytes)).subarray(0, blockBytes)
    if (bytes.length === 0) return true
    if (!bytes.equals(Buffer.alloc(bytes.length))) return false
  }
  return true
})

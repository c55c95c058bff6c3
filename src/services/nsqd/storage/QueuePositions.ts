/**
 * The read and write positions of a disk queue. Reading goes first through the ranges that were unsettled at a
 * restart, then continues at the cursor through all existing files up to the tail.
 */
import type { QueuePosition } from "../../../protocol/storage/DiskQueueFormat.ts"
import type { QueueRange } from "../../../protocol/storage/QueueState.ts"

/** The positions found when a queue is opened. */
export interface FoundPositions {
  readonly depth: number
  readonly read: QueuePosition
  readonly write: QueuePosition
  /** Start of the records that a killed daemon may have written last; `write` after a clean stop. */
  readonly recent: QueuePosition
  /** Unsettled ranges before the read position, ascending; all in existing files. */
  readonly unsettled: ReadonlyArray<QueueRange>
}

const start: QueuePosition = { file: 0, offset: 0 }

/** The positions of a queue that was never used. */
export const nothingFound: FoundPositions = { depth: 0, read: start, write: start, recent: start, unsettled: [] }

/** Whether a place comes before another one. */
export const isBefore = (one: QueuePosition, other: QueuePosition): boolean =>
  one.file < other.file || (one.file === other.file && one.offset < other.offset)

const noRanges: Array<QueueRange> = []

/** Minimum number of written bytes after `recent`; the maximum is about twice as many. */
const recentBytes = 2 * 1024 * 1024

export class QueuePositions {
  /** Messages to read; an estimate after a crash. */
  waiting = 0
  /** End of the successfully written records. */
  tail: QueuePosition
  /** Numbers of the existing data files, ascending. */
  readonly numbers: Array<number>
  /** Start of the records written last. */
  recent: QueuePosition
  /** The next value of `recent`. */
  private nextRecent: QueuePosition
  /** Bytes written after `nextRecent`. */
  private written = 0
  private ranges: Array<QueueRange>
  private cursor: QueuePosition

  constructor(numbers: ReadonlyArray<number>, { depth, read, recent, unsettled, write }: FoundPositions) {
    this.numbers = [...numbers]
    this.waiting = depth
    this.ranges = unsettled.length === 0 ? noRanges : [...unsettled]
    this.cursor = read
    this.tail = write
    this.recent = recent
    this.nextRecent = write
  }

  /** Messages to read; at least 1 while there is anything to read. */
  get depth(): number {
    return this.waiting === 0 && this.hasMore ? 1 : this.waiting
  }

  get hasMore(): boolean {
    return this.ranges.length > 0 || this.cursor.file !== this.tail.file || this.cursor.offset < this.tail.offset
  }

  /** About how many bytes are to be read, with files of `fileBytes` between the first and the last one. */
  bytes(fileBytes: number): number {
    const { cursor, numbers, tail } = this
    const ranges = this.ranges.reduce((sum, { from, to }) => sum + to - from, 0)
    const between = numbers.filter((number) => number >= cursor.file && number < tail.file).length
    return ranges + Math.max(0, between * fileBytes + tail.offset - cursor.offset)
  }

  /** The read position after the ranges. */
  get read(): QueuePosition {
    return this.cursor
  }

  /** Ranges before the cursor that are still to be read. */
  get rangesToRead(): ReadonlyArray<QueueRange> {
    return this.ranges
  }

  /** The range being read; `undefined` at the cursor. */
  get range(): QueueRange | undefined {
    return this.ranges[0]
  }

  /** Position of the next record to read. */
  get next(): QueuePosition {
    const [range] = this.ranges
    return range === undefined ? this.cursor : { file: range.file, offset: range.from }
  }

  /**
   * The next records that wait to be read, at `place` or behind it: a range, or the rest of a file, whose end is `Infinity` unless it is
   * the last one. `undefined` behind the last record.
   */
  partFrom(place: QueuePosition): QueueRange | undefined {
    const range = this.ranges.find(({ file, to }) => isBefore(place, { file, offset: to }))
    if (range !== undefined) {
      return isBefore(place, { file: range.file, offset: range.from }) ? range : { ...range, from: place.offset }
    }
    const { file, offset } = isBefore(place, this.cursor) ? this.cursor : place
    const { tail } = this
    if (!isBefore({ file, offset }, tail)) return undefined
    return { file, from: offset, to: file === tail.file ? tail.offset : Infinity }
  }

  /** The start of the file that is read after `file`. */
  after(file: number): QueuePosition {
    return {
      file: this.numbers.find((number) => number > file && number < this.tail.file) ?? this.tail.file,
      offset: 0
    }
  }

  /** Continues at another offset of the file being read. */
  goTo(offset: number): void {
    const [range] = this.ranges
    if (range === undefined) this.cursor = { file: this.cursor.file, offset }
    else this.ranges[0] = { ...range, from: offset }
  }

  /** Leaves the range or file being read; returns the file. */
  leave(): number {
    const range = this.ranges.shift()
    if (range !== undefined) return range.file
    const { file } = this.cursor
    this.cursor = this.after(file)
    return file
  }

  /** Advances the tail after writing records of `bytes` bytes. */
  wrote(tail: QueuePosition, bytes: number): void {
    if (this.written >= recentBytes) {
      this.recent = this.nextRecent
      this.nextRecent = this.tail
      this.written = 0
    }
    this.written += bytes
    this.tail = tail
  }

  /** Moves the tail to another file. Returns the old file if the cursor was at its end and leaves it. */
  moveTail(tail: QueuePosition): number | undefined {
    const before = this.tail
    this.tail = tail
    const wasAtEnd = this.cursor.file === before.file && this.cursor.offset >= before.offset
    if (!wasAtEnd) return undefined
    this.cursor = { file: tail.file, offset: 0 }
    return before.file
  }

  /** Whether a file has anything left to read or write. */
  needs(file: number): boolean {
    return file >= this.cursor.file || this.ranges.some((range) => range.file === file)
  }

  /** Drops everything; reading and writing continue in a new file. */
  restart(file: number): void {
    this.waiting = 0
    this.ranges = noRanges
    this.cursor =
      this.tail =
      this.recent =
      this.nextRecent =
        { file, offset: 0 }
    this.written = 0
  }
}

/**
 * Where a disk queue is read and written. Reading first goes through the ranges that were not settled before a restart, then
 * on at the cursor, through all files that exist, up to the tail.
 */
import type { QueuePosition } from "../../../protocol/storage/DiskQueueFormat.ts"
import type { QueueRange } from "../../../protocol/storage/QueueState.ts"

/** What is found when a queue is opened. */
export interface FoundPositions {
  readonly depth: number
  readonly read: QueuePosition
  readonly write: QueuePosition
  /** Where the records start that the daemon may have written shortly before it was killed; `write` after a clean stop. */
  readonly recent: QueuePosition
  /** Ranges before the read position that were not settled, ascending; all in files that exist. */
  readonly unsettled: ReadonlyArray<QueueRange>
}

const start: QueuePosition = { file: 0, offset: 0 }

/** The positions of a queue that has never been used. */
export const nothingFound: FoundPositions = { depth: 0, read: start, write: start, recent: start, unsettled: [] }

const noRanges: Array<QueueRange> = []

/** At least as many bytes of what was written last lie behind `recent`, and about twice as many at most. */
const recentBytes = 2 * 1024 * 1024

export class QueuePositions {
  /** Messages to read, as far as they have been counted. */
  waiting = 0
  /** Where what has been written successfully ends. */
  tail: QueuePosition
  /** The numbers of the data files that exist, ascending. */
  readonly numbers: Array<number>
  /** Where the records start that were written last. */
  recent: QueuePosition
  /** Where `recent` moves next. */
  private nextRecent: QueuePosition
  /** Bytes written behind that. */
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

  /** Messages to read. Not 0 while there is something to read. */
  get depth(): number {
    return this.waiting === 0 && this.hasMore ? 1 : this.waiting
  }

  get hasMore(): boolean {
    return this.ranges.length > 0 || this.cursor.file !== this.tail.file || this.cursor.offset < this.tail.offset
  }

  /** Where reading goes on once the ranges are read. */
  get read(): QueuePosition {
    return this.cursor
  }

  /** Ranges before the cursor that are to be read. */
  get rangesToRead(): ReadonlyArray<QueueRange> {
    return this.ranges
  }

  /** The range that is being read, `undefined` at the cursor. */
  get range(): QueueRange | undefined {
    return this.ranges[0]
  }

  /** Where the next record is read. */
  get next(): QueuePosition {
    const [range] = this.ranges
    return range === undefined ? this.cursor : { file: range.file, offset: range.from }
  }

  /** Goes on at another offset of the file that is being read. */
  goTo(offset: number): void {
    const [range] = this.ranges
    if (range === undefined) this.cursor = { file: this.cursor.file, offset }
    else this.ranges[0] = { ...range, from: offset }
  }

  /** Goes on after the range or the file that is being read; returns the file. */
  leave(): number {
    const range = this.ranges.shift()
    if (range !== undefined) return range.file
    const { file } = this.cursor
    const next = this.numbers.find((number) => number > file && number < this.tail.file) ?? this.tail.file
    this.cursor = { file: next, offset: 0 }
    return file
  }

  /** Records of so many bytes have been written; they end at `tail`. */
  wrote(tail: QueuePosition, bytes: number): void {
    if (this.written >= recentBytes) {
      this.recent = this.nextRecent
      this.nextRecent = this.tail
      this.written = 0
    }
    this.written += bytes
    this.tail = tail
  }

  /** Moves the tail to another file. Returns the old one when reading, which had reached its end, leaves it. */
  moveTail(tail: QueuePosition): number | undefined {
    const before = this.tail
    this.tail = tail
    const wasAtEnd = this.cursor.file === before.file && this.cursor.offset >= before.offset
    if (!wasAtEnd) return undefined
    this.cursor = { file: tail.file, offset: 0 }
    return before.file
  }

  /** Whether something of a file is still to be read or written. */
  needs(file: number): boolean {
    return file >= this.cursor.file || this.ranges.some((range) => range.file === file)
  }

  /** Everything is dropped: reading and writing go on in a new file. */
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

/**
 * Where a disk queue is read and written. Reading first goes through the ranges that were not settled before a restart, then
 * on at the cursor, through all files that exist, up to the tail.
 */
import type { QueuePosition } from "../../../protocol/storage/DiskQueueFormat.ts"
import type { QueueRange } from "../../../protocol/storage/QueueState.ts"

const noRanges: Array<QueueRange> = []

export class QueuePositions {
  /** Messages to read, as far as they have been counted. */
  waiting = 0
  /** Where what has been written successfully ends. */
  tail: QueuePosition
  /** The numbers of the data files that exist, ascending. */
  readonly numbers: Array<number>
  private ranges: Array<QueueRange>
  private cursor: QueuePosition

  constructor(
    numbers: Array<number>,
    waiting: number,
    ranges: ReadonlyArray<QueueRange>,
    cursor: QueuePosition,
    tail: QueuePosition
  ) {
    this.numbers = numbers
    this.waiting = waiting
    this.ranges = ranges.length === 0 ? noRanges : [...ranges]
    this.cursor = cursor
    this.tail = tail
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
    this.cursor = this.tail = { file, offset: 0 }
  }
}

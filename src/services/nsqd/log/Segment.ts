/**
 * A segment of a log in memory: its file, its range of sequences, and a sparse index from sequences to positions. The index of
 * a segment that was written by an earlier process is built while it is read.
 */

/** Bytes between two entries of the index. */
const indexEveryBytes = 64 * 1024

/** The start of a record. */
export interface RecordStart {
  readonly sequence: number
  readonly position: number
}

export class Segment {
  /** The sequence of the first message. */
  readonly first: number
  readonly path: string
  /** The sequence after the last message. */
  end: number
  /** Where the records end, in bytes; `undefined` while the index does not reach it. */
  size: number | undefined
  /** When its first and last messages were accepted, in ms since the Unix epoch, as far as this process knows. */
  oldest: number | undefined
  newest: number | undefined
  /** Whether a write or sync has failed: the operating system may report success for what it loses later. */
  hasFailed = false
  /** Bytes of the file that have blocks, as far as this process has written them. */
  allocated = 0
  private readonly sequences: Array<number> = []
  private readonly positions: Array<number> = []

  constructor(first: number, path: string) {
    this.first = first
    this.path = path
    this.end = first
  }

  /** Adds the record of `first` at `position` to the index. Records must be added in their order; repeated ones are ignored. */
  note(first: number, position: number): void {
    const last = this.positions.at(-1)
    if (last !== undefined && position < last + indexEveryBytes) return
    this.sequences.push(first)
    this.positions.push(position)
  }

  /** The number of records in the index. */
  get indexed(): number {
    return this.sequences.length
  }

  /** The record number `entry` of the index. */
  indexedAt(entry: number): RecordStart {
    return { sequence: this.sequences[entry]!, position: this.positions[entry]! }
  }

  /** The indexed record that is nearest before the one with `sequence`, or is it. */
  before(sequence: number): RecordStart {
    let low = 0
    let high = this.sequences.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.sequences[middle]! <= sequence) low = middle + 1
      else high = middle
    }
    return low === 0
      ? { sequence: this.first, position: 0 }
      : { sequence: this.sequences[low - 1]!, position: this.positions[low - 1]! }
  }
}

/** The segments of a log, oldest first. */
export class Segments {
  private list: ReadonlyArray<Segment> = []

  get all(): ReadonlyArray<Segment> {
    return this.list
  }

  get last(): Segment | undefined {
    return this.list.at(-1)
  }

  add(segment: Segment): void {
    this.list = [...this.list, segment]
  }

  remove(removed: ReadonlySet<Segment>): void {
    this.list = this.list.filter((segment) => !removed.has(segment))
  }

  /** Calls `gap` for the messages between segments: their segment was removed. */
  forEachGap(gap: (from: number, to: number) => void): void {
    this.list.forEach(({ end }, index) => {
      const next = this.list[index + 1]
      if (next !== undefined && end < next.first) gap(end, next.first)
    })
  }

  /** The segment with the sequence, or the next one if it is in none; `undefined` behind the last segment. */
  find(sequence: number): Segment | undefined {
    return this.list[this.endingBehind(sequence)]
  }

  /** The place of the first segment that begins at the sequence, or ends behind it. */
  placeOf(sequence: number): number {
    let place = this.endingBehind(sequence)
    // A segment without messages ends where it begins.
    while (place > 0 && this.list[place - 1]!.first >= sequence) place--
    return place
  }

  private endingBehind(sequence: number): number {
    let low = 0
    let high = this.list.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.list[middle]!.end <= sequence) low = middle + 1
      else high = middle
    }
    return low
  }
}

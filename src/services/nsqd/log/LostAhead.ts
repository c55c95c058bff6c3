/**
 * Sequences that were not handed over to the channels and do not exist, because their write failed or they are damaged. They
 * count as no messages, and channels that are created before they are handed over must pass them.
 */
import { SequenceSet } from "./SequenceSet.ts"

export class LostAhead {
  private set = new SequenceSet(0)

  get count(): number {
    return this.set.above
  }

  /** Adds the sequences from `from` up to, but not including, `to`. */
  add(from: number, to: number): void {
    this.set.add(from, to)
  }

  /** Calls `range` for all ranges, lowest first. */
  forEach(range: (from: number, to: number) => void): void {
    this.set.forEachRange(range)
  }

  clear(): void {
    if (this.count > 0) this.set = new SequenceSet(0)
  }
}

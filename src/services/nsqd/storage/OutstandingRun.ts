/**
 * Messages that were read from a disk queue together and are not all settled yet. A run knows which of its messages are
 * settled, so that only the others are read again after a crash, in whatever order consumers finish them.
 *
 * Hot path: `settle` is called for every message that a consumer finishes.
 */
import type { Ledger } from "../../../protocol/client/MessageBatch.ts"
import type { QueueRange } from "../../../protocol/storage/QueueState.ts"

/** The queue that a run was read from. */
export interface RunOwner {
  /** Something was settled. */
  readonly settled: () => void
  /** Everything in the run was settled. */
  readonly finished: (run: OutstandingRun) => void
}

export class OutstandingRun implements Ledger {
  readonly file: number
  /** Messages that are not settled. */
  unsettled: number
  private readonly owner: RunOwner
  /** Where the run starts in its file. */
  private readonly origin: number
  /** Where each record starts, relative to `origin`, and where the last one ends. */
  private readonly starts: Int32Array
  /** 1 for messages that are settled. */
  private readonly flags: Uint8Array
  /** The message after the one settled last: messages are mostly finished in order. */
  private next = 0
  private ranges: ReadonlyArray<QueueRange> | undefined

  constructor(owner: RunOwner, file: number, origin: number, starts: Int32Array) {
    this.owner = owner
    this.file = file
    this.origin = origin
    this.starts = starts
    this.unsettled = starts.length - 1
    this.flags = new Uint8Array(this.unsettled)
  }

  settle(position: number, count: number): void {
    const { flags } = this
    let index = this.indexAt(position)
    let settled = 0
    for (let left = count; left > 0 && index < flags.length; left--, index++) {
      if (flags[index] === 0) {
        flags[index] = 1
        settled++
      }
    }
    this.next = index
    if (settled === 0) return
    this.unsettled -= settled
    this.ranges = undefined
    if (this.unsettled === 0) this.owner.finished(this)
    this.owner.settled()
  }

  /** The message whose frame starts at `position`: a frame is a record with the four bytes of its type added. */
  private indexAt(position: number): number {
    const { next, starts } = this
    if (starts[next]! + 4 * next === position) return next
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (starts[middle]! + 4 * middle < position) low = middle + 1
      else high = middle
    }
    if (starts[low]! + 4 * low !== position) throw new Error(`invariant: no message starts at ${position} of the run`)
    return low
  }

  /** The stretches of messages that are not settled, in order. */
  get unsettledRanges(): ReadonlyArray<QueueRange> {
    return this.ranges ??= this.findRanges()
  }

  private findRanges(): ReadonlyArray<QueueRange> {
    const { file, flags, origin, starts } = this
    const ranges: Array<QueueRange> = []
    for (let index = 0; index < flags.length; index++) {
      if (flags[index] === 1) continue
      const from = index
      while (index < flags.length && flags[index] === 0) index++
      ranges.push({ file, from: origin + starts[from]!, to: origin + starts[index]! })
    }
    return ranges
  }
}

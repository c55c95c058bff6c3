/**
 * Messages that were read together from a disk queue and are not all settled. A run records which of its messages are
 * settled, in any order, so that only the others are read again after a crash.
 *
 * Hot path: `settle` is called for every finished message.
 */
import type { Ledger } from "../../../protocol/client/MessageBatch.ts"
import type { QueueRange } from "../../../protocol/storage/QueueState.ts"

/** The queue of a run. */
export interface RunOwner {
  /** A message was settled. */
  readonly settled: () => void
  /** All messages of the run are settled. */
  readonly finished: (run: OutstandingRun) => void
}

export class OutstandingRun implements Ledger {
  readonly file: number
  /** Number of unsettled messages. */
  unsettled: number
  private readonly owner: RunOwner
  /** The position of the run in its file. */
  private readonly origin: number
  /** The start of each record relative to `origin`, and the end of the last one. */
  private readonly starts: Int32Array
  /** 1 for settled messages. */
  private readonly flags: Uint8Array
  /** The message after the last settled one: messages are mostly finished in order. */
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

  /** The message whose frame starts at `position`. A frame is a record with four more bytes for its type. */
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

  /** The ranges of unsettled messages in order. */
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

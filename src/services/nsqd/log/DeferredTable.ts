/**
 * The deferred messages of a durable channel, by due time: a binary heap of sequences. The messages themselves are in the log.
 *
 * Hot path: 18 bytes per message in typed arrays, so that millions of messages can wait for days.
 */
import { DeferredList } from "./DeferredList.ts"

/** Receives a deferred message. */
export type EachDeferred = (sequence: number, due: number, attempts: number) => void

export class DeferredTable {
  private readonly heap: DeferredList
  /** A scan has not visited the messages below this position. */
  private unvisited = 0
  private missed: EachDeferred = () => {}

  /** A table with the messages of `list`, which it takes over. */
  constructor(list = new DeferredList()) {
    this.heap = list
    this.order()
  }

  get count(): number {
    return this.heap.length
  }

  /** The earliest due time; `Infinity` if the table is empty. */
  get earliest(): number {
    return this.heap.length === 0 ? Infinity : this.heap.dueAt(0)
  }

  push(sequence: number, due: number, attempts: number): void {
    const { heap } = this
    let at = heap.length
    heap.add(sequence, due, attempts)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.isAfter(parent, sequence, due)) break
      if (parent < this.unvisited && at >= this.unvisited) this.pass(parent, this.missed)
      heap.move(parent, at)
      at = parent
    }
    heap.put(at, sequence, due, attempts)
  }

  /** Removes the earliest message and returns its sequence. Requires `count` > 0. */
  pop(): number {
    const { heap } = this
    const top = heap.sequenceAt(0)
    const last = heap.length - 1
    this.sink(0, last, heap.sequenceAt(last), heap.dueAt(last), heap.attemptsAt(last))
    heap.cut(last)
    this.unvisited = Math.min(this.unvisited, last)
    return top
  }

  /** Puts a message at `at` or below among the first `length` ones. */
  private sink(from: number, length: number, sequence: number, due: number, attempts: number): void {
    const { heap } = this
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= length) break
      if (child + 1 < length && this.isAfter(child, heap.sequenceAt(child + 1), heap.dueAt(child + 1))) child++
      if (this.isAfter(child, sequence, due)) break
      heap.move(child, at)
      at = child
    }
    heap.put(at, sequence, due, attempts)
  }

  /** Makes a heap of messages in any order. */
  private order(): void {
    const { heap } = this
    for (let at = (heap.length >> 1) - 1; at >= 0; at--) {
      this.sink(at, heap.length, heap.sequenceAt(at), heap.dueAt(at), heap.attemptsAt(at))
    }
  }

  /** The attempts of the earliest message. */
  get earliestAttempts(): number {
    return this.heap.length === 0 ? 0 : this.heap.attemptsAt(0)
  }

  /** Removes the messages for which `isGone` holds; takes time in proportion to the table. */
  removeWhere(isGone: (sequence: number) => boolean): void {
    const { heap } = this
    let kept = 0
    for (let at = 0; at < heap.length; at++) {
      if (!isGone(heap.sequenceAt(at))) heap.move(at, kept++)
    }
    if (kept === heap.length) return
    heap.cut(kept)
    this.order()
    if (this.unvisited > 0) this.unvisited = kept
  }

  clear(): void {
    this.heap.clear()
    this.unvisited = 0
  }

  /** Calls `entry` for at most `most` messages from position `from` on, in no particular order. Returns where to go on. */
  some(from: number, most: number, entry: EachDeferred): number {
    const to = Math.min(this.heap.length, from + most)
    for (let at = from; at < to; at++) this.pass(at, entry)
    return to
  }

  /** Calls `entry` for every message, in no particular order. */
  forEach(entry: EachDeferred): void {
    this.some(0, this.heap.length, entry)
  }

  /**
   * Begins to visit all messages with `scan`. The table may change meanwhile: `missed` gets a message that a change moves to
   * where the scan has been. A message may be visited twice.
   */
  startScan(missed: EachDeferred): void {
    this.unvisited = this.heap.length
    this.missed = missed
  }

  /** Visits at most `most` further messages; returns whether there are more. */
  scan(most: number, entry: EachDeferred): boolean {
    // Downward: the earliest messages, which leave meanwhile, move the others to positions that are visited later.
    for (const to = Math.max(0, this.unvisited - most); this.unvisited > to;) this.pass(--this.unvisited, entry)
    return this.unvisited > 0
  }

  /** Ends a scan, also before it has visited all messages. */
  endScan(): void {
    this.unvisited = 0
  }

  private pass(at: number, entry: EachDeferred): void {
    entry(this.heap.sequenceAt(at), this.heap.dueAt(at), this.heap.attemptsAt(at))
  }

  /** Whether the message at `at` leaves after the given one. Equal due times leave in the order of publishing. */
  private isAfter(at: number, sequence: number, due: number): boolean {
    const other = this.heap.dueAt(at)
    return other > due || (other === due && this.heap.sequenceAt(at) > sequence)
  }
}

/**
 * The deferred messages of a durable channel, by due time: a binary heap of sequences. The messages themselves are in the log.
 *
 * Hot path: 18 bytes per message in typed arrays, so that millions of messages can wait for days.
 */
import { HeapWalks } from "../../core/HeapWalks.ts"
import { DeferredList } from "./DeferredList.ts"
import { SequenceSet } from "./SequenceSet.ts"

/** Messages that are looked at in one step. */
export const perStep = 4096

/** Receives a deferred message. */
export type EachDeferred = (sequence: number, due: number, attempts: number) => void

export class DeferredTable {
  private readonly heap: DeferredList
  /** Present since the first walk. */
  private walks: HeapWalks | undefined

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
    heap.add(sequence, due, attempts)
    heap.put(this.rise(heap.length - 1, sequence, due), sequence, due, attempts)
  }

  /** Removes the earliest message and returns its sequence. Requires `count` > 0. */
  pop(): number {
    const top = this.heap.sequenceAt(0)
    this.removeAt(0)
    return top
  }

  /**
   * Looks for a message in steps, and removes it as soon as it is found: nothing happens between that and the end. Returns its attempts;
   * 0 if it is not deferred. One that is deferred meanwhile may be found or not.
   */
  *take(sequence: number, most = perStep): Generator<void, number> {
    const { heap } = this
    const walks = this.walks ??= new HeapWalks()
    for (let isMissed = true; isMissed;) {
      isMissed = false
      let found = -1
      const search = walks.over(
        heap.length,
        most,
        (at) => {
          if (heap.sequenceAt(at) === sequence) found = at
        },
        // It is about to move to where the search has been.
        (at) => {
          if (heap.sequenceAt(at) === sequence) isMissed = true
        }
      )
      for (const _ of search) {
        if (found >= 0 || isMissed) break
        yield
      }
      if (found < 0) continue
      const attempts = heap.attemptsAt(found)
      this.removeAt(found)
      return attempts
    }
    return 0
  }

  /** Removes the message at `from`: the last one takes its place, and rises or sinks from there. */
  private removeAt(from: number): void {
    const { heap } = this
    const last = heap.length - 1
    this.walks?.cut(last)
    if (from < last) {
      const sequence = heap.sequenceAt(last)
      const due = heap.dueAt(last)
      const at = this.rise(from, sequence, due)
      this.sink(at, last, sequence, due, heap.attemptsAt(last))
    }
    heap.cut(last)
  }

  /** Moves the messages above `from` down that leave after the given one; returns the place that is free then. */
  private rise(from: number, sequence: number, due: number): number {
    const { heap } = this
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!this.isAfter(parent, sequence, due)) break
      this.walks?.moveDown(parent, at)
      heap.move(parent, at)
      at = parent
    }
    return at
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
    this.walks?.restart(kept)
  }

  /** The sequences of the messages. */
  get sequences(): SequenceSet {
    const set = new SequenceSet(0)
    this.forEach((sequence) => set.add(sequence, sequence + 1))
    return set
  }

  clear(): void {
    this.heap.clear()
    this.walks?.cut(0)
  }

  /** Calls `entry` for every message, in no particular order. */
  forEach(entry: EachDeferred): void {
    for (let at = 0; at < this.heap.length; at++) this.pass(at, entry)
  }

  /**
   * Visits all messages, at most `most` per step. The table may change between two steps: a message that stays is visited at least once,
   * and `missed` gets those that a change moves to where the walk has been. One that is added or leaves may be visited or not.
   */
  *walk(most: number, entry: EachDeferred, missed = entry): Generator<void, void> {
    const walks = this.walks ??= new HeapWalks()
    yield* walks.over(
      this.heap.length,
      most,
      (at) => this.pass(at, entry),
      (at) => this.pass(at, missed)
    )
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

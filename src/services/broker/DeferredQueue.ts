/**
 * Messages that may not be delivered yet, by the time they become due: a binary heap. Messages with the same due time come
 * out in the order they went in. Times are monotonic milliseconds.
 */
import type { MessageBatch } from "../../protocol/MessageBatch.ts"

interface Deferred {
  readonly due: number
  readonly order: number
  readonly batch: MessageBatch
}

const precedes = (a: Deferred, b: Deferred): boolean => a.due < b.due || (a.due === b.due && a.order < b.order)

export class DeferredQueue {
  private heap: Array<Deferred> = []
  private added = 0

  get count(): number {
    return this.heap.length
  }

  /** When the next message is due, `Infinity` when there is none. */
  get earliest(): number {
    return this.heap[0]?.due ?? Infinity
  }

  push(batch: MessageBatch, due: number): void {
    const entry = { due, order: this.added++, batch }
    const heap = this.heap
    let at = heap.length
    heap.push(entry)
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent]!
      if (!precedes(entry, above)) break
      heap[at] = above
      at = parent
    }
    heap[at] = entry
  }

  /** Takes the next message that is due at `now`, if any. */
  takeDue(now: number): MessageBatch | undefined {
    return this.earliest <= now ? this.pop().batch : undefined
  }

  /** Empties the queue; what it held, soonest first. */
  takeAll(): ReadonlyArray<MessageBatch> {
    const all = this.heap.sort((a, b) => precedes(a, b) ? -1 : 1).map((entry) => entry.batch)
    this.heap = []
    return all
  }

  private pop(): Deferred {
    const heap = this.heap
    const top = heap[0]!
    const moved = heap.pop()!
    const length = heap.length
    if (length === 0) return top
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= length) break
      if (child + 1 < length && precedes(heap[child + 1]!, heap[child]!)) child++
      if (!precedes(heap[child]!, moved)) break
      heap[at] = heap[child]!
      at = child
    }
    heap[at] = moved
    return top
  }
}

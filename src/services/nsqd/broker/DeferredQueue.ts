/**
 * Deferred messages by due time: a binary heap. Messages with the same due time leave in the order of arrival. Times
 * are in monotonic ms.
 *
 * Hot path: parallel arrays, 24 bytes per message in addition to the message, and no object per entry.
 */
import type { MessageBatch } from "../../../protocol/client/MessageBatch.ts"

const initialSlots = 16
/** For an empty queue. */
const noNumbers = new Float64Array(0)

/** Deferred messages of a channel. Times are in monotonic ms. */
export interface Deferrals {
  readonly count: number
  /** Due time of the next message; `Infinity` if there is none. */
  readonly earliest: number
  /** Defers a message, the first of the batch, until `due`. */
  readonly push: (batch: MessageBatch, due: number) => void
  /**
   * Lets at most `most` messages that are due at `now` wait to be delivered: passes them to `enqueue`, unless they are read again
   * from disk. Returns how many.
   */
  readonly release: (now: number, most: number, enqueue: (batch: MessageBatch) => void) => number
  /** Takes all messages that are only in memory, by due time. */
  readonly takeAll: () => ReadonlyArray<MessageBatch>
  /** Drops all messages; returns those that are only in memory. */
  readonly drop: () => ReadonlyArray<MessageBatch>
}

/** Deferred messages in memory. */
export class DeferredQueue implements Deferrals {
  private length = 0
  private added = 0
  private due = noNumbers
  private order = noNumbers
  private messages: Array<MessageBatch> = []

  get count(): number {
    return this.length
  }

  get earliest(): number {
    return this.length === 0 ? Infinity : this.due[0]!
  }

  push(batch: MessageBatch, due: number): void {
    if (this.length === this.due.length) this.resize(Math.max(initialSlots, this.length * 2))
    const order = this.added++
    let at = this.length++
    this.messages.push(batch)
    while (at > 0) {
      const parent = (at - 1) >> 1
      // On equal due times, earlier entries stay in front.
      if (this.due[parent]! <= due) break
      this.move(parent, at)
      at = parent
    }
    this.put(at, due, order, batch)
  }

  /** Takes the next message that is due at `now`, if any. */
  takeDue(now: number): MessageBatch | undefined {
    return this.earliest <= now ? this.pop() : undefined
  }

  release(now: number, most: number, enqueue: (batch: MessageBatch) => void): number {
    let count = 0
    for (; count < most; count++) {
      const batch = this.takeDue(now)
      if (batch === undefined) break
      enqueue(batch)
    }
    return count
  }

  takeAll(): ReadonlyArray<MessageBatch> {
    const { due, messages, order } = this
    const places = Array.from(messages.keys()).sort((a, b) => due[a]! - due[b]! || order[a]! - order[b]!)
    this.clear()
    return places.map((place) => messages[place]!)
  }

  drop(): ReadonlyArray<MessageBatch> {
    const { messages } = this
    this.clear()
    return messages
  }

  private pop(): MessageBatch {
    const top = this.messages[0]!
    const last = --this.length
    const batch = this.messages.pop()!
    if (last === 0) {
      this.clear()
      return top
    }
    const due = this.due[last]!
    const order = this.order[last]!
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= last) break
      if (child + 1 < last && this.precedes(child + 1, this.due[child]!, this.order[child]!)) child++
      if (!this.precedes(child, due, order)) break
      this.move(child, at)
      at = child
    }
    this.put(at, due, order, batch)
    if (last * 4 < this.due.length && last > initialSlots) this.resize(last * 2)
    return top
  }

  private precedes(at: number, due: number, order: number): boolean {
    const other = this.due[at]!
    return other < due || (other === due && this.order[at]! < order)
  }

  private move(from: number, to: number): void {
    this.put(to, this.due[from]!, this.order[from]!, this.messages[from]!)
  }

  private put(at: number, due: number, order: number, batch: MessageBatch): void {
    this.due[at] = due
    this.order[at] = order
    this.messages[at] = batch
  }

  private clear(): void {
    this.length = 0
    this.messages = []
    this.due = noNumbers
    this.order = noNumbers
  }

  private resize(slots: number): void {
    const resized = (values: Float64Array) => {
      const to = new Float64Array(slots)
      to.set(values.subarray(0, Math.min(this.length, slots)))
      return to
    }
    this.due = resized(this.due)
    this.order = resized(this.order)
  }
}

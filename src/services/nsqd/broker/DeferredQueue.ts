/**
 * Deferred messages by due time: a binary heap. Messages with the same due time leave in the order of arrival. Times
 * are in monotonic ms.
 *
 * Hot path: parallel arrays, 24 bytes per message in addition to its frame, and no object per message. The collector would copy
 * hundreds of thousands of objects twice, for up to 50 ms at a time, and a batch can retain all bytes that were read with it.
 */
import { MessageBatch } from "../../../protocol/client/MessageBatch.ts"
import { HeapWalks } from "../../core/HeapWalks.ts"
import { FrameStore } from "./FrameStore.ts"

const initialSlots = 16
/** For an empty queue. */
const noNumbers = new Float64Array(0)
/** The place of a message that is kept as its batch. */
const kept = -1
/** Larger messages are kept as batches, which channels share. */
const copiedBytesMax = 512
/** Entries that are looked at per step. */
const entriesPerStep = 512
/** Bytes per released batch: the memory that a single remaining message may retain. */
const batchBytesMax = 32 * 1024

/** Deferred messages of a channel. Times are in monotonic ms. */
export interface Deferrals {
  readonly count: number
  /** Due time of the next message; `Infinity` without deferred messages. */
  readonly earliest: number
  /** Defers a message, the first of the batch, until `due`. */
  readonly push: (batch: MessageBatch, due: number) => void
  /**
   * Lets at most `most` messages that are due at `now` wait to be delivered: passes them to `enqueue`, unless they are read again
   * from disk. A batch has at most `room` messages, or one. Returns the number of messages.
   */
  readonly release: (
    now: number,
    most: number,
    room: () => number,
    enqueue: (batch: MessageBatch) => void
  ) => number
  /** Takes all messages that are only in memory, by due time, each as its own batch. */
  readonly takeAll: () => ReadonlyArray<MessageBatch>
  /** The same, with the times when they are due. */
  readonly takeAllDue: () => ReadonlyArray<{ readonly batch: MessageBatch; readonly due: number }>
  /** Drops all messages; returns those that have to be settled. */
  readonly drop: () => ReadonlyArray<MessageBatch>
}

/** Deferred messages in memory. */
export class DeferredQueue implements Deferrals {
  private length = 0
  private added = 0
  private due = noNumbers
  private order = noNumbers
  /** The place of each message in `frames`, or `kept`. */
  private place = noNumbers
  private readonly frames = new FrameStore()
  /** Whether `frames` may have messages with headers. */
  private hasHeaders = false
  /** Large messages and those that are on disk as well, by their `order`. */
  private readonly batches = new Map<number, MessageBatch>()
  /** Present since the first walk. */
  private walks: HeapWalks | undefined

  get count(): number {
    return this.length
  }

  get earliest(): number {
    return this.length === 0 ? Infinity : this.due[0]!
  }

  push(batch: MessageBatch, due: number): void {
    if (this.length === this.due.length) this.resize(Math.max(initialSlots, this.length * 2))
    const order = this.added++
    const isCopied = !batch.isOnDisk && batch.framesBytes <= copiedBytesMax
    const place = isCopied ? this.frames.add(batch) : kept
    if (batch.hasHeaders) this.hasHeaders = true
    if (!isCopied) this.batches.set(order, batch)
    let at = this.length++
    while (at > 0) {
      const parent = (at - 1) >> 1
      // On equal due times, earlier entries stay in front.
      if (this.due[parent]! <= due) break
      this.walks?.moveDown(parent, at)
      this.move(parent, at)
      at = parent
    }
    this.put(at, due, order, place)
  }

  release(now: number, most: number, room: () => number, enqueue: (batch: MessageBatch) => void): number {
    let count = 0
    while (count < most && this.earliest <= now) {
      const batch = this.place[0] === kept ? this.popBatch() : this.popFrames(now, Math.min(most - count, room()))
      count += batch.count
      enqueue(batch)
    }
    return count
  }

  takeAll(): ReadonlyArray<MessageBatch> {
    return this.takeAllDue().map(({ batch }) => batch)
  }

  takeAllDue(): ReadonlyArray<{ readonly batch: MessageBatch; readonly due: number }> {
    const taken: Array<{ readonly batch: MessageBatch; readonly due: number }> = []
    while (this.length > 0) {
      const due = this.due[0]!
      taken.push({ batch: this.place[0] === kept ? this.popBatch() : this.popFrames(Infinity, 1), due })
    }
    return taken
  }

  drop(): ReadonlyArray<MessageBatch> {
    const settled = Array.from(this.batches.values())
    this.clear()
    return settled
  }

  /**
   * Calls `each` for every deferred message, in steps and in no particular order. One that stays deferred may come twice, and one that is
   * deferred or leaves meanwhile may be missing. The due time is in monotonic ms; `entry` names the message for `remove`.
   */
  *eachDeferred(
    each: (frames: Buffer, position: number, due: number, entry: number) => void
  ): Generator<void, void> {
    const walks = this.walks ??= new HeapWalks()
    yield* walks.over(this.length, entriesPerStep, (at) => {
      const place = this.place[at]!
      const order = this.order[at]!
      if (place !== kept) {
        const { bytes, position } = this.frames.find(place)
        return each(bytes, position, this.due[at]!, order)
      }
      each(this.batchOf(order).frames, 0, this.due[at]!, order)
    })
  }

  /** Takes the message of an entry; `undefined` if it has left. */
  remove(entry: number): MessageBatch | undefined {
    const at = this.order.subarray(0, this.length).indexOf(entry)
    if (at < 0) return undefined
    const place = this.place[at]!
    const batch = place === kept ? this.batches.get(entry) : this.copyOf(place)
    this.batches.delete(entry)
    this.removeAt(at)
    return batch
  }

  private copyOf(place: number): MessageBatch {
    const frames = Buffer.allocUnsafeSlow(this.frames.sizeAt(place))
    this.frames.take(place, frames, 0)
    return MessageBatch.ofFrames(frames, 1, undefined, this.hasHeaders)
  }

  private popBatch(): MessageBatch {
    const order = this.order[0]!
    const batch = this.batchOf(order)
    this.batches.delete(order)
    this.pop()
    return batch
  }

  private batchOf(order: number): MessageBatch {
    const batch = this.batches.get(order)
    if (batch === undefined) throw new Error("invariant: a kept message has a batch")
    return batch
  }

  /** Takes at least one and at most `most` messages that are due at `now`. */
  private popFrames(now: number, most: number): MessageBatch {
    const first = this.frames.sizeAt(this.place[0]!)
    const out = Buffer.allocUnsafeSlow(Math.max(first, Math.min(batchBytesMax, most * first)))
    const { hasHeaders } = this
    let used = 0
    let count = 0
    do {
      used = this.frames.take(this.place[0]!, out, used)
      count++
      this.pop()
    } while (
      count < most && this.earliest <= now && this.place[0] !== kept &&
      used + this.frames.sizeAt(this.place[0]!) <= out.length
    )
    const frames = used === out.length ? out : Buffer.from(out.subarray(0, used))
    return MessageBatch.ofFrames(frames, count, undefined, hasHeaders)
  }

  /** Removes the first entry. */
  private pop(): void {
    this.removeAt(0)
  }

  /** Removes an entry: the last one takes its place, and rises or sinks from there. */
  private removeAt(from: number): void {
    const last = --this.length
    if (last === 0) return this.clear()
    this.walks?.cut(last)
    const due = this.due[last]!
    const order = this.order[last]!
    const place = this.place[last]!
    // The last entry itself needs no place.
    let at = Math.min(from, last)
    while (at > 0 && !this.precedes((at - 1) >> 1, due, order)) {
      this.walks?.moveDown((at - 1) >> 1, at)
      this.move((at - 1) >> 1, at)
      at = (at - 1) >> 1
    }
    for (;;) {
      let child = 2 * at + 1
      if (child >= last) break
      if (child + 1 < last && this.precedes(child + 1, this.due[child]!, this.order[child]!)) child++
      if (!this.precedes(child, due, order)) break
      this.move(child, at)
      at = child
    }
    this.put(at, due, order, place)
    if (last * 4 < this.due.length && last > initialSlots) this.resize(last * 2)
  }

  private precedes(at: number, due: number, order: number): boolean {
    const other = this.due[at]!
    return other < due || (other === due && this.order[at]! < order)
  }

  private move(from: number, to: number): void {
    this.put(to, this.due[from]!, this.order[from]!, this.place[from]!)
  }

  private put(at: number, due: number, order: number, place: number): void {
    this.due[at] = due
    this.order[at] = order
    this.place[at] = place
  }

  private clear(): void {
    this.length = 0
    this.due = noNumbers
    this.order = noNumbers
    this.place = noNumbers
    this.batches.clear()
    this.frames.clear()
    this.hasHeaders = false
    this.walks?.cut(0)
  }

  private resize(slots: number): void {
    const resized = (values: Float64Array) => {
      const to = new Float64Array(slots)
      to.set(values.subarray(0, Math.min(this.length, slots)))
      return to
    }
    this.due = resized(this.due)
    this.order = resized(this.order)
    this.place = resized(this.place)
  }
}

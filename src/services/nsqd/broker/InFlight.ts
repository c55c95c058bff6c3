/**
 * The messages that a consumer has received and not acknowledged, by id and by timeout.
 *
 * Hot path: parallel typed arrays with a free list, an open-addressing table from id to slot, and a linked list by
 * deadline. Adding, finding and removing a message allocates nothing. A deadline before the list's last one (messages
 * at their maximum time in flight, consumers with different timeouts) goes to a heap, so that any order of deadlines
 * costs at most a logarithm. All times are in monotonic ms.
 */
import type { MessageKey } from "../../../protocol/client/Message.ts"
import { frameIdOffset, type MessageBatch } from "../../../protocol/client/MessageBatch.ts"

const none = -1
const initialSlots = 16
/** In a heap slot, `before` is this minus the index in the heap; in the list it is -1 or a slot. */
const inHeap = -2

/** Until the first message is in flight. */
const noIntegers = new Int32Array(0)
const noTimes = new Float64Array(0)

const hash = (c: number, d: number): number => {
  // Ids of one node differ in their last hex characters; this spreads them over the upper bits.
  const mixed = Math.imul(c, 0x9e3779b1) ^ Math.imul(d, 0x85ebca6b)
  return mixed ^ (mixed >>> 15)
}

export class InFlight {
  private slots = 0
  private used = 0
  private free = none
  private batches: Array<MessageBatch | undefined> = []
  private keys = noIntegers
  private positions = noIntegers
  private deadlines = noTimes
  private deliveredAt = noTimes
  private before = noIntegers
  private after = noIntegers
  private table = noIntegers
  private mask = 0
  /** The entry of the table that was found last: a FIN finds its message, then removes it. */
  private found = 0
  private first = none
  private last = none
  /** Slots whose deadline was not the last one: a binary heap with the earliest first. */
  private readonly heap: Array<number> = []

  /** Number of messages in flight. */
  get size(): number {
    return this.used
  }

  /** The earliest deadline; `Infinity` if nothing is in flight. */
  get earliest(): number {
    const slot = this.oldest
    return slot === none ? Infinity : this.deadlines[slot]!
  }

  /** The slot with the earliest deadline; -1 if nothing is in flight. */
  get oldest(): number {
    const { first, heap } = this
    if (heap.length === 0) return first
    const top = heap[0]!
    return first === none || this.deadlines[top]! < this.deadlines[first]! ? top : first
  }

  /** Adds the message at `position` of the batch's `frames`, delivered at `now` with the given deadline. */
  add(batch: MessageBatch, frames: Buffer, position: number, now: number, deadline: number): void {
    if (this.free === none) this.grow()
    const slot = this.free
    this.free = this.after[slot]!
    const id = position + frameIdOffset
    const key = slot * 4
    const c = frames.readInt32BE(id + 8)
    const d = frames.readInt32BE(id + 12)
    this.keys[key] = frames.readInt32BE(id)
    this.keys[key + 1] = frames.readInt32BE(id + 4)
    this.keys[key + 2] = c
    this.keys[key + 3] = d
    this.batches[slot] = batch
    this.positions[slot] = position
    this.deliveredAt[slot] = now
    this.link(slot, deadline)
    let entry = hash(c, d) & this.mask
    while (this.table[entry] !== 0) entry = (entry + 1) & this.mask
    this.table[entry] = slot + 1
    this.used++
  }

  /** The slot of a message; -1 if it is not in flight here. */
  find(key: MessageKey): number {
    const entry = this.entryOf(key.a, key.b, key.c, key.d)
    if (entry === none) return none
    this.found = entry
    return this.table[entry]! - 1
  }

  batchAt(slot: number): MessageBatch {
    const batch = this.batches[slot]
    if (batch === undefined) throw new Error("invariant: the slot is in use")
    return batch
  }

  positionAt(slot: number): number {
    return this.positions[slot]!
  }

  deadlineAt(slot: number): number {
    return this.deadlines[slot]!
  }

  deliveredAtOf(slot: number): number {
    return this.deliveredAt[slot]!
  }

  /**
   * Calls `each` for the messages in at most `most` slots from `from` on, in no particular order; returns the slot to go on from, or -1
   * after the last one. A message keeps its slot: one that stays in flight meanwhile comes exactly once.
   */
  some(from: number, most: number, each: (batch: MessageBatch, position: number) => void): number {
    const { batches, positions, slots, used } = this
    if (used === 0) return none
    const to = Math.min(slots, from + most)
    for (let slot = from; slot < to; slot++) {
      const batch = batches[slot]
      if (batch !== undefined) each(batch, positions[slot]!)
    }
    return to < slots ? to : none
  }

  /** Removes the message in `slot`. */
  remove(slot: number): void {
    this.closeGap(this.entryOfSlot(slot))
    this.unlink(slot)
    this.batches[slot] = undefined
    this.after[slot] = this.free
    this.free = slot
    this.used--
  }

  /** Sets a new deadline for the message in `slot`. */
  postpone(slot: number, deadline: number): void {
    this.unlink(slot)
    this.link(slot, deadline)
  }

  private entryOf(a: number, b: number, c: number, d: number): number {
    if (this.used === 0) return none
    const { keys, mask, table } = this
    for (let entry = hash(c, d) & mask;; entry = (entry + 1) & mask) {
      const slot = table[entry]!
      if (slot === 0) return none
      const key = (slot - 1) * 4
      if (keys[key + 3] === d && keys[key + 2] === c && keys[key + 1] === b && keys[key] === a) return entry
    }
  }

  private entryOfSlot(slot: number): number {
    if (this.table[this.found] === slot + 1) return this.found
    const key = slot * 4
    let entry = hash(this.keys[key + 2]!, this.keys[key + 3]!) & this.mask
    while (this.table[entry] !== slot + 1) entry = (entry + 1) & this.mask
    return entry
  }

  /** Deletes by moving later entries of the probe sequence back, so that the table does not fill with tombstones. */
  private closeGap(gap: number): void {
    const { keys, mask, table } = this
    for (let entry = (gap + 1) & mask; table[entry] !== 0; entry = (entry + 1) & mask) {
      const key = (table[entry]! - 1) * 4
      const home = hash(keys[key + 2]!, keys[key + 3]!) & mask
      if (((entry - home) & mask) < ((entry - gap) & mask)) continue
      table[gap] = table[entry]!
      gap = entry
    }
    table[gap] = 0
  }

  /** Inserts a slot by its deadline: nearly always at the end of the list. */
  private link(slot: number, deadline: number): void {
    this.deadlines[slot] = deadline
    const { last } = this
    if (last !== none && this.deadlines[last]! > deadline) {
      this.heap.push(slot)
      this.rise(slot, this.heap.length - 1)
      return
    }
    this.before[slot] = last
    this.after[slot] = none
    this.last = slot
    if (last === none) this.first = slot
    else this.after[last] = slot
  }

  private unlink(slot: number): void {
    const previous = this.before[slot]!
    if (previous <= inHeap) return this.takeFromHeap(inHeap - previous)
    const next = this.after[slot]!
    if (previous === none) this.first = next
    else this.after[previous] = next
    if (next === none) this.last = previous
    else this.before[next] = previous
  }

  private takeFromHeap(place: number): void {
    const { deadlines, heap } = this
    const removed = heap[place]!
    const moved = heap.pop()!
    if (moved === removed) return
    if (deadlines[moved]! < deadlines[removed]!) this.rise(moved, place)
    else this.sink(moved, place)
  }

  private rise(slot: number, from: number): void {
    const { before, deadlines, heap } = this
    const deadline = deadlines[slot]!
    let place = from
    while (place > 0) {
      const parent = (place - 1) >> 1
      const above = heap[parent]!
      if (deadlines[above]! <= deadline) break
      heap[place] = above
      before[above] = inHeap - place
      place = parent
    }
    heap[place] = slot
    before[slot] = inHeap - place
  }

  private sink(slot: number, from: number): void {
    const { before, deadlines, heap } = this
    const deadline = deadlines[slot]!
    let place = from
    for (;;) {
      let child = 2 * place + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && deadlines[heap[child + 1]!]! < deadlines[heap[child]!]!) child++
      const below = heap[child]!
      if (deadlines[below]! >= deadline) break
      heap[place] = below
      before[below] = inHeap - place
      place = child
    }
    heap[place] = slot
    before[slot] = inHeap - place
  }

  private grow(): void {
    const from = this.slots
    const slots = from === 0 ? initialSlots : from * 2
    const widen = <A extends Int32Array | Float64Array>(to: A, values: A): A => {
      to.set(values)
      return to
    }
    this.keys = widen(new Int32Array(slots * 4), this.keys)
    this.positions = widen(new Int32Array(slots), this.positions)
    this.deadlines = widen(new Float64Array(slots), this.deadlines)
    this.deliveredAt = widen(new Float64Array(slots), this.deliveredAt)
    this.before = widen(new Int32Array(slots), this.before)
    this.after = widen(new Int32Array(slots), this.after)
    for (let slot = from; slot < slots; slot++) {
      this.batches.push(undefined)
      this.after[slot] = slot + 1 < slots ? slot + 1 : none
    }
    this.free = from
    this.slots = slots
    // Four entries per slot keep probe sequences short.
    this.table = new Int32Array(slots * 4)
    this.mask = slots * 4 - 1
    // The free list is empty: all existing slots are in use.
    for (let slot = 0; slot < from; slot++) {
      let entry = hash(this.keys[slot * 4 + 2]!, this.keys[slot * 4 + 3]!) & this.mask
      while (this.table[entry] !== 0) entry = (entry + 1) & this.mask
      this.table[entry] = slot + 1
    }
  }
}

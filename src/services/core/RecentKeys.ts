/**
 * Keys in the order in which they were noted, of which the oldest are forgotten.
 *
 * Hot path: called for every publish with a key. The keys are in typed arrays: as strings in a Map they took twice the time, half of it
 * in the garbage collector, to which a hundred thousand keys that all live for minutes are the worst case.
 */
import { hash } from "node:crypto"
import { hashWords } from "./KeyHash.ts"

/** Words of 32 bits for each key. The first byte is its length. */
const keyWords = 16
const keyBytesMax = 4 * keyWords - 1
/** The first byte of a digest, which stands for a key that is longer or not ASCII. */
const digestMark = 0xff
const asciiMax = 0x7f

/** Entries of the first table. A table has a power of two of them. */
const leastEntries = 64

/** The key that is looked for, as it would be in the table. */
let wantedKey: string | undefined
const wanted = new Int32Array(keyWords)
const wantedBytes = new Uint8Array(wanted.buffer)
let wantedWords = 0
let wantedHash = 0

const want = (key: string): void => {
  if (key === wantedKey) return
  const length = key.length
  let bytes = length <= keyBytesMax ? length : 0
  wantedBytes[0] = length
  for (let at = 0; at < bytes; at++) {
    const code = key.charCodeAt(at)
    if (code > asciiMax) bytes = 0
    wantedBytes[at + 1] = code
  }
  if (bytes < length) {
    const digest = hash("sha256", key, "buffer")
    wantedBytes[0] = digestMark
    wantedBytes.set(digest, 1)
    bytes = digest.length
  }
  wantedWords = (bytes + 4) >> 2
  wantedBytes.fill(0, bytes + 1, 4 * wantedWords)
  wantedHash = hashWords(wanted, wantedWords)
  wantedKey = key
}

export class RecentKeys {
  private capacity = 0
  /** A ring of entries: keys, hashes, and times. The time of an entry that counts no more is NaN. */
  private keys = new Int32Array(0)
  private hashes = new Int32Array(0)
  private times = new Float64Array(0)
  private head = 0
  private length = 0
  private live = 0
  /**
   * A hash table with linear probing. A slot has the number of an entry, plus one, and its hash, so that a search reads one place of
   * memory; 0 is an empty slot. At most half of the slots are used.
   */
  private slots = new Int32Array(0)
  /** The number of slots, minus one. */
  private mask = 0

  get size(): number {
    return this.live
  }

  has(key: string): boolean {
    return this.live > 0 && this.find(key) >= 0
  }

  /** When the key was noted last; `undefined` for a key that is not known. */
  timeOf(key: string): number | undefined {
    const slot = this.live > 0 ? this.find(key) : -1
    return slot < 0 ? undefined : this.times[this.slots[slot]! - 1]
  }

  /** Adds a key at the end, or moves it there. */
  note(key: string, time: number): void {
    if (this.length === this.capacity) this.makeRoom()
    const found = this.find(key)
    if (found >= 0) this.drop(this.slots[2 * found]! - 1, found)
    const entry = (this.head + this.length) & (this.capacity - 1)
    for (let at = 0, to = entry * keyWords; at < wantedWords; at++) this.keys[to + at] = wanted[at]!
    this.hashes[entry] = wantedHash
    this.times[entry] = time
    this.length++
    this.live++
    this.link(entry)
  }

  /** Forgets the oldest keys until at most `most` are left and the next one was noted after `oldest`. */
  forget(most: number, oldest: number): void {
    while (this.length > 0) {
      const { head } = this
      const time = this.times[head]!
      if (!Number.isNaN(time)) {
        if (this.live <= most && time > oldest) break
        this.drop(head, this.slotOf(head))
      }
      this.head = (head + 1) & (this.capacity - 1)
      this.length--
    }
  }

  clear(): void {
    this.allocate(0)
    this.length = 0
    this.live = 0
  }

  /** The slot of a key; -1 if it is missing. */
  private find(key: string): number {
    want(key)
    const { mask, slots } = this
    for (let slot = wantedHash & mask; slots[2 * slot] !== 0; slot = (slot + 1) & mask) {
      if (slots[2 * slot + 1] === wantedHash && this.isWanted(slots[2 * slot]! - 1)) return slot
    }
    return -1
  }

  private isWanted(entry: number): boolean {
    for (let at = 0, from = entry * keyWords; at < wantedWords; at++) {
      if (this.keys[from + at] !== wanted[at]) return false
    }
    return true
  }

  private slotOf(entry: number): number {
    const { mask, slots } = this
    let slot = this.hashes[entry]! & mask
    while (slots[2 * slot] !== entry + 1) slot = (slot + 1) & mask
    return slot
  }

  private link(entry: number): void {
    const { mask, slots } = this
    const hash = this.hashes[entry]!
    let slot = hash & mask
    while (slots[2 * slot] !== 0) slot = (slot + 1) & mask
    slots[2 * slot] = entry + 1
    slots[2 * slot + 1] = hash
  }

  /** Makes an entry count no more, and closes the gap in its slot: a search ends at an empty one. */
  private drop(entry: number, slot: number): void {
    this.times[entry] = NaN
    this.live--
    const { mask, slots } = this
    let gap = slot
    for (let next = (gap + 1) & mask; slots[2 * next] !== 0; next = (next + 1) & mask) {
      const home = slots[2 * next + 1]! & mask
      if (((next - home) & mask) < ((next - gap) & mask)) continue
      slots[2 * gap] = slots[2 * next]!
      slots[2 * gap + 1] = slots[2 * next + 1]!
      gap = next
    }
    slots[2 * gap] = 0
  }

  /** Leaves out the entries that count no more; doubles the ring if they are few. */
  private makeRoom(): void {
    const { capacity, hashes, head, keys, length, times } = this
    if (2 * this.live >= capacity) this.allocate(Math.max(leastEntries, 2 * capacity))
    else this.slots.fill(0)
    this.length = 0
    for (let at = 0; at < length; at++) {
      const from = (head + at) & (capacity - 1)
      if (Number.isNaN(times[from]!)) continue
      const entry = (this.head + this.length++) & (this.capacity - 1)
      for (let word = 0; word < keyWords; word++) this.keys[entry * keyWords + word] = keys[from * keyWords + word]!
      this.hashes[entry] = hashes[from]!
      this.times[entry] = times[from]!
      this.link(entry)
    }
  }

  private allocate(capacity: number): void {
    this.capacity = capacity
    this.keys = new Int32Array(keyWords * capacity)
    this.hashes = new Int32Array(capacity)
    this.times = new Float64Array(capacity)
    this.slots = new Int32Array(4 * capacity)
    this.mask = 2 * capacity - 1
    this.head = 0
  }
}

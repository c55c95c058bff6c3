/**
 * Keys in the order in which they were noted, of which the oldest are forgotten.
 *
 * Hot path: called for every publish with a key. The keys are in typed arrays: as strings in a Map they took twice the time, half of it
 * in the garbage collector, to which a hundred thousand keys that all live for minutes are the worst case. Only
 * `compact` copies them, when more entries count no more than do: to copy a million keys stops the process for a second.
 */
import process from "node:process"
import { HashIndex } from "./HashIndex.ts"
import { hashWords } from "./KeyHash.ts"

/** Words of 32 bits for each key. The first byte is its length. */
const keyWords = 16
const keyBytesMax = 4 * keyWords - 1
/** The first byte of a digest, which stands for a key that is longer or not ASCII. */
const digestMark = 0xff
const asciiMax = 0x7f

/** The key that is looked for, as it would be in the table. */
let wantedKey: string | undefined
const wanted = new Int32Array(keyWords)
const wantedBytes = new Uint8Array(wanted.buffer)
let wantedWords = 0
let wantedHash = 0

/** Loads `node:crypto` with the first long key: a client that starts needs none. */
const digestOf = (key: string): Buffer => process.getBuiltinModule("node:crypto").hash("sha256", key, "buffer")

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
    const digest = digestOf(key)
    wantedBytes[0] = digestMark
    wantedBytes.set(digest, 1)
    bytes = digest.length
  }
  wantedWords = (bytes + 4) >> 2
  wantedBytes.fill(0, bytes + 1, 4 * wantedWords)
  wantedHash = hashWords(wanted, wantedWords)
  wantedKey = key
}

/** Entries of the first part. The next ones have twice as many each, up to `partEntries`. */
const leastEntries = 64
const partBits = 12
const partEntries = 1 << partBits
/** The key, its hash, and its time. */
const entryBytes = 4 * keyWords + 4 + 8

/** Consecutive entries. The time of an entry that counts no more is NaN. */
class Part {
  readonly number: number
  readonly keys: Int32Array
  readonly hashes: Int32Array
  readonly times: Float64Array
  used = 0

  constructor(number: number, entries: number) {
    this.number = number
    this.keys = new Int32Array(keyWords * entries)
    this.hashes = new Int32Array(entries)
    this.times = new Float64Array(entries)
  }

  get entries(): number {
    return this.times.length
  }
}

export class RecentKeys {
  /** The parts with entries, from the oldest on, and the position of the oldest entry. */
  private parts: Array<Part> = []
  private first = 0
  /** The same parts by number; an entry is its part's number and its position. Numbers of parts that are gone are used again. */
  private numbered: Array<Part | undefined> = []
  private free: Array<number> = []
  /** A part that is gone, to be used again. */
  private spare: Part | undefined
  private live = 0
  /** Entries that count no more and are not passed yet. */
  private stale = 0
  private index = new HashIndex()

  get size(): number {
    return this.live
  }

  /** Bytes of memory that the keys take. */
  get bytes(): number {
    return this.numbered.reduce((sum, part) => sum + (part?.entries ?? 0) * entryBytes, 0) + this.index.bytes
  }

  has(key: string): boolean {
    return this.find(key) >= 0
  }

  /** When the key was noted last; `undefined` for a key that is not known. */
  timeOf(key: string): number | undefined {
    const entry = this.find(key)
    return entry < 0 ? undefined : this.partOf(entry).times[entry & (partEntries - 1)]
  }

  /** Adds a key at the end, or moves it there. */
  note(key: string, time: number): void {
    const known = this.find(key)
    if (known >= 0) {
      const part = this.partOf(known)
      const at = known & (partEntries - 1)
      part.times[at] = NaN
      this.index.remove(part.hashes[at]!, known)
      this.live--
      this.stale++
    }
    if (this.stale > this.live + partEntries) this.compact()
    this.append(wanted, 0, wantedWords, wantedHash, time)
  }

  /** Forgets the oldest keys until at most `most` are left and the next one was noted after `oldest`. */
  forget(most: number, oldest: number): void {
    for (let part = this.parts[0]; part !== undefined; part = this.parts[0]) {
      if (this.first === part.used) {
        if (!this.leave(part)) break
        continue
      }
      const time = part.times[this.first]!
      if (Number.isNaN(time)) this.stale--
      else {
        if (this.live <= most && time > oldest) break
        this.index.remove(part.hashes[this.first]!, (part.number << partBits) | this.first)
        this.live--
      }
      this.first++
    }
  }

  clear(): void {
    this.parts = []
    this.first = 0
    this.numbered = []
    this.free = []
    this.spare = undefined
    this.live = 0
    this.stale = 0
    this.index = new HashIndex()
  }

  /** The entry of a key; -1 if it is missing. */
  private find(key: string): number {
    want(key)
    return this.index.find(wantedHash, this.isWanted)
  }

  private readonly isWanted = (entry: number): boolean => {
    const { keys } = this.partOf(entry)
    for (let at = 0, from = (entry & (partEntries - 1)) * keyWords; at < wantedWords; at++) {
      if (keys[from + at] !== wanted[at]) return false
    }
    return true
  }

  private partOf(entry: number): Part {
    return this.numbered[entry >> partBits]!
  }

  private append(words: Int32Array, from: number, count: number, hash: number, time: number): void {
    let part = this.parts.at(-1)
    if (part === undefined || part.used === part.entries) part = this.begin(part?.entries ?? 0)
    const at = part.used++
    for (let word = 0, to = at * keyWords; word < count; word++) part.keys[to + word] = words[from + word]!
    part.hashes[at] = hash
    part.times[at] = time
    this.index.add(hash, (part.number << partBits) | at)
    this.live++
  }

  /** Begins a part behind one of this size. */
  private begin(before: number): Part {
    const entries = Math.min(partEntries, Math.max(leastEntries, 2 * before))
    const { spare } = this
    this.spare = undefined
    if (spare !== undefined && spare.entries !== entries) this.release(spare)
    const part = spare?.entries === entries ? spare : new Part(this.free.pop() ?? this.numbered.length, entries)
    this.numbered[part.number] = part
    this.parts.push(part)
    return part
  }

  /** Leaves the oldest part, whose entries are all gone; returns whether there may be another one. */
  private leave(part: Part): boolean {
    this.first = 0
    if (this.parts.length === 1 && part.used < part.entries) {
      part.used = 0
      return false
    }
    this.parts.shift()
    if (this.spare !== undefined) this.release(this.spare)
    part.used = 0
    this.spare = part
    return true
  }

  private release({ number }: Part): void {
    this.numbered[number] = undefined
    this.free.push(number)
  }

  /** Copies the entries that count: keys that are noted often while older ones remain must not take memory without bound. */
  private compact(): void {
    const { first, parts } = this
    this.clear()
    parts.forEach((part, index) => {
      for (let at = index === 0 ? first : 0; at < part.used; at++) {
        const time = part.times[at]!
        if (!Number.isNaN(time)) this.append(part.keys, at * keyWords, keyWords, part.hashes[at]!, time)
      }
    })
  }
}

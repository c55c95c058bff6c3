/**
 * Keys in the order in which they were noted, of which the oldest are forgotten.
 *
 * Hot path: called for every publish with a key. The keys are in typed arrays: as strings in a Map they took twice the time, half of it
 * in the garbage collector, to which a hundred thousand keys that all live for minutes are the worst case. Each key has a number, one
 * more than the key before, so that to forget the oldest ones only moves the number of the first; the index (`HashGenerations`) drops
 * them later, many at once. Only `compact` copies keys, when more numbers count no more than do: to copy a million keys stops the process
 * for a second.
 */
import { HashGenerations } from "./HashGenerations.ts"
import { type KeyWords, keyWords } from "./KeyWords.ts"

/** Keys of a chunk: 64 at first, so that many topics with few keys take little memory. */
const leastBits = 6
const mostBits = 12
/** The key and its time. */
const entryBytes = 4 * keyWords + 8

/** The time of a key that is noted for later: it does not count before `settle`. */
export const pendingTime = Infinity
/** The time of a key that counts no more. */
const noTime = NaN

/** Whether a number is one of those from `from` up to, but not including, `to`. */
export const isWithin = (number: number, from: number, to: number): boolean =>
  ((number - from) >>> 0) < ((to - from) >>> 0)

/** The keys with consecutive numbers. */
class Chunk {
  readonly keys: Int32Array
  readonly times: Float64Array

  constructor(entries: number) {
    this.keys = new Int32Array(keyWords * entries)
    this.times = new Float64Array(entries)
  }
}

export class RecentKeys {
  /** The number of the oldest key, and of the next one. They pass from the greatest integer of 32 bits to the smallest. */
  private first: number
  private next: number
  /** A number is that of a chunk, and in these bits the position there. */
  private bits = leastBits
  /** From that of `first` on. */
  private chunks: Array<Chunk> = []
  /** A chunk that is no longer in use, to be used again. */
  private spare: Chunk | undefined
  private live = 0
  private waiting = 0
  private index = new HashGenerations()

  /** `start` is the number of the first key. */
  constructor(start = 1) {
    this.first = start
    this.next = start
  }

  /** Number of keys that count, without those noted for later. */
  get size(): number {
    return this.live
  }

  /** Bytes of memory that the keys take. */
  get bytes(): number {
    return (this.chunks.length + (this.spare === undefined ? 0 : 1)) * (entryBytes << this.bits) + this.index.bytes
  }

  /** The number of the next key. */
  get end(): number {
    return this.next
  }

  /** Whether more numbers count no more than do. They are removed only while no key is noted for later. */
  get isSparse(): boolean {
    return this.span > 2 * (this.live + this.waiting) + (1 << mostBits)
  }

  has(key: KeyWords): boolean {
    return this.timeOf(key) !== undefined
  }

  /** When the key was noted last; `undefined` for a key that is not known. */
  timeOf(key: KeyWords): number | undefined {
    const number = this.numberOf(key)
    return number === undefined ? undefined : this.timeAt(number)
  }

  /** The number of a key that counts or is noted for later. Numbers remain while a key is noted for later. */
  numberOf(key: KeyWords): number | undefined {
    return this.index.find(key.hash, key, this.isAt)
  }

  /** Adds a key at the end, or moves it there, and returns its number. */
  note(key: KeyWords, time: number): number {
    this.remove(key)
    return this.add(key, time)
  }

  /** Adds a key that is not known, and returns its number. */
  add(key: KeyWords, time: number): number {
    if (this.waiting === 0 && this.isSparse) this.compact()
    if (time === pendingTime) this.waiting++
    else this.live++
    return this.append(key.words, 0, key.count, time)
  }

  /** Gives this time to the keys noted for later whose numbers are from `from` up to, but not including, `to`; without one forgets them. */
  settle(from: number, to: number, time: number | undefined): void {
    for (let number = from; number !== to; number = (number + 1) | 0) {
      if (this.timeAt(number) !== pendingTime) continue
      if (time === undefined) this.removeAt(number)
      else {
        this.chunkOf(number).times[this.positionOf(number)] = time
        this.waiting--
        this.live++
      }
    }
  }

  /** Forgets a key, if it is known. */
  remove(key: KeyWords): void {
    const number = this.numberOf(key)
    if (number !== undefined) this.removeAt(number)
  }

  /** Forgets the oldest keys until at most `most` are left and the next one was noted after `oldest`. */
  forget(most: number, oldest: number): void {
    if (this.first === this.next) return
    do {
      const time = this.timeAt(this.first)
      // Neither is true of one that counts no more.
      if (time === pendingTime || (this.live <= most && time > oldest)) return
      if (!Number.isNaN(time)) this.live--
      this.first = (this.first + 1) | 0
      if (this.positionOf(this.first) !== 0) continue
      this.spare = this.chunks.shift()
      this.index.forget(this.first)
    } while (this.first !== this.next)
    this.index = new HashGenerations()
  }

  clear(): void {
    this.first = this.next
    this.bits = leastBits
    this.chunks = []
    this.spare = undefined
    this.live = 0
    this.waiting = 0
    this.index = new HashGenerations()
  }

  /** Numbers from `first` up to, but not including, `next`. */
  private get span(): number {
    return (this.next - this.first) >>> 0
  }

  private chunkOf(number: number): Chunk {
    return this.chunkAt(number)!
  }

  private chunkAt(number: number): Chunk | undefined {
    return this.chunks[(number - (this.first & -(1 << this.bits))) >>> this.bits]
  }

  private positionOf(number: number): number {
    return number & ((1 << this.bits) - 1)
  }

  private timeAt(number: number): number {
    return this.chunkOf(number).times[this.positionOf(number)]!
  }

  private readonly isAt = (number: number, { count, words }: KeyWords): boolean => {
    if (!isWithin(number, this.first, this.next)) return false
    const { keys } = this.chunkOf(number)
    for (let at = 0, from = this.positionOf(number) * keyWords; at < count; at++) {
      if (keys[from + at] !== words[at]) return false
    }
    return true
  }

  /** The key counts no more. Its number does until it is the oldest. */
  private removeAt(number: number): void {
    const chunk = this.chunkOf(number)
    const at = this.positionOf(number)
    if (chunk.times[at] === pendingTime) this.waiting--
    else this.live--
    chunk.times[at] = noTime
    this.index.remove(chunk.keys[at * keyWords]!, number)
  }

  private append(words: Int32Array, from: number, count: number, time: number): number {
    const number = this.next
    const { keys } = this.number(time)
    for (let word = 0, to = this.positionOf(number) * keyWords; word < count; word++) {
      keys[to + word] = words[from + word]!
    }
    this.index.add(words[from]!, number, this.span)
    return number
  }

  /** Gives the next number to a key of this time; returns its chunk. */
  private number(time: number): Chunk {
    let chunk = this.chunkAt(this.next)
    if (chunk === undefined) {
      if (this.chunks.length > 1 && this.bits < mostBits) this.widen()
      chunk = this.chunkAt(this.next) ?? this.begin()
    }
    chunk.times[this.positionOf(this.next)] = time
    this.next = (this.next + 1) | 0
    return chunk
  }

  private begin(): Chunk {
    const chunk = this.spare ?? new Chunk(1 << this.bits)
    this.spare = undefined
    this.chunks.push(chunk)
    return chunk
  }

  /** Makes the chunks twice as large. */
  private widen(): void {
    const { bits, chunks } = this
    const start = this.first & -(1 << bits)
    this.bits = bits + 1
    this.spare = undefined
    this.chunks = []
    chunks.forEach((chunk, at) => {
      const number = start + (at << bits)
      const wide = this.chunkAt(number) ?? this.begin()
      wide.keys.set(chunk.keys, this.positionOf(number) * keyWords)
      wide.times.set(chunk.times, this.positionOf(number))
    })
  }

  /** Copies the keys that count: keys that are noted often while older ones remain must not take memory without bound. */
  private compact(): void {
    const { bits, chunks, first, next } = this
    this.clear()
    for (let number = first; number !== next; number = (number + 1) | 0) {
      const chunk = chunks[(number - (first & -(1 << bits))) >>> bits]!
      const at = number & ((1 << bits) - 1)
      const time = chunk.times[at]!
      if (Number.isNaN(time)) continue
      this.append(chunk.keys, at * keyWords, keyWords, time)
      this.live++
    }
  }
}

/**
 * An index from hashes of 32 bits to numbers that are given in order and forgotten in order, for keys that are kept elsewhere.
 *
 * Hot path: called for every publish with a key. The numbers are in generations. Each has tables of the size that it will need, so that
 * nothing is moved, and is dropped with its last number. A hash that is looked for is nearly always new, which takes no look at the
 * tables, as they are larger than the processor's caches: a generation first has a Bloom filter of 8 bits for each number, whose bits for
 * a hash are in one word. The numbers enter their table some at a time, because the processor waits for many places in memory as long as
 * for one.
 */

/** Numbers of a generation: 64 at first, so that many topics with few keys take little memory. */
const leastNumbers = 64
/** Numbers that wait to enter the table at most. */
const waitingMax = 64

/** Bits of a word. */
const wordBits = 5
/** Numbers for each word of the filter, and places for each number in the table, as powers of two. */
const numbersForWord = 2
const placesForNumber = 1

/** The place of a number that was removed, which another one may take. */
const removed = -1

/** Spreads a hash once more, for the two bits within the word that the hash itself gives. */
const spread = 0x9e3779b1 | 0
const bitsOf = (hash: number): number => {
  const bits = Math.imul(hash, spread)
  return (1 << (bits >>> (32 - wordBits))) | (1 << (bits >>> (32 - 2 * wordBits)))
}

/** Consecutive numbers. */
class Generation {
  readonly start: number
  /** Numbers that it has room for, a power of two. */
  readonly room: number
  count = 0
  private readonly filter: Int32Array
  private readonly filterMask: number
  /** In each place 0, `removed`, or one more than the distance of a number from `start`. It is in the first free place from its hash on. */
  private readonly places: Int32Array
  private readonly placesMask: number
  /** The hashes of the last numbers, which wait to enter the table. */
  private readonly waiting = new Int32Array(waitingMax)
  private waitingCount = 0

  constructor(start: number, room: number) {
    this.start = start
    this.room = room
    this.filter = new Int32Array(room >> numbersForWord)
    this.filterMask = this.filter.length - 1
    this.places = new Int32Array(room << placesForNumber)
    this.placesMask = this.places.length - 1
  }

  get bytes(): number {
    return this.filter.byteLength + this.places.byteLength + this.waiting.byteLength
  }

  add(hash: number): void {
    this.filter[hash & this.filterMask]! |= bitsOf(hash)
    this.waiting[this.waitingCount++] = hash
    this.count++
    if (this.waitingCount === waitingMax) this.enter()
  }

  /** The numbers that wait enter the table. */
  private enter(): void {
    const { places, placesMask, waiting, waitingCount } = this
    const before = this.count - waitingCount
    for (let at = 0; at < waitingCount; at++) {
      let place = waiting[at]! & placesMask
      while (places[place]! > 0) place = (place + 1) & placesMask
      places[place] = before + at + 1
    }
    this.waitingCount = 0
  }

  mayHave(hash: number, bits: number): boolean {
    return (this.filter[hash & this.filterMask]! & bits) === bits
  }

  find<A>(hash: number, key: A, isAt: (number: number, key: A) => boolean): number | undefined {
    if (this.waitingCount > 0) this.enter()
    const { places, placesMask, start } = this
    for (let place = hash & placesMask; places[place] !== 0; place = (place + 1) & placesMask) {
      if (places[place] === removed) continue
      const number = (start + places[place]! - 1) | 0
      if (isAt(number, key)) return number
    }
    return undefined
  }

  remove(hash: number, number: number): void {
    if (this.waitingCount > 0) this.enter()
    const { places, placesMask } = this
    const wanted = ((number - this.start) | 0) + 1
    let place = hash & placesMask
    while (places[place] !== wanted) place = (place + 1) & placesMask
    places[place] = removed
  }
}

export class HashGenerations {
  private generations: Array<Generation> = []

  /** Bytes of memory that the tables take. */
  get bytes(): number {
    return this.generations.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** The number that has `key`, whose hash this is. `isAt` is called with others as well, some of which may have been forgotten. */
  find<A>(hash: number, key: A, isAt: (number: number, key: A) => boolean): number | undefined {
    const { generations } = this
    const bits = bitsOf(hash)
    for (let at = generations.length - 1; at >= 0; at--) {
      const generation = generations[at]!
      if (!generation.mayHave(hash, bits)) continue
      const number = generation.find(hash, key, isAt)
      if (number !== undefined) return number
    }
    return undefined
  }

  /** Adds the next number, which is one more than the last one, of `span` that are not forgotten. */
  add(hash: number, number: number, span: number): void {
    let last = this.generations.at(-1)
    if (last === undefined || last.count === last.room) {
      last = new Generation(number, Math.max(leastNumbers, 2 ** Math.ceil(Math.log2(span))))
      this.generations.push(last)
    }
    last.add(hash)
  }

  /** Removes a number that was added with this hash and is not forgotten, so that many keys that are alike do not share places. */
  remove(hash: number, number: number): void {
    this.generations.findLast(({ start }) => ((number - start) | 0) >= 0)?.remove(hash, number)
  }

  /** Forgets the numbers before `first`, which is at most one more than the last number. */
  forget(first: number): void {
    const { generations } = this
    while (generations.length > 0 && ((first - generations[0]!.start) | 0) >= generations[0]!.room) generations.shift()
  }
}

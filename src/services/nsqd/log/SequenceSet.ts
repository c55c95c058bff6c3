/**
 * A set of sequences that grows mostly from below: all sequences below `floor`, and some above it. A channel's finished
 * messages are such a set; its size follows the holes in it, not the number of messages.
 *
 * Hot path: `add` is called for every finished message. In order it moves the floor; out of order it sets a bit.
 */

/** Sequences per chunk of bits. */
const chunkSize = 4096
const words = chunkSize / 32

interface Chunk {
  readonly bits: Uint32Array
  count: number
}

/** Stands for all chunks whose sequences are all in the set. */
const fullChunk: Chunk = { bits: new Uint32Array(words).fill(0xffff_ffff), count: chunkSize }

const bitCount = (word: number): number => {
  let bits = word - ((word >>> 1) & 0x5555_5555)
  bits = (bits & 0x3333_3333) + ((bits >>> 2) & 0x3333_3333)
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24
}

export class SequenceSet {
  /** All sequences below are in the set; this one is not. */
  private bottom: number
  private readonly chunks = new Map<number, Chunk>()
  /** The chunk that was found last: neighbours are mostly added one after the other. */
  private lastNumber = -1
  private lastChunk: Chunk | undefined
  private membersAbove = 0

  constructor(floor: number) {
    this.bottom = floor
  }

  /** The lowest sequence that is not in the set. */
  get floor(): number {
    return this.bottom
  }

  /** Makes all sequences below `floor` the only members. */
  reset(floor: number): void {
    this.bottom = floor
    this.chunks.clear()
    this.lastNumber = -1
    this.lastChunk = undefined
    this.membersAbove = 0
  }

  /** Number of members above the floor. */
  get above(): number {
    return this.membersAbove
  }

  has(sequence: number): boolean {
    if (sequence < this.bottom) return true
    const chunk = this.chunkAt(Math.floor(sequence / chunkSize))
    if (chunk === undefined) return false
    const bit = sequence % chunkSize
    return (chunk.bits[bit >>> 5]! & (1 << (bit & 31))) !== 0
  }

  /** Adds the sequences from `from` up to, but not including, `to`. Returns how many are new. */
  add(from: number, to: number): number {
    const start = Math.max(from, this.bottom)
    if (start >= to) return 0
    if (start === this.bottom && this.chunks.size === 0) {
      this.bottom = to
      return to - start
    }
    let added = 0
    for (let at = start; at < to;) {
      const number = Math.floor(at / chunkSize)
      const end = Math.min(to, (number + 1) * chunkSize)
      added += this.addToChunk(number, at - number * chunkSize, end - number * chunkSize)
      at = end
    }
    this.membersAbove += added
    if (start === this.bottom) this.raise()
    return added
  }

  private chunkAt(number: number): Chunk | undefined {
    if (number === this.lastNumber) return this.lastChunk
    this.lastNumber = number
    return this.lastChunk = this.chunks.get(number)
  }

  private setChunk(number: number, chunk: Chunk): void {
    this.chunks.set(number, chunk)
    this.lastNumber = number
    this.lastChunk = chunk
  }

  private removeChunk(number: number): void {
    this.chunks.delete(number)
    if (number === this.lastNumber) this.lastNumber = -1
  }

  private addToChunk(number: number, from: number, to: number): number {
    let chunk = this.chunkAt(number)
    if (chunk === fullChunk) return 0
    if (chunk === undefined) {
      chunk = { bits: new Uint32Array(words), count: 0 }
      this.setChunk(number, chunk)
    }
    const { bits } = chunk
    let added = 0
    for (let bit = from; bit < to;) {
      const word = bit >>> 5
      const end = Math.min(to, (word + 1) << 5)
      const mask = end - bit === 32 ? 0xffff_ffff : (((1 << (end - bit)) - 1) << (bit & 31)) >>> 0
      const before = bits[word]!
      bits[word] = before | mask
      added += bitCount(mask & ~before)
      bit = end
    }
    chunk.count += added
    if (chunk.count === chunkSize) this.setChunk(number, fullChunk)
    return added
  }

  /** Moves the floor over the members that follow it. */
  private raise(): void {
    const before = this.bottom
    for (;;) {
      const number = Math.floor(this.bottom / chunkSize)
      const chunk = this.chunkAt(number)
      if (chunk === undefined) break
      const end = (number + 1) * chunkSize
      if (chunk !== fullChunk) {
        // Bits below the floor may be missing: nothing reads them.
        this.bottom = firstFree(chunk.bits, this.bottom - number * chunkSize) + number * chunkSize
        if (this.bottom < end) break
      }
      this.bottom = end
      this.removeChunk(number)
    }
    this.membersAbove -= this.bottom - before
  }

  /** Whether all sequences from `from` up to, but not including, `to` are in the set. */
  includes(from: number, to: number): boolean {
    let at = Math.max(from, this.bottom)
    while (at < to) {
      const number = Math.floor(at / chunkSize)
      const chunk = this.chunkAt(number)
      if (chunk === undefined) return false
      const end = Math.min(to, (number + 1) * chunkSize)
      if (chunk !== fullChunk && firstFree(chunk.bits, at - number * chunkSize) < end - number * chunkSize) return false
      at = end
    }
    return true
  }

  /** The lowest sequence from `from` on that is not in the set. */
  firstMissing(from: number): number {
    let at = Math.max(from, this.bottom)
    for (;;) {
      const number = Math.floor(at / chunkSize)
      const chunk = this.chunkAt(number)
      if (chunk === undefined) return at
      const base = number * chunkSize
      const missing = chunk === fullChunk ? chunkSize : firstFree(chunk.bits, at - base)
      if (missing < chunkSize) return base + missing
      at = base + chunkSize
    }
  }

  /** Calls `range` for every range of members above the floor, lowest first. */
  forEachRange(range: (from: number, to: number) => void): void {
    const steps = this.scanRanges(range)
    while (steps.next().done !== true);
  }

  /**
   * Like `forEachRange`, in steps between which members may be added. Those may be missing, while all others are passed, also
   * when the floor has passed them meanwhile.
   */
  *scanRanges(range: (from: number, to: number) => void): Generator<void, void> {
    const floor = this.bottom
    let from = -1
    let to = -1
    const extend = (start: number, end: number): void => {
      if (start !== to) {
        if (from >= 0) range(from, to)
        from = start
      }
      to = end
    }
    for (const number of Array.from(this.chunks.keys()).sort((a, b) => a - b)) {
      const chunk = this.chunks.get(number)
      const base = number * chunkSize
      const passed = Math.min(this.bottom, base + chunkSize)
      if (passed > Math.max(base, floor)) extend(Math.max(base, floor), passed)
      if (chunk === undefined) continue
      if (chunk === fullChunk) extend(base, base + chunkSize)
      else this.extendByBits(chunk, base, extend)
      yield
    }
    if (from >= 0) range(from, to)
  }

  private extendByBits({ bits }: Chunk, base: number, extend: (start: number, end: number) => void): void {
    for (let bit = Math.max(0, this.bottom - base); bit < chunkSize;) {
      if ((bits[bit >>> 5]! & (1 << (bit & 31))) === 0) {
        bit++
        continue
      }
      const end = firstFree(bits, bit)
      extend(base + bit, base + end)
      bit = end
    }
  }
}

/** The first bit from `from` that is not set; `chunkSize` if all are set. */
const firstFree = (bits: Uint32Array, from: number): number => {
  for (let bit = from; bit < chunkSize;) {
    const word = bits[bit >>> 5]!
    if (word === 0xffff_ffff && (bit & 31) === 0) bit += 32
    else if ((word & (1 << (bit & 31))) === 0) return bit
    else bit++
  }
  return chunkSize
}

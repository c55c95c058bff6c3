/** Sequences, lowest first: a binary heap in typed arrays of limited size, so that a heap of millions grows without being copied. */

/** A chunk is 256 KiB; a heap with fewer sequences has one smaller chunk. */
const chunkBits = 15
const chunkSlots = 1 << chunkBits
const chunkMask = chunkSlots - 1
const initialSlots = 16

export class SequenceHeap {
  private length = 0
  private slots = 0
  private chunks: Array<Float64Array> = []

  get count(): number {
    return this.length
  }

  /** The lowest sequence; `Infinity` if the heap is empty. */
  get lowest(): number {
    return this.length === 0 ? Infinity : this.at(0)
  }

  push(sequence: number): void {
    if (this.length === this.slots) this.grow()
    this.put(this.rise(this.length++, sequence), sequence)
  }

  /** Removes and returns the lowest sequence. Requires `count` > 0. */
  pop(): number {
    const top = this.at(0)
    const last = --this.length
    if (last === 0) {
      this.clear()
      return top
    }
    this.sink(0, this.at(last))
    this.shrink()
    return top
  }

  /** Removes a sequence; false if the heap does not have it. Looks at a million sequences in about a millisecond. */
  remove(sequence: number): boolean {
    const from = this.indexOf(sequence)
    if (from < 0) return false
    const last = --this.length
    if (last === 0) {
      this.clear()
      return true
    }
    if (from < last) {
      // The last one takes its place, and rises or sinks from there.
      const moved = this.at(last)
      const at = this.rise(from, moved)
      this.sink(at, moved)
    }
    this.shrink()
    return true
  }

  private indexOf(sequence: number): number {
    for (let begin = 0; begin < this.length; begin += chunkSlots) {
      const found = this.chunks[begin >>> chunkBits]!.indexOf(sequence)
      // What is behind the last one may be anything.
      if (found >= 0 && begin + found < this.length) return begin + found
    }
    return -1
  }

  private shrink(): void {
    // One chunk more, so that a heap at a limit does not allocate one repeatedly.
    const kept = (this.length >>> chunkBits) + 2
    if (kept >= this.chunks.length) return
    this.chunks.length = kept
    this.slots = kept * chunkSlots
  }

  /** Removes the sequences for which `isGone` holds; takes time in proportion to the heap. */
  removeWhere(isGone: (sequence: number) => boolean): void {
    let kept = 0
    for (let at = 0; at < this.length; at++) {
      const sequence = this.at(at)
      if (!isGone(sequence)) this.put(kept++, sequence)
    }
    this.length = kept
    if (kept === 0) this.clear()
    for (let at = (kept >> 1) - 1; at >= 0; at--) this.sink(at, this.at(at))
  }

  clear(): void {
    this.length = 0
    this.slots = 0
    this.chunks = []
  }

  /** Moves the sequences above `from` down that are higher; returns the place that is free then. */
  private rise(from: number, sequence: number): number {
    let at = from
    while (at > 0) {
      const parent = (at - 1) >> 1
      const value = this.at(parent)
      if (value <= sequence) break
      this.put(at, value)
      at = parent
    }
    return at
  }

  /** Puts a sequence at `from` or below. */
  private sink(from: number, sequence: number): void {
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= this.length) break
      let value = this.at(child)
      const other = child + 1 < this.length ? this.at(child + 1) : Infinity
      if (other < value) {
        child++
        value = other
      }
      if (value >= sequence) break
      this.put(at, value)
      at = child
    }
    this.put(at, sequence)
  }

  private at(at: number): number {
    return this.chunks[at >>> chunkBits]![at & chunkMask]!
  }

  private put(at: number, sequence: number): void {
    this.chunks[at >>> chunkBits]![at & chunkMask] = sequence
  }

  private grow(): void {
    if (this.slots >= chunkSlots) {
      this.chunks.push(new Float64Array(chunkSlots))
      this.slots += chunkSlots
      return
    }
    this.slots = Math.max(initialSlots, this.slots * 2)
    const larger = new Float64Array(this.slots)
    const [first] = this.chunks
    if (first !== undefined) larger.set(first)
    this.chunks[0] = larger
  }
}

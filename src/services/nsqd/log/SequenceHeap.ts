/** Sequences, lowest first: a binary heap in a typed array. */

const initialSlots = 16

export class SequenceHeap {
  private length = 0
  private values = new Float64Array(0)

  get count(): number {
    return this.length
  }

  /** The lowest sequence; `Infinity` if the heap is empty. */
  get lowest(): number {
    return this.length === 0 ? Infinity : this.values[0]!
  }

  push(sequence: number): void {
    if (this.length === this.values.length) {
      const larger = new Float64Array(Math.max(initialSlots, this.length * 2))
      larger.set(this.values)
      this.values = larger
    }
    let at = this.length++
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (this.values[parent]! <= sequence) break
      this.values[at] = this.values[parent]!
      at = parent
    }
    this.values[at] = sequence
  }

  /** Removes and returns the lowest sequence. Requires `count` > 0. */
  pop(): number {
    const top = this.values[0]!
    const last = this.values[--this.length]!
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= this.length) break
      if (child + 1 < this.length && this.values[child + 1]! < this.values[child]!) child++
      if (this.values[child]! >= last) break
      this.values[at] = this.values[child]!
      at = child
    }
    this.values[at] = last
    if (this.length === 0) this.values = new Float64Array(0)
    return top
  }

  /** Removes the sequences for which `isGone` holds; takes time in proportion to the heap. */
  removeWhere(isGone: (sequence: number) => boolean): void {
    const kept = this.values.subarray(0, this.length).filter((sequence) => !isGone(sequence))
    // A sorted array is a heap.
    this.values = kept.sort()
    this.length = kept.length
  }

  clear(): void {
    this.length = 0
    this.values = new Float64Array(0)
  }
}

/**
 * A hash table from hashes of 32 bits to numbers, for keys that are kept elsewhere. It uses linear probing.
 *
 * Hot path: called for every publish with a key. A slot has the number and its hash, so that a search reads one place of memory. The table
 * grows in steps: `add` moves a few slots to the larger one, because moving a million at once stops the process for a second.
 */

const leastSlots = 128
/** Slots that one `add` moves. At least two of them are moved for each key that is added before the table grows again. */
const movedAtOnce = 16

/** The content of an empty slot, and of a slot that was moved or removed, at which a search goes on. Others have the number plus one. */
const empty = 0
const gone = -1

class Slots {
  /** The content and the hash of each slot. */
  readonly cells: Int32Array
  readonly mask: number

  /** `count` is a power of two. */
  constructor(count: number) {
    this.cells = new Int32Array(2 * count)
    this.mask = count - 1
  }

  /** Returns the number with this hash for which `isSame` is true; -1 without one. */
  find(hash: number, isSame: (number: number) => boolean): number {
    const { cells, mask } = this
    for (let slot = hash & mask; cells[2 * slot] !== empty; slot = (slot + 1) & mask) {
      const content = cells[2 * slot]!
      if (cells[2 * slot + 1] === hash && content !== gone && isSame(content - 1)) return content - 1
    }
    return -1
  }

  add(hash: number, content: number): void {
    const { cells, mask } = this
    let slot = hash & mask
    while (cells[2 * slot] !== empty) slot = (slot + 1) & mask
    cells[2 * slot] = content
    cells[2 * slot + 1] = hash
  }

  /** The slot of a number; -1 if it is missing. */
  slotOf(hash: number, number: number): number {
    const { cells, mask } = this
    for (let slot = hash & mask; cells[2 * slot] !== empty; slot = (slot + 1) & mask) {
      if (cells[2 * slot] === number + 1) return slot
    }
    return -1
  }

  /** Empties a slot, and moves others there whose search would end at it otherwise. */
  close(slot: number): void {
    const { cells, mask } = this
    let gap = slot
    for (let next = (gap + 1) & mask; cells[2 * next] !== empty; next = (next + 1) & mask) {
      const home = cells[2 * next + 1]! & mask
      if (((next - home) & mask) < ((next - gap) & mask)) continue
      cells[2 * gap] = cells[2 * next]!
      cells[2 * gap + 1] = cells[2 * next + 1]!
      gap = next
    }
    cells[2 * gap] = empty
  }
}

export class HashIndex {
  private count = 0
  private slots = new Slots(leastSlots)
  /** The smaller table, while numbers are left in it; those before `moved` are in the larger one. */
  private before: Slots | undefined
  private moved = 0

  /** Bytes of memory that the table takes. */
  get bytes(): number {
    return this.slots.cells.byteLength + (this.before?.cells.byteLength ?? 0)
  }

  /** Returns the number with this hash for which `isSame` is true; -1 without one. */
  find(hash: number, isSame: (number: number) => boolean): number {
    const found = this.slots.find(hash, isSame)
    return found >= 0 || this.before === undefined ? found : this.before.find(hash, isSame)
  }

  /** Adds a number, which is not in the table. */
  add(hash: number, number: number): void {
    if (this.before !== undefined) this.move(this.before, movedAtOnce)
    else if (2 * this.count > this.slots.mask) this.grow()
    this.slots.add(hash, number + 1)
    this.count++
  }

  /** Removes a number, which is in the table. */
  remove(hash: number, number: number): void {
    const slot = this.slots.slotOf(hash, number)
    if (slot >= 0) this.slots.close(slot)
    else if (this.before !== undefined) this.before.cells[2 * this.before.slotOf(hash, number)] = gone
    this.count--
  }

  private grow(): void {
    this.before = this.slots
    this.moved = 0
    this.slots = new Slots(2 * (this.slots.mask + 1))
  }

  private move({ cells, mask }: Slots, most: number): void {
    const end = Math.min(this.moved + most, mask + 1)
    for (let slot = this.moved; slot < end; slot++) {
      const content = cells[2 * slot]!
      if (content === empty || content === gone) continue
      this.slots.add(cells[2 * slot + 1]!, content)
      cells[2 * slot] = gone
    }
    this.moved = end
    if (end > mask) this.before = undefined
  }
}

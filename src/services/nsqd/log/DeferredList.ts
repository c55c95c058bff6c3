/**
 * A list of messages with their due time and attempts: 18 bytes for each, in typed arrays of limited size, so that a list of
 * millions grows without being copied.
 *
 * Hot path: `DeferredTable` reads and moves entries for each deferred message.
 */

/** Entries of a chunk are 512 KiB of sequences and due times; a list with fewer entries has one smaller chunk. */
const chunkBits = 15
const chunkSlots = 1 << chunkBits
const chunkMask = chunkSlots - 1
const initialSlots = 16

/** A sequence and its due time are neighbors, because they are read together. */
class Chunk {
  readonly times: Float64Array
  readonly attempts: Uint16Array

  constructor(slots: number) {
    this.times = new Float64Array(2 * slots)
    this.attempts = new Uint16Array(slots)
  }
}

export class DeferredList {
  private count = 0
  private slots = 0
  private readonly chunks: Array<Chunk> = []

  get length(): number {
    return this.count
  }

  sequenceAt(at: number): number {
    return this.chunks[at >>> chunkBits]!.times[2 * (at & chunkMask)]!
  }

  dueAt(at: number): number {
    return this.chunks[at >>> chunkBits]!.times[2 * (at & chunkMask) + 1]!
  }

  attemptsAt(at: number): number {
    return this.chunks[at >>> chunkBits]!.attempts[at & chunkMask]!
  }

  put(at: number, sequence: number, due: number, attempts: number): void {
    const chunk = this.chunks[at >>> chunkBits]!
    const slot = at & chunkMask
    chunk.times[2 * slot] = sequence
    chunk.times[2 * slot + 1] = due
    chunk.attempts[slot] = attempts
  }

  /** Copies the entry at `from` to `to`. */
  move(from: number, to: number): void {
    const source = this.chunks[from >>> chunkBits]!
    const slot = from & chunkMask
    this.put(to, source.times[2 * slot]!, source.times[2 * slot + 1]!, source.attempts[slot]!)
  }

  /** Adds an entry at the end. */
  add(sequence: number, due: number, attempts: number): void {
    if (this.count === this.slots) this.grow()
    this.put(this.count++, sequence, due, attempts)
  }

  /** Drops the entries from `length` on. */
  cut(length: number): void {
    this.count = length
    // One chunk more, so that a list at a limit does not allocate one repeatedly.
    const kept = (length >>> chunkBits) + 2
    if (kept < this.chunks.length) {
      this.chunks.length = kept
      this.slots = kept * chunkSlots
    }
    if (this.chunks.length === 2 && length * 4 < chunkSlots) {
      this.chunks.length = 1
      this.slots = chunkSlots
    }
    if (this.chunks.length === 1 && length * 4 < this.slots && this.slots > initialSlots) this.resizeFirst(length * 2)
  }

  clear(): void {
    this.count = 0
    this.slots = 0
    this.chunks.length = 0
  }

  private grow(): void {
    if (this.slots < chunkSlots) return this.resizeFirst(this.slots * 2)
    this.chunks.push(new Chunk(chunkSlots))
    this.slots += chunkSlots
  }

  private resizeFirst(slots: number): void {
    this.slots = Math.min(chunkSlots, Math.max(initialSlots, slots))
    const resized = new Chunk(this.slots)
    const [first] = this.chunks
    if (first !== undefined) {
      resized.times.set(first.times.subarray(0, 2 * this.count))
      resized.attempts.set(first.attempts.subarray(0, this.count))
    }
    this.chunks[0] = resized
  }
}

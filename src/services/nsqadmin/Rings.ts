/**
 * Ring buffers of points, one per series, in a few large typed arrays that hold an hour of tens of thousands of series. All
 * rings advance together. A point is the last depth and the mean rate of 20 seconds, or empty (NaN).
 */

/** Points per ring: an hour of 20 seconds each. */
export const ringLength = 180

/** Rings per allocated block. */
const blockRings = 512

/** Single precision is enough for a chart and halves the memory. */
interface Block {
  readonly depths: Float32Array
  readonly rates: Float32Array
  /** The number of rates in the mean of each ring's current point. */
  readonly rated: Uint16Array
}

const newBlock = (): Block => ({
  depths: new Float32Array(blockRings * ringLength).fill(NaN),
  rates: new Float32Array(blockRings * ringLength).fill(NaN),
  rated: new Uint16Array(blockRings)
})

/** Decodes a stored value. The fourth decimal of a rate is noise. */
const value = (stored: number): number | null => Number.isNaN(stored) ? null : Math.round(stored * 1000) / 1000

/** Up to `max` ring buffers, addressed by number. Memory is allocated in blocks and never released. */
export class Rings {
  private readonly max: number
  private readonly blocks: Array<Block> = []
  private readonly free: Array<number> = []
  private used = 0
  /** The index of the current point, the same in all rings. */
  private column = 0

  /** Creates no ring yet; `max` is the limit for `take`. */
  constructor(max: number) {
    this.max = max
  }

  /** The number of rings in use. */
  get size(): number {
    return this.used - this.free.length
  }

  /** Returns the number of an empty ring, or `undefined` if `max` rings are in use. */
  take(): number | undefined {
    if (this.size >= this.max) return undefined
    const again = this.free.pop()
    if (again !== undefined) return again
    if (this.used === this.blocks.length * blockRings) this.blocks.push(newBlock())
    return this.used++
  }

  /** Empties a ring and makes it available again. */
  release(ring: number): void {
    const { depths, rated, rates } = this.block(ring)
    const start = ring % blockRings * ringLength
    depths.fill(NaN, start, start + ringLength)
    rates.fill(NaN, start, start + ringLength)
    rated[ring % blockRings] = 0
    this.free.push(ring)
  }

  /** Advances all rings by `points` empty points. */
  turn(points: number): void {
    for (let i = Math.min(points, ringLength); i > 0; i--) {
      this.column = (this.column + 1) % ringLength
      for (const { depths, rated, rates } of this.blocks) {
        for (let at = this.column; at < depths.length; at += ringLength) {
          depths[at] = NaN
          rates[at] = NaN
        }
        rated.fill(0)
      }
    }
  }

  /** Sets the depth of the current point and adds a rate to its mean. */
  write(ring: number, depth: number, rate: number | null): void {
    const { depths, rated, rates } = this.block(ring)
    const inBlock = ring % blockRings
    const at = inBlock * ringLength + this.column
    depths[at] = depth
    if (rate === null) return
    const count = (rated[inBlock] ?? 0) + 1
    rated[inBlock] = count
    const mean = rates[at] ?? NaN
    rates[at] = count === 1 ? rate : mean + (rate - mean) / count
  }

  /** Returns the last points of a ring, the current one last. */
  read(ring: number, points: number): { readonly depth: Array<number | null>; readonly rate: Array<number | null> } {
    const { depths, rates } = this.block(ring)
    const start = ring % blockRings * ringLength
    const depth: Array<number | null> = []
    const rate: Array<number | null> = []
    for (let age = points - 1; age >= 0; age--) {
      const at = start + (this.column - age + ringLength) % ringLength
      depth.push(value(depths[at] ?? NaN))
      rate.push(value(rates[at] ?? NaN))
    }
    return { depth, rate }
  }

  private block(ring: number): Block {
    const block = this.blocks[Math.floor(ring / blockRings)]
    if (block === undefined) throw new Error(`unknown ring: ${ring}`)
    return block
  }
}

/**
 * Rings of points, one for each series, in large typed arrays: an hour of tens of thousands of series in a few of them. All rings
 * turn together; a point is the last depth and the mean rate of its time, or nothing (NaN).
 */

/** Points of a ring. */
export const ringLength = 180

/** Rings that are made at a time. */
const blockRings = 512

/** 24 bits are enough for a chart, and halve what it takes. */
interface Block {
  readonly depths: Float32Array
  readonly rates: Float32Array
  /** How many rates the current point of each ring is the mean of. */
  readonly rated: Uint16Array
}

const newBlock = (): Block => ({
  depths: new Float32Array(blockRings * ringLength).fill(NaN),
  rates: new Float32Array(blockRings * ringLength).fill(NaN),
  rated: new Uint16Array(blockRings)
})

/** NaN is nothing; the fourth digit of a rate is noise. */
const value = (stored: number): number | null => Number.isNaN(stored) ? null : Math.round(stored * 1000) / 1000

export class Rings {
  private readonly max: number
  private readonly blocks: Array<Block> = []
  private readonly free: Array<number> = []
  private used = 0
  /** Of the current point in every ring. */
  private column = 0

  /** At most `max` rings. */
  constructor(max: number) {
    this.max = max
  }

  /** How many rings are in use. */
  get size(): number {
    return this.used - this.free.length
  }

  /** An empty ring; `undefined` when there are as many as there may be. */
  take(): number | undefined {
    if (this.size >= this.max) return undefined
    const again = this.free.pop()
    if (again !== undefined) return again
    if (this.used === this.blocks.length * blockRings) this.blocks.push(newBlock())
    return this.used++
  }

  /** The ring is not used any more. */
  release(ring: number): void {
    const { depths, rated, rates } = this.block(ring)
    const start = ring % blockRings * ringLength
    depths.fill(NaN, start, start + ringLength)
    rates.fill(NaN, start, start + ringLength)
    rated[ring % blockRings] = 0
    this.free.push(ring)
  }

  /** All rings turn by so many points, which are empty. */
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

  /** Adds to the current point. */
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

  /** The last points, the current one at the end. */
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
    if (block === undefined) throw new Error(`there is no ring ${ring}`)
    return block
  }
}

/**
 * Ring buffers of points, one per series, in a few large typed arrays that hold an hour of tens of thousands of series. All
 * rings advance together, so that the points of one time lie side by side. A point is the last backlog and the mean rates of 20 seconds,
 * or empty (NaN).
 */

/** Points per ring: an hour of 20 seconds each. */
export const ringLength = 180

/** Rings per allocated block. */
const blockRings = 512

/** The points of 512 rings, time by time. Single precision is enough for a chart and halves the memory. */
interface Block {
  readonly backlogs: Float32Array
  readonly rates: Float32Array
  readonly finishRates: Float32Array
  /** Undefined until a rate is not 0, which most channels never have; like the next. */
  requeueRates: Float32Array | undefined
  timeoutRates: Float32Array | undefined
  /** The number of rates in the mean of each ring's current point. */
  readonly rated: Uint16Array
}

const emptyArray = (): Float32Array => new Float32Array(blockRings * ringLength).fill(NaN)

const zeroes = (): Float32Array => new Float32Array(blockRings * ringLength)

const newBlock = (): Block => ({
  backlogs: emptyArray(),
  rates: emptyArray(),
  finishRates: emptyArray(),
  requeueRates: undefined,
  timeoutRates: undefined,
  rated: new Uint16Array(blockRings)
})

/** The charted rates of a point, per second; null if unknown. */
export interface PointRates {
  /** Messages received. */
  readonly rate: number | null
  /** Messages finished. */
  readonly finish_rate: number | null
  readonly requeue_rate: number | null
  readonly timeout_rate: number | null
}

/** The charted figures of a point. */
export interface PointFigures extends PointRates {
  readonly backlog: number
}

/** The points of a ring, oldest first; null where no value is known. */
export interface RingPoints {
  readonly backlog: Array<number | null>
  readonly rate: Array<number | null>
  readonly finish_rate: Array<number | null>
  readonly requeue_rate: Array<number | null>
  readonly timeout_rate: Array<number | null>
}

/** Decodes a stored value. The fourth decimal of a rate is noise. */
const value = (stored: number): number | null => Number.isNaN(stored) ? null : Math.round(stored * 1000) / 1000

const meanWith = (mean: number, rate: number, count: number): number =>
  Number.isNaN(mean) ? rate : mean + (rate - mean) / count

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
    const { backlogs, finishRates, rated, rates, requeueRates, timeoutRates } = this.block(ring)
    for (let at = ring % blockRings; at < backlogs.length; at += blockRings) {
      for (const values of [backlogs, rates, finishRates]) values[at] = NaN
      for (const values of [requeueRates, timeoutRates]) if (values !== undefined) values[at] = 0
    }
    rated[ring % blockRings] = 0
    this.free.push(ring)
  }

  /** Advances all rings by `points` empty points. */
  turn(points: number): void {
    for (let i = Math.min(points, ringLength); i > 0; i--) {
      this.column = (this.column + 1) % ringLength
      const start = this.column * blockRings
      const end = start + blockRings
      for (const { backlogs, finishRates, rated, rates, requeueRates, timeoutRates } of this.blocks) {
        for (const values of [backlogs, rates, finishRates]) values.fill(NaN, start, end)
        for (const values of [requeueRates, timeoutRates]) values?.fill(0, start, end)
        rated.fill(0)
      }
    }
  }

  /** Sets the backlog of the current point and adds rates to its means. */
  write(ring: number, backlog: number, { finish_rate, rate, requeue_rate, timeout_rate }: PointRates): void {
    const block = this.block(ring)
    const { backlogs, finishRates, rated, rates } = block
    const inBlock = ring % blockRings
    const at = this.column * blockRings + inBlock
    backlogs[at] = backlog
    if (rate === null) return
    const count = (rated[inBlock] ?? 0) + 1
    rated[inBlock] = count
    rates[at] = meanWith(rates[at] ?? NaN, rate, count)
    // Unknown for a sample in which the nsqd restarted.
    if (finish_rate !== null) finishRates[at] = meanWith(finishRates[at] ?? NaN, finish_rate, count)
    if (requeue_rate !== null && (requeue_rate > 0 || block.requeueRates !== undefined)) {
      const values = block.requeueRates ??= zeroes()
      values[at] = meanWith(values[at] ?? 0, requeue_rate, count)
    }
    if (timeout_rate !== null && (timeout_rate > 0 || block.timeoutRates !== undefined)) {
      const values = block.timeoutRates ??= zeroes()
      values[at] = meanWith(values[at] ?? 0, timeout_rate, count)
    }
  }

  /** Returns the last points of a ring, the current one last. */
  read(ring: number, points: number): RingPoints {
    const { backlogs, finishRates, rates, requeueRates, timeoutRates } = this.block(ring)
    const inBlock = ring % blockRings
    const valuesOf = (stored: Float32Array): Array<number | null> =>
      Array.from({ length: points }, (_, i) => {
        const column = (this.column - (points - 1 - i) + ringLength) % ringLength
        return value(stored[column * blockRings + inBlock] ?? NaN)
      })
    const rate = valuesOf(rates)
    /** Where the rate of received messages is unknown, these are, too. */
    const failuresOf = (stored: Float32Array | undefined): Array<number | null> => {
      const values = stored === undefined ? undefined : valuesOf(stored)
      return rate.map((known, i) => known === null ? null : values?.[i] ?? 0)
    }
    return {
      backlog: valuesOf(backlogs),
      rate,
      finish_rate: valuesOf(finishRates),
      requeue_rate: failuresOf(requeueRates),
      timeout_rate: failuresOf(timeoutRates)
    }
  }

  private block(ring: number): Block {
    const block = this.blocks[Math.floor(ring / blockRings)]
    if (block === undefined) throw new Error(`unknown ring: ${ring}`)
    return block
  }
}

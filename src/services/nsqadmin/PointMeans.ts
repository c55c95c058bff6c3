/** Collects samples into points of a fixed time: the greatest backlog and the mean rates of each series. */
import type { PointFigures, PointRates } from "./Rings.ts"

type Rate = keyof PointRates

const rates: ReadonlyArray<Rate> = ["rate", "finish_rate", "requeue_rate", "timeout_rate"]

/** The points of all series at one time. */
export interface PointsAt {
  /** Unix milliseconds: the start of the points, a multiple of their length. */
  readonly start: number
  /** By series. A point is computed when it is read, because there may be very many. */
  readonly points: ReadonlyMap<string, { readonly point: PointFigures }>
}

/** A point whose rates are means of the known ones. */
class Mean {
  backlog = 0
  readonly sums: { [R in Rate]: number } = { rate: 0, finish_rate: 0, requeue_rate: 0, timeout_rate: 0 }
  readonly counts: { [R in Rate]: number } = { rate: 0, finish_rate: 0, requeue_rate: 0, timeout_rate: 0 }

  add(backlog: number, point: PointRates): void {
    this.backlog = Math.max(this.backlog, backlog)
    for (const rate of rates) {
      const value = point[rate]
      if (value === null) continue
      this.sums[rate] += value
      this.counts[rate]++
    }
  }

  get point(): PointFigures {
    const mean = (rate: Rate) => this.counts[rate] === 0 ? null : this.sums[rate] / this.counts[rate]
    return {
      backlog: this.backlog,
      rate: mean("rate"),
      finish_rate: mean("finish_rate"),
      requeue_rate: mean("requeue_rate"),
      timeout_rate: mean("timeout_rate")
    }
  }
}

/** Points of `millis` milliseconds each. */
export class PointMeans {
  private readonly millis: number
  private start: number | undefined
  private means = new Map<string, Mean>()

  constructor(millis: number) {
    this.millis = millis
  }

  /** Moves on to the points at a time in Unix milliseconds. Returns the points before it, if there are any. */
  advance(at: number): PointsAt | undefined {
    const start = Math.floor(at / this.millis) * this.millis
    if (start === this.start) return undefined
    const finished = this.finish()
    this.start = start
    return finished
  }

  /** Adds figures of a series to its current point. */
  add(series: string, backlog: number, figures: PointRates): void {
    let mean = this.means.get(series)
    if (mean === undefined) this.means.set(series, mean = new Mean())
    mean.add(backlog, figures)
  }

  /** Returns the current points, and begins new ones. */
  finish(): PointsAt | undefined {
    if (this.start === undefined || this.means.size === 0) return undefined
    const points = this.means
    this.means = new Map()
    return { start: this.start, points }
  }
}

/** Points of one series at a fixed distance, which the given ones fall into. */
export class PointGrid {
  readonly times: ReadonlyArray<number>
  private readonly first: number
  private readonly step: number
  private readonly means: Array<Mean | undefined>

  /** From `from` to `to` in Unix milliseconds, at multiples of `step`. */
  constructor(from: number, to: number, step: number) {
    this.first = Math.floor(from / step) * step
    this.step = step
    const count = Math.max(1, Math.floor((to - this.first) / step) + 1)
    this.times = Array.from({ length: count }, (_, i) => this.first + i * step)
    this.means = Array.from({ length: count }, () => undefined)
  }

  /** Returns the index of a time; -1 outside of the grid. */
  private indexOf(at: number): number {
    const index = Math.floor((at - this.first) / this.step)
    return index >= 0 && index < this.means.length ? index : -1
  }

  /** Returns the start of the point that a time falls into. */
  start(at: number): number {
    return Math.floor(at / this.step) * this.step
  }

  /** Whether there is a point at this time already. */
  has(at: number): boolean {
    return this.means[this.indexOf(at)] !== undefined
  }

  /** Adds a point at a time. Points outside of the grid are ignored. */
  add(at: number, point: PointFigures): void {
    const index = this.indexOf(at)
    if (index < 0) return
    const mean = this.means[index] ??= new Mean()
    mean.add(point.backlog, point)
  }

  /** Returns the points; null for a time without any. */
  read(): { readonly [F in keyof PointFigures]: Array<number | null> } {
    const points = this.means.map((mean) => mean?.point)
    const rounded = (value: number | null | undefined) => value == null ? null : Math.round(value * 1000) / 1000
    return {
      backlog: points.map((point) => point?.backlog ?? null),
      rate: points.map((point) => rounded(point?.rate)),
      finish_rate: points.map((point) => rounded(point?.finish_rate)),
      requeue_rate: points.map((point) => rounded(point?.requeue_rate)),
      timeout_rate: points.map((point) => rounded(point?.timeout_rate))
    }
  }
}

/**
 * Percentiles of the time that a channel's messages take, over a moving window as in section 19 of the nsqd notes: two
 * sketches, each for half of the window, of which the older one is dropped when the newer one is full of time. DDSketch
 * stands for NSQ's biased-quantile sketch: any percentile is within 1 % of the true value, in at most 2000 counters.
 *
 * Loaded only where percentiles are asked for. Times are monotonic milliseconds, latencies nanoseconds.
 */
import { DDSketch } from "@datadog/sketches-js"

/** Together with what is not distinguished on the way here it stays below 1 %. */
const relativeAccuracy = 0.008

const newSketch = (): DDSketch => new DDSketch({ relativeAccuracy })

/** What `/stats` says of latencies. */
export interface LatencySummary {
  /** Messages in the window. */
  readonly count: number
  /** Values in ns, 0 where there are no messages; null while no percentiles are asked for. */
  readonly percentiles: ReadonlyArray<{ readonly quantile: number; readonly value: number }> | null
}

/** The value of a quantile; a sketch knows its extremes exactly. */
const valueAt = (sketch: DDSketch, quantile: number): number => {
  if (sketch.count === 0) return 0
  const value = quantile === 1 ? sketch.max : sketch.getValueAtQuantile(quantile)
  return Math.round(Math.min(sketch.max, Math.max(sketch.min, value)))
}

export class LatencyQuantiles {
  private readonly percentiles: ReadonlyArray<number>
  private readonly halfWindow: number
  private newer = newSketch()
  private older = newSketch()
  /** When `newer` started. */
  private movedAt: number

  constructor(windowMillis: number, percentiles: ReadonlyArray<number>, now: number) {
    this.percentiles = percentiles
    this.halfWindow = Math.max(1, windowMillis / 2)
    this.movedAt = now
  }

  /** Drops what is too old. To be called before `add`. */
  moveTo(now: number): void {
    const halves = Math.floor((now - this.movedAt) / this.halfWindow)
    if (halves <= 0) return
    this.older = halves === 1 ? this.newer : newSketch()
    this.newer = newSketch()
    this.movedAt += halves * this.halfWindow
  }

  /** `count` messages took `nanos` each; a clock that was set back makes it none at all. */
  add(nanos: number, count: number): void {
    this.newer.accept(Math.max(0, nanos), count)
  }

  /** These latencies and those of `others` together. */
  summary(others: ReadonlyArray<LatencyQuantiles>, now: number): LatencySummary {
    const merged = newSketch()
    for (const latencies of [this, ...others]) {
      latencies.moveTo(now)
      merged.merge(latencies.older)
      merged.merge(latencies.newer)
    }
    return {
      count: merged.count,
      percentiles: this.percentiles.map((quantile) => ({ quantile, value: valueAt(merged, quantile) }))
    }
  }
}

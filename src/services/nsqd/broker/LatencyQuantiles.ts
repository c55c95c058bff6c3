/**
 * Percentiles of a channel's message latencies over a moving window (docs/protocol/metrics.md#end-to-end-latency):
 * two sketches of half a window each, of which the older one is dropped when the newer one is complete. DDSketch
 * replaces NSQ's biased-quantile sketch: any percentile is within 1 % of the true value, with at most 2000 counters.
 *
 * Loaded only if percentiles are configured. Times are in monotonic ms, latencies in ns.
 */
import { DDSketch } from "@datadog/sketches-js"
import type { Latency } from "../../../protocol/http/StatsResponse.ts"

/** Together with the rounding of publishing times the error stays below 1 %. */
const relativeAccuracy = 0.008

const newSketch = (): DDSketch => new DDSketch({ relativeAccuracy })

/** The value of a quantile. The sketch's minimum and maximum are exact. */
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
  /** Start of `newer`. */
  private movedAt: number

  constructor(windowMillis: number, percentiles: ReadonlyArray<number>, now: number) {
    this.percentiles = percentiles
    this.halfWindow = Math.max(1, windowMillis / 2)
    this.movedAt = now
  }

  /** Drops values outside the window. Must be called before `add`. */
  moveTo(now: number): void {
    const halves = Math.floor((now - this.movedAt) / this.halfWindow)
    if (halves <= 0) return
    this.older = halves === 1 ? this.newer : newSketch()
    this.newer = newSketch()
    this.movedAt += halves * this.halfWindow
  }

  /** Adds `count` messages with a latency of `nanos`. Negative latencies, after a change of the clock, count as 0. */
  add(nanos: number, count: number): void {
    this.newer.accept(Math.max(0, nanos), count)
  }

  /** Summarizes these latencies and those of `others`. */
  summary(others: ReadonlyArray<LatencyQuantiles>, now: number): Latency {
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

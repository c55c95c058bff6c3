/**
 * The distribution of a channel's message latencies since counting began, in fixed buckets that Prometheus can add up
 * over daemons. The bounds cover the latency of a local consumer up to the longest message timeouts.
 */

/** Upper bounds of the buckets in seconds; one more bucket holds larger values. */
export const bounds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 600, 3600] as const

export class LatencyHistogram {
  /** Messages per bucket; the last bucket is for values above all bounds. */
  readonly counts = new Float64Array(bounds.length + 1)
  /** In seconds. */
  sum = 0
  /** In seconds; `Infinity` without messages. */
  min = Infinity
  /** In seconds; `-Infinity` without messages. */
  max = -Infinity

  get count(): number {
    return this.counts.reduce((total, count) => total + count, 0)
  }

  /** Adds `count` messages with a latency of `nanos`. Negative latencies, after a change of the clock, count as 0. */
  add(nanos: number, count: number): void {
    const seconds = Math.max(0, nanos / 1e9)
    let bucket = 0
    while (bucket < bounds.length && seconds > bounds[bucket]!) bucket++
    this.counts[bucket]! += count
    this.sum += seconds * count
    this.min = Math.min(this.min, seconds)
    this.max = Math.max(this.max, seconds)
  }
}

/**
 * How the times that a channel's messages take are spread, since the start of counting, in the fixed buckets that Prometheus
 * adds up over daemons. Bounds reach from what a local consumer needs to what the longest message time-outs allow.
 */

/** Upper bounds of the buckets in seconds; one more bucket holds what is above. */
export const bounds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 600, 3600] as const

export class LatencyHistogram {
  /** Messages in each bucket, those above all bounds last. */
  readonly counts = new Float64Array(bounds.length + 1)
  /** Seconds. */
  sum = 0
  /** Seconds; `Infinity` while there are none. */
  min = Infinity
  /** Seconds; `-Infinity` while there are none. */
  max = -Infinity

  get count(): number {
    return this.counts.reduce((total, count) => total + count, 0)
  }

  /** `count` messages took `nanos` each; a clock that was set back makes it none at all. */
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

/**
 * The lives of a daemon between kills, by the monotonic clock of this process.
 */

/** A durable topic writes FINs, requeues and attempts at the latest after this time. */
export const flushWindowMillis = 50

/** Least allowance above the flush window, because a busy machine runs the daemon's timer and its write late. */
export const noiseMillis = 50

export class Lives {
  private readonly clock: () => number
  private readonly noise: number
  private readonly ends: Array<{ readonly at: number; readonly noise: number }> = []

  private skipped = 0

  /** `noise` is the least allowance above the flush window, in milliseconds. */
  constructor(clock: () => number = () => performance.now(), noise = noiseMillis) {
    this.clock = clock
    this.noise = noise
  }

  /** The time in milliseconds. */
  now(): number {
    return this.clock() + this.skipped
  }

  /** Moves the time ahead, together with the clock of the daemon. */
  skip(milliseconds: number): void {
    this.skipped += milliseconds
  }

  /** Index of the current life, from 0. */
  get current(): number {
    return this.ends.length
  }

  /**
   * Records that the daemon is about to be killed. `commitMillis` is the longest time that a commit took just before: what happened
   * since its begin is written with the next one.
   */
  end(commitMillis = 0): void {
    this.ends.push({ at: this.now(), noise: Math.max(this.noise, commitMillis) })
  }

  /** Milliseconds from `time` to the kill that ended `life`; infinite if that life has not ended. */
  age(life: number, time: number): number {
    return (this.ends[life]?.at ?? Infinity) - time
  }

  /** Whether a durable topic must still know what it did at `time` in `life`. */
  survives(life: number, time: number): boolean {
    return this.age(life, time) > flushWindowMillis + (this.ends[life]?.noise ?? this.noise)
  }
}

/**
 * The lives of a daemon between kills, by the monotonic clock of this process.
 */

/** A durable topic writes FINs, requeues and attempts at the latest after this time. */
export const flushWindowMillis = 50

/** Least allowance above the flush window, because a busy machine runs the daemon's timer and its write late. */
export const noiseMillis = 50

/** A time in which an operation of the disk took long, in milliseconds of the clock of this process. */
export interface Stall {
  readonly from: number
  readonly to: number
}

/** Operations follow each other in one stall if less than this lies between them. */
const gapMillis = 20

/** Slow operations in a row as one stall each, of those that took longer than the flush window. */
const stallsOf = (operations: ReadonlyArray<Stall>): ReadonlyArray<Stall> => {
  const stalls: Array<Stall> = []
  for (const { from, to } of operations) {
    const last = stalls.at(-1)
    if (last !== undefined && from - last.to < gapMillis) stalls[stalls.length - 1] = { from: last.from, to }
    else stalls.push({ from, to })
  }
  return stalls.filter(({ from, to }) => to - from > flushWindowMillis)
}

interface End {
  readonly at: number
  readonly noise: number
  /** By `now`. */
  readonly stalls: ReadonlyArray<Stall>
}

const isNear = ({ at, noise }: End, { to }: Stall): boolean => at - to <= flushWindowMillis + noise

export class Lives {
  private readonly clock: () => number
  private readonly noise: number
  private readonly ends: Array<End> = []
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
   * since its begin is written with the next one. `slow` has the slow operations of the disk up to now, by the clock, oldest first.
   */
  end(commitMillis = 0, slow: ReadonlyArray<Stall> = []): void {
    const { skipped } = this
    const stalls = stallsOf(slow).map(({ from, to }) => ({ from: from + skipped, to: to + skipped }))
    this.ends.push({ at: this.now(), noise: Math.max(this.noise, commitMillis), stalls })
  }

  /** Kills that a stall of the disk may have affected. */
  get endsInStalls(): number {
    return this.ends.filter((end) => end.stalls.some((stall) => isNear(end, stall))).length
  }

  /** Milliseconds from `time` to the kill that ended `life`; infinite if that life has not ended. */
  age(life: number, time: number): number {
    return (this.ends[life]?.at ?? Infinity) - time
  }

  /** Whether a durable topic must still know what it did at `time` in `life`, unless the disk stalled. */
  survives(life: number, time: number): boolean {
    return this.age(life, time) > flushWindowMillis + (this.ends[life]?.noise ?? this.noise)
  }

  /**
   * Whether a stall of the disk kept the daemon from recording before the kill what it did at `time` in `life`: the stall began
   * within the flush window after `time` at the latest, and ended less than window and allowance before the kill.
   */
  isStalled(life: number, time: number): boolean {
    const end = this.ends[life]
    return end !== undefined &&
      end.stalls.some((stall) => stall.from <= time + flushWindowMillis && time <= stall.to && isNear(end, stall))
  }
}

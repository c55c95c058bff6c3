/**
 * What happened to a channel over the last half minute or more (`--warn-period`): a few snapshots of its counters, of which the oldest
 * is compared with the newest. Pure.
 */
import type { ChannelFigures } from "./Figures.ts"
import { finishedOf } from "./Flow.ts"

/** The counters of a channel at one time. */
export interface Snapshot {
  /** Monotonic milliseconds. */
  readonly at: number
  /** Unix milliseconds. */
  readonly unixMillis: number
  readonly depth: number
  readonly deferred: number
  readonly finished: number
  readonly requeued: number
  readonly timedOut: number
}

/** Snapshots, oldest first; never empty. Those too old to be compared with are dropped. */
export type Window = readonly [Snapshot, ...ReadonlyArray<Snapshot>]

/** The changes over a window. */
export interface Changes {
  /** Unix milliseconds of its beginning. */
  readonly since: number
  readonly seconds: number
  readonly depth: number
  readonly deferred: number
  readonly finished: number
  readonly requeued: number
  readonly timedOut: number
}

/** Minimum number of samples in a window. */
const comparedSamples = 3

/** Returns the snapshot of a channel. */
export const snapshotOf = (
  figures: ChannelFigures,
  at: number,
  unixMillis: number
): Snapshot => ({
  at,
  unixMillis,
  depth: figures.depth,
  deferred: figures.deferred_count,
  finished: finishedOf(figures),
  requeued: figures.requeue_count,
  timedOut: figures.timeout_count
})

/** Whether nothing waits and nothing came back since `last`: such a channel needs no more than its last snapshot. */
const isIdle = (last: Snapshot, now: Snapshot): boolean =>
  now.depth === 0 && now.deferred === 0 && now.requeued === last.requeued && now.timedOut === last.timedOut

/** Returns the window after a sample. `period` is the least age of the snapshot to compare with, in milliseconds. */
export const observe = (before: Window | undefined, now: Snapshot, period: number): Window => {
  const last = before?.at(-1)
  if (before === undefined || last === undefined || isIdle(last, now)) return [now]
  let first = 0
  const isOldEnough = (index: number): boolean => {
    const snapshot = before[index]
    return snapshot !== undefined && now.at - snapshot.at >= period
  }
  while (before.length - first > comparedSamples && isOldEnough(first + 1)) first++
  const [oldest = now, ...others] = before.slice(first)
  return [oldest, ...others, now]
}

/** Returns the changes over a window; undefined if it is too short to judge. */
export const changesOf = (window: Window, period: number): Changes | undefined => {
  const [oldest] = window
  const now = window.at(-1) ?? oldest
  if (window.length <= comparedSamples || now.at - oldest.at < period) return undefined
  return {
    since: oldest.unixMillis,
    seconds: (now.at - oldest.at) / 1000,
    depth: now.depth - oldest.depth,
    deferred: now.deferred - oldest.deferred,
    finished: now.finished - oldest.finished,
    requeued: Math.max(0, now.requeued - oldest.requeued),
    timedOut: Math.max(0, now.timedOut - oldest.timedOut)
  }
}

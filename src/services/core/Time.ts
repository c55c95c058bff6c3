/**
 * The two clocks, read synchronously from Effect's Clock: the monotonic clock measures intervals, the wall clock gives messages
 * their timestamps. Under TestClock both advance only when the test adjusts it.
 */
import { Clock, Effect } from "effect"

export interface Time {
  /** Milliseconds since an arbitrary moment, the same for every reader of the clock; never goes back. */
  readonly monotonicMillis: () => number
  /** Nanoseconds since the Unix epoch. */
  readonly wallNanos: () => bigint
}

/** The moment that the intervals of a clock count from: its first reading. Every reader of the clock has the same. */
const origins = new WeakMap<Clock.Clock, bigint>()

const originOf = (clock: Clock.Clock): bigint => {
  const known = origins.get(clock)
  if (known !== undefined) return known
  const origin = clock.monotonicTimeNanosUnsafe()
  origins.set(clock, origin)
  return origin
}

export const fromClock = (clock: Clock.Clock): Time => {
  // Small numbers keep sums of milliseconds exact: a message is due when its delay is over, not a nanosecond later.
  const origin = originOf(clock)
  return {
    monotonicMillis: () => Number(clock.monotonicTimeNanosUnsafe() - origin) / 1_000_000,
    wallNanos: () => clock.currentTimeNanosUnsafe()
  }
}

/** The clocks of the calling fiber. */
export const make: Effect.Effect<Time> = Clock.clockWith((clock) => Effect.succeed(fromClock(clock)))

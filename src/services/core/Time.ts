/**
 * The two clocks, read synchronously from Effect's Clock: the monotonic clock measures intervals, the wall clock gives messages
 * their timestamps. Under TestClock both advance only when the test adjusts it.
 */
import { Clock, Effect } from "effect"

/** The two clocks. */
export interface Time {
  /** Milliseconds since an arbitrary origin, the same for every reader of the clock; never decreases. */
  readonly monotonicMillis: () => number
  /** Nanoseconds since the Unix epoch. */
  readonly wallNanos: () => bigint
}

/** The origin of each clock's milliseconds: its first reading, the same for every reader. */
const origins = new WeakMap<Clock.Clock, bigint>()

const originOf = (clock: Clock.Clock): bigint => {
  const known = origins.get(clock)
  if (known !== undefined) return known
  const origin = clock.monotonicTimeNanosUnsafe()
  origins.set(clock, origin)
  return origin
}

/** Returns the two clocks of `clock`. */
export const fromClock = (clock: Clock.Clock): Time => {
  // Small numbers keep sums of milliseconds exact: a message is due when its delay is over, not a nanosecond later.
  const origin = originOf(clock)
  return {
    monotonicMillis: () => Number(clock.monotonicTimeNanosUnsafe() - origin) / 1_000_000,
    wallNanos: () => clock.currentTimeNanosUnsafe()
  }
}

/** The wall clock in ms when the monotonic clock was 0: a whole number, so that a message is due when its alarm rings. */
export const wallOrigin = ({ monotonicMillis, wallNanos }: Time): number =>
  Math.floor(Number(wallNanos() / 1_000_000n) - monotonicMillis())

/** The clocks of the calling fiber. */
export const make: Effect.Effect<Time> = Clock.clockWith((clock) => Effect.succeed(fromClock(clock)))

/**
 * The two clocks, read synchronously from Effect's Clock: the monotonic clock measures intervals, the wall clock gives messages
 * their timestamps. Under TestClock both advance only when the test adjusts it.
 */
import { Clock, Effect } from "effect"

export interface Time {
  /** Milliseconds since an arbitrary moment that is the same for every reader in the process; never goes back. */
  readonly monotonicMillis: () => number
  /** Nanoseconds since the Unix epoch. */
  readonly wallNanos: () => bigint
}

export const fromClock = (clock: Clock.Clock): Time => ({
  monotonicMillis: () => Number(clock.monotonicTimeNanosUnsafe()) / 1_000_000,
  wallNanos: () => clock.currentTimeNanosUnsafe()
})

/** The clocks of the calling fiber. */
export const make: Effect.Effect<Time> = Clock.clockWith((clock) => Effect.succeed(fromClock(clock)))

/**
 * The two clocks of the broker, read synchronously from Effect's Clock: intervals are measured with the monotonic one,
 * messages are stamped with the wall clock. Under TestClock both stand still until told otherwise.
 */
import { Clock, Effect } from "effect"

export interface Time {
  /** Milliseconds since an arbitrary moment, never going back. */
  readonly monotonicMillis: () => number
  /** Nanoseconds since the Unix epoch. */
  readonly wallNanos: () => bigint
}

export const fromClock = (clock: Clock.Clock): Time => {
  // Nanoseconds since the machine was started do not fit into a number for long; those since now do.
  const origin = clock.monotonicTimeNanosUnsafe()
  return {
    monotonicMillis: () => Number(clock.monotonicTimeNanosUnsafe() - origin) / 1_000_000,
    wallNanos: () => clock.currentTimeNanosUnsafe()
  }
}

/** The clocks of the calling fiber. */
export const make: Effect.Effect<Time> = Clock.clockWith((clock) => Effect.succeed(fromClock(clock)))

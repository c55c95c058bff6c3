/** Advances the clock until a condition holds, for what a program does after a while: reconnect, retry, register. */
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { type Idle, untilIdle } from "./Idle.ts"

const step = "250 millis"
const steps = 480

/**
 * Lets every fiber run until it waits, and while the condition does not hold, advances the TestClock by a quarter of a second, at most
 * two minutes in all. Dies after that; the error has `waitedFor`, by default the source text of the condition, and the stack of the
 * caller.
 *
 * ```ts
 * yield* cluster.separate(cluster.nsqd(0), cluster.nsqlookupd(0))
 * yield* eventually(() => !known().includes("10.0.0.1"))
 * ```
 *
 * @since 0.2.0
 * @category operations
 */
export function eventually(condition: () => boolean, waitedFor?: string): Effect.Effect<void, never, Idle>
export function eventually<E, R>(
  condition: Effect.Effect<boolean, E, R>,
  waitedFor: string
): Effect.Effect<void, E, R | Idle>
export function eventually(
  condition: (() => boolean) | Effect.Effect<boolean, unknown, unknown>,
  waitedFor = String(condition)
): Effect.Effect<void, unknown, unknown> {
  const failure = new Error(`did not become true within 2 minutes of the TestClock: ${waitedFor}`)
  const holds = Effect.suspend(() => Effect.isEffect(condition) ? condition : Effect.succeed(condition()))
  return Effect.gen(function*() {
    yield* untilIdle
    for (let i = 0; !(yield* holds); i++) {
      if (i === steps) return yield* Effect.die(failure)
      yield* TestClock.adjust(step)
      yield* untilIdle
    }
  })
}

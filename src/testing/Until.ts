/** Waits until a condition holds, and fails with that condition if it never does. */
import { Effect } from "effect"
import { performance } from "node:perf_hooks"

/** How long `until` waits, in ms of real time: less than the limits of tests, which do not say what they waited for. */
const patienceMillis = 15_000

/**
 * Checks the condition in each round of the event loop and completes when it holds. Time of the TestClock stands still
 * meanwhile.
 *
 * Dies after 15 seconds of real time. The error has `waitedFor`, by default the source text of the condition, and the stack of
 * the caller.
 *
 * ```ts
 * yield* until(() => received.length === 3)
 * yield* until(Effect.map(producer.connected, (servers) => servers.length === 2), "the producer has two connections")
 * ```
 *
 * @since 0.1.0
 * @category operations
 */
export function until(condition: () => boolean, waitedFor?: string): Effect.Effect<void>
export function until<E, R>(condition: Effect.Effect<boolean, E, R>, waitedFor: string): Effect.Effect<void, E, R>
export function until(
  condition: (() => boolean) | Effect.Effect<boolean, unknown, unknown>,
  waitedFor = String(condition)
): Effect.Effect<void, unknown, unknown> {
  const failure = new Error(`did not become true within ${patienceMillis / 1000} seconds: ${waitedFor}`)
  return Effect.gen(function*() {
    const startedAt = performance.now()
    while (!(Effect.isEffect(condition) ? yield* condition : condition())) {
      if (performance.now() - startedAt > patienceMillis) return yield* Effect.die(failure)
      yield* Effect.yieldNow
    }
  })
}

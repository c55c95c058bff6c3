import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { performance } from "node:perf_hooks"
import { vi } from "vitest"
import { until } from "../../src/testing/index.ts"

const never = (): boolean => false

/** Returns the error of a wait, in a process whose clock jumps from second to second. */
const failureOf = Effect.fnUntraced(function*(waiting: Effect.Effect<void>) {
  let now = 0
  yield* Effect.acquireRelease(
    Effect.sync(() => vi.spyOn(performance, "now").mockImplementation(() => now += 1000)),
    (spy) => Effect.sync(() => spy.mockRestore())
  )
  const exit = yield* Effect.exit(waiting)
  assert(Exit.isFailure(exit))
  return Cause.squash(exit.cause) as Error
}, Effect.scoped)

describe("until", () => {
  it.effect("until completes as soon as the condition holds", () =>
    Effect.gen(function*() {
      let count = 0
      yield* until(() => ++count === 5)
      yield* until(Effect.sync(() => ++count === 10), "ten")
      assert.strictEqual(count, 10)
    }))

  it.effect("until fails with the source of its condition, or with the description, and with the line that waits", () =>
    Effect.gen(function*() {
      const depth = 2
      const undescribed = yield* failureOf(until(() => depth > 3))
      assert.strictEqual(undescribed.message, "did not become true within 15 seconds: () => depth > 3")
      assert.include(undescribed.stack, "Until.test.ts")
      const described = yield* failureOf(until(Effect.sync(never), "the queue is empty"))
      assert.strictEqual(described.message, "did not become true within 15 seconds: the queue is empty")
    }))
})

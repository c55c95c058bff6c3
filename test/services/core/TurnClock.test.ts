import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TurnClock } from "../../../src/services/core/TurnClock.ts"

describe("the clock of a turn", () => {
  it.effect("it is read once in a turn, and again in the next one", () =>
    Effect.gen(function*() {
      let millis = 0
      const clock = yield* TurnClock.make({ monotonicMillis: () => ++millis, wallNanos: () => 0n })
      assert.deepStrictEqual([clock.monotonicMillis(), clock.monotonicMillis()], [1, 1])
      yield* Effect.yieldNow
      assert.deepStrictEqual([clock.monotonicMillis(), clock.monotonicMillis()], [2, 2])
    }))
})

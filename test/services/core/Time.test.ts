import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect } from "effect"
import { TestClock } from "effect/testing"
import * as Time from "../../../src/services/core/Time.ts"

describe("Time", () => {
  it.effect("sums of milliseconds are exact, so that nothing is due a nanosecond late", () =>
    Effect.gen(function*() {
      const { monotonicMillis } = yield* Time.make
      for (let i = 0; i < 100; i++) {
        const due = monotonicMillis() + i
        yield* TestClock.adjust(Duration.millis(i))
        assert.strictEqual(monotonicMillis(), due)
      }
    }))

  it.effect("all readers of a clock measure from the same moment", () =>
    Effect.gen(function*() {
      const first = yield* Time.make
      yield* TestClock.adjust("1 hour")
      const second = Time.fromClock(yield* Clock.Clock)
      assert.strictEqual(second.monotonicMillis(), first.monotonicMillis())
    }))
})

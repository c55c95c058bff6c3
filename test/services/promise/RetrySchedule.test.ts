import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import * as RequeueDelays from "../../../src/services/client/RequeueDelays.ts"
import type { Retry } from "../../../src/services/promise/index.ts"
import { scheduleOf } from "../../../src/services/promise/RetrySchedule.ts"

/** The delays after the first five attempts in ms, until the end. */
const delaysOf = (retry: Retry, longest = Infinity) =>
  Effect.map(
    Effect.forEach([1, 2, 3, 4, 5], RequeueDelays.fromSchedule(scheduleOf(retry, longest), 90, 900)),
    (delays) => delays.map(({ hasEnded, millis }) => hasEnded ? "end" : millis)
  )

describe("retries without a Schedule of Effect", () => {
  it.effect("delays double up to the longest one, without an end by default", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* delaysOf({ delay: 10 }), [10, 20, 40, 80, 160])
      assert.deepStrictEqual(yield* delaysOf({ delay: 10 }, 50), [10, 20, 40, 50, 50])
      assert.deepStrictEqual(yield* delaysOf({ delay: 10, maxDelay: 70 }, 50), [10, 20, 40, 70, 70])
    }))

  it.effect("the factor and the number of retries are the program's", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* delaysOf({ delay: 10, factor: 3, times: 2 }), [10, 30, "end", "end", "end"])
      assert.deepStrictEqual(yield* delaysOf({ delay: 10, factor: 1, times: 4 }), [10, 10, 10, 10, "end"])
      assert.deepStrictEqual(yield* delaysOf({ delay: 10, times: 0 }), ["end", "end", "end", "end", "end"])
    }))

  it.effect("a list has one retry for each delay", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* delaysOf([5, 0, 7]), [5, 0, 7, "end", "end"])
    }))

  it.effect("a function decides by the attempt, and one that fails leaves the default delay", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(
        yield* delaysOf((attempt) => attempt === 4 ? undefined : attempt * 100),
        [100, 200, 300, "end", "end"]
      )
      assert.deepStrictEqual(yield* delaysOf(() => -1), [90, 180, 270, 360, 450])
      assert.deepStrictEqual(
        yield* delaysOf(() => {
          throw new Error("a bug")
        }),
        [90, 180, 270, 360, 450]
      )
    }).pipe(Effect.provide(Logger.layer([]))))
})

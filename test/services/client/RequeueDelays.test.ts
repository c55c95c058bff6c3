import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, Schedule } from "effect"
import * as RequeueDelays from "../../../src/services/client/RequeueDelays.ts"

const first = (count: number, delays: RequeueDelays.RequeueDelays) =>
  Effect.map(
    Effect.forEach(Array.from({ length: count }, (_, i) => i + 1), delays),
    (all) => all.map(({ hasEnded, millis }) => hasEnded ? `end ${millis}` : millis)
  )

describe("the delays of requeues", () => {
  it.effect("linear delays grow with the deliveries up to the maximum", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* first(4, RequeueDelays.linear(10, 35)), [10, 20, 30, 35])
    }))

  it.effect("a Schedule takes one step per delivery up to the maximum, and its end keeps the last delay", () =>
    Effect.gen(function*() {
      const schedule = Schedule.exponential("10 millis").pipe(Schedule.upTo({ times: 3 }))
      assert.deepStrictEqual(yield* first(5, RequeueDelays.fromSchedule(schedule, 90_000, 35)), [
        10,
        20,
        35,
        "end 35",
        "end 35"
      ])
    }))

  it.effect("a Schedule that ends after a duration counts the delays", () =>
    Effect.gen(function*() {
      const schedule = Schedule.spaced("1 minute").pipe(Schedule.upTo({ duration: "3 minutes" }))
      const delays = yield* first(6, RequeueDelays.fromSchedule(schedule, 90_000, 900_000))
      assert.deepStrictEqual(delays.slice(0, 3), [60_000, 60_000, 60_000])
      assert.strictEqual(delays.at(-1), "end 60000")
    }))

  it.effect("the end of a Schedule without a step has the default delay", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* first(1, RequeueDelays.fromSchedule(Schedule.recurs(0), 90_000, 900_000)), [
        "end 90000"
      ])
    }))

  it.effect("a Schedule without an end takes a limited number of steps", () =>
    Effect.gen(function*() {
      const { millis } = yield* RequeueDelays.fromSchedule(Schedule.exponential("1 second"), 1, 900_000)(65_535)
      assert.strictEqual(millis, 900_000)
    }))

  it.effect("a Schedule that dies does not give the message up, and has linear delays", () =>
    Effect.gen(function*() {
      const schedule = Schedule.fromStep(Effect.succeed(() => Effect.die(new Error("a bug"))))
      assert.deepStrictEqual(yield* first(3, RequeueDelays.fromSchedule(schedule, 10, 25)), [10, 20, 25])
    }).pipe(Effect.provide(Logger.layer([]))))
})

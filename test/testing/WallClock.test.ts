import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { TestBroker, until, WallClock } from "../../src/testing/index.ts"
import { join, quiet, send } from "../services/nsqd/broker/testing.ts"

const step = (millis: number) => WallClock.WallClock.use((clock) => clock.step(millis))

describe("WallClock", () => {
  it.effect("a step moves the wall clock in milliseconds and nanoseconds, forward and back", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_000_000)
      yield* step(5_000)
      assert.strictEqual(yield* Clock.currentTimeMillis, 1_005_000)
      assert.strictEqual(yield* Clock.currentTimeNanos, 1_005_000_000_000n)
      yield* step(-6_000)
      assert.strictEqual(yield* Clock.currentTimeMillis, 999_000)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Clock.currentTimeMillis, 1_000_000)
    }).pipe(Effect.provide(WallClock.layer)))

  it.effect("a step neither ends nor delays a sleep", () =>
    Effect.gen(function*() {
      const sleeping = yield* Effect.forkChild(Effect.sleep("10 seconds"), { startImmediately: true })
      yield* step(3_600_000)
      yield* TestClock.adjust("9 seconds")
      assert.isUndefined(sleeping.pollUnsafe())
      yield* step(-7_200_000)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(sleeping)
    }).pipe(Effect.provide(WallClock.layer)))

  it.effect("the messages of a broker have the time of the stepped clock", () =>
    Effect.gen(function*() {
      const { recording } = yield* join("t", "c", 10)
      yield* step(86_400_000)
      yield* send("t", "tomorrow")
      const received: Array<bigint> = []
      yield* until(() => {
        for (const { timestamp } of recording.take()) received.push(timestamp)
        return received.length > 0
      })
      assert.deepStrictEqual(received, [86_400_000_000_000n])
    }).pipe(Effect.provide(
      TestBroker.layer().pipe(Layer.provideMerge(WallClock.layer), Layer.provide(quiet))
    )))
})

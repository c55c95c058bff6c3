import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Queue } from "effect"
import { Wakeup } from "../../../src/services/core/Wakeup.ts"

describe("waking a fiber", () => {
  it.effect("any number of calls wake the waiting fiber once", () =>
    Effect.gen(function*() {
      const wakeup = new Wakeup()
      const passes = yield* Queue.unbounded<void>()
      yield* Effect.forkChild(Effect.forever(Effect.andThen(wakeup.wait, Queue.offer(passes, undefined))), {
        startImmediately: true
      })
      for (let i = 0; i < 5; i++) wakeup.call()
      assert.strictEqual(Queue.sizeUnsafe(passes), 0, "the fiber ran inside the call")
      yield* Queue.take(passes)
      yield* Effect.yieldNow
      assert.strictEqual(Queue.sizeUnsafe(passes), 0)
      wakeup.call()
      yield* Queue.take(passes)
    }))

  it.effect("a call without a waiting fiber wakes the next fiber that waits, once", () =>
    Effect.gen(function*() {
      const wakeup = new Wakeup()
      wakeup.call()
      yield* wakeup.wait
      const fiber = yield* Effect.forkChild(wakeup.wait, { startImmediately: true })
      yield* Effect.yieldNow
      assert.isUndefined(fiber.pollUnsafe())
      wakeup.call()
      yield* Fiber.join(fiber)
    }))

  it.effect("a call for a fiber that is interrupted before it runs is not lost", () =>
    Effect.gen(function*() {
      const wakeup = new Wakeup()
      const fiber = yield* Effect.forkChild(wakeup.wait, { startImmediately: true })
      wakeup.call()
      fiber.interruptUnsafe()
      yield* Fiber.await(fiber)
      yield* Effect.yieldNow
      yield* wakeup.wait
    }))

  it.effect("a fiber that was interrupted is not woken, and the next one is", () =>
    Effect.gen(function*() {
      const wakeup = new Wakeup()
      yield* Fiber.interrupt(yield* Effect.forkChild(wakeup.wait, { startImmediately: true }))
      const next = yield* Effect.forkChild(wakeup.wait, { startImmediately: true })
      wakeup.call()
      yield* Fiber.join(next)
    }))
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { Inbox } from "../../../src/services/client/Inbox.ts"

describe("Inbox", () => {
  it.effect("the inbox gives items to waiting fibers in order, and keeps the rest for later takers", () =>
    Effect.gen(function*() {
      const inbox = new Inbox<number>()
      const first = yield* Effect.forkChild(inbox.take, { startImmediately: true })
      const second = yield* Effect.forkChild(inbox.take, { startImmediately: true })
      for (const item of [1, 2, 3, 4]) inbox.push(item)
      assert.isUndefined(first.pollUnsafe())
      inbox.deliver()
      assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(second)], [1, 2])
      assert.deepStrictEqual(yield* inbox.takeAll, [3, 4])
    }))

  it.effect("the inbox removes a fiber that is interrupted while it waits", () =>
    Effect.gen(function*() {
      const inbox = new Inbox<number>()
      const waiting = yield* Effect.forkChild(inbox.take, { startImmediately: true })
      yield* Fiber.interrupt(waiting)
      inbox.push(1)
      inbox.deliver()
      assert.strictEqual(yield* inbox.take, 1)
    }))

  it.effect("taking fails when the inbox has ended and is empty", () =>
    Effect.gen(function*() {
      const inbox = new Inbox<number>()
      const waiting = yield* Effect.forkChild(inbox.take, { startImmediately: true })
      inbox.end()
      assert.isTrue(Exit.isFailure(yield* Fiber.await(waiting)))
      inbox.push(1)
      assert.deepStrictEqual(inbox.clear(), [1])
      assert.isTrue(Exit.isFailure(yield* Effect.exit(inbox.take)))
    }))
})

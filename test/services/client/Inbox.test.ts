import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { Inbox, type Taker } from "../../../src/services/client/Inbox.ts"

/** A taker that records what it was given. */
const taker = () => {
  const given: Array<number> = []
  const taker: Taker<number> & { retired: boolean } = {
    retired: false,
    begin: () => {},
    accept: (item) => void given.push(item)
  }
  return { given, taker }
}

describe("Inbox", () => {
  it.effect("the inbox gives items to waiting fibers in order, and keeps the rest for later takers", () =>
    Effect.gen(function*() {
      const inbox = new Inbox<number>()
      const first = yield* Effect.forkChild(inbox.take(taker().taker), { startImmediately: true })
      const second = yield* Effect.forkChild(inbox.take(taker().taker), { startImmediately: true })
      for (const item of [1, 2, 3, 4]) inbox.push(item)
      assert.isUndefined(first.pollUnsafe())
      inbox.deliver()
      assert.deepStrictEqual([yield* Fiber.join(first), yield* Fiber.join(second)], [1, 2])
      assert.deepStrictEqual(inbox.clear(), [3, 4])
    }))

  it.effect("the inbox removes a fiber that is interrupted while it waits", () =>
    Effect.gen(function*() {
      const inbox = new Inbox<number>()
      const waiting = yield* Effect.forkChild(inbox.take(taker().taker), { startImmediately: true })
      yield* Fiber.interrupt(waiting)
      inbox.push(1)
      inbox.deliver()
      assert.strictEqual(yield* inbox.take(taker().taker), 1)
    }))

  it.effect("taking fails when the inbox has ended and is empty", () =>
    Effect.gen(function*() {
      const inbox = new Inbox<number>()
      const waiting = yield* Effect.forkChild(inbox.take(taker().taker), { startImmediately: true })
      inbox.end()
      assert.isTrue(Exit.isFailure(yield* Fiber.await(waiting)))
      inbox.push(1)
      assert.deepStrictEqual(inbox.clear(), [1])
      assert.isTrue(Exit.isFailure(yield* Effect.exit(inbox.take(taker().taker))))
    }))

  it.effect("a taker accepts its item before its fiber runs, so that an interruption loses none", () =>
    Effect.gen(function*() {
      const inbox = new Inbox<number>()
      const { given, taker: first } = taker()
      const waiting = yield* Effect.forkChild(
        Effect.onInterrupt(Effect.andThen(inbox.take(first), Effect.never), () => Effect.void),
        { startImmediately: true }
      )
      inbox.push(1)
      inbox.deliver()
      yield* Fiber.interrupt(waiting)
      assert.deepStrictEqual(given, [1])
    }))

  it.effect("a retired taker stops waiting and takes nothing, and others keep waiting", () =>
    Effect.gen(function*() {
      const inbox = new Inbox<number>()
      const [first, second] = [taker(), taker()]
      const retiring = yield* Effect.forkChild(inbox.take(first.taker), { startImmediately: true })
      const staying = yield* Effect.forkChild(inbox.take(second.taker), { startImmediately: true })
      first.taker.retired = true
      inbox.releaseRetired()
      assert.isTrue(Exit.isFailure(yield* Fiber.await(retiring)))
      inbox.push(1)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(inbox.take(first.taker))))
      inbox.deliver()
      assert.strictEqual(yield* Fiber.join(staying), 1)
    }))
})

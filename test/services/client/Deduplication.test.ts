import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber } from "effect"
import { Deduplication } from "../../../src/services/client/Deduplication.ts"

const program = (windowMillis = 1000, maxKeys = 10) => {
  const clock = { now: 0 }
  const keys = new Deduplication(windowMillis, maxKeys, () => clock.now)
  const process = (key: string): void => {
    keys.claim(key)
    keys.release(key, true)
  }
  return { clock, keys, process }
}

describe("Deduplication", () => {
  it("a key is remembered for the window", () => {
    const { clock, keys, process } = program()
    process("a")
    clock.now = 999
    assert.isTrue(keys.has("a"))
    clock.now = 1000
    assert.isFalse(keys.has("a"))
  })

  it("the oldest keys are forgotten first when there are too many", () => {
    const { keys, process } = program(1000, 2)
    for (const key of ["a", "b", "a", "c"]) process(key)
    assert.deepStrictEqual(["a", "b", "c"].map((key) => keys.has(key)), [true, false, true])
  })

  it.effect("an attempt waits for the one in progress, and follows its success or its failure", () =>
    Effect.gen(function*() {
      const { keys } = program()
      const log: Array<string> = []
      const attempt = (name: string, work: Effect.Effect<unknown, string>) =>
        Effect.forkChild(
          Effect.exit(keys.once("k", {
            work: Effect.andThen(Effect.sync(() => log.push(name)), work),
            isProcessed: () => true,
            onDuplicate: () => void log.push(`${name} is a duplicate`)
          })),
          { startImmediately: true }
        )
      const gate = yield* Deferred.make<void, string>()
      yield* attempt("first", Deferred.await(gate))
      const second = yield* attempt("second", Effect.void)
      const third = yield* attempt("third", Effect.void)
      assert.deepStrictEqual(log, ["first"])
      yield* Deferred.fail(gate, "no")
      yield* Fiber.join(second)
      yield* Fiber.join(third)
      assert.deepStrictEqual(log, ["first", "second", "third is a duplicate"])
    }))

  it.effect("a success that does not count as processed is not remembered", () =>
    Effect.gen(function*() {
      const { keys } = program()
      yield* keys.once("k", { work: Effect.void, isProcessed: () => false, onDuplicate: () => {} })
      assert.deepStrictEqual([keys.has("k"), keys.isClaimed("k")], [false, false])
    }))
})

import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { type BrokerError, brokerError, BrokerErrorReason } from "../../../../src/services/nsqd/broker/BrokerError.ts"
import { Burial } from "../../../../src/services/nsqd/broker/Burial.ts"
import { makePool } from "../../../../src/services/nsqd/broker/Worker.ts"
import { Idle, untilIdle } from "../../../../src/testing/index.ts"
import { batches } from "./messages.ts"
import { quiet } from "./testing.ts"

const full = brokerError(BrokerErrorReason.TopicFull({ description: "full" }), 0)

/** A burial whose stores have the result that the test gives them. */
const gated = Effect.gen(function*() {
  const results: Array<Deferred.Deferred<void, BrokerError>> = []
  const burial = new Burial(
    "c",
    yield* makePool,
    (_, stored) =>
      Effect.suspend(() => {
        const result = Deferred.makeUnsafe<void, BrokerError>()
        results.push(result)
        return Effect.andThen(Deferred.await(result), Effect.sync(stored))
      }),
    () => {}
  )
  yield* Effect.addFinalizer(() => burial.stop)
  return { burial, results }
})

const layer = Layer.provideMerge(quiet, Idle.layer)

describe("messages on their way to the dead-letter topic", () => {
  const removals: ReadonlyArray<readonly [string, (burial: Burial) => ReadonlyArray<unknown>]> = [
    ["given back", (burial) => burial.takeAll()],
    ["deleted", (burial) => burial.forget(() => true)]
  ]
  for (const [what, remove] of removals) {
    it.effect(`a message that is ${what} while its topic refuses it is not stored later`, () =>
      Effect.gen(function*() {
        const { burial, results } = yield* gated
        burial.add(batches()(["m"]), "rejected", "")
        yield* untilIdle
        assert.lengthOf(results, 1)
        assert.lengthOf(remove(burial), 1)
        yield* Deferred.fail(results[0]!, full)
        yield* untilIdle
        assert.strictEqual(burial.count, 0)
        yield* TestClock.adjust("1 minute")
        assert.lengthOf(results, 1, "nothing is left to be stored")
      }).pipe(Effect.scoped, Effect.provide(layer)))
  }

  it.effect("a message that its topic has no room for goes behind the others", () =>
    Effect.gen(function*() {
      const { burial, results } = yield* gated
      const makeBatch = batches()
      const first = makeBatch(["first"])
      burial.add(first, "rejected", "")
      yield* untilIdle
      const second = makeBatch(["second"])
      burial.add(second, "rejected", "")
      yield* Deferred.fail(results[0]!, full)
      yield* untilIdle
      assert.deepStrictEqual(burial.batches, [second, first])
    }).pipe(Effect.scoped, Effect.provide(layer)))
})

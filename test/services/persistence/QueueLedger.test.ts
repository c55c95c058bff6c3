import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { KeyValueStore } from "effect/persistence"
import { TestClock } from "effect/testing"
import { QueueLedger } from "../../../src/services/persistence/index.ts"

const ledgers = {
  "in memory": QueueLedger.layerMemory,
  "in a KeyValueStore": QueueLedger.layerKeyValueStore().pipe(Layer.provide(KeyValueStore.layerMemory))
}

for (const [name, layer] of Object.entries(ledgers)) {
  describe(`a QueueLedger ${name}`, () => {
    it.effect("ids are known by their queue, in their last state", () =>
      Effect.gen(function*() {
        const { record, state } = yield* QueueLedger
        yield* record("a/b", "c", "pending")
        yield* record("a", "b/c", "failed")
        yield* record("a/b", "c", "completed")
        assert.deepStrictEqual(
          [yield* state("a/b", "c"), yield* state("a", "b/c"), yield* state("a", "c")],
          ["completed", "failed", undefined]
        )
      }).pipe(Effect.provide(Layer.fresh(layer))))

    it.effect("the cleanup forgets each state after its lifetime, and pending ids never", () =>
      Effect.gen(function*() {
        const { cleanup, record, state } = yield* QueueLedger
        const states = ["pending", "completed", "failed"] as const
        for (const each of states) yield* record("q", each, each)
        const known = Effect.map(
          Effect.forEach(states, (each) => state("q", each)),
          (found) => found.filter((each) => each !== undefined)
        )
        yield* TestClock.adjust("1 hour")
        yield* record("q", "new", "completed")
        yield* cleanup({ timeToLive: Duration.hours(2), failedTimeToLive: undefined })
        assert.deepStrictEqual(yield* known, [...states])
        yield* cleanup({ timeToLive: Duration.minutes(30), failedTimeToLive: undefined })
        assert.deepStrictEqual(yield* known, ["pending", "failed"])
        yield* cleanup({ timeToLive: Duration.minutes(30), failedTimeToLive: Duration.minutes(30) })
        assert.deepStrictEqual(yield* known, ["pending"])
        assert.strictEqual(yield* state("q", "new"), "completed")
      }).pipe(Effect.provide(Layer.fresh(layer))))
  })
}

describe("a QueueLedger in a KeyValueStore", () => {
  it.effect("ids survive a restart of the process, and other keys of the store stay", () =>
    Effect.gen(function*() {
      const layer = Layer.fresh(QueueLedger.layerKeyValueStore({ prefix: "mine/" }))
      const store = yield* KeyValueStore.KeyValueStore
      yield* store.set("other", "kept")
      yield* Effect.provide(QueueLedger.use(({ record }) => record("q", "a", "completed")), layer)
      yield* Effect.provide(
        QueueLedger.use(({ cleanup, state }) =>
          Effect.gen(function*() {
            assert.strictEqual(yield* state("q", "a"), "completed")
            yield* TestClock.adjust("1 minute")
            yield* cleanup({ timeToLive: Duration.zero, failedTimeToLive: Duration.zero })
          })
        ),
        layer
      )
      assert.deepStrictEqual(yield* store.keys, ["other"])
    }).pipe(Effect.provide(KeyValueStore.layerMemory)))
})

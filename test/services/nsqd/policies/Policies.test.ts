import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, PubSub } from "effect"
import * as NsqdOptions from "../../../../src/services/nsqd/options/NsqdOptions.ts"
import { Policies } from "../../../../src/services/nsqd/policies/Policies.ts"
import { Storage } from "../../../../src/services/nsqd/storage/Storage.ts"

const memory = Layer.merge(
  Storage.layerMemory,
  NsqdOptions.layer({ policies: [{ match: "*", max_depth: 10 }] })
)

describe("Policies", () => {
  it.effect("a change is in force in the objects that topics and channels keep, and survives a restart", () =>
    Effect.gen(function*() {
      const policies = yield* Policies.make
      const topic = policies.topic("orders")
      const channel = policies.channel("orders", "billing")
      assert.deepStrictEqual([topic.maxDepth, topic.isLimited, channel.maxAttempts], [10, true, 0])
      yield* policies.put({ match: "orders", max_depth: 0, max_attempts: 3, ttl: "2s", dead_letter: "dead" })
      assert.deepStrictEqual([topic.maxDepth, topic.isLimited, topic.ttlMillis], [0, false, 2000])
      assert.deepStrictEqual([channel.maxAttempts, channel.ttlMillis, channel.deadLetter], [3, 2000, "dead"])
      const again = yield* Policies.make
      assert.strictEqual(again.channel("orders", "billing").maxAttempts, 3)
      yield* policies.remove("orders")
      assert.deepStrictEqual([topic.maxDepth, channel.maxAttempts, channel.deadLetter], [10, 0, "{topic}.dlq"])
    }).pipe(Effect.provide(memory)))

  it.effect("a subscriber that is busy gets one event for several changes", () =>
    Effect.gen(function*() {
      const policies = yield* Policies.make
      const changes = yield* PubSub.subscribe(policies.changes)
      for (let depth = 1; depth <= 100; depth++) yield* policies.put({ match: "orders", max_depth: depth })
      assert.strictEqual(yield* PubSub.remaining(changes), 1)
      assert.strictEqual(policies.topic("orders").maxDepth, 100)
    }).pipe(Effect.provide(memory)))

  it.effect("a policy replaces the one with the same pattern", () =>
    Effect.gen(function*() {
      const policies = yield* Policies.make
      yield* policies.put({ match: "a", max_depth: 1, ttl: "1s" })
      yield* policies.put({ match: "a", max_depth: 2 })
      assert.deepStrictEqual(policies.list(), [
        { match: "a", max_depth: 2, source: "api" },
        { match: "*", max_depth: 10, source: "config" }
      ])
    }).pipe(Effect.provide(memory)))

  it.effect("a change that is not valid is refused", () =>
    Effect.gen(function*() {
      const policies = yield* Policies.make
      const reason = <A>(change: Effect.Effect<A, { readonly message: string }>) =>
        Effect.map(Effect.flip(change), ({ message }) => message)
      assert.strictEqual(
        yield* reason(policies.put({ match: "a", max_depth: "many" })),
        "max_depth: must be a whole number from 0 on; 0 for none"
      )
      assert.strictEqual(yield* reason(policies.remove("a")), "there is no policy for \"a\"")
      assert.include(yield* reason(policies.remove("*")), "comes from the options of nsqd")
    }).pipe(Effect.provide(memory)))
})

import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, PubSub } from "effect"
import { TestClock } from "effect/testing"
import type { Lookup } from "../../../src/services/lookup/RegistrationDatabase.ts"
import { Registrations } from "../../../src/services/lookup/Registrations.ts"
import * as LookupdOptions from "../../../src/services/options/LookupdOptions.ts"
import { identity } from "./identity.ts"

const registrations = Effect.provide(Registrations.layer)

const names = (lookup: Lookup | undefined) => lookup?.producers.map(({ identity }) => identity.broadcast_address)

describe("the registrations of nsqlookupd", () => {
  it.effect("hide a tombstoned producer for its lifetime, from this topic only", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const a = db.identify("1:1", identity("a"))
      db.register(a, "t", undefined)
      db.register(a, "u", undefined)
      db.tombstone("t", "a:4151")
      assert.deepStrictEqual([names(db.lookup("t")), names(db.lookup("u"))], [[], ["a"]])
      assert.deepStrictEqual(db.nodes()[0]?.tombstones, [true, false])
      yield* TestClock.adjust("45 seconds")
      assert.deepStrictEqual(names(db.lookup("t")), ["a"])
    }).pipe(registrations))

  it.effect("clear a tombstone when the producer unregisters, but not when it registers again", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const a = db.identify("1:1", identity("a"))
      db.register(a, "t", undefined)
      db.tombstone("t", "a:4151")
      assert.deepStrictEqual(db.register(a, "t", undefined), [])
      assert.deepStrictEqual(names(db.lookup("t")), [])
      db.unregister(a, "t", undefined)
      db.register(a, "t", undefined)
      assert.deepStrictEqual(names(db.lookup("t")), ["a"])
    }).pipe(registrations))

  it.effect("hide a producer that does not ping, and only then", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const a = db.identify("1:1", identity("a"))
      db.register(a, "t", "c")
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(names(db.lookup("t")), ["a"])
      yield* TestClock.adjust("1 milli")
      assert.deepStrictEqual(db.lookup("t"), { channels: ["c"], producers: [] })
      assert.deepStrictEqual([db.nodes(), db.topics()], [[], ["t"]])
      assert.strictEqual(db.ping(a), 10_001)
      assert.deepStrictEqual(names(db.lookup("t")), ["a"])
    }).pipe(
      Effect.provide(
        Registrations.layer.pipe(Layer.provide(LookupdOptions.layer({ inactiveProducerTimeout: Duration.seconds(10) })))
      )
    ))

  it.effect("keep the names of what a lost producer had, ephemeral or not", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const a = db.identify("1:1", identity("a"))
      db.register(a, "t", "c")
      db.register(a, "e#ephemeral", "d#ephemeral")
      assert.deepStrictEqual(
        db.disconnect(a).map(({ category, channel, topic }) => `${category}:${topic}:${channel}`),
        ["channel:t:c", "channel:e#ephemeral:d#ephemeral", "topic:t:", "topic:e#ephemeral:", "client::"]
      )
      assert.deepStrictEqual([db.topics(), db.channels("*"), db.debug()], [
        ["t", "e#ephemeral"],
        ["c", "d#ephemeral"],
        []
      ])
    }).pipe(registrations))

  it.effect("forget ephemeral names when their last producer unregisters them", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const [a, b] = [db.identify("1:1", identity("a")), db.identify("1:2", identity("b"))]
      for (const producer of [a, b]) db.register(producer, "e#ephemeral", "c#ephemeral")
      db.unregister(a, "e#ephemeral", "c#ephemeral")
      assert.deepStrictEqual(db.channels("e#ephemeral"), ["c#ephemeral"])
      db.unregister(b, "e#ephemeral", "c#ephemeral")
      assert.deepStrictEqual(db.channels("e#ephemeral"), [])
      for (const producer of [a, b]) db.unregister(producer, "e#ephemeral", undefined)
      assert.isUndefined(db.lookup("e#ephemeral"))
    }).pipe(registrations))

  it.effect("take * for every topic", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      assert.isUndefined(db.lookup("*"))
      const a = db.identify("1:1", identity("a"))
      db.register(a, "t", "c")
      db.register(a, "u", "c")
      assert.deepStrictEqual([db.channels("*"), names(db.lookup("*"))], [["c", "c"], ["a"]])
      db.tombstone("*", "a:4151")
      assert.deepStrictEqual([names(db.lookup("t")), names(db.lookup("u"))], [[], ["a"]])
      assert.strictEqual(db.deleteTopic("*").length, 4)
      assert.deepStrictEqual([db.topics(), a.topics.size, a.channels.size], [[], 0, 0])
    }).pipe(registrations))

  it.effect("refuse one more than a producer may have", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const a = db.identify("1:1", identity("a"))
      let taken = 0
      while (db.register(a, `t${taken}`, undefined) !== undefined) taken++
      assert.strictEqual(taken, 250_000)
      assert.isDefined(db.register(db.identify("1:2", identity("b")), "t", "c"))
    }).pipe(registrations))

  it.effect("publish the topics of which something changes, and no others", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const changes = yield* PubSub.subscribe(db.changes)
      const changed = Effect.map(PubSub.takeAll(changes), (topics) => Array.from(new Set(topics)))
      const a = db.identify("1:1", identity("a"))
      db.register(a, "t", "c")
      db.register(a, "u", undefined)
      assert.deepStrictEqual(yield* changed, ["t", "u"])
      db.register(a, "t", "c")
      db.ping(a)
      db.tombstone("u", "a:4151")
      assert.deepStrictEqual(yield* changed, ["u"])
      db.disconnect(a)
      assert.deepStrictEqual(yield* changed, ["t", "u"])
    }).pipe(registrations))
})

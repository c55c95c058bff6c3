import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, PubSub } from "effect"
import { TestClock } from "effect/testing"
import * as NsqlookupdOptions from "../../../src/services/nsqlookupd/NsqlookupdOptions.ts"
import type { Lookup } from "../../../src/services/nsqlookupd/Registration.ts"
import { Registrations } from "../../../src/services/nsqlookupd/Registrations.ts"
import { identity } from "./identity.ts"

const registrations = Effect.provide(Registrations.layer)

const names = (lookup: Lookup | undefined) => lookup?.producers.map(({ identity }) => identity.broadcast_address)

describe("the registrations of nsqlookupd", () => {
  it.effect("a tombstone hides the producer of one topic for its lifetime", () =>
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

  it.effect("UNREGISTER clears a tombstone and REGISTER does not", () =>
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

  it.effect("a producer without a recent PING is hidden", () =>
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
        Registrations.layer.pipe(
          Layer.provide(NsqlookupdOptions.layer({ inactiveProducerTimeout: Duration.seconds(10) }))
        )
      )
    ))

  it.effect("topics and channels of a lost producer stay known, ephemeral ones as well", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const a = db.identify("1:1", identity("a"))
      db.register(a, "t", "c")
      db.register(a, "e#ephemeral", "d#ephemeral")
      assert.deepStrictEqual(
        db.disconnect(a).map(({ category, channel, topic }) => `${category}:${topic}:${channel}`),
        ["channel:t:c", "channel:e#ephemeral:d#ephemeral", "topic:t:", "topic:e#ephemeral:", "client::"]
      )
      assert.deepStrictEqual([db.topics(), db.channels("*"), Array.from(db.debug())], [
        ["t", "e#ephemeral"],
        ["c", "d#ephemeral"],
        []
      ])
    }).pipe(registrations))

  it.effect("ephemeral names are forgotten when their last producer unregisters them", () =>
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

  it.effect("* means all topics in queries", () =>
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

  const withOptions = (options: Partial<NsqlookupdOptions.NsqlookupdOptions>) =>
    Effect.provide(Registrations.layer.pipe(Layer.provide(NsqlookupdOptions.layer(options))))

  it.effect("a producer's registrations are refused beyond its limit, and other producers' are not", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const a = db.identify("1:1", identity("a"))
      for (const topic of ["t1", "t2", "t3"]) assert.isArray(db.register(a, topic, undefined))
      const refusal = "the limit is 3 (--max-registrations-per-producer)"
      assert.strictEqual(db.register(a, "t4", undefined), refusal)
      assert.strictEqual(db.register(a, "t1", "c"), refusal)
      assert.deepStrictEqual(db.topics(), ["t1", "t2", "t3"])
      // Repeated registrations do not count.
      assert.deepStrictEqual(db.register(a, "t1", undefined), [])
      assert.isArray(db.register(db.identify("1:2", identity("b")), "t4", "c"))
      db.unregister(a, "t1", undefined)
      assert.isArray(db.register(a, "t5", undefined))
    }).pipe(withOptions({ maxRegistrationsPerProducer: 3 })))

  it.effect("each producer has an equal share when all together exceed the limit", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const strangers = Array.from({ length: 3 }, (_, i) => db.identify(`6.6.6.6:${i}`, identity(`s${i}`)))
      let taken = 0
      for (const stranger of strangers) {
        while (typeof db.register(stranger, `junk${taken}`, undefined) !== "string") taken++
      }
      // Ten for the first, then four for each: these have fewer than a third of ten before.
      assert.strictEqual(taken, 18)
      const honest = db.identify("1:1", identity("honest"))
      assert.isArray(db.register(honest, "orders", "archive"))
      assert.deepStrictEqual(names(db.lookup("orders")), ["honest"])
      assert.strictEqual(
        strangers[0] === undefined ? "" : db.register(strangers[0], "more", undefined),
        "the limit of all producers is 10 (--max-registrations)"
      )
    }).pipe(withOptions({ maxRegistrations: 10 })))

  it.effect("a limit of 0 is no limit", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const a = db.identify("1:1", identity("a"))
      for (let i = 0; i < 100; i++) assert.isArray(db.register(a, `t${i}`, "c"))
      db.disconnect(a)
      yield* TestClock.adjust("1000 hours")
      assert.strictEqual(db.topics().length, 100)
    }).pipe(
      withOptions({
        maxRegistrations: 0,
        maxRegistrationsPerProducer: 0,
        maxUnusedNames: 0,
        unusedNameLifetime: Duration.zero
      })
    ))

  it.effect("registrations end with their producer, so that a client that reconnects often excludes no other", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      for (let i = 0; i < 100; i++) {
        const stranger = db.identify("6.6.6.6:1", identity("s"))
        for (let j = 0; j < 5; j++) assert.isArray(db.register(stranger, `junk${i}_${j}`, "c"))
        db.disconnect(stranger)
      }
      // Only the latest names without producers are known.
      assert.strictEqual(db.topics().length + db.channels("*").length, 10)
      const honest = db.identify("1:1", identity("honest"))
      assert.isArray(db.register(honest, "orders", "archive"))
    }).pipe(withOptions({ maxRegistrations: 20, maxUnusedNames: 10 })))

  it.effect("names with producers are never forgotten, and the longest unused name is forgotten first", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const a = db.identify("1:1", identity("a"))
      db.register(a, "used", "c")
      for (const topic of ["old", "older", "new"]) db.createTopic(topic)
      assert.deepStrictEqual(db.topics(), ["used", "older", "new"])
      db.createChannel("used", "planned")
      assert.deepStrictEqual([db.topics(), db.channels("used")], [["used", "new"], ["c", "planned"]])
    }).pipe(withOptions({ maxUnusedNames: 2 })))

  it.effect("names without producers are forgotten after the lifetime of unused names", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const a = db.identify("1:1", identity("a"))
      db.register(a, "t", "c")
      db.register(a, "u", "c")
      db.createTopic("planned")
      yield* TestClock.adjust("2 hours")
      assert.deepStrictEqual(db.topics(), ["t", "u"])
      db.disconnect(a)
      yield* TestClock.adjust("30 minutes")
      db.register(db.identify("1:2", identity("b")), "u", undefined)
      yield* TestClock.adjust("32 minutes")
      assert.deepStrictEqual([db.topics(), db.channels("*")], [["u"], []])
      assert.isUndefined(db.lookup("t"))
    }).pipe(withOptions({ unusedNameLifetime: Duration.hours(1) })))

  it.effect("the topics that change are published, and no others", () =>
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

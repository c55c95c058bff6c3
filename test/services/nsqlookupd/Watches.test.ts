import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Lookup } from "../../../src/protocol/http/LookupResponse.ts"
import { Registrations } from "../../../src/services/nsqlookupd/Registrations.ts"
import { type Watch, Watches } from "../../../src/services/nsqlookupd/Watches.ts"
import { Idle, untilIdle } from "../../../src/testing/index.ts"
import { decodeExactly } from "../../protocol/http/exactly.ts"
import { identity } from "./identity.ts"

const watches = Effect.provide(
  Watches.layer.pipe(Layer.provideMerge(Registrations.layer), Layer.provideMerge(Idle.layer))
)

/** The producers of the topic after the next change. */
const nextProducers = ({ next }: Watch) =>
  Effect.map(
    Effect.flatMap(next, (text) => decodeExactly(Lookup, text)),
    ({ producers }) => producers.map(({ broadcast_address }) => broadcast_address)
  )

/** What a watcher receives within 100 ms. */
const producersSoon = Effect.fnUntraced(function*(watch: Watch) {
  const waiting = yield* Effect.forkChild(nextProducers(watch), { startImmediately: true })
  yield* untilIdle
  yield* TestClock.adjust("100 millis")
  return yield* Fiber.join(waiting)
})

const isSilent = Effect.fnUntraced(function*(watch: Watch) {
  const waiting = yield* Effect.forkChild(nextProducers(watch), { startImmediately: true })
  yield* untilIdle
  yield* TestClock.adjust("100 millis")
  yield* untilIdle
  const silent = waiting.pollUnsafe() === undefined
  yield* Fiber.interrupt(waiting)
  return silent
})

describe("Watches", () => {
  it.effect("a watcher receives the producers at once and every change within 100 ms", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const a = db.identify("1:1", identity("a"))
      db.register(a, "t", undefined)
      const watch = yield* (yield* Watches).watch("t")
      assert.deepStrictEqual(yield* nextProducers(watch), ["a"])
      const b = db.identify("1:2", identity("b"))
      db.register(b, "t", undefined)
      assert.deepStrictEqual(yield* producersSoon(watch), ["a", "b"])
      db.disconnect(a)
      assert.deepStrictEqual(yield* producersSoon(watch), ["b"])
    }).pipe(watches))

  it.effect("a topic can be watched before it is known", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const watch = yield* (yield* Watches).watch("t")
      assert.strictEqual(yield* watch.next, `{"channels":[],"producers":[]}`)
      db.register(db.identify("1:1", identity("a")), "t", "c")
      assert.deepStrictEqual(yield* producersSoon(watch), ["a"])
    }).pipe(watches))

  it.effect("a watcher receives concurrent changes as one, and only the latest state after a delay", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const watch = yield* (yield* Watches).watch("t")
      yield* nextProducers(watch)
      for (const name of ["a", "b"]) db.register(db.identify(name, identity(name)), "t", undefined)
      yield* untilIdle
      yield* TestClock.adjust("100 millis")
      yield* untilIdle
      db.register(db.identify("c", identity("c")), "t", undefined)
      yield* untilIdle
      yield* TestClock.adjust("100 millis")
      yield* untilIdle
      assert.deepStrictEqual(yield* nextProducers(watch), ["a", "b", "c"])
      assert.isTrue(yield* isSilent(watch))
    }).pipe(watches))

  it.effect("a watcher receives nothing for other topics, PINGs, and changes without effect", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const a = db.identify("1:1", identity("a"))
      db.register(a, "t", "c")
      const watch = yield* (yield* Watches).watch("t")
      yield* nextProducers(watch)
      db.register(a, "u", undefined)
      db.register(a, "t", "c")
      db.ping(a)
      db.createChannel("t", "new#ephemeral")
      db.deleteChannel("t", "new#ephemeral")
      assert.isTrue(yield* isSilent(watch))
    }).pipe(watches))

  it.effect("a watcher receives the changes by time: ended tombstones and inactive producers", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const a = db.identify("1:1", identity("a"))
      db.register(a, "t", undefined)
      const watch = yield* (yield* Watches).watch("t")
      yield* nextProducers(watch)
      db.tombstone("t", "a:4151")
      assert.deepStrictEqual(yield* producersSoon(watch), [])
      yield* TestClock.adjust("44 seconds")
      assert.isTrue(yield* isSilent(watch))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* nextProducers(watch), ["a"])
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(yield* producersSoon(watch), [])
      db.ping(a)
      assert.deepStrictEqual(yield* producersSoon(watch), ["a"])
    }).pipe(watches))
})

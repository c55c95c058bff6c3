import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Registrations } from "../../../src/services/nsqlookupd/Registrations.ts"
import { type Watch, Watches } from "../../../src/services/nsqlookupd/Watches.ts"
import { nothingMore } from "../nsqd/broker/testing.ts"
import { identity } from "./identity.ts"

const watches = Effect.provide(Layer.provideMerge(Watches.layer, Registrations.layer))

/** Who has the topic now that something has changed. */
const told = ({ next }: Watch) =>
  Effect.map(next, (text) => {
    const { producers } = JSON.parse(text) as { producers: ReadonlyArray<{ broadcast_address: string }> }
    return producers.map(({ broadcast_address }) => broadcast_address)
  })

/** What a watcher is told within 100 ms. */
const toldSoon = Effect.fnUntraced(function*(watch: Watch) {
  const waiting = yield* Effect.forkChild(told(watch), { startImmediately: true })
  yield* nothingMore
  yield* TestClock.adjust("100 millis")
  return yield* Fiber.join(waiting)
})

const isSilent = Effect.fnUntraced(function*(watch: Watch) {
  const waiting = yield* Effect.forkChild(told(watch), { startImmediately: true })
  yield* nothingMore
  yield* TestClock.adjust("100 millis")
  yield* nothingMore
  const silent = waiting.pollUnsafe() === undefined
  yield* Fiber.interrupt(waiting)
  return silent
})

describe("whoever watches a topic", () => {
  it.effect("is told at once who has it, and every change within 100 ms", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const a = db.identify("1:1", identity("a"))
      db.register(a, "t", undefined)
      const watch = yield* (yield* Watches).watch("t")
      assert.deepStrictEqual(yield* told(watch), ["a"])
      const b = db.identify("1:2", identity("b"))
      db.register(b, "t", undefined)
      assert.deepStrictEqual(yield* toldSoon(watch), ["a", "b"])
      db.disconnect(a)
      assert.deepStrictEqual(yield* toldSoon(watch), ["b"])
    }).pipe(watches))

  it.effect("may do so before the topic is known", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const watch = yield* (yield* Watches).watch("t")
      assert.strictEqual(yield* watch.next, `{"channels":[],"producers":[]}`)
      db.register(db.identify("1:1", identity("a")), "t", "c")
      assert.deepStrictEqual(yield* toldSoon(watch), ["a"])
    }).pipe(watches))

  it.effect("is told once of what changes together, and only the newest after being slow", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const watch = yield* (yield* Watches).watch("t")
      yield* told(watch)
      for (const name of ["a", "b"]) db.register(db.identify(name, identity(name)), "t", undefined)
      yield* nothingMore
      yield* TestClock.adjust("100 millis")
      yield* nothingMore
      db.register(db.identify("c", identity("c")), "t", undefined)
      yield* nothingMore
      yield* TestClock.adjust("100 millis")
      yield* nothingMore
      assert.deepStrictEqual(yield* told(watch), ["a", "b", "c"])
      assert.isTrue(yield* isSilent(watch))
    }).pipe(watches))

  it.effect("hears nothing of other topics, of pings, or of what makes no difference", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const a = db.identify("1:1", identity("a"))
      db.register(a, "t", "c")
      const watch = yield* (yield* Watches).watch("t")
      yield* told(watch)
      db.register(a, "u", undefined)
      db.register(a, "t", "c")
      db.ping(a)
      db.createChannel("t", "new#ephemeral")
      db.deleteChannel("t", "new#ephemeral")
      assert.isTrue(yield* isSilent(watch))
    }).pipe(watches))

  it.effect("is told of what time changes: tombstones that end, producers that fall silent", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const a = db.identify("1:1", identity("a"))
      db.register(a, "t", undefined)
      const watch = yield* (yield* Watches).watch("t")
      yield* told(watch)
      db.tombstone("t", "a:4151")
      assert.deepStrictEqual(yield* toldSoon(watch), [])
      yield* TestClock.adjust("44 seconds")
      assert.isTrue(yield* isSilent(watch))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* told(watch), ["a"])
      yield* TestClock.adjust("5 minutes")
      assert.deepStrictEqual(yield* toldSoon(watch), [])
      db.ping(a)
      assert.deepStrictEqual(yield* toldSoon(watch), ["a"])
    }).pipe(watches))
})

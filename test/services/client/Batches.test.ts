import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Queue } from "effect"
import { TestClock } from "effect/testing"
import { channel, consume, layer, order, publish, untilChannel } from "./consuming.ts"

const items = (values: ReadonlyArray<{ readonly item: string }>) => values.map(({ item }) => item).join()

describe("runBatches", () => {
  it.effect("a batch is handled when it has its size, and its messages are finished", () =>
    Effect.gen(function*() {
      const batches = yield* Queue.unbounded<string>()
      const consumer = yield* consume()
      yield* Effect.forkScoped(consumer.runBatches((values) => Queue.offer(batches, items(values)), { size: 3 }))
      yield* order("1", "2", "3", "4", "5", "6", "7")
      assert.deepStrictEqual([yield* Queue.take(batches), yield* Queue.take(batches)], ["1,2,3", "4,5,6"])
      yield* untilChannel(({ inFlightCount }) => inFlightCount === 1)
      assert.strictEqual(Queue.sizeUnsafe(batches), 0)
      yield* TestClock.adjust("999 millis")
      assert.strictEqual(Queue.sizeUnsafe(batches), 0)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Queue.take(batches), "7")
      yield* untilChannel(({ depth, inFlightCount }) => depth === 0 && inFlightCount === 0)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a batch does not wait for more messages than may be in flight", () =>
    Effect.gen(function*() {
      const batches = yield* Queue.unbounded<string>()
      const consumer = yield* consume({ maxInFlight: 2 })
      yield* Effect.forkScoped(
        consumer.runBatches((values) => Queue.offer(batches, items(values)), { size: 100, within: "1 hour" })
      )
      yield* order("1", "2", "3", "4")
      assert.deepStrictEqual([yield* Queue.take(batches), yield* Queue.take(batches)], ["1,2", "3,4"])
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a failed batch is requeued, except for what the handler acknowledged", () =>
    Effect.gen(function*() {
      yield* order("1", "2", "3")
      const consumer = yield* consume()
      yield* Effect.forkScoped(consumer.runBatches(
        (_, [first]) => Effect.andThen(first?.finish ?? Effect.void, Effect.fail("the database is down")),
        { size: 3 }
      ))
      yield* untilChannel(({ deferredCount, inFlightCount }) => deferredCount === 2 && inFlightCount === 0)
      assert.strictEqual((yield* channel).requeueCount, 2)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("undecodable bodies and duplicates are not part of a batch", () =>
    Effect.gen(function*() {
      yield* publish(`{"item":"1"}`, "no JSON", `{"item":"1"}`, `{"item":"2"}`)
      const batches = yield* Queue.unbounded<string>()
      const undecodable = yield* Deferred.make<void>()
      const consumer = yield* consume({
        deduplicate: { key: ({ item }) => item },
        onGivenUp: () => Deferred.succeed(undecodable, undefined)
      })
      yield* Effect.forkScoped(consumer.runBatches((values) => Queue.offer(batches, items(values)), { size: 4 }))
      assert.strictEqual(yield* Queue.take(batches), "1,2")
      yield* Deferred.await(undecodable)
      yield* untilChannel(({ depth, inFlightCount }) => depth === 0 && inFlightCount === 0)
      assert.strictEqual((yield* channel).requeueCount, 0)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a duplicate in a failed batch is requeued with it", () =>
    Effect.gen(function*() {
      yield* order("1", "1")
      const consumer = yield* consume({ deduplicate: { key: ({ item }) => item } })
      yield* Effect.forkScoped(consumer.runBatches(() => Effect.fail("no"), { size: 2 }))
      yield* untilChannel(({ deferredCount }) => deferredCount === 2)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("several batches are handled at once with concurrency", () =>
    Effect.gen(function*() {
      yield* order("1", "2", "3", "4")
      const batches = yield* Queue.unbounded<string>()
      const consumer = yield* consume({ drainTimeout: 0 })
      yield* Effect.forkScoped(
        consumer.runBatches((values) => Effect.andThen(Queue.offer(batches, items(values)), Effect.never), {
          size: 2,
          concurrency: 2
        })
      )
      assert.deepStrictEqual([yield* Queue.take(batches), yield* Queue.take(batches)], ["1,2", "3,4"])
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("an interruption requeues the batch that is not complete, and lets the other one finish", () =>
    Effect.gen(function*() {
      const batches = yield* Queue.unbounded<string>()
      const gate = yield* Deferred.make<void>()
      const consumer = yield* consume()
      const running = yield* Effect.forkChild(consumer.runBatches(
        (values) => Effect.andThen(Queue.offer(batches, items(values)), Deferred.await(gate)),
        { size: 2, within: "1 hour", concurrency: 2 }
      ))
      yield* order("1", "2", "3")
      assert.strictEqual(yield* Queue.take(batches), "1,2")
      yield* untilChannel(({ inFlightCount }) => inFlightCount === 3)
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(running))
      yield* untilChannel(({ depth, inFlightCount }) => depth === 1 && inFlightCount === 2)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(interrupting)
      yield* untilChannel(({ depth, inFlightCount }) => depth === 1 && inFlightCount === 0)
      assert.strictEqual(Queue.sizeUnsafe(batches), 0)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a handler that throws, and a key that throws, fail the batch and end nothing", () =>
    Effect.gen(function*() {
      yield* order("1", "2")
      let throwing = true
      const consumer = yield* consume({
        deduplicate: {
          key: ({ item }) => {
            if (throwing && item === "1") throw new Error("no key")
            return item
          }
        }
      })
      const batches = yield* Queue.unbounded<string>()
      const running = yield* Effect.forkScoped(consumer.runBatches((values) => {
        if (throwing) throw new Error("no batch")
        return Queue.offer(batches, items(values))
      }, { size: 2 }))
      yield* untilChannel(({ deferredCount }) => deferredCount === 2)
      throwing = false
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Queue.take(batches), "1,2")
      assert.isUndefined(running.pollUnsafe())
    }).pipe(Effect.scoped, Effect.provide(layer)))
})

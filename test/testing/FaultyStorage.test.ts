import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { Storage } from "../../src/services/nsqd/storage/Storage.ts"
import { FaultyStorage } from "../../src/testing/index.ts"
import { numbersOf, recordsOf } from "../services/nsqd/storage/queues.ts"

const openQueue = Storage.use((storage) => storage.openQueue("queue"))

describe("FaultyStorage", () => {
  it.effect("storage without faults keeps records in order, and counts writes and reads", () =>
    Effect.gen(function*() {
      const faults = yield* FaultyStorage.StorageFaults
      const queue = yield* openQueue
      yield* queue.append([recordsOf([1, 2])])
      yield* queue.append([recordsOf([3])])
      const [first, second] = [yield* queue.read(1000), yield* queue.read(1000)]
      assert.deepStrictEqual([first, second].flatMap((run) => run === undefined ? [] : numbersOf(run)), [1, 2, 3])
      assert.deepStrictEqual(faults.counts(), { writes: 2, reads: 2 })
    }).pipe(Effect.scoped, Effect.provide(FaultyStorage.layer)))

  it.effect("a failed write stores nothing, and the description is that of the fault", () =>
    Effect.gen(function*() {
      const faults = yield* FaultyStorage.StorageFaults
      const queue = yield* openQueue
      yield* faults.failWrites("no space left on device")
      for (const write of [queue.append([recordsOf([1])]), queue.empty, queue.delete]) {
        assert.strictEqual((yield* Effect.flip(write)).message, "no space left on device")
      }
      assert.deepStrictEqual([queue.depth, queue.hasMore], [0, false])
      yield* faults.failWrites(undefined)
      yield* queue.append([recordsOf([1])])
      assert.deepStrictEqual([queue.depth, queue.hasMore], [1, true])
    }).pipe(Effect.scoped, Effect.provide(FaultyStorage.layer)))

  it.effect("the health of storage is the description of a write fault, and nothing else", () =>
    Effect.gen(function*() {
      const faults = yield* FaultyStorage.StorageFaults
      const { health } = yield* Storage
      yield* faults.failReads("input/output error")
      assert.isUndefined(yield* health)
      yield* faults.failWrites("no space left on device")
      assert.strictEqual(yield* health, "no space left on device")
      yield* faults.failWrites(undefined)
      assert.isUndefined(yield* health)
    }).pipe(Effect.provide(FaultyStorage.layer)))

  it.effect("a failed read loses no records", () =>
    Effect.gen(function*() {
      const faults = yield* FaultyStorage.StorageFaults
      const queue = yield* openQueue
      yield* queue.append([recordsOf([7])])
      yield* faults.failReads("input/output error")
      assert.strictEqual((yield* Effect.flip(queue.read(1000))).message, "input/output error")
      assert.strictEqual((yield* Effect.flip(queue.recent)).message, "input/output error")
      yield* faults.failReads(undefined)
      const run = yield* queue.read(1000)
      assert.deepStrictEqual(run === undefined ? [] : numbersOf(run), [7])
    }).pipe(Effect.scoped, Effect.provide(FaultyStorage.layer)))

  it.effect("held writes are stored when they are resumed", () =>
    Effect.gen(function*() {
      const faults = yield* FaultyStorage.StorageFaults
      const queue = yield* openQueue
      yield* faults.holdWrites
      const writing = yield* Effect.forkChild(queue.append([recordsOf([1])]), { startImmediately: true })
      assert.deepStrictEqual([writing.pollUnsafe(), queue.depth], [undefined, 0])
      yield* faults.resumeWrites
      yield* Fiber.join(writing)
      assert.strictEqual(queue.depth, 1)
    }).pipe(Effect.scoped, Effect.provide(FaultyStorage.layer)))

  it.effect("held reads complete with their records when they are resumed", () =>
    Effect.gen(function*() {
      const faults = yield* FaultyStorage.StorageFaults
      const queue = yield* openQueue
      yield* queue.append([recordsOf([1])])
      yield* faults.holdReads
      const reading = yield* Effect.forkChild(queue.read(1000), { startImmediately: true })
      assert.isUndefined(reading.pollUnsafe())
      yield* faults.resumeReads
      const run = yield* Fiber.join(reading)
      assert.deepStrictEqual(run === undefined ? [] : numbersOf(run), [1])
    }).pipe(Effect.scoped, Effect.provide(FaultyStorage.layer)))
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { FaultyDisk } from "../../../src/testing/index.ts"
import { drain, layer, numbersOf, openQueue, range, recordsOf } from "./queues.ts"

const recordSize = 4 + 26 + 8

describe("DiskQueue", () => {
  it.effect("gives records back in order, across files and restarts", () =>
    Effect.gen(function*() {
      const queue = yield* openQueue()
      yield* queue.append([recordsOf(range(0, 100))])
      yield* queue.append([recordsOf(range(100, 101)), recordsOf(range(101, 150))])
      assert.strictEqual(queue.depth, 150)
      const first = yield* queue.read(recordSize * 10)
      assert.deepStrictEqual(first && numbersOf(first), range(0, 10))
      if (first !== undefined) queue.settle(first, 10)
      yield* queue.close
      const again = yield* openQueue()
      assert.strictEqual(again.depth, 140)
      assert.deepStrictEqual(yield* drain(again), range(10, 150))
      assert.strictEqual(again.depth, 0)
    }).pipe(Effect.provide(layer)))

  it.effect("reads on in a file that has grown and been finished since it was opened", () =>
    Effect.gen(function*() {
      const queue = yield* openQueue()
      yield* queue.append([recordsOf(range(0, 2))])
      assert.deepStrictEqual(yield* drain(queue), range(0, 2))
      yield* queue.append([recordsOf(range(2, 80))])
      assert.deepStrictEqual(yield* drain(queue), range(2, 80))
      assert.strictEqual(queue.depth, 0)
    }).pipe(Effect.provide(layer)))

  it.effect("keeps files within their size, and gives a record that is larger one of its own", () =>
    Effect.gen(function*() {
      const queue = yield* openQueue({ maxBytesPerFile: 200, maxMsgSize: 1000 })
      yield* queue.append([recordsOf(range(0, 9)), recordsOf([9], 500), recordsOf(range(10, 12))])
      const disk = yield* FaultyDisk
      const sizes = Array.from(disk.files()).flatMap(([path, content]) =>
        path.includes(".meta.") ? [] : [content.length]
      )
      assert.deepStrictEqual(sizes.filter((size) => size > 200), [530])
      assert.deepStrictEqual(yield* drain(queue), range(0, 12))
    }).pipe(Effect.provide(layer)))

  it.effect("reads again after a restart what was not settled", () =>
    Effect.gen(function*() {
      const queue = yield* openQueue()
      yield* queue.append([recordsOf(range(0, 60))])
      const one = yield* queue.read(recordSize * 10)
      const two = yield* queue.read(recordSize * 10)
      assert.isTrue(one !== undefined && two !== undefined)
      // Only the first run counts as long as something of it is missing, whatever is settled after it.
      if (two !== undefined) queue.settle(two, two.count)
      if (one !== undefined) queue.settle(one, 9)
      assert.strictEqual(queue.depth, 40)
      yield* queue.close
      assert.deepStrictEqual(yield* drain(yield* openQueue()), range(0, 60))
    }).pipe(Effect.provide(layer)))

  it.effect("takes back the end of the last run, to be read next", () =>
    Effect.gen(function*() {
      const queue = yield* openQueue()
      yield* queue.append([recordsOf(range(0, 20))])
      const run = yield* queue.read(recordSize * 10)
      assert.strictEqual(run?.count, 10)
      if (run !== undefined) {
        queue.unread(run, recordSize * 4, 6)
        assert.strictEqual(queue.depth, 16)
        queue.settle(run, 4)
      }
      assert.deepStrictEqual(yield* drain(queue), range(4, 20))
    }).pipe(Effect.provide(layer)))

  it.effect("deletes files once everything in them is settled, after writing metadata that says so", () =>
    Effect.gen(function*() {
      const queue = yield* openQueue()
      yield* queue.append([recordsOf(range(0, 100))])
      yield* drain(queue)
      yield* queue.close
      const names = Array.from((yield* FaultyDisk).files().keys())
      assert.deepStrictEqual(names.sort(), ["/data/t.diskqueue.000003.dat", "/data/t.diskqueue.meta.dat"])
    }).pipe(Effect.provide(layer)))

  it.effect("writes what many publishers append at once with one sync", () =>
    Effect.gen(function*() {
      const queue = yield* openQueue({ maxBytesPerFile: 1_000_000 })
      const disk = yield* FaultyDisk
      let syncs = 0
      disk.fail((operation) => {
        if (operation === "fsync") syncs++
        return undefined
      })
      yield* Effect.forEach(range(0, 100), (number) => queue.append([recordsOf([number])]), {
        concurrency: "unbounded"
      })
      assert.isAtMost(syncs, 3)
      assert.deepStrictEqual((yield* drain(queue)).sort((a, b) => a - b), range(0, 100))
    }).pipe(Effect.provide(layer)))

  it.effect("is empty after empty, and goes on", () =>
    Effect.gen(function*() {
      const queue = yield* openQueue()
      yield* queue.append([recordsOf(range(0, 60))])
      const run = yield* queue.read(100)
      yield* queue.empty
      if (run !== undefined) queue.settle(run, run.count)
      assert.strictEqual(queue.depth, 0)
      assert.deepStrictEqual(Array.from((yield* FaultyDisk).files().keys()), [])
      yield* queue.append([recordsOf([7])])
      yield* queue.close
      assert.deepStrictEqual(yield* drain(yield* openQueue()), [7])
    }).pipe(Effect.provide(layer)))

  it.effect("leaves no file after delete, and refuses appends from then on", () =>
    Effect.gen(function*() {
      const queue = yield* openQueue()
      yield* queue.append([recordsOf(range(0, 60))])
      yield* queue.delete
      assert.deepStrictEqual(Array.from((yield* FaultyDisk).files().keys()), [])
      assert.isTrue(Exit.isFailure(yield* Effect.exit(queue.append([recordsOf([1])]))))
      yield* queue.close
      assert.isTrue(Exit.isFailure(yield* Effect.exit(queue.append([recordsOf([1])]))))
      assert.deepStrictEqual(Array.from((yield* FaultyDisk).files().keys()), [])
    }).pipe(Effect.provide(layer)))

  it.effect("closes with what is still to be written", () =>
    Effect.gen(function*() {
      const queue = yield* openQueue()
      const appends = yield* Effect.forEach(
        range(0, 20),
        (number) => Effect.forkChild(queue.append([recordsOf([number])]), { startImmediately: true })
      )
      yield* queue.close
      yield* Effect.forEach(appends, Fiber.join)
      assert.strictEqual((yield* drain(yield* openQueue())).length, 20)
    }).pipe(Effect.provide(layer)))
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber } from "effect"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { drain, layer, numbersOf, open, range, recordsOf, settle } from "./queues.ts"

const recordSize = 4 + 26 + 8

describe("DiskQueue", () => {
  it.effect("a disk queue returns records in order, across files and restarts", () =>
    Effect.gen(function*() {
      const { close, queue } = yield* open()
      yield* queue.append([recordsOf(range(0, 100))])
      yield* queue.append([recordsOf(range(100, 101)), recordsOf(range(101, 150))])
      assert.strictEqual(queue.depth, 150)
      const first = yield* queue.read(recordSize * 10)
      assert.deepStrictEqual(first && numbersOf(first), range(0, 10))
      if (first !== undefined) settle(first)
      yield* close
      const { queue: again } = yield* open()
      assert.strictEqual(again.depth, 140)
      assert.deepStrictEqual(yield* drain(again), range(10, 150))
      assert.strictEqual(again.depth, 0)
    }).pipe(Effect.provide(layer)))

  it.effect("reading continues in a file that has grown and been completed since it was opened", () =>
    Effect.gen(function*() {
      const { queue } = yield* open()
      yield* queue.append([recordsOf(range(0, 2))])
      assert.deepStrictEqual(yield* drain(queue), range(0, 2))
      yield* queue.append([recordsOf(range(2, 80))])
      assert.deepStrictEqual(yield* drain(queue), range(2, 80))
      assert.strictEqual(queue.depth, 0)
    }).pipe(Effect.provide(layer)))

  it.effect("data files stay within their size, and a larger record gets its own file", () =>
    Effect.gen(function*() {
      const { queue } = yield* open({ maxBytesPerFile: 200, maxMsgSize: 1000 })
      yield* queue.append([recordsOf(range(0, 9)), recordsOf([9], 500), recordsOf(range(10, 12))])
      const disk = yield* FaultyDisk
      const sizes = Array.from(disk.files()).flatMap(([path, content]) =>
        /(meta|state)/.test(path) ? [] : [content.length]
      )
      assert.deepStrictEqual(sizes.filter((size) => size > 200), [530])
      assert.deepStrictEqual(yield* drain(queue), range(0, 12))
    }).pipe(Effect.provide(layer)))

  it.effect("after a restart only unsettled records are read again, in order, before the rest", () =>
    Effect.gen(function*() {
      const { close, queue } = yield* open()
      yield* queue.append([recordsOf(range(0, 60))])
      const one = (yield* queue.read(recordSize * 10))!
      const two = (yield* queue.read(recordSize * 10))!
      settle(two)
      settle(one, 1, 4)
      settle(one, 6, 10)
      assert.strictEqual(queue.depth, 40)
      yield* close
      const { queue: again } = yield* open()
      assert.strictEqual(again.depth, 43)
      assert.deepStrictEqual(yield* drain(again), [0, 4, 5, ...range(20, 60)])
    }).pipe(Effect.provide(layer)))

  it.effect("after a kill messages that were finished before the last recording are not read again", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const opened = yield* open({ syncEvery: 1_000_000, maxBytesPerFile: 1_000_000 })
      yield* opened.queue.append([recordsOf(range(0, 500))])
      const held = (yield* opened.queue.read(recordSize * 10))!
      settle(held, 1)
      for (let i = 0; i < 40; i++) settle((yield* opened.queue.read(recordSize * 10))!)
      yield* opened.saveState
      disk.fail(() => "EIO")
      yield* opened.close
      disk.fail(undefined)
      assert.deepStrictEqual(yield* drain((yield* open()).queue), [0, ...range(410, 500)])
    }).pipe(Effect.provide(layer)))

  it.effect("after a kill messages finished between thousands of held ones are not read again", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const opened = yield* open({ syncEvery: 1_000_000, maxBytesPerFile: 1_000_000 })
      yield* opened.queue.append([recordsOf(range(0, 5000))])
      // Every other message is held, over several rounds of recording.
      for (let i = 0; i < 10; i++) {
        const run = (yield* opened.queue.read(recordSize * 500))!
        for (let index = 0; index < 500; index += 2) settle(run, index, index + 1)
        yield* opened.saveState
      }
      disk.fail(() => "EIO")
      yield* opened.close
      disk.fail(undefined)
      assert.deepStrictEqual(yield* drain((yield* open()).queue), range(0, 5000).filter((number) => number % 2 === 1))
    }).pipe(Effect.provide(layer)))

  it.effect("finished messages are recorded while publishers never pause", () =>
    Effect.gen(function*() {
      const disk = yield* Disk
      const yields = (count: number): Effect.Effect<void> => Effect.repeat(Effect.yieldNow, { times: count })
      const slow = Disk.of({
        ...disk,
        create: (path) =>
          Effect.map(disk.create(path), (file) => ({
            ...file,
            write: (buffers, position) => Effect.andThen(yields(5), file.write(buffers, position))
          }))
      })
      const { queue, saveState } = yield* Effect.provideService(open({ syncEvery: 1_000_000 }), Disk, slow)
      let appended = 0
      const publish = queue.append([recordsOf([1])]).pipe(
        Effect.tap(() => Effect.sync(() => void appended++)),
        Effect.repeat({ while: () => appended < 1000 })
      )
      // One publish always waits while another is written.
      for (const delay of [0, 4]) yield* Effect.forkChild(Effect.andThen(yields(delay), publish))
      yield* Effect.repeat(Effect.yieldNow, { until: () => appended >= 10 })
      yield* saveState
      assert.isBelow(appended, 100)
    }).pipe(Effect.provide(layer)))

  it.effect("finished messages are recorded while a sync waits for the disk", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const opened = yield* open({ syncEvery: 1_000_000 })
      yield* opened.queue.append([recordsOf(range(0, 10))])
      const run = (yield* opened.queue.read(recordSize * 10))!
      settle(run, 0, 5)
      const resume = yield* disk.holdSyncs
      const syncing = yield* Effect.forkChild(opened.sync, { startImmediately: true })
      settle(run, 5, 9)
      yield* opened.queue.saveState
      disk.fail(() => "EROFS")
      yield* resume
      yield* Fiber.join(syncing)
      yield* opened.close
      disk.fail(undefined)
      assert.deepStrictEqual(yield* drain((yield* open()).queue), [9])
    }).pipe(Effect.provide(layer)))

  it.effect("files after one with a held message are deleted", () =>
    Effect.gen(function*() {
      const { close, queue, sync } = yield* open()
      yield* queue.append([recordsOf(range(0, 100))])
      const first = (yield* queue.read(recordSize * 3))!
      settle(first, 1)
      yield* drain(queue)
      yield* sync
      const files = () =>
        Effect.map(FaultyDisk, (disk) => Array.from(disk.files().keys()).filter((path) => /\d\.dat$/.test(path)))
      assert.deepStrictEqual(yield* files(), ["/data/t.diskqueue.000000.dat", "/data/t.diskqueue.000003.dat"])
      settle(first, 0, 1)
      yield* sync
      assert.deepStrictEqual(yield* files(), ["/data/t.diskqueue.000003.dat"])
      yield* close
    }).pipe(Effect.provide(layer)))

  it.effect("files are deleted once everything in them is settled", () =>
    Effect.gen(function*() {
      const { close, queue } = yield* open()
      yield* queue.append([recordsOf(range(0, 100))])
      yield* drain(queue)
      yield* close
      const names = Array.from((yield* FaultyDisk).files().keys())
      assert.deepStrictEqual(names.sort(), [
        "/data/t.diskqueue.000003.dat",
        "/data/t.diskqueue.000003.sum",
        "/data/t.diskqueue.meta.dat",
        "/data/t.diskqueue.state.dat"
      ])
    }).pipe(Effect.provide(layer)))

  it.effect("concurrent appends share one sync", () =>
    Effect.gen(function*() {
      const { queue } = yield* open({ maxBytesPerFile: 1_000_000 })
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

  it.effect("the directory is synced with the first sync of each file, so that the file survives a loss of power", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const { queue } = yield* open({ maxBytesPerFile: 100 })
      const synced: Array<string> = []
      disk.fail((operation, path) => {
        if (operation === "fsync" && !/(?:meta|state)\.dat$/.test(path)) synced.push(path)
        return undefined
      })
      yield* queue.append([recordsOf([1])])
      assert.deepStrictEqual(synced, ["/data/t.diskqueue.000000.dat", "/data"])
      yield* queue.append([recordsOf([2])])
      // The state file is created after the response, and the directory is synced once more for it.
      assert.deepStrictEqual(synced.slice(2), ["/data", "/data/t.diskqueue.000000.dat"])
      yield* queue.append([recordsOf([3])])
      assert.deepStrictEqual(synced.slice(4), ["/data/t.diskqueue.000001.dat", "/data"])
    }).pipe(Effect.provide(layer)))

  it.effect("an emptied disk queue is empty and accepts new records", () =>
    Effect.gen(function*() {
      const { close, queue } = yield* open()
      yield* queue.append([recordsOf(range(0, 60))])
      const run = yield* queue.read(100)
      yield* queue.empty
      if (run !== undefined) settle(run)
      assert.strictEqual(queue.depth, 0)
      assert.deepStrictEqual(Array.from((yield* FaultyDisk).files().keys()), ["/data/t.diskqueue.state.dat"])
      yield* queue.append([recordsOf([7])])
      yield* close
      assert.deepStrictEqual(yield* drain((yield* open()).queue), [7])
    }).pipe(Effect.provide(layer)))

  it.effect("a deleted disk queue leaves no file and refuses appends", () =>
    Effect.gen(function*() {
      const { close, queue } = yield* open()
      yield* queue.append([recordsOf(range(0, 60))])
      yield* queue.delete
      assert.deepStrictEqual(Array.from((yield* FaultyDisk).files().keys()), [])
      assert.isTrue(Exit.isFailure(yield* Effect.exit(queue.append([recordsOf([1])]))))
      yield* close
      assert.isTrue(Exit.isFailure(yield* Effect.exit(queue.append([recordsOf([1])]))))
      assert.deepStrictEqual(Array.from((yield* FaultyDisk).files().keys()), [])
    }).pipe(Effect.provide(layer)))

  it.effect("closing a disk queue writes waiting appends", () =>
    Effect.gen(function*() {
      const { close, queue } = yield* open()
      const appends = yield* Effect.forEach(
        range(0, 20),
        (number) => Effect.forkChild(queue.append([recordsOf([number])]), { startImmediately: true })
      )
      yield* close
      yield* Effect.forEach(appends, Fiber.join)
      assert.strictEqual((yield* drain((yield* open()).queue)).length, 20)
    }).pipe(Effect.provide(layer)))
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Latch, Layer, Logger, References } from "effect"
import { TestClock } from "effect/testing"
import { decodeSlot, slotCount, slotSize } from "../../../../src/protocol/storage/QueueState.ts"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import * as Options from "../../../../src/services/nsqd/options/NsqdOptions.ts"
import * as DiskStorage from "../../../../src/services/nsqd/storage/DiskStorage.ts"
import { Storage } from "../../../../src/services/nsqd/storage/Storage.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { drain, range, recordsOf } from "./queues.ts"

const quiet = Layer.succeed(References.MinimumLogLevel, "None")

const onDisk = DiskStorage.layer.pipe(
  Layer.provideMerge(FaultyDisk.layer),
  Layer.provide(Options.layer({ dataPath: "/data", syncEvery: 1000 })),
  Layer.provideMerge(quiet)
)

const metadata = { topics: [{ name: "t", paused: false, channels: [{ name: "c", paused: true }] }], version: "1.3.0" }

for (const [name, layer] of [["on disk", onDisk], ["in memory", Layer.merge(Storage.layerMemory, quiet)]] as const) {
  describe(`Storage ${name}`, () => {
    it.effect("storage keeps queues and metadata separate and in order while it lives", () =>
      Effect.gen(function*() {
        const storage = yield* Storage
        assert.isUndefined(yield* storage.loadMetadata)
        yield* storage.saveMetadata(() => metadata)
        assert.deepStrictEqual(yield* storage.loadMetadata, metadata)
        yield* Effect.scoped(Effect.gen(function*() {
          const one = yield* storage.openQueue("t")
          const other = yield* storage.openQueue("t:c")
          yield* one.append([recordsOf(range(0, 30))])
          yield* other.append([recordsOf(range(30, 40))])
          assert.deepStrictEqual([one.depth, other.depth], [30, 10])
          const run = yield* one.read(100)
          assert.strictEqual(one.depth, 30 - (run?.count ?? 0))
        }))
        yield* Effect.scoped(Effect.gen(function*() {
          const one = yield* storage.openQueue("t")
          assert.strictEqual(one.depth, 30)
          assert.deepStrictEqual(yield* drain(one), range(0, 30))
          const other = yield* storage.openQueue("t:c")
          yield* other.empty
          assert.strictEqual(other.depth, 0)
          assert.deepStrictEqual(yield* drain(other), [])
        }))
        assert.isUndefined(yield* storage.health)
      }).pipe(Effect.provide(layer)))
  })
}

describe("DiskStorage", () => {
  it.effect("the first failure to open a queue and the recovery are logged", () => {
    const lines: Array<string> = []
    const keeping = Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])
    return Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const storage = yield* Storage
      disk.put("/data/log", "an operator's file")
      yield* Effect.flip(Effect.scoped(storage.openLog("t", "written")))
      yield* Effect.flip(Effect.scoped(storage.openLog("t", "written")))
      yield* (yield* Disk).remove("/data/log")
      yield* Effect.scoped(storage.openLog("t", "written"))
      assert.deepStrictEqual(lines.filter((line) => line.startsWith("DISK")), [
        "DISK: failed to open a queue, publishes to it fail - mkdir /data/log/t: not a directory",
        "DISK: queues can be opened again"
      ])
    }).pipe(
      Effect.provide(
        DiskStorage.layer.pipe(
          Layer.provideMerge(FaultyDisk.layer),
          Layer.provide(Options.layer({ dataPath: "/data" })),
          Layer.provideMerge(keeping)
        )
      )
    )
  })

  it.effect("a file of the name of the logs' directory disturbs durable topics only", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      disk.put("/data/log", "an operator's file")
      const storage = yield* Storage
      assert.isUndefined(yield* storage.loadMetadata)
      yield* Effect.scoped(storage.openQueue("t"))
      const error = yield* Effect.flip(Effect.scoped(storage.openLog("t", "written")))
      assert.match(error.message, /\/data\/log/)
      assert.match((yield* storage.health) ?? "", /\/data\/log/)
    }).pipe(Effect.provide(onDisk)))
})

/** The storage on a disk where writes to the state file of the queue `slow` wait until the latch is open. */
const onDiskWithSlowState = (writing: Latch.Latch) => {
  const disk = Layer.effect(
    Disk,
    Effect.map(Disk, (disk) => ({
      ...disk,
      create: (path) =>
        Effect.map(disk.create(path), (file) =>
          path === "/data/slow.diskqueue.state.dat"
            ? { ...file, write: (bytes, position) => writing.whenOpen(file.write(bytes, position)) }
            : file)
    }))
  )
  return DiskStorage.layer.pipe(
    Layer.provide(disk),
    Layer.provideMerge(FaultyDisk.layer),
    Layer.provide(Options.layer({ dataPath: "/data", syncEvery: 1000 })),
    Layer.provideMerge(quiet)
  )
}

/** The read position in a queue's state file; -1 without a state file. */
const recordedOffset = Effect.fnUntraced(function*(queue: string) {
  const bytes = (yield* FaultyDisk).files().get(`/data/${queue}.diskqueue.state.dat`) ?? Buffer.alloc(0)
  const states = Array.from(
    { length: slotCount },
    (_, i) => decodeSlot(bytes.subarray(i * slotSize, (i + 1) * slotSize))
  )
  const newest = states.reduce((a, b) => (a?.sequence ?? 0) > (b?.sequence ?? 0) ? a : b)
  return newest?.unsettled[0]?.from ?? newest?.read.offset ?? -1
})

describe("Storage on disk", () => {
  it.effect("finished messages of one queue are recorded while a write to another's state file waits", () =>
    Effect.gen(function*() {
      const writing = yield* Latch.make(true)
      yield* Effect.gen(function*() {
        const storage = yield* Storage
        const slow = yield* storage.openQueue("slow")
        const quick = yield* storage.openQueue("quick")
        yield* slow.append([recordsOf(range(0, 3))])
        yield* quick.append([recordsOf(range(0, 3))])
        yield* TestClock.adjust("100 millis")
        yield* writing.close
        for (const finished of [1, 2, 3]) {
          for (const queue of [slow, quick]) (yield* queue.read(38))?.ledger.settle(0, 1)
          yield* TestClock.adjust("100 millis")
          assert.strictEqual(yield* recordedOffset("quick"), finished * 38)
          assert.strictEqual(yield* recordedOffset("slow"), 0)
        }
        yield* writing.open
        yield* TestClock.adjust("100 millis")
        assert.strictEqual(yield* recordedOffset("slow"), 3 * 38)
      }).pipe(Effect.ensuring(writing.open), Effect.scoped, Effect.provide(onDiskWithSlowState(writing)))
    }))

  it.effect("messages below --sync-every are synced within --sync-timeout", () =>
    Effect.gen(function*() {
      const storage = yield* Storage
      const disk = yield* FaultyDisk
      const queue = yield* storage.openQueue("t")
      yield* queue.append([recordsOf([1])])
      assert.strictEqual(disk.files().get("/data/t.diskqueue.meta.dat")?.toString(), "0\n0,0\n0,0\n")
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(disk.files().get("/data/t.diskqueue.meta.dat")?.toString(), "1\n0,0\n0,38\n")
    }).pipe(Effect.scoped, Effect.provide(onDisk)))

  it.effect("health reports why the last write failed, until one succeeds", () =>
    Effect.gen(function*() {
      const storage = yield* Storage
      const disk = yield* FaultyDisk
      const queue = yield* storage.openQueue("t")
      disk.fail((operation) => operation === "write" ? "ENOSPC" : undefined)
      yield* Effect.flip(queue.append([recordsOf([1])]))
      assert.strictEqual(yield* storage.health, "write /data/t.diskqueue.000000.dat: no space left on device")
      disk.fail(undefined)
      yield* queue.append([recordsOf([1])])
      assert.isUndefined(yield* storage.health)
    }).pipe(Effect.scoped, Effect.provide(onDisk)))

  it.effect("health recovers once the disk accepts writes, without another message and without leaving a file", () =>
    Effect.gen(function*() {
      const storage = yield* Storage
      const disk = yield* FaultyDisk
      const queue = yield* storage.openQueue("t")
      yield* queue.append([recordsOf([1])])
      disk.fail((operation, path) => operation === "write" && /\d{6}\.dat$/.test(path) ? "ENOSPC" : undefined)
      yield* Effect.flip(queue.append([recordsOf([2])]))
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* storage.health, "write /data/t.diskqueue.000000.dat: no space left on device")
      disk.fail(undefined)
      yield* TestClock.adjust("2 seconds")
      assert.isUndefined(yield* storage.health)
      assert.isUndefined(disk.files().get("/data/t.diskqueue.000001.dat"))
      yield* queue.append([recordsOf([3])])
      assert.deepStrictEqual(yield* drain(queue), [1, 3])
    }).pipe(Effect.scoped, Effect.provide(onDisk)))

  it.effect("health reports a failing queue until that queue works again, regardless of other queues", () =>
    Effect.gen(function*() {
      const storage = yield* Storage
      const disk = yield* FaultyDisk
      const failing = yield* storage.openQueue("failing")
      const working = yield* storage.openQueue("working")
      disk.fail((operation, path) => operation === "write" && path.includes("failing") ? "ENOSPC" : undefined)
      yield* Effect.flip(failing.append([recordsOf([1])]))
      yield* working.append([recordsOf([1])])
      assert.strictEqual(yield* storage.health, "write /data/failing.diskqueue.000000.dat: no space left on device")
      disk.fail(undefined)
      yield* failing.append([recordsOf([1])])
      assert.isUndefined(yield* storage.health)
    }).pipe(Effect.scoped, Effect.provide(onDisk)))

  it.effect("metadata that cannot be parsed is an error and not treated as missing", () =>
    Effect.gen(function*() {
      ;(yield* FaultyDisk).put("/data/nsqd.dat", "{\"topics\":")
      const error = yield* Effect.flip((yield* Storage).loadMetadata)
      assert.match(error.message, /^failed to parse metadata in \/data\/nsqd.dat - /)
    }).pipe(Effect.provide(onDisk)))

  it.effect("metadata that Go would refuse is left unchanged", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const storage = yield* Storage
      for (const text of ["", "[]", `{"topics":[{"name":"t","paused":"yes"}]}`]) {
        disk.put("/data/nsqd.dat", text)
        yield* Effect.flip(storage.loadMetadata)
        assert.strictEqual(disk.files().get("/data/nsqd.dat")?.toString(), text)
      }
    }).pipe(Effect.provide(onDisk)))
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import type { StoredRun } from "../../../src/services/storage/Storage.ts"
import { type DiskOperation, FaultyDisk } from "../../../src/testing/index.ts"
import { drain, layer, numbersOf, type OpenQueue, openQueue, range, recordsOf } from "./queues.ts"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** What happens to a queue, and to the disk under it. */
const Step = Schema.TaggedUnion({
  Append: { count: between(1, 40) },
  Read: { maxBytes: between(1, 1500) },
  /** Settles the oldest run that was read. */
  Settle: {},
  /** Hands back the whole of the newest run that was read. */
  Unread: {},
  /** The next operations of this kind fail, until told otherwise. */
  Fail: { operation: Schema.Literals(["write", "fsync", "truncate", "rename", "open", "remove"]) },
  Heal: {},
  /** The process is killed: all that was written is there, nothing in memory. */
  Kill: {},
  /** The machine loses power: what was not synced is gone but for some bytes. */
  LosePower: { kept: between(0, 100) },
  Restart: {}
})
type Step = typeof Step.Type

interface World {
  queue: OpenQueue
  next: number
  /** Appended successfully and not settled. */
  readonly owed: Set<number>
  /** Read and not settled. */
  read: Array<StoredRun>
}

const step = Effect.fnUntraced(function*(world: World, step: Step) {
  const disk = yield* FaultyDisk
  const reopen = Effect.gen(function*() {
    world.read = []
    world.queue = yield* openQueue()
  })
  switch (step._tag) {
    case "Append": {
      const numbers = range(world.next, world.next + step.count)
      world.next += step.count
      const exit = yield* Effect.exit(world.queue.append([recordsOf(numbers)]))
      if (Exit.isSuccess(exit)) numbers.forEach((number) => world.owed.add(number))
      return
    }
    case "Read": {
      const run = yield* Effect.catch(world.queue.read(step.maxBytes), () => Effect.undefined)
      if (run !== undefined) world.read.push(run)
      return
    }
    case "Settle": {
      const run = world.read.shift()
      if (run === undefined) return
      numbersOf(run).forEach((number) => world.owed.delete(number))
      world.queue.settle(run, run.count)
      return
    }
    case "Unread": {
      const run = world.read.pop()
      if (run !== undefined) world.queue.unread(run, 0, run.count)
      return
    }
    case "Fail":
      return disk.fail((operation: DiskOperation) => operation === step.operation ? "EIO" : undefined)
    case "Heal":
      return disk.fail(undefined)
    case "Kill":
    case "LosePower":
      // Nothing that the old process still does reaches the disk.
      disk.fail(() => "EIO")
      yield* world.queue.close
      disk.fail(undefined)
      if (step._tag === "LosePower") disk.losePower(step.kept)
      return yield* reopen
    case "Restart":
      yield* world.queue.close
      disk.fail(undefined)
      return yield* reopen
  }
})

const run = Effect.fnUntraced(function*(steps: ReadonlyArray<Step>) {
  const world: World = { queue: yield* openQueue(), next: 0, owed: new Set(), read: [] }
  for (const next of steps) yield* step(world, next)
  yield* step(world, { _tag: "Heal" })
  yield* step(world, { _tag: "Restart" })
  const found = yield* drain(world.queue)
  yield* world.queue.close
  return { found, owed: Array.from(world.owed), appended: world.next }
})

describe("a disk queue whose disk fails and whose process dies", () => {
  it.effect.prop(
    "loses nothing that it took, invents nothing, and keeps the order",
    [Schema.Array(Step)],
    ([steps]) =>
      Effect.gen(function*() {
        const { appended, found, owed } = yield* run(steps)
        const present = new Set(found)
        assert.deepStrictEqual(owed.filter((number) => !present.has(number)), [])
        assert.isTrue(found.every((number) => number >= 0 && number < appended))
        assert.deepStrictEqual([...present], [...present].sort((a, b) => a - b))
      }).pipe(Effect.provide(layer)),
    { timeout: 60_000, arbitrary: { runs: 3000, size: 60 } }
  )

  it.effect("fails an append on a full disk, reads nothing of it later, and goes on when there is room", () =>
    Effect.gen(function*() {
      const queue = yield* openQueue()
      const disk = yield* FaultyDisk
      yield* queue.append([recordsOf(range(0, 3))])
      disk.fail((operation) => operation === "write" ? "ENOSPC" : undefined)
      const error = yield* Effect.flip(queue.append([recordsOf(range(3, 70))]))
      assert.match(error.message, /^write .*: no space left on device$/)
      assert.strictEqual(queue.health()?.code, "ENOSPC")
      assert.strictEqual(queue.depth, 3)
      disk.fail(undefined)
      yield* queue.append([recordsOf(range(70, 75))])
      assert.isUndefined(queue.health())
      assert.deepStrictEqual(yield* drain(queue), [...range(0, 3), ...range(70, 75)])
    }).pipe(Effect.provide(layer)))

  it.effect("adds nothing to a file whose sync failed", () =>
    Effect.gen(function*() {
      const queue = yield* openQueue()
      const disk = yield* FaultyDisk
      yield* queue.append([recordsOf([0])])
      disk.fail((operation) => operation === "fsync" ? "EIO" : undefined)
      yield* Effect.flip(queue.append([recordsOf([1])]))
      disk.fail(undefined)
      yield* queue.append([recordsOf([2])])
      assert.isTrue(disk.files().has("/data/t.diskqueue.000001.dat"))
      assert.deepStrictEqual(yield* drain(queue), [0, 2])
    }).pipe(Effect.provide(layer)))

  it.effect("does not read what a failed write left in a file that cannot be cut", () =>
    Effect.gen(function*() {
      const queue = yield* openQueue()
      const disk = yield* FaultyDisk
      yield* queue.append([recordsOf(range(0, 3))])
      disk.fail((operation) => operation === "write" || operation === "truncate" ? "EIO" : undefined)
      yield* Effect.flip(queue.append([recordsOf(range(3, 8))]))
      disk.fail(undefined)
      yield* queue.append([recordsOf(range(8, 10))])
      assert.deepStrictEqual(yield* drain(queue), [0, 1, 2, 8, 9])
    }).pipe(Effect.provide(layer)))

  it.effect("closes in spite of a failing disk, with a word in the log", () =>
    Effect.gen(function*() {
      const queue = yield* openQueue({ syncEvery: 100 })
      const disk = yield* FaultyDisk
      yield* queue.append([recordsOf(range(0, 3))])
      disk.fail(() => "EIO")
      yield* queue.close
      disk.fail(undefined)
      assert.deepStrictEqual(yield* drain(yield* openQueue()), range(0, 3))
    }).pipe(Effect.provide(layer)))

  it.effect("tries its metadata again after it could not be written", () =>
    Effect.gen(function*() {
      const queue = yield* openQueue()
      const disk = yield* FaultyDisk
      disk.fail((operation) => operation === "rename" ? "ENOSPC" : undefined)
      yield* queue.append([recordsOf(range(0, 3))])
      assert.deepStrictEqual(yield* drain(queue), range(0, 3))
      disk.fail(undefined)
      queue.syncIfDirty()
      yield* queue.append([])
      yield* queue.close
      assert.strictEqual((yield* FaultyDisk).files().get("/data/t.diskqueue.meta.dat")?.toString(), "0\n0,114\n0,114\n")
    }).pipe(Effect.provide(layer)))
})

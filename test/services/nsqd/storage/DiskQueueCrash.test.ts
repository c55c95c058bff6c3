import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Schema } from "effect"
import { DaemonState } from "../../../../src/services/core/DaemonState.ts"
import type { StoredRun } from "../../../../src/services/nsqd/storage/BackendQueue.ts"
import { type DiskOperation, FaultyDisk } from "../../../../src/testing/index.ts"
import { drain, layer, numbersOf, open, type OpenQueue, range, recordsOf, settle } from "./queues.ts"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

/** Operations on a queue, and events of the disk under it. */
const Step = Schema.TaggedUnion({
  Append: { count: between(1, 40) },
  Read: { maxBytes: between(1, 1500) },
  /** Settles a part of one of the unsettled runs, in any order. */
  Settle: { run: between(0, 9), from: between(0, 9), count: between(1, 40) },
  /** The timer that records settled messages. */
  SaveState: {},
  /** The timer that syncs. */
  Sync: {},
  /** Further operations of this kind fail until `Heal`. */
  Fail: {
    operation: Schema.Literals(["write", "fsync", "truncate", "rename", "open", "remove", "read"]),
    code: Schema.Literals(["EIO", "ENOSPC"])
  },
  Heal: {},
  /** The process is killed: everything written stays, memory is lost, and an operation of an append may be done in part. */
  Kill: { writing: between(0, 40), operation: between(1, 6), seed: Schema.Int },
  /**
   * The machine loses power: what is not synced is lost, or survives in part with a seed. The property draws no seeds: parts of
   * several texts of NSQ's metadata, which the format does not show, can make a queue read from a wrong position.
   */
  LosePower: { seed: Schema.Undefined },
  Restart: {}
})
type Step = typeof Step.Type | { readonly _tag: "LosePower"; readonly seed: number }

/**
 * The number of a record whose body is zero: an append that was not acknowledged may survive a power loss with its size but
 * without its bytes, which the format does not show. Messages therefore begin with 1.
 */
const torn = 0

interface Read {
  readonly run: StoredRun
  readonly numbers: ReadonlyArray<number>
}

interface World {
  opened: OpenQueue
  next: number
  /** Appended successfully and not settled. */
  readonly owed: Set<number>
  /** Settled and recorded, so that they must not be redelivered after a kill or a power failure. */
  readonly recorded: Set<number>
  readonly synced: Set<number>
  readonly settled: Set<number>
  /** Read and not completely settled. */
  read: Array<Read>
  /** Finished messages that were wrongly redelivered. */
  readonly repeated: Set<number>
}

const step = Effect.fnUntraced(function*(world: World, step: Step) {
  const disk = yield* FaultyDisk
  const reopen = (known: ReadonlySet<number>) =>
    Effect.gen(function*() {
      world.read = []
      for (const set of [world.settled, world.recorded, world.synced]) {
        for (const number of set) if (!known.has(number)) set.delete(number)
      }
      world.opened = yield* open()
    })
  const works = () => world.opened.health() === undefined
  const { queue } = world.opened
  switch (step._tag) {
    case "Append": {
      const numbers = range(world.next, world.next + step.count)
      world.next += step.count
      const exit = yield* Effect.exit(queue.append([recordsOf(numbers)]))
      if (Exit.isSuccess(exit)) numbers.forEach((number) => world.owed.add(number))
      return
    }
    case "Read": {
      const run = yield* Effect.catch(queue.read(step.maxBytes), () => Effect.undefined)
      if (run === undefined) return
      const numbers = numbersOf(run)
      for (const number of numbers) if (world.settled.has(number)) world.repeated.add(number)
      world.read.push({ run, numbers })
      return
    }
    case "Settle": {
      const read = world.read[step.run % Math.max(1, world.read.length)]
      if (read === undefined) return
      const from = step.from % read.run.count
      const to = Math.min(from + step.count, read.run.count)
      settle(read.run, from, to)
      for (const number of read.numbers.slice(from, to)) {
        if (number === torn) continue
        world.owed.delete(number)
        world.settled.add(number)
      }
      return
    }
    case "SaveState":
      yield* world.opened.saveState
      if (works()) world.settled.forEach((number) => world.recorded.add(number))
      return
    case "Sync":
      yield* world.opened.sync
      if (works()) {
        world.settled.forEach((number) => {
          world.recorded.add(number)
          world.synced.add(number)
        })
      }
      return
    case "Fail":
      return disk.fail((operation: DiskOperation) => operation === step.operation ? step.code : undefined)
    case "Heal":
      return disk.fail(undefined)
    case "Kill":
    case "LosePower": {
      disk.fail(undefined)
      // A half-written slot leaves the one that was synced.
      let known = step._tag === "Kill" ? world.recorded : world.synced
      if (step._tag === "Kill" && step.writing > 0) {
        const numbers = range(world.next, world.next + step.writing)
        world.next += step.writing
        disk.crashAt(step.operation, step.seed)
        const exit = yield* Effect.exit(queue.append([recordsOf(numbers)]))
        if (Exit.isSuccess(exit)) numbers.forEach((number) => world.owed.add(number))
        if (disk.isCrashed()) known = world.synced
      }
      // Nothing that the old process does after this reaches the disk.
      disk.crashAt(0)
      yield* world.opened.close
      disk.kill()
      if (step._tag === "Kill") return yield* reopen(known)
      disk.losePower(step.seed)
      return yield* reopen(known)
    }
    case "Restart":
      disk.fail(undefined)
      yield* world.opened.close
      for (const number of world.settled) {
        world.recorded.add(number)
        world.synced.add(number)
      }
      return yield* reopen(world.settled)
  }
})

const run = Effect.fnUntraced(function*(steps: ReadonlyArray<Step>) {
  const world: World = {
    opened: yield* open(),
    next: 1,
    owed: new Set(),
    recorded: new Set(),
    synced: new Set(),
    settled: new Set(),
    read: [],
    repeated: new Set()
  }
  for (const next of steps) {
    yield* step(world, next)
    if (world.opened.health() === undefined) continue
    // A half-written slot leaves the one that was synced.
    for (const number of world.recorded) if (!world.synced.has(number)) world.recorded.delete(number)
  }
  yield* step(world, { _tag: "Restart" })
  const found = (yield* drain(world.opened.queue)).filter((number) => number !== torn)
  yield* world.opened.close
  return { found, world }
})

describe("a disk queue whose disk fails and whose process dies", () => {
  it.effect.prop(
    "a disk queue loses, invents and reorders no accepted message, and does not repeat those recorded as finished",
    [Schema.Array(Step)],
    ([steps]) =>
      Effect.gen(function*() {
        const { found, world } = yield* run(steps)
        const present = new Set(found)
        assert.deepStrictEqual([...world.owed].filter((number) => !present.has(number)), [])
        assert.isTrue(found.every((number) => number > 0 && number < world.next))
        assert.deepStrictEqual([...present], [...present].sort((a, b) => a - b))
        assert.deepStrictEqual(found.filter((number) => world.settled.has(number)), [])
        assert.deepStrictEqual([...world.repeated], [])
      }).pipe(Effect.provide(layer)),
    { timeout: 480_000, arbitrary: { runs: 3000, size: 60 } }
  )

  it.effect("a failed append does not make finished messages come back after a loss of power", () =>
    Effect.gen(function*() {
      const { found, world } = yield* run([
        { _tag: "Append", count: 6 },
        { _tag: "Read", maxBytes: 160 },
        { _tag: "Settle", run: 5, from: 5, count: 38 },
        { _tag: "Restart" },
        { _tag: "LosePower", seed: undefined },
        { _tag: "Fail", operation: "write", code: "ENOSPC" },
        { _tag: "Append", count: 5 },
        { _tag: "SaveState" },
        { _tag: "Sync" },
        { _tag: "Heal" },
        { _tag: "Restart" },
        { _tag: "Sync" },
        { _tag: "Kill", writing: 20, operation: 1, seed: 1 },
        { _tag: "SaveState" },
        { _tag: "Read", maxBytes: 539 },
        { _tag: "Sync" },
        { _tag: "LosePower", seed: undefined }
      ])
      assert.isAbove(world.settled.size, 0)
      assert.deepStrictEqual(found.filter((number) => world.settled.has(number)), [])
    }).pipe(Effect.provide(layer)))

  it.effect("an append on a full disk fails, none of it is read later, and appends succeed again once there is space", () =>
    Effect.gen(function*() {
      const { health, queue } = yield* open()
      const disk = yield* FaultyDisk
      yield* queue.append([recordsOf(range(0, 3))])
      disk.fail((operation, path) => operation === "write" && path.endsWith("0.dat") ? "ENOSPC" : undefined)
      const error = yield* Effect.flip(queue.append([recordsOf(range(3, 70))]))
      assert.match(error.message, /^write .*: no space left on device$/)
      assert.strictEqual(health()?.code, "ENOSPC")
      assert.strictEqual(queue.depth, 3)
      disk.fail(undefined)
      yield* queue.append([recordsOf(range(70, 75))])
      assert.isUndefined(health())
      assert.deepStrictEqual(yield* drain(queue), [...range(0, 3), ...range(70, 75)])
    }).pipe(Effect.provide(layer)))

  it.effect("a file whose sync failed gets no more records", () =>
    Effect.gen(function*() {
      const { queue } = yield* open()
      const disk = yield* FaultyDisk
      yield* queue.append([recordsOf([0])])
      disk.fail((operation) => operation === "fsync" ? "EIO" : undefined)
      yield* Effect.flip(queue.append([recordsOf([1])]))
      disk.fail(undefined)
      yield* queue.append([recordsOf([2])])
      assert.isTrue(disk.files().has("/data/t.diskqueue.000001.dat"))
      assert.deepStrictEqual(yield* drain(queue), [0, 2])
    }).pipe(Effect.provide(layer)))

  it.effect("the rest of a failed write is not read even if it cannot be cut off", () =>
    Effect.gen(function*() {
      const { queue } = yield* open()
      const disk = yield* FaultyDisk
      yield* queue.append([recordsOf(range(0, 3))])
      disk.fail((operation) => operation === "write" || operation === "truncate" ? "EIO" : undefined)
      yield* Effect.flip(queue.append([recordsOf(range(3, 8))]))
      disk.fail(undefined)
      yield* queue.append([recordsOf(range(8, 10))])
      assert.deepStrictEqual(yield* drain(queue), [0, 1, 2, 8, 9])
    }).pipe(Effect.provide(layer)))

  it.effect("a disk queue closes although the disk fails, and logs it", () =>
    Effect.gen(function*() {
      const { close, queue } = yield* open({ syncEvery: 100 })
      const disk = yield* FaultyDisk
      yield* queue.append([recordsOf(range(0, 3))])
      disk.fail(() => "EIO")
      yield* close
      disk.fail(undefined)
      assert.deepStrictEqual(yield* drain((yield* open()).queue), range(0, 3))
    }).pipe(Effect.provide(layer)))

  it.effect("recording the state is retried after a failure", () =>
    Effect.gen(function*() {
      const { close, health, queue, sync } = yield* open()
      const disk = yield* FaultyDisk
      disk.fail((operation, path) => operation === "write" && /(meta|state)/.test(path) ? "ENOSPC" : undefined)
      yield* queue.append([recordsOf(range(0, 3))])
      assert.deepStrictEqual(yield* drain(queue), range(0, 3))
      yield* sync
      assert.strictEqual(health()?.code, "ENOSPC")
      disk.fail(undefined)
      yield* sync
      assert.isUndefined(health())
      yield* close
      assert.strictEqual((yield* FaultyDisk).files().get("/data/t.diskqueue.meta.dat")?.toString(), "0\n0,114\n0,114\n")
    }).pipe(Effect.provide(layer)))

  it.effect("a second kill after the incomplete end of a file was reached loses nothing", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      disk.put("/data/t.diskqueue.000000.dat", Buffer.concat([recordsOf(range(0, 20)).bytes, Buffer.alloc(20, 1)]))
      disk.put("/data/t.diskqueue.meta.dat", "0\n0,0\n0,0\n")
      const first = yield* open()
      yield* first.queue.append([recordsOf(range(20, 25))])
      for (let run = yield* first.queue.read(300); run !== undefined; run = yield* first.queue.read(300)) settle(run, 1)
      disk.fail(() => "EROFS")
      yield* first.close
      disk.fail(undefined)
      const { queue } = yield* open()
      assert.deepStrictEqual(yield* drain(queue), range(0, 25))
    }).pipe(Effect.provide(layer)))

  it.effect("a damaged file is renamed only after all messages read from it are settled", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      disk.put("/data/t.diskqueue.000000.dat", Buffer.concat([recordsOf(range(0, 3)).bytes, Buffer.alloc(100)]))
      disk.put("/data/t.diskqueue.000001.dat", recordsOf(range(3, 5)).bytes)
      disk.put("/data/t.diskqueue.meta.dat", "5\n0,0\n1,76\n")
      const { close, queue, sync } = yield* open()
      const first = (yield* queue.read(300))!
      assert.deepStrictEqual(numbersOf(first), [0, 1, 2])
      const second = (yield* queue.read(300))!
      assert.deepStrictEqual(numbersOf(second), [3, 4])
      settle(second)
      settle(first, 0, 2)
      yield* sync
      assert.isTrue(disk.files().has("/data/t.diskqueue.000000.dat"))
      settle(first, 2)
      yield* sync
      assert.isFalse(disk.files().has("/data/t.diskqueue.000000.dat"))
      assert.isTrue(disk.files().has("/data/t.diskqueue.000000.dat.bad"))
      yield* close
    }).pipe(Effect.provide(layer)))

  it.effect("finished files are removed while the disk refuses writes, and writing then resumes", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const { close, health, queue, saveState } = yield* open()
      yield* queue.append([recordsOf(range(0, 100))])
      const size = () =>
        Array.from(disk.files()).reduce((sum, [path, content]) => sum + (/\d\.dat$/.test(path) ? content.length : 0), 0)
      // No space beyond the existing files; the state file has its space already.
      const full = size()
      disk.fail((operation, path) =>
        operation === "write" && (size() >= full || !/\d\.dat$/.test(path)) ? "ENOSPC" : undefined
      )
      yield* Effect.flip(queue.append([recordsOf([100])]))
      assert.strictEqual(health()?.code, "ENOSPC")
      assert.deepStrictEqual(yield* drain(queue), range(0, 100))
      yield* saveState
      assert.strictEqual(size(), 0)
      yield* queue.append([recordsOf([101])])
      disk.fail(undefined)
      yield* close
      assert.deepStrictEqual(yield* drain((yield* open()).queue), [101])
    }).pipe(Effect.provide(layer)))

  it.effect("everything is delivered from a directory whose metadata counts too few messages", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      disk.put("/data/t.diskqueue.000000.dat", recordsOf(range(0, 20)).bytes)
      disk.put("/data/t.diskqueue.meta.dat", `0\n0,0\n0,${20 * 38}\n`)
      const { queue } = yield* open()
      assert.isTrue(queue.hasMore)
      assert.isAbove(queue.depth, 0)
      assert.deepStrictEqual(yield* drain(queue), range(0, 20))
      assert.isFalse(queue.hasMore)
      assert.strictEqual(queue.depth, 0)
    }).pipe(Effect.provide(layer)))

  for (const code of ["EIO", "EACCES", "EMFILE"]) {
    it.effect(`a data file that cannot be read (${code}) is reported, and reading continues when it can`, () =>
      Effect.gen(function*() {
        const disk = yield* FaultyDisk
        const { health, queue } = yield* open()
        yield* queue.append([recordsOf(range(0, 5))])
        disk.fail((operation) => operation === "open" || operation === "read" ? code : undefined)
        yield* Effect.flip(queue.read(300))
        assert.strictEqual(health()?.code, code)
        yield* Effect.flip(queue.read(300))
        assert.isTrue(queue.hasMore)
        disk.fail(undefined)
        assert.deepStrictEqual(yield* drain(queue), range(0, 5))
        assert.isUndefined(health())
      }).pipe(Effect.provide(layer)))
  }

  it.effect("a queue whose files cannot be read can be emptied and deleted", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const { queue } = yield* open()
      yield* queue.append([recordsOf(range(0, 5))])
      disk.fail((operation, path) =>
        /\d\.dat$/.test(path) && (operation === "open" || operation === "read") ? "EACCES" : undefined
      )
      yield* Effect.flip(queue.read(300))
      yield* queue.empty
      assert.isFalse(queue.hasMore)
      yield* queue.delete
      assert.deepStrictEqual(Array.from(disk.files().keys()), [])
    }).pipe(Effect.provide(layer)))

  it.effect("NSQ's metadata takes precedence if NSQ has used the queue since", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const first = yield* open()
      yield* first.queue.append([recordsOf(range(0, 10))])
      settle((yield* first.queue.read(38 * 4))!, 1, 3)
      yield* first.close
      disk.put("/data/t.diskqueue.meta.dat", `5\n0,${5 * 38}\n0,${10 * 38}\n`)
      const { queue } = yield* open()
      assert.deepStrictEqual(yield* drain(queue), range(5, 10))
    }).pipe(Effect.provide(layer)))

  it.effect("the daemon exits with 1 if a queue's state cannot be written at shutdown", () =>
    Effect.gen(function*() {
      const daemon = DaemonState.make()
      const disk = yield* FaultyDisk
      const { close, queue } = yield* open({ syncEvery: 100 })
      yield* queue.append([recordsOf([0])])
      disk.fail(() => "EIO")
      yield* Effect.provideService(close, DaemonState, daemon)
      assert.isTrue(daemon.hasLost)
    }).pipe(Effect.provide(layer)))

  it.effect("a crash in the middle of writing NSQ's metadata loses no accepted message", () =>
    Effect.gen(function*() {
      const { found } = yield* run([
        { _tag: "Kill", writing: 1, operation: 5, seed: 0 },
        { _tag: "Append", count: 3 },
        // Leaves the write position 0,1 of 0,114: the start of the new text over the old one.
        { _tag: "Kill", writing: 7, operation: 6, seed: -116 }
      ])
      assert.deepStrictEqual(found, range(2, 5))
    }).pipe(Effect.provide(layer)))

  it.effect("a loss of power that keeps the bytes of NSQ's metadata, but not its size, loses no accepted message", () =>
    Effect.gen(function*() {
      const { found } = yield* run([
        { _tag: "Append", count: 27 },
        { _tag: "Kill", writing: 1, operation: 5, seed: 0 },
        { _tag: "Restart" },
        { _tag: "LosePower", seed: -565 },
        { _tag: "Kill", writing: 32, operation: 2, seed: 9 }
      ])
      for (const number of range(1, 28)) assert.include(found, number)
    }).pipe(Effect.provide(layer)))
})

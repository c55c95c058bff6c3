import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Disk, type DiskError, type DiskFile } from "../../../../src/services/nsqd/disk/Disk.ts"
import * as FilePool from "../../../../src/services/nsqd/disk/FilePool.ts"
import { DiskQueue } from "../../../../src/services/nsqd/storage/DiskQueue.ts"
import type { QueueHost } from "../../../../src/services/nsqd/storage/QueueHost.ts"
import { empty } from "../../../../src/services/nsqd/storage/QueueInventory.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { drain, layer, options, range, recordsOf } from "../storage/queues.ts"

/** The disk of the environment, with its open descriptors counted; every operation takes a while. */
const counted = Effect.map(Disk, (disk) => {
  let now = 0
  let most = 0
  const slowly = <A>(effect: Effect.Effect<A, DiskError>) => Effect.andThen(Effect.yieldNow, effect)
  const count = (open: Effect.Effect<DiskFile, DiskError>): Effect.Effect<DiskFile, DiskError> =>
    Effect.map(slowly(open), (file) => {
      most = Math.max(most, ++now)
      return {
        read: (buffer, position) => slowly(file.read(buffer, position)),
        write: (buffers, position) => slowly(file.write(buffers, position)),
        sync: slowly(file.sync),
        truncate: file.truncate,
        size: slowly(file.size),
        close: Effect.andThen(Effect.yieldNow, Effect.andThen(file.close, Effect.sync(() => void now--)))
      }
    })
  return {
    now: () => now,
    most: () => most,
    disk: Disk.of({
      ...disk,
      open: (path) => count(disk.open(path)),
      create: (path) => count(disk.create(path)),
      openExisting: (path) => count(disk.openExisting(path))
    })
  }
})

/** Advances the clock and runs what waits for it. */
const passing = Effect.andThen(TestClock.adjust("1 second"), Effect.yieldNow)

const text = Effect.fnUntraced(function*(file: DiskFile) {
  const buffer = Buffer.alloc(100)
  return buffer.subarray(0, yield* file.read(buffer, 0)).toString()
})
const write = (file: DiskFile, content: string) => file.write([Buffer.from(content)], 0)

describe("a pool of open files", () => {
  it.effect("a pool keeps its limit however many handles are used at once, and every handle uses its own file", () =>
    Effect.gen(function*() {
      const { disk, most, now } = yield* counted
      const pool = FilePool.make(disk, 5)
      const files = yield* Effect.forEach(range(0, 40), (i) => pool.create(`/data/${i}`), { concurrency: 20 })
      const all = <A>(run: (file: DiskFile, i: number) => Effect.Effect<A, DiskError>) =>
        Effect.forEach(files, run, { concurrency: "unbounded" })
      yield* all((file, i) => write(file, `file ${i}`))
      yield* all((file) => file.sync)
      assert.deepStrictEqual(yield* all(text), range(0, 40).map((i) => `file ${i}`))
      yield* Effect.forEach(range(0, 30), () => pool.writeText("/data/text", "text"), { concurrency: "unbounded" })
      assert.strictEqual(most(), 5)
      yield* all((file) => file.close)
      assert.strictEqual(now(), 0)
    }).pipe(Effect.provide(layer)))

  it.effect("a pool closes the file that was unused longest", () =>
    Effect.gen(function*() {
      const opened: Array<string> = []
      const faulty = yield* FaultyDisk
      const pool = FilePool.make(yield* Disk, 2)
      const [a, b] = yield* Effect.all([pool.create("/data/a"), pool.create("/data/b")])
      yield* write(a, "a")
      faulty.fail((operation, path) => {
        if (operation === "open") opened.push(path)
        return undefined
      })
      const c = yield* pool.create("/data/c")
      yield* text(a)
      yield* text(c)
      yield* text(b)
      assert.deepStrictEqual(opened, ["/data/c", "/data/b"])
    }).pipe(Effect.provide(layer)))

  it.effect("a pool waits while no file can be opened, and closes idle files", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      const { disk, now } = yield* counted
      const pool = FilePool.make(disk, 100)
      const files = yield* Effect.forEach(range(0, 10), (i) => pool.create(`/data/${i}`))
      yield* Effect.forEach(files, (file, i) => write(file, `${i}`))
      for (const code of ["EMFILE", "ENFILE"]) {
        const attempted: Array<string> = []
        // As on a system where another process holds all remaining descriptors.
        faulty.fail((operation, path) => operation === "open" && attempted.push(path) <= 12 ? code : undefined)
        const opening = yield* Effect.forkChild(pool.create("/data/new"))
        while (attempted.length < 12) {
          assert.isUndefined(opening.pollUnsafe())
          yield* passing
        }
        assert.strictEqual(now(), 0)
        while (opening.pollUnsafe() === undefined) yield* passing
        yield* write(yield* Fiber.join(opening), code)
        assert.strictEqual(faulty.files().get("/data/new")?.toString(), code)
        assert.deepStrictEqual(yield* Effect.forEach(files, text), range(0, 10).map(String))
      }
    }).pipe(Effect.provide(layer)))

  it.effect("other failures are passed on and release their place in the pool", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      const pool = FilePool.make(yield* Disk, 1)
      faulty.fail((operation) => operation === "open" || operation === "rename" ? "EACCES" : undefined)
      for (let i = 0; i < 3; i++) {
        assert.strictEqual((yield* Effect.flip(pool.create("/data/a"))).code, "EACCES")
        assert.strictEqual((yield* Effect.flip(pool.writeText("/data/a", ""))).code, "EACCES")
      }
      faulty.fail(undefined)
      const file = yield* pool.create("/data/a")
      faulty.fail((operation) => operation === "write" ? "EIO" : undefined)
      assert.strictEqual((yield* Effect.flip(write(file, "x"))).code, "EIO")
      faulty.fail(undefined)
      yield* write(yield* pool.create("/data/b"), "b")
      yield* write(file, "a")
    }).pipe(Effect.provide(layer)))

  it.effect("a removed file is closed at once and never recreated", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      const { disk, now } = yield* counted
      const pool = FilePool.make(disk, 2)
      const a = yield* pool.create("/data/a")
      const b = yield* pool.create("/data/b")
      const c = yield* pool.create("/data/c")
      yield* write(c, "c")
      const reading = yield* Effect.forkChild(text(c), { startImmediately: true })
      yield* Effect.forEach(["a", "b", "c"], (name) => pool.remove(`/data/${name}`))
      assert.strictEqual(yield* Fiber.join(reading), "c")
      assert.strictEqual(now(), 0)
      for (const file of [a, b, c]) assert.strictEqual((yield* Effect.flip(write(file, "again"))).code, "ENOENT")
      assert.strictEqual(faulty.files().size, 0)
      yield* a.close
      assert.strictEqual((yield* Effect.flip(text(a))).code, "EBADF")
      const again = yield* pool.create("/data/a")
      yield* write(again, "new")
      assert.strictEqual(yield* text(again), "new")
    }).pipe(Effect.provide(layer)))

  it.effect("a file that another process removed is not recreated", () =>
    Effect.gen(function*() {
      const disk = yield* Disk
      const pool = FilePool.make(disk, 1)
      const a = yield* pool.create("/data/a")
      yield* pool.create("/data/b")
      yield* disk.remove("/data/a")
      assert.strictEqual((yield* Effect.flip(write(a, "again"))).code, "ENOENT")
    }).pipe(Effect.provide(layer)))

  it.effect("a handle follows its file through a rename, and not the file that takes its place", () =>
    Effect.gen(function*() {
      const pool = FilePool.make(yield* Disk, 1)
      const a = yield* pool.create("/data/a")
      yield* write(a, "old")
      const b = yield* pool.create("/data/b")
      yield* write(b, "new")
      yield* pool.rename("/data/a", "/data/a.bad")
      yield* pool.rename("/data/b", "/data/a")
      assert.strictEqual(yield* text(a), "old")
      assert.strictEqual(yield* text(b), "new")
    }).pipe(Effect.provide(layer)))

  const Step = Schema.TaggedUnion({
    Append: { queue: Schema.Int, count: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 20 })) },
    Read: { queue: Schema.Int },
    Exhausted: { opens: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 })) }
  })

  it.effect.prop(
    "no queue fails because of scarce descriptors",
    [Schema.Array(Step)],
    ([steps]) =>
      Effect.gen(function*() {
        const faulty = yield* FaultyDisk
        const { disk, most } = yield* counted
        const pool = FilePool.make(disk, 2)
        let failing = 0
        faulty.fail((operation) =>
          (operation === "open" || operation === "rename") && failing-- > 0 ? "EMFILE" : undefined
        )
        const fork = Effect.runForkWith(yield* Effect.context<never>())
        const host: QueueHost = {
          note: () => {},
          changed: () => {},
          closed: () => {},
          isFull: () => false,
          fork: (work) => void fork(work)
        }
        const queues = yield* Effect.forEach(
          range(0, 4),
          (i) => DiskQueue.open(`t${i}`, pool, options, empty, host)
        )
        const owed = queues.map((): Array<number> => [])
        let next = 0
        for (const step of steps) {
          if (step._tag === "Exhausted") {
            failing = step.opens
            continue
          }
          const at = Math.abs(step.queue) % queues.length
          const queue = queues[at]!
          if (step._tag === "Append") {
            const numbers = range(next, next += step.count)
            yield* queue.append([recordsOf(numbers)])
            owed[at]?.push(...numbers)
          } else {
            assert.deepStrictEqual(yield* drain(queue), owed[at])
            owed[at] = []
          }
        }
        for (const [at, queue] of queues.entries()) assert.deepStrictEqual(yield* drain(queue), owed[at])
        assert.isAtMost(most(), 2)
      }).pipe(Effect.scoped, TestClock.withLive, Effect.provide(layer)),
    { arbitrary: { runs: 50 } }
  )
})

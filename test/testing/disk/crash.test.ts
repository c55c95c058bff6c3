import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Schema } from "effect"
import { Disk, type DiskError, type DiskFile } from "../../../src/services/nsqd/disk/Disk.ts"
import { FaultyDisk } from "../../../src/testing/index.ts"

const path = "/data/file"

const write = (file: DiskFile, text: string, position: number) => file.write([Buffer.from(text)], position)

const contentOf = (disk: FaultyDisk["Service"], name = path): string | undefined => disk.files().get(name)?.toString()

/** A program that uses most operations: an append-only file whose size is recorded in a text file. */
const program = Effect.gen(function*() {
  const fs = yield* Disk
  yield* fs.makeDirectory("/data/log")
  yield* fs.syncDirectory("/data")
  const file = yield* fs.create("/data/log/records")
  yield* Effect.addFinalizer(() => Effect.andThen(Effect.ignore(file.sync), file.close))
  yield* fs.syncDirectory("/data/log")
  let size = Number((yield* fs.readText("/data/log/size")) ?? 0)
  yield* file.truncate(size)
  for (let number = 0; number < 5; number++) {
    yield* write(file, `record ${number};`, size)
    yield* file.sync
    size += 9
    yield* fs.writeText("/data/log/size", String(size))
    yield* fs.syncDirectory("/data/log")
  }
})

describe("a crash at an operation", () => {
  it.effect("the operation and all later ones fail with ECRASHED, also after they were closed, until the machine starts", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const fs = yield* Disk
      const file = yield* fs.create(path)
      disk.crashAt(2)
      yield* write(file, "abc", 0)
      assert.isFalse(disk.isCrashed())
      const crashed = yield* Effect.forkChild(disk.crashed, { startImmediately: true })
      assert.strictEqual(
        (yield* Effect.flip(write(file, "def", 3))).message,
        `write ${path}: the machine has stopped`
      )
      assert.isTrue(disk.isCrashed())
      yield* Fiber.join(crashed)
      const operations: ReadonlyArray<Effect.Effect<unknown, DiskError>> = [
        fs.create("/data/other"),
        fs.open(path),
        write(file, "def", 3),
        file.sync,
        file.truncate(0),
        file.size,
        fs.remove(path),
        fs.rename(path, "/data/other"),
        fs.writeText(path, "text"),
        fs.readText(path),
        fs.list("/data"),
        fs.space("/data"),
        fs.makeDirectory("/data/log"),
        fs.syncDirectory("/data"),
        Effect.suspend(() => Effect.fromResult(fs.readStart(path, 0)))
      ]
      for (const operation of operations) assert.strictEqual((yield* Effect.flip(operation)).code, "ECRASHED")
      yield* file.close
      assert.deepStrictEqual([...disk.files()].map(([name, content]) => [name, content.toString()]), [[path, "abc"]])
      disk.kill()
      assert.strictEqual(yield* fs.readText(path), "abc")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a crash at operation 0 stops the machine at once", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      disk.crashAt(0)
      yield* disk.crashed
      assert.strictEqual((yield* Effect.flip(Disk.use(({ create }) => create(path)))).code, "ECRASHED")
      assert.strictEqual(disk.files().size, 0)
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("after a kill everything written is there, and what was not synced may still be lost with the power", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const fs = yield* Disk
      const file = yield* fs.create(path)
      yield* fs.syncDirectory("/data")
      yield* write(file, "abc", 0)
      yield* fs.create("/data/other")
      disk.kill()
      assert.deepStrictEqual([...disk.files().keys()], [path, "/data/other"])
      assert.strictEqual(contentOf(disk), "abc")
      disk.losePower()
      assert.deepStrictEqual([...disk.files().keys()], [path])
      assert.strictEqual(contentOf(disk), "")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("files that were open before a kill cannot change the disk of the next process", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const file = yield* Disk.use(({ create }) => create(path))
      disk.kill()
      assert.strictEqual(disk.openFiles(), 0)
      const operations: ReadonlyArray<Effect.Effect<unknown, DiskError>> = [
        write(file, "abc", 0),
        file.sync,
        file.truncate(0),
        file.size
      ]
      for (const operation of operations) assert.strictEqual((yield* Effect.flip(operation)).code, "ECRASHED")
      yield* file.close
      assert.strictEqual(disk.openFiles(), 0)
      assert.strictEqual(contentOf(disk), "")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a write in progress is cut at any byte, also a durable one, and nothing of it is required to survive", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const fs = yield* Disk
      const found = new Set<string>()
      for (let seed = 0; seed < 200; seed++) {
        disk.put(path, "---")
        const open = seed % 2 === 0 ? fs.openExisting : fs.openDurable
        const file = yield* open(path)
        disk.crashAt(1, seed)
        assert.strictEqual((yield* Effect.flip(write(file, "abc", 0))).code, "ECRASHED")
        disk.kill()
        found.add(contentOf(disk) ?? "")
        disk.losePower()
        assert.strictEqual(contentOf(disk), "---")
      }
      assert.deepStrictEqual([...found].sort(), ["---", "a--", "ab-", "abc"])
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("another operation in progress takes effect or not, as the seed decides", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const found = new Set<boolean>()
      for (let seed = 0; seed < 20; seed++) {
        disk.put(path, "")
        disk.crashAt(1, seed)
        yield* Effect.flip(Disk.use(({ remove }) => remove(path)))
        disk.kill()
        found.add(disk.files().has(path))
      }
      assert.deepStrictEqual(found.size, 2)
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a crash while a text is replaced leaves the old or the new one, and maybe a temporary file", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const fs = yield* Disk
      for (let operation = 1; operation <= 4; operation++) {
        disk.put(path, "old")
        disk.crashAt(operation)
        yield* Effect.flip(fs.writeText(path, "new"))
        assert.strictEqual(contentOf(disk), "old")
        disk.kill()
        assert.strictEqual((yield* fs.list("/data")).length, operation)
      }
      disk.crashAt(5)
      yield* fs.writeText(path, "new")
      assert.strictEqual(contentOf(disk), "new")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a sync that is held when the machine stops fails, so that its program can be closed", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const file = yield* Disk.use(({ create }) => create(path))
      yield* Effect.asVoid(disk.holdSyncs)
      const syncing = yield* Effect.forkChild(Effect.flip(file.sync), { startImmediately: true })
      disk.crashAt(0)
      assert.strictEqual((yield* Fiber.join(syncing)).code, "ECRASHED")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a program that crashes at any of its operations leaves every record that it has counted, and can continue", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const fs = yield* Disk
      const before = disk.operations()
      yield* Effect.scoped(program)
      const operations = disk.operations() - before
      assert.isAbove(operations, 35)
      for (let operation = 1; operation <= operations; operation++) {
        for (const seed of [undefined, operation, -operation]) {
          disk.crashAt(operation, seed)
          assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.scoped(program))) || disk.isCrashed())
          disk.losePower(seed)
          const size = Number((yield* fs.readText("/data/log/size")) ?? 0)
          const records = (yield* fs.readText("/data/log/records")) ?? ""
          assert.match(records.slice(0, size), /^(record \d;)*$/)
          assert.isAtLeast(records.length, size)
        }
      }
      yield* Effect.scoped(program)
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect.prop(
    "the same operations with the same seeds leave the same disk",
    [Schema.Int, Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 45 }))],
    ([seed, operation]) =>
      Effect.gen(function*() {
        const run = Effect.gen(function*() {
          const disk = yield* FaultyDisk
          disk.crashAt(operation, seed)
          yield* Effect.exit(Effect.scoped(program))
          disk.losePower(seed)
          return disk.files()
        }).pipe(Effect.provide(FaultyDisk.layer, { local: true }))
        assert.deepStrictEqual(yield* run, yield* run)
      })
  )
})

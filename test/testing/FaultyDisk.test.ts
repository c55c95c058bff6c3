import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Result } from "effect"
import { Disk, type DiskFile } from "../../src/services/nsqd/disk/Disk.ts"
import { type DiskOperation, FaultyDisk } from "../../src/testing/index.ts"

const path = "/data/file"

/** Reads up to 100 bytes. */
const readFrom = Effect.fnUntraced(function*(file: DiskFile, position: number) {
  const buffer = Buffer.alloc(100)
  return buffer.subarray(0, yield* file.read(buffer, position)).toString()
})

const write = (file: DiskFile, text: string, position: number) => file.write([Buffer.from(text)], position)

const contentOf = (disk: FaultyDisk["Service"], name = path): string | undefined => disk.files().get(name)?.toString()

describe("FaultyDisk", () => {
  it.effect("a disk without faults returns what was written, at any position", () =>
    Effect.gen(function*() {
      const { create, open } = yield* Disk
      const file = yield* create(path)
      yield* file.write([Buffer.from("he"), Buffer.from("llo")], 0)
      yield* write(file, "p!", 3)
      assert.strictEqual(yield* readFrom(yield* open(path), 0), "help!")
      assert.strictEqual(yield* file.size, 5)
      yield* file.truncate(2)
      assert.strictEqual(yield* readFrom(file, 0), "he")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a read at or behind the end of a file returns no bytes, as on a real disk", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      disk.put(path, "abc")
      const file = yield* Disk.use(({ open }) => open(path))
      assert.deepStrictEqual([yield* readFrom(file, 2), yield* readFrom(file, 3), yield* readFrom(file, 9)], [
        "c",
        "",
        ""
      ])
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("each operation fails with the code of its fault, names its path, and succeeds once the fault ends", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const fs = yield* Disk
      disk.put(path, "text")
      const file = yield* fs.openExisting(path)
      const operations: ReadonlyArray<
        readonly [DiskOperation, string, Effect.Effect<unknown, { readonly message: string }>]
      > = [
        ["open", path, fs.open(path)],
        ["open", path, fs.openExisting(path)],
        ["open", path, fs.create(path)],
        ["read", path, readFrom(file, 0)],
        ["read", path, fs.readText(path)],
        ["read", path, Effect.suspend(() => Effect.fromResult(fs.readStart(path, 4)))],
        ["write", path, write(file, "more", 0)],
        ["fsync", path, file.sync],
        ["truncate", path, file.truncate(4)],
        ["rename", path, fs.writeText(path, "text")],
        ["rename", path, fs.rename(path, path)],
        ["list", "/data", fs.list("/data")],
        ["statfs", "/data", fs.space("/data")],
        ["fsync", "/data", fs.syncDirectory("/data")],
        ["remove", path, fs.remove(path)]
      ]
      for (const [operation, where, run] of operations) {
        disk.fail((each) => each === operation ? "EIO" : undefined)
        assert.strictEqual((yield* Effect.flip(run)).message, `${operation} ${where}: input/output error`)
        disk.fail(undefined)
        yield* run
      }
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a fault may depend on the path, and other files stay usable", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const { create } = yield* Disk
      disk.fail((_, at) => at.endsWith("bad") ? "EACCES" : undefined)
      yield* create("/data/good")
      const error = yield* Effect.flip(create("/data/bad"))
      assert.deepStrictEqual([error.code, error.message], ["EACCES", "open /data/bad: permission denied"])
      assert.deepStrictEqual([...disk.files().keys()], ["/data/good"])
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a file that does not exist cannot be opened or renamed, and has no content", () =>
    Effect.gen(function*() {
      const fs = yield* Disk
      for (const run of [fs.open(path), fs.openExisting(path), fs.rename(path, "/data/other")]) {
        assert.strictEqual((yield* Effect.flip(Effect.asVoid(run))).code, "ENOENT")
      }
      assert.isUndefined(yield* fs.readText(path))
      assert.deepStrictEqual(fs.readStart(path, 10), Result.succeed(undefined))
      yield* fs.remove(path)
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a failed write leaves half of its bytes behind, or none on a read-only file system", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const file = yield* Disk.use(({ create }) => create(path))
      disk.fail(() => "EIO")
      yield* Effect.flip(write(file, "abcdef", 0))
      assert.strictEqual(contentOf(disk), "abc")
      disk.fail(() => "EROFS")
      yield* Effect.flip(write(file, "ghijkl", 3))
      disk.resize(4)
      yield* Effect.flip(write(file, "ghijkl", 3))
      assert.strictEqual(contentOf(disk), "abc")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a full disk takes the bytes that fit, and accepts writes that do not grow a file", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const fs = yield* Disk
      disk.put("/data/other", "12345")
      disk.resize(8)
      assert.deepStrictEqual(yield* fs.space("/data"), { free: 3, total: 8 })
      const file = yield* fs.create(path)
      const error = yield* Effect.flip(write(file, "abcdef", 0))
      assert.strictEqual(error.message, `write ${path}: no space left on device`)
      assert.strictEqual(contentOf(disk), "abc")
      assert.deepStrictEqual(yield* fs.space("/data"), { free: 0, total: 8 })
      yield* write(file, "xyz", 0)
      assert.strictEqual(contentOf(disk), "xyz")
      yield* fs.remove("/data/other")
      yield* write(file, "abcdef", 0)
      assert.strictEqual(contentOf(disk), "abcdef")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a text file keeps its old text when it cannot be replaced", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const fs = yield* Disk
      yield* fs.writeText(path, "old")
      disk.resize(5)
      assert.strictEqual((yield* Effect.flip(fs.writeText(path, "new"))).code, "ENOSPC")
      assert.strictEqual(yield* fs.readText(path), "old")
      disk.resize(6)
      yield* fs.writeText(path, "new")
      disk.losePower(0)
      assert.strictEqual(yield* fs.readText(path), "new")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a power loss keeps what was synced and the given part of what was appended since", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const file = yield* Disk.use(({ create }) => create(path))
      yield* write(file, "synced", 0)
      yield* file.sync
      yield* write(file, "S", 0)
      yield* write(file, "+more", 6)
      disk.losePower(2)
      assert.strictEqual(contentOf(disk), "synced+m")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("bytes that survived a power loss survive the next one as well", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const file = yield* Disk.use(({ create }) => create(path))
      yield* write(file, "abcdef", 0)
      disk.losePower(4)
      disk.losePower(0)
      assert.strictEqual(contentOf(disk), "abcd")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a truncated file has its old length again after a power loss without a sync", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      disk.put(path, "abcdef")
      const file = yield* Disk.use(({ openExisting }) => openExisting(path))
      yield* file.truncate(1)
      disk.losePower(0)
      assert.strictEqual(contentOf(disk), "abcdef")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a held sync waits for its release, and what it synced then survives a power loss", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const file = yield* Disk.use(({ create }) => create(path))
      yield* write(file, "abc", 0)
      const release = yield* disk.holdSyncs
      const syncing = yield* Effect.forkChild(file.sync, { startImmediately: true })
      assert.isUndefined(syncing.pollUnsafe())
      yield* release
      yield* Fiber.join(syncing)
      disk.losePower(0)
      assert.strictEqual(contentOf(disk), "abc")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a directory lists the files in it by name, also after a rename", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const fs = yield* Disk
      disk.put("/data/a", "1")
      disk.put("/elsewhere/b", "2")
      yield* fs.rename("/data/a", "/data/c")
      assert.deepStrictEqual(yield* fs.list("/data"), ["c"])
      assert.strictEqual(yield* fs.readText("/data/c"), "1")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("the start of a file has the requested bytes and the size of the whole file", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const { readStart } = yield* Disk
      disk.put(path, "abcdef")
      assert.deepStrictEqual(readStart(path, 2), Result.succeed({ bytes: Buffer.from("ab"), size: 6 }))
      assert.deepStrictEqual(readStart(path, 10), Result.succeed({ bytes: Buffer.from("abcdef"), size: 6 }))
      // The size is available although the file cannot be opened.
      disk.fail(() => "EACCES")
      assert.deepStrictEqual(readStart(path, 0), Result.succeed({ bytes: Buffer.alloc(0), size: 6 }))
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("the caller's bytes and later writes do not change content that was taken before", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const bytes = Buffer.from("abc")
      disk.put(path, bytes)
      const before = disk.files()
      bytes.fill(0)
      const file = yield* Disk.use(({ openExisting }) => openExisting(path))
      yield* write(file, "X", 0)
      assert.strictEqual(before.get(path)?.toString(), "abc")
      assert.strictEqual(contentOf(disk), "Xbc")
    }).pipe(Effect.provide(FaultyDisk.layer)))
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Result } from "effect"
import { Disk, type DiskError, type DiskFile } from "../../src/services/nsqd/disk/Disk.ts"
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
        ["mkdir", "/data/directory", fs.makeDirectory("/data/directory")],
        ["rmdir", "/data/directory", fs.removeDirectory("/data/directory")],
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
      assert.strictEqual(yield* fs.readText(path), "new")
      assert.deepStrictEqual(yield* fs.list("/data"), ["file"])
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

  it.effect("a fault decides how many bytes a failed write leaves behind", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const file = yield* Disk.use(({ create }) => create(path))
      disk.fail((operation) => operation === "write" ? { code: "EIO", written: 5 } : undefined)
      assert.strictEqual((yield* Effect.flip(write(file, "abcdef", 0))).code, "EIO")
      assert.strictEqual(contentOf(disk), "abcde")
      yield* Effect.flip(write(file, "xyz", 0))
      assert.strictEqual(contentOf(disk), "xyzde")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("reads of an unreadable part of a file fail with EIO until the fault ends, and others succeed", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const fs = yield* Disk
      disk.put(path, Buffer.alloc(300, "a"))
      const file = yield* fs.open(path)
      const heal = disk.failReads(path, 100, 110)
      assert.strictEqual(yield* readFrom(file, 0), "a".repeat(100))
      assert.strictEqual((yield* Effect.flip(readFrom(file, 10))).message, `read ${path}: input/output error`)
      assert.strictEqual((yield* Effect.flip(readFrom(file, 109))).code, "EIO")
      assert.strictEqual((yield* Effect.flip(fs.readText(path))).code, "EIO")
      assert.strictEqual(yield* readFrom(file, 110), "a".repeat(100))
      heal()
      assert.strictEqual(yield* readFrom(file, 109), "a".repeat(100))
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a flipped bit stays flipped, also in bytes that a power loss takes back", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      disk.put(path, "abc")
      const file = yield* Disk.use(({ openExisting }) => openExisting(path))
      yield* write(file, "XYZ", 0)
      disk.flipBit(path, 1)
      disk.flipBit(path, 2, 5)
      assert.strictEqual(contentOf(disk), "XXz")
      disk.losePower()
      assert.strictEqual(contentOf(disk), "acC")
      assert.throws(() => disk.flipBit(path, 3), /cannot flip a bit at 3: the file has 3 bytes/)
      assert.throws(() => disk.flipBit("/data/other", 0), /cannot damage \/data\/other: ENOENT/)
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("opening a file beyond the limit fails with EMFILE until another one is closed", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const fs = yield* Disk
      disk.put(path, "abc")
      disk.limitOpenFiles(1)
      const file = yield* fs.open(path)
      assert.strictEqual(disk.openFiles(), 1)
      const operations: ReadonlyArray<Effect.Effect<unknown, DiskError>> = [
        fs.create("/data/other"),
        fs.openDurable(path),
        fs.readText(path),
        fs.list("/data")
      ]
      for (const operation of operations) assert.strictEqual((yield* Effect.flip(operation)).code, "EMFILE")
      yield* Effect.andThen(file.close, file.close)
      assert.strictEqual(disk.openFiles(), 0)
      assert.strictEqual(yield* fs.readText(path), "abc")
      assert.deepStrictEqual([...disk.files().keys()], [path])
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a file that is closed or open for reading refuses writes with EBADF", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const fs = yield* Disk
      disk.put(path, "abc")
      const reading = yield* fs.open(path)
      assert.strictEqual((yield* Effect.flip(write(reading, "x", 0))).message, `write ${path}: bad file descriptor`)
      const closed = yield* fs.openExisting(path)
      yield* closed.close
      assert.strictEqual((yield* Effect.flip(write(closed, "x", 0))).code, "EBADF")
      assert.strictEqual(contentOf(disk), "abc")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a directory that was not made or was removed has no files, and only an empty one is removed", () =>
    Effect.gen(function*() {
      const fs = yield* Disk
      yield* fs.makeDirectory("/data/log")
      yield* fs.makeDirectory("/data/log")
      yield* fs.create("/data/log/file")
      assert.deepStrictEqual(yield* fs.list("/data"), ["log"])
      assert.strictEqual((yield* Effect.flip(fs.removeDirectory("/data/log"))).code, "ENOTEMPTY")
      yield* fs.remove("/data/log/file")
      yield* fs.removeDirectory("/data/log")
      yield* fs.removeDirectory("/data/log")
      assert.deepStrictEqual(yield* fs.list("/data"), [])
      assert.strictEqual((yield* Effect.flip(fs.create("/data/log/file"))).code, "ENOENT")
      assert.strictEqual((yield* Effect.flip(fs.makeDirectory("/data/log/topic"))).code, "ENOENT")
      assert.strictEqual((yield* Effect.flip(fs.list("/data/log"))).code, "ENOENT")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a renamed directory takes its files along", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const fs = yield* Disk
      yield* fs.makeDirectory("/data/a")
      disk.put("/data/a/file", "abc")
      yield* fs.rename("/data/a", "/data/b")
      assert.deepStrictEqual([...disk.files().keys()], ["/data/b/file"])
      assert.strictEqual((yield* Effect.flip(fs.create("/data/a/file"))).code, "ENOENT")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a process that was killed cannot change the disk while a later one uses it", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const former = disk.process()
      const file = yield* former.create("/data/former")
      disk.kill()
      const later = disk.process()
      yield* later.writeText(path, "later")
      const codes = yield* Effect.forEach(
        [
          former.writeText(path, "former"),
          former.remove(path),
          file.write([Buffer.from("former")], 0),
          Effect.fromResult(former.readStart(path, 0))
        ],
        (operation) => Effect.map(Effect.flip(operation), ({ code }) => code)
      )
      assert.deepStrictEqual(new Set(codes), new Set(["ECRASHED"]))
      assert.strictEqual(contentOf(disk), "later")
    }).pipe(Effect.provide(FaultyDisk.layer)))
})

import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Layer } from "effect"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import * as NodeDisk from "../../../../src/services/nsqd/disk/NodeDisk.ts"

const layer = Layer.merge(NodeDisk.layer, NodeFileSystem.layer)
const directory = Effect.flatMap(FileSystem.FileSystem, (files) => files.makeTempDirectoryScoped())

describe("NodeDisk", () => {
  it.live("NodeDisk writes any number of buffers at a position, and reads, truncates and removes files", () =>
    Effect.gen(function*() {
      const disk = yield* Disk
      const path = `${yield* directory}/file`
      const file = yield* disk.create(path)
      const pieces = Array.from({ length: 3000 }, (_, i) => Buffer.from(`${i},`))
      yield* file.write([Buffer.from("start:")], 0)
      yield* file.write(pieces, 6)
      yield* file.sync
      const expected = Buffer.concat([Buffer.from("start:"), ...pieces])
      assert.strictEqual(yield* file.size, expected.length)
      const buffer = Buffer.alloc(expected.length + 10)
      assert.strictEqual(yield* file.read(buffer, 0), expected.length)
      assert.isTrue(buffer.subarray(0, expected.length).equals(expected))
      yield* file.truncate(8)
      assert.strictEqual(yield* file.size, 8)
      yield* file.close
      yield* disk.rename(path, `${path}2`)
      assert.strictEqual((yield* Effect.flip(disk.open(path))).code, "ENOENT")
      yield* disk.remove(`${path}2`)
      yield* disk.remove(`${path}2`)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("replacing a file leaves no other file behind", () =>
    Effect.gen(function*() {
      const disk = yield* Disk
      const folder = yield* directory
      assert.isUndefined(yield* disk.readText(`${folder}/text`))
      yield* disk.writeText(`${folder}/text`, "one")
      yield* disk.writeText(`${folder}/text`, "two")
      assert.strictEqual(yield* disk.readText(`${folder}/text`), "two")
      assert.deepStrictEqual(yield* disk.list(folder), ["text"])
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("a durable file writes like any other, and must exist", () =>
    Effect.gen(function*() {
      const disk = yield* Disk
      const path = `${yield* directory}/file`
      assert.strictEqual((yield* Effect.flip(disk.openDurable(path))).code, "ENOENT")
      yield* Effect.flatMap(disk.create(path), (file) => Effect.andThen(file.write([Buffer.alloc(8)], 0), file.close))
      const file = yield* disk.openDurable(path)
      yield* file.write([Buffer.from("durable"), Buffer.from("!")], 0)
      yield* file.close
      assert.strictEqual(yield* disk.readText(path), "durable!")
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("directories are made once, listed, and removed when they are empty", () =>
    Effect.gen(function*() {
      const disk = yield* Disk
      const folder = yield* directory
      yield* disk.makeDirectory(`${folder}/log`)
      yield* disk.makeDirectory(`${folder}/log`)
      yield* disk.makeDirectory(`${folder}/log/orders`)
      assert.deepStrictEqual(yield* disk.list(folder), ["log"])
      assert.strictEqual((yield* Effect.flip(disk.removeDirectory(`${folder}/log`))).code, "ENOTEMPTY")
      yield* disk.removeDirectory(`${folder}/log/orders`)
      yield* disk.removeDirectory(`${folder}/log/orders`)
      assert.deepStrictEqual(yield* disk.list(`${folder}/log`), [])
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("errors of NodeDisk have the operating system's text", () =>
    Effect.gen(function*() {
      const disk = yield* Disk
      const error = yield* Effect.flip(disk.open("/no/such/file"))
      assert.strictEqual(error.message, "open /no/such/file: no such file or directory")
      assert.match(
        (yield* Effect.flip(disk.writeText("/no/such/file", ""))).message,
        /^open \/no\/such\/file\..*: no such/
      )
    }).pipe(Effect.provide(layer)))

  it.live("a write that the device refuses fails", () =>
    Effect.gen(function*() {
      const disk = yield* Disk
      const full = yield* disk.create("/dev/full")
      const error = yield* Effect.flip(full.write([Buffer.alloc(10)], 0))
      assert.deepStrictEqual([error.code, error.text], ["ENOSPC", "no space left on device"])
      yield* full.close
    }).pipe(Effect.provide(layer)))

  it.live("readStart returns the start and the size of a file, and opens no file for the size alone", () =>
    Effect.gen(function*() {
      const disk = yield* Disk
      const folder = yield* directory
      const start = (name: string, maxBytes: number) =>
        Effect.map(
          Effect.fromResult(disk.readStart(`${folder}/${name}`, maxBytes)),
          (found) => found && [found.bytes.toString(), found.size]
        )
      yield* disk.writeText(`${folder}/text`, "0123456789")
      assert.deepStrictEqual(yield* start("text", 4), ["0123", 10])
      assert.deepStrictEqual(yield* start("text", 10), ["0123456789", 10])
      assert.deepStrictEqual(yield* start("text", 100), ["0123456789", 10])
      assert.deepStrictEqual(yield* start("text", 0), ["", 10])
      assert.isUndefined(yield* start("missing", 10))
      assert.isUndefined(yield* start("missing", 0))
      const error = yield* Effect.flip(start("text/below", 10))
      assert.strictEqual(error.message, `open ${folder}/text/below: not a directory`)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("readText returns a file of any size completely", () =>
    Effect.gen(function*() {
      const disk = yield* Disk
      const folder = yield* directory
      for (const size of [0, 1, 4095, 4096, 4097, 20_480, 20_481, 300_000]) {
        const text = "é".repeat(size >> 1) + "x".repeat(size & 1)
        yield* disk.writeText(`${folder}/text`, text)
        assert.strictEqual(yield* disk.readText(`${folder}/text`), text)
      }
      assert.isAbove((yield* disk.space(folder)).total, 0)
      yield* disk.syncDirectory(folder)
    }).pipe(Effect.scoped, Effect.provide(layer)))
})

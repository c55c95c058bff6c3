import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, References } from "effect"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import * as Options from "../../../../src/services/nsqd/options/NsqdOptions.ts"
import * as Catalogue from "../../../../src/services/nsqd/storage/Catalogue.ts"
import * as DiskStorage from "../../../../src/services/nsqd/storage/DiskStorage.ts"
import { empty } from "../../../../src/services/nsqd/storage/QueueInventory.ts"
import { Storage } from "../../../../src/services/nsqd/storage/Storage.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { drain, layer, recordsOf } from "./queues.ts"

const put = Effect.fnUntraced(function*(...names: ReadonlyArray<string>) {
  const disk = yield* FaultyDisk
  for (const name of names) disk.put(`/data/${name}`, "")
})

const names = FaultyDisk.useSync((disk) =>
  Array.from(disk.files().keys(), (path) => path.slice("/data/".length)).sort()
)

const load = Effect.flatMap(Disk, (disk) => Catalogue.load(disk, "/data"))

describe("a catalogue", () => {
  it.effect("a catalogue groups the files of a directory by queue, with ascending numbers", () =>
    Effect.gen(function*() {
      yield* put(
        "t.diskqueue.000010.dat",
        "t.diskqueue.000002.dat",
        "t.diskqueue.1000000.dat",
        "t.diskqueue.000002.sum",
        "t.diskqueue.meta.dat",
        "t:c.diskqueue.state.dat",
        "t.diskqueue.000001.dat.bad",
        "t.diskqueue.00001.dat",
        "nsqd.dat",
        "notes.txt"
      )
      const catalogue = yield* load
      assert.deepStrictEqual(catalogue.inventoryOf("t"), {
        data: [2, 10, 1000000],
        sums: [2],
        hasMetadata: true,
        hasState: false
      })
      assert.deepStrictEqual(catalogue.inventoryOf("t:c"), { ...empty, hasState: true })
      assert.deepStrictEqual(catalogue.inventoryOf("u"), empty)
    }).pipe(Effect.provide(layer)))

  it.effect("a topic name that contains a separator is parsed by the last one", () =>
    Effect.gen(function*() {
      yield* put("a.diskqueue.000000.dat.diskqueue.000003.dat", "a.diskqueue.diskqueue.meta.dat")
      const catalogue = yield* load
      assert.deepStrictEqual(catalogue.inventoryOf("a.diskqueue.000000.dat"), { ...empty, data: [3] })
      assert.deepStrictEqual(catalogue.inventoryOf("a.diskqueue"), { ...empty, hasMetadata: true })
      assert.deepStrictEqual(catalogue.inventoryOf("a"), empty)
    }).pipe(Effect.provide(layer)))

  it.effect("a catalogue follows created, replaced, renamed and removed files, and ignores failed operations", () =>
    Effect.gen(function*() {
      yield* put("t.diskqueue.000001.dat")
      const faulty = yield* FaultyDisk
      const { disk, inventoryOf } = yield* load
      const before = inventoryOf("t")
      yield* disk.create("/data/t.diskqueue.000003.dat")
      yield* disk.create("/data/t.diskqueue.000002.dat")
      yield* disk.create("/data/t.diskqueue.000002.dat")
      yield* disk.create("/data/t.diskqueue.000002.sum")
      yield* disk.writeText("/data/t.diskqueue.meta.dat", "")
      yield* disk.rename("/data/t.diskqueue.000001.dat", "/data/t.diskqueue.000001.dat.bad")
      assert.deepStrictEqual(inventoryOf("t"), { data: [2, 3], sums: [2], hasMetadata: true, hasState: false })
      assert.deepStrictEqual(before, { ...empty, data: [1] })
      faulty.fail(() => "EIO")
      yield* Effect.flip(disk.create("/data/t.diskqueue.000004.dat"))
      yield* Effect.flip(disk.remove("/data/t.diskqueue.000002.dat"))
      yield* Effect.flip(disk.writeText("/data/u.diskqueue.meta.dat", ""))
      faulty.fail(undefined)
      assert.deepStrictEqual(inventoryOf("t").data, [2, 3])
      assert.deepStrictEqual(inventoryOf("u"), empty)
      for (const name of ["000002.dat", "000003.dat", "000002.sum", "meta.dat"]) {
        yield* disk.remove(`/data/t.diskqueue.${name}`)
      }
      assert.deepStrictEqual(inventoryOf("t"), empty)
    }).pipe(Effect.provide(layer)))

  it.effect("loading a catalogue removes nsqd's temporary files and checksums without data, and nothing else", () =>
    Effect.gen(function*() {
      const kept = [
        "nsqd.dat",
        "nsqd.dat.tmp",
        "my.123.tmp",
        "notes.tmp",
        "other.dat.123.tmp",
        "t.diskqueue.000001.dat",
        "t.diskqueue.000001.dat.123.tmp",
        "t.diskqueue.000001.sum",
        "t.diskqueue.meta.dat",
        "t.diskqueue.meta.dat.bad.tmp"
      ]
      yield* put(
        ...kept,
        "nsqd.dat.123.tmp",
        "t.diskqueue.meta.dat.1.tmp",
        "t:c.diskqueue.meta.dat.2147483647.tmp",
        "t.diskqueue.state.dat.7.tmp",
        "t.diskqueue.000002.sum",
        "u.diskqueue.000001.sum"
      )
      const catalogue = yield* load
      assert.deepStrictEqual(yield* names, kept.toSorted())
      assert.deepStrictEqual(catalogue.inventoryOf("t").sums, [1])
      assert.deepStrictEqual(catalogue.inventoryOf("u"), empty)
    }).pipe(Effect.provide(layer)))

  it.effect("a catalogue loads if a leftover cannot be removed or the directory does not exist", () =>
    Effect.gen(function*() {
      yield* put("nsqd.dat.123.tmp", "t.diskqueue.000001.dat")
      const disk = yield* FaultyDisk
      disk.fail((operation) => operation === "remove" ? "EACCES" : undefined)
      assert.deepStrictEqual((yield* load).inventoryOf("t").data, [1])
      disk.fail((operation) => operation === "list" ? "ENOENT" : undefined)
      assert.deepStrictEqual((yield* load).inventoryOf("t"), empty)
      disk.fail((operation) => operation === "list" ? "EIO" : undefined)
      assert.strictEqual((yield* Effect.flip(load)).code, "EIO")
    }).pipe(Effect.provide(layer)))
})

describe("storage on disk", () => {
  const storage = DiskStorage.layer.pipe(
    Layer.provideMerge(FaultyDisk.layer),
    Layer.provide(Options.layer({ dataPath: "/data" })),
    Layer.provideMerge(Layer.succeed(References.MinimumLogLevel, "None"))
  )

  it.effect("storage on disk lists its directory once, however many queues are opened, closed, deleted and reopened", () =>
    Effect.gen(function*() {
      const storage = yield* Storage
      let listed = 0
      ;(yield* FaultyDisk).fail((operation) => {
        if (operation === "list") listed++
        return undefined
      })
      for (let i = 0; i < 20; i++) {
        yield* Effect.scoped(Effect.flatMap(storage.openQueue(`t${i}`), (queue) => queue.append([recordsOf([i])])))
        yield* Effect.scoped(Effect.gen(function*() {
          const queue = yield* storage.openQueue(`t${i}`)
          assert.deepStrictEqual(yield* drain(queue), [i])
          yield* queue.delete
        }))
        yield* Effect.scoped(Effect.gen(function*() {
          const queue = yield* storage.openQueue(`t${i}`)
          assert.deepStrictEqual(yield* drain(queue), [])
          yield* queue.append([recordsOf([i + 100])])
        }))
        yield* Effect.scoped(Effect.gen(function*() {
          assert.deepStrictEqual(yield* drain(yield* storage.openQueue(`t${i}`)), [i + 100])
        }))
      }
      assert.strictEqual(listed, 1)
    }).pipe(Effect.provide(storage)))
})

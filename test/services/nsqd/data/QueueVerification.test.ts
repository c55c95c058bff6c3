import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { range } from "../storage/queues.ts"
import { contents, dataPath, fill, layer, list, verified } from "./directories.ts"

/** Bytes of a record of the tests. */
const recordBytes = 38
/** Records of a data file. */
const perFile = 26

const file = (number: number, extension = "dat"): string =>
  `${dataPath}/orders:a.diskqueue.00000${number}.${extension}`

describe("the verification of disk queues", () => {
  it.effect("an intact queue is reported with its unfinished messages", () =>
    Effect.gen(function*() {
      yield* list("a", "paused")
      yield* fill("orders:a", range(0, 100), 10)
      const report = yield* verified
      assert.deepStrictEqual(report.damages, [])
      assert.deepStrictEqual(report.notes, [])
      assert.deepStrictEqual(contents(report), {
        "orders": [0, 0, 0],
        "orders:a": [90, 0, 90 * 8],
        "orders:paused": [0, 0, 0]
      })
      assert.deepStrictEqual(report.holdings.map(({ isListed, isPaused }) => [isListed, isPaused]), [
        [true, false],
        [true, false],
        [true, true]
      ])
    }).pipe(Effect.provide(layer)))

  it.effect("a verification changes no file", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      yield* fill("orders:a", range(0, 100), 10)
      disk.put(`${dataPath}/orders:a.diskqueue.meta.dat.1.tmp`, "leftover")
      disk.put(`${dataPath}/nsqd.dat.12.tmp`, "leftover")
      disk.flipBit(file(1), 100)
      const before = disk.files()
      yield* verified
      assert.deepStrictEqual(disk.files(), before)
    }).pipe(Effect.provide(layer)))

  it.effect("a queue that nsqd.dat does not list is reported", () =>
    Effect.gen(function*() {
      yield* fill("orders:a", range(0, 3))
      const { holdings } = yield* verified
      assert.deepStrictEqual(holdings.map(({ channel, isListed, messages }) => [channel, isListed, messages]), [
        ["a", false, 3]
      ])
    }).pipe(Effect.provide(layer)))

  it.effect("a record with a flipped bit is damage with its position", () =>
    Effect.gen(function*() {
      yield* list("a")
      yield* fill("orders:a", range(0, 100))
      const disk = yield* FaultyDisk
      disk.flipBit(file(1), 3 * recordBytes + 20)
      const report = yield* verified
      assert.deepStrictEqual(report.damages, [
        { file: file(1), position: 3 * recordBytes, messagesLost: 1, description: "wrong checksum" }
      ])
      assert.deepStrictEqual(contents(report)["orders:a"], [99, 0, 99 * 8])
    }).pipe(Effect.provide(layer)))

  it.effect("a damaged record that is finished loses no message", () =>
    Effect.gen(function*() {
      yield* list("a")
      yield* fill("orders:a", range(0, 100), 10)
      const disk = yield* FaultyDisk
      disk.flipBit(file(0), 3 * recordBytes + 20)
      const report = yield* verified
      assert.deepStrictEqual(report.damages.map(({ messagesLost, position }) => [position, messagesLost]), [
        [3 * recordBytes, 0]
      ])
      assert.deepStrictEqual(contents(report)["orders:a"], [90, 0, 90 * 8])
    }).pipe(Effect.provide(layer)))

  it.effect("a file that was cut is damage with the number of missing messages", () =>
    Effect.gen(function*() {
      yield* list("a")
      yield* fill("orders:a", range(0, 100))
      const disk = yield* FaultyDisk
      disk.put(file(1), disk.files().get(file(1))!.subarray(0, 10 * recordBytes))
      const { damages } = yield* verified
      assert.deepStrictEqual(damages, [
        {
          file: file(1),
          position: 10 * recordBytes,
          messagesLost: perFile - 10,
          description: "the file is too short"
        }
      ])
    }).pipe(Effect.provide(layer)))

  it.effect("a file in the middle of zeros is damage with all its messages", () =>
    Effect.gen(function*() {
      yield* list("a")
      yield* fill("orders:a", range(0, 100))
      const disk = yield* FaultyDisk
      disk.put(file(1), Buffer.alloc(disk.files().get(file(1))!.length))
      const { damages } = yield* verified
      assert.strictEqual(damages.reduce((sum, { messagesLost }) => sum + messagesLost, 0), perFile)
      assert.strictEqual(damages[0]?.position, 0)
    }).pipe(Effect.provide(layer)))

  it.effect("a missing data file is damage with the messages that the queue should have", () =>
    Effect.gen(function*() {
      yield* list("a")
      yield* fill("orders:a", range(0, 100))
      const disk = yield* FaultyDisk
      yield* Disk.use(({ remove }) => remove(file(1)))
      const { damages } = yield* verified
      assert.deepStrictEqual(damages, [
        { file: file(1), position: 0, messagesLost: perFile, description: "the file is missing" }
      ])
      assert.isUndefined(disk.files().get(file(1)))
    }).pipe(Effect.provide(layer)))

  it.effect("an incomplete record at the end, which a kill leaves, is a note", () =>
    Effect.gen(function*() {
      yield* list("a")
      yield* fill("orders:a", range(0, 3))
      const disk = yield* FaultyDisk
      const bytes = disk.files().get(file(0))!
      disk.put(file(0), Buffer.concat([bytes, bytes.subarray(0, 20)]))
      const report = yield* verified
      assert.deepStrictEqual(report.damages, [])
      assert.deepStrictEqual(report.notes.map(({ file, position }) => [file, position]), [[file(0), bytes.length]])
      assert.deepStrictEqual(contents(report)["orders:a"], [3, 0, 24])
    }).pipe(Effect.provide(layer)))

  it.effect("NSQ's files without checksums are verified by their sizes", () =>
    Effect.gen(function*() {
      yield* list("a")
      const disk = yield* FaultyDisk
      yield* fill("orders:a", range(0, 3))
      const bytes = Buffer.from(disk.files().get(file(0))!)
      yield* Disk.use(({ remove }) =>
        Effect.forEach([file(0, "sum"), `${dataPath}/orders:a.diskqueue.state.dat`], remove)
      )
      assert.deepStrictEqual(contents(yield* verified)["orders:a"], [3, 0, 24])
      bytes.writeInt32BE(2 ** 30, recordBytes)
      disk.put(file(0), bytes)
      const { damages } = yield* verified
      assert.deepStrictEqual(damages.map(({ file, messagesLost, position }) => [file, position, messagesLost]), [
        [file(0), recordBytes, 1]
      ])
    }).pipe(Effect.provide(layer)))

  it.effect("a metadata file that is not three lines of numbers is damage", () =>
    Effect.gen(function*() {
      yield* list("a")
      const disk = yield* FaultyDisk
      disk.put(`${dataPath}/orders:a.diskqueue.meta.dat`, "nonsense")
      const { damages } = yield* verified
      assert.deepStrictEqual(damages.map(({ description }) => description), ["not three lines of numbers"])
    }).pipe(Effect.provide(layer)))

  it.effect("a state file without a valid state is damage", () =>
    Effect.gen(function*() {
      yield* list("a")
      yield* fill("orders:a", range(0, 3))
      const disk = yield* FaultyDisk
      const path = `${dataPath}/orders:a.diskqueue.state.dat`
      disk.put(path, disk.files().get(path)!.map((byte) => byte ^ 1))
      const { damages } = yield* verified
      assert.deepStrictEqual(damages.map(({ file }) => file), [path])
    }).pipe(Effect.provide(layer)))

  it.effect("durabilities of topics that cannot be decoded are damage", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      yield* list("a")
      disk.put(`${dataPath}/nsqd.durability.dat`, `{"orders":"high"}`)
      const { damages } = yield* verified
      assert.deepStrictEqual(damages.map(({ file }) => file), [`${dataPath}/nsqd.durability.dat`])
    }).pipe(Effect.provide(layer)))

  it.effect("an nsqd.dat that cannot be decoded is damage, and its queues are verified", () =>
    Effect.gen(function*() {
      yield* fill("orders:a", range(0, 3))
      const disk = yield* FaultyDisk
      disk.put(`${dataPath}/nsqd.dat`, "{")
      disk.put(`${dataPath}/nsqd.journal.dat`, "created x\n\0\0\0")
      const report = yield* verified
      assert.deepStrictEqual(report.damages.map(({ file, position }) => [file, position]), [
        [`${dataPath}/nsqd.dat`, 0],
        [`${dataPath}/nsqd.journal.dat`, 10]
      ])
      assert.deepStrictEqual(contents(report), { "orders:a": [3, 0, 24] })
    }).pipe(Effect.provide(layer)))

  it.effect("a file that the disk cannot read is damage", () =>
    Effect.gen(function*() {
      yield* list("a")
      yield* fill("orders:a", range(0, 60))
      const disk = yield* FaultyDisk
      disk.failReads(file(1), 0, 100)
      const report = yield* verified
      assert.deepStrictEqual(report.damages.map(({ file, messagesLost }) => [file, messagesLost]), [[file(1), perFile]])
    }).pipe(Effect.provide(layer)))
})

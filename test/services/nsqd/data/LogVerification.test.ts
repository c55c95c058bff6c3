import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { finish, open, range } from "../log/logs.ts"
import { contents, dataPath, layer, list, verified } from "./directories.ts"

const directory = `${dataPath}/log/orders`

/** Bytes of a record with one message of the tests. */
const recordBytes = 64 + 34 + 8

const opened = (segmentBytes = 64 * 1024) => open({ directory, segmentBytes, durability: "written" })

const segment = (first: number): string => `${directory}/${String(first).padStart(16, "0")}.segment`

const stateFiles = FaultyDisk.use((disk) =>
  Effect.sync(() => Array.from(disk.files().keys()).filter((path) => path.endsWith(".state")))
)

describe("the verification of durable logs", () => {
  it.effect("an intact log is reported with the messages of each channel", () =>
    Effect.gen(function*() {
      yield* list("a", "b")
      const log = yield* opened()
      const a = yield* log.channel("a")
      yield* log.channel("b")
      yield* log.publish(range(0, 100))
      yield* log.publish([100], 5000)
      const messages = yield* log.read(a)
      messages.slice(10, 30).forEach(finish)
      a.defer(messages[50]!.batch.sequenceAt(messages[50]!.position)!, 5000, 2)
      yield* log.close
      const report = yield* verified
      assert.deepStrictEqual([report.damages, report.notes], [[], []])
      assert.deepStrictEqual(contents(report), {
        "orders": [0, 0, 0],
        "orders:a": [79, 2, 81 * 8],
        "orders:b": [100, 1, 101 * 8]
      })
      yield* TestClock.adjust(6000)
      assert.deepStrictEqual(contents(yield* verified)["orders:a"], [81, 0, 81 * 8])
    }).pipe(Effect.provide(layer)))

  it.effect("messages that no channel has got yet are those of the topic", () =>
    Effect.gen(function*() {
      const log = yield* opened()
      yield* log.appendHeld(range(0, 5))
      yield* log.close
      assert.deepStrictEqual(contents(yield* verified), { orders: [5, 0, 40] })
    }).pipe(Effect.provide(layer)))

  it.effect("a log is intact after a kill at any time, and no file changes", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const log = yield* opened(2000)
      const a = yield* log.channel("a")
      for (const i of range(0, 30)) {
        yield* log.publish(range(i * 5, i * 5 + 5))
        if (i % 3 === 0) {
          ;(yield* log.read(a)).forEach(finish)
          yield* TestClock.adjust(50)
        }
        const before = disk.files()
        const { damages, notes } = yield* verified
        assert.deepStrictEqual([damages, notes], [[], []])
        assert.deepStrictEqual(disk.files(), before)
      }
    }).pipe(Effect.provide(layer)))

  it.effect("a record with a flipped bit is damage with the messages that a channel needs", () =>
    Effect.gen(function*() {
      const log = yield* opened()
      const a = yield* log.channel("a")
      for (const number of range(0, 10)) {
        yield* log.publish([number])
        yield* log.log.sync
      }
      ;(yield* log.read(a)).slice(0, 2).forEach(finish)
      yield* log.close
      const disk = yield* FaultyDisk
      for (const number of [1, 5, 6]) disk.flipBit(segment(1), number * recordBytes + 80)
      disk.flipBit(segment(1), 8 * recordBytes + 20)
      const report = yield* verified
      assert.deepStrictEqual(report.damages.map(({ file, messagesLost, position }) => [file, position, messagesLost]), [
        [segment(1), recordBytes, 0],
        [segment(1), 5 * recordBytes, 1],
        [segment(1), 6 * recordBytes, 1],
        [segment(1), 8 * recordBytes, 1]
      ])
      assert.deepStrictEqual(contents(report)["orders:a"], [5, 0, 40])
    }).pipe(Effect.provide(layer)))

  it.effect("a damaged record is reported with those behind it if nothing says that it was durable", () =>
    Effect.gen(function*() {
      const log = yield* opened()
      yield* log.channel("a")
      for (const number of range(0, 10)) yield* log.publish([number])
      yield* log.close
      const disk = yield* FaultyDisk
      disk.flipBit(segment(1), 7 * recordBytes + 80)
      const { damages } = yield* verified
      assert.deepStrictEqual(damages.map(({ messagesLost, position }) => [position, messagesLost]), [
        [7 * recordBytes, 3]
      ])
    }).pipe(Effect.provide(layer)))

  it.effect("an incomplete record at the end, which a kill leaves, is a note", () =>
    Effect.gen(function*() {
      const log = yield* opened()
      yield* log.channel("a")
      yield* log.publish(range(0, 10))
      yield* log.close
      const disk = yield* FaultyDisk
      const bytes = disk.files().get(segment(1))!
      disk.put(segment(1), Buffer.concat([bytes, bytes.subarray(8, 108)]))
      const { damages, notes } = yield* verified
      assert.deepStrictEqual(damages, [])
      assert.deepStrictEqual(notes.map(({ file, position }) => [file, position]), [[segment(1), bytes.length]])
    }).pipe(Effect.provide(layer)))

  it.effect("a missing segment is damage with its unfinished messages", () =>
    Effect.gen(function*() {
      const log = yield* opened(2000)
      const a = yield* log.channel("a")
      for (const number of range(0, 60)) yield* log.publish([number])
      ;(yield* log.read(a)).slice(30, 32).forEach(finish)
      yield* log.close
      const disk = yield* FaultyDisk
      const [first, second, third] = Array.from(disk.files().keys()).filter((path) => path.endsWith(".segment")).sort()
      yield* Disk.use(({ remove }) => Effect.forEach([first!, third!], remove))
      const { damages } = yield* verified
      assert.deepStrictEqual(damages.map(({ file, messagesLost, position }) => [file, position, messagesLost]), [
        [directory, 0, 18],
        [second, 18 * recordBytes, 18]
      ])
    }).pipe(Effect.provide(layer)))

  it.effect("a log that ends before messages of its state is damaged", () =>
    Effect.gen(function*() {
      const log = yield* opened()
      const a = yield* log.channel("a")
      yield* log.channel("b")
      for (const number of range(0, 10)) yield* log.publish([number])
      ;(yield* log.read(a)).slice(9).forEach(finish)
      yield* log.close
      const disk = yield* FaultyDisk
      disk.put(segment(1), disk.files().get(segment(1))!.subarray(0, 7 * recordBytes))
      const { damages } = yield* verified
      assert.deepStrictEqual(damages.map(({ messagesLost, position }) => [position, messagesLost]), [
        [7 * recordBytes, 3]
      ])
    }).pipe(Effect.provide(layer)))

  it.effect("damaged changes and checkpoints of state files are damage", () =>
    Effect.gen(function*() {
      const log = yield* opened()
      const a = yield* log.channel("a")
      for (const number of range(0, 3)) {
        yield* log.publish([number])
        ;(yield* log.read(a)).forEach(finish)
        yield* TestClock.adjust(50)
      }
      yield* log.close
      const disk = yield* FaultyDisk
      const path = (yield* stateFiles).at(-1)!
      const bytes = disk.files().get(path)!
      const second = bytes.indexOf("NSQS", 1)
      disk.flipBit(path, second + 5)
      assert.deepStrictEqual((yield* verified).damages.map(({ file, position }) => [file, position]), [[path, second]])
      disk.flipBit(path, 20)
      const { damages } = yield* verified
      assert.deepStrictEqual(damages[0], { file: path, position: 0, messagesLost: 0, description: "no valid checkpoint" })
    }).pipe(Effect.provide(layer)))

  it.effect("an incomplete checkpoint is a note if the file before is there, and damage otherwise", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const stateSizes = { partBytes: 1, slackBytes: 100_000 }
      const log = yield* open({ directory, durability: "written", stateSizes })
      const a = yield* log.channel("a")
      yield* log.publish(range(0, 10), 5000)
      assert.strictEqual(a.deferredCount, 10)
      yield* log.close
      const [before = ""] = yield* stateFiles
      // The file is too long.
      const sizes = { partBytes: 1, slackBytes: -1_000_000 }
      const second = yield* open({ directory, durability: "written", stateSizes: sizes })
      yield* second.log.recorded
      yield* second.log.recorded
      while ((yield* stateFiles).length < 2) yield* Effect.yieldNow
      yield* second.close
      const path = (yield* stateFiles).at(-1)!
      assert.notStrictEqual(path, before)
      const bytes = disk.files().get(path)!
      // The first part only.
      const end = bytes.indexOf("NSQS", 1)
      disk.put(path, bytes.subarray(0, end < 0 ? bytes.length : end))
      const { damages, notes } = yield* verified
      assert.deepStrictEqual([damages.length, notes.map(({ file }) => file)], [0, [path]])
      assert.deepStrictEqual(contents(yield* verified)["orders:a"], [0, 10, 80])
      yield* Disk.use(({ remove }) => remove(before))
      const alone = yield* verified
      assert.deepStrictEqual(alone.damages.map(({ description, file }) => [file, description]), [
        [directory, "no state file has a complete checkpoint"]
      ])
    }).pipe(Effect.provide(layer)))

  it.effect("an incomplete change at the end, which a kill leaves, is a note", () =>
    Effect.gen(function*() {
      const log = yield* opened()
      yield* log.channel("a")
      yield* log.close
      const disk = yield* FaultyDisk
      const path = (yield* stateFiles).at(-1)!
      const bytes = disk.files().get(path)!
      disk.put(path, Buffer.concat([bytes, bytes.subarray(0, 9)]))
      const { damages, notes } = yield* verified
      assert.deepStrictEqual([damages.length, notes.map(({ position }) => position)], [0, [bytes.length]])
    }).pipe(Effect.provide(layer)))

  it.effect("missing state files are damage, and the messages are those of the topic", () =>
    Effect.gen(function*() {
      const log = yield* opened()
      yield* log.channel("a")
      yield* log.publish(range(0, 3))
      yield* log.close
      yield* Disk.use(({ remove }) => Effect.flatMap(stateFiles, (paths) => Effect.forEach(paths, remove)))
      const report = yield* verified
      assert.deepStrictEqual(report.damages.map(({ file }) => file), [directory])
      assert.deepStrictEqual(contents(report), { orders: [3, 0, 24] })
    }).pipe(Effect.provide(layer)))

  it.effect("an incomplete log counts as empty, because the disk queues have its messages", () =>
    Effect.gen(function*() {
      const log = yield* opened()
      yield* log.channel("a")
      yield* log.publish(range(0, 3))
      yield* log.log.filling.begin
      yield* log.close
      const report = yield* verified
      assert.deepStrictEqual([report.damages.length, report.notes.length], [0, 1])
      assert.deepStrictEqual(contents(report), { orders: [0, 0, 0] })
    }).pipe(Effect.provide(layer)))

  it.effect("a record of more than a block is read as a whole", () =>
    Effect.gen(function*() {
      const log = yield* opened()
      yield* log.channel("a")
      yield* log.publish(range(0, 3), 0, 900_000)
      yield* log.publish(range(3, 6))
      yield* log.close
      assert.deepStrictEqual(contents(yield* verified)["orders:a"], [6, 0, 2_700_024])
      const disk = yield* FaultyDisk
      disk.flipBit(segment(1), 1_500_000)
      assert.deepStrictEqual((yield* verified).damages.map(({ messagesLost }) => messagesLost), [3])
    }).pipe(Effect.provide(layer)))
})

import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { exportDirectory } from "../../../../src/services/nsqd/data/Export.ts"
import { importDirectory, type ImportOptions } from "../../../../src/services/nsqd/data/Import.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { contents, dataPath, filesOf, layer, messagesIn, metadataIn, verified, writeLog } from "./directories.ts"

const options: ImportOptions = {
  dataPath,
  durability: "written",
  topics: [],
  skipsDamage: false,
  maxMsgSize: 1000,
  segmentSize: 2000,
  minFreeBytes: 0
}

const exported = exportDirectory({
  dataPath,
  to: dataPath,
  deferred: "now",
  skipsDamage: false,
  maxMsgSize: 1000,
  maxBytesPerFile: 1000
})

/** The files of disk queues. */
const queueFiles = Effect.map(filesOf, (files) => files.filter((file) => file.includes(".diskqueue.")))

describe("the import of NSQ's disk queues", () => {
  it.effect("an import and an export keep bodies, ids, timestamps, attempts, channels and pauses", () =>
    Effect.gen(function*() {
      yield* writeLog
      yield* exported
      const before = {
        contents: contents(yield* verified),
        metadata: yield* metadataIn(dataPath),
        messages: [yield* messagesIn(dataPath, "orders:a"), yield* messagesIn(dataPath, "orders:paused")]
      }
      yield* importDirectory(options)
      assert.deepStrictEqual(yield* queueFiles, [])
      const report = yield* verified
      assert.deepStrictEqual([report.damages, report.notes], [[], []])
      assert.deepStrictEqual(new Set(report.holdings.map(({ storage }) => storage)), new Set(["log"]))
      assert.deepStrictEqual(contents(report), before.contents)
      yield* exported
      assert.deepStrictEqual({
        contents: contents(yield* verified),
        metadata: yield* metadataIn(dataPath),
        messages: [yield* messagesIn(dataPath, "orders:a"), yield* messagesIn(dataPath, "orders:paused")]
      }, before)
    }).pipe(Effect.provide(layer)))

  it.effect("an import takes the topics of its patterns only", () =>
    Effect.gen(function*() {
      yield* writeLog
      yield* exported
      const before = yield* queueFiles
      assert.deepStrictEqual((yield* importDirectory({ ...options, topics: ["metrics.*"] })).holdings, [])
      assert.deepStrictEqual(yield* queueFiles, before)
      const { holdings } = yield* importDirectory({ ...options, topics: ["metrics.*", "ord*"] })
      assert.deepStrictEqual(holdings.map(({ channel, messages }) => [channel, messages]), [
        [undefined, 0],
        ["a", 81],
        ["paused", 101]
      ])
    }).pipe(Effect.provide(layer)))

  it.effect("an import refuses a pattern that no topic can match, and a damaged directory", () =>
    Effect.gen(function*() {
      const wrong = yield* Effect.flip(importDirectory({ ...options, topics: ["a b"] }))
      assert.strictEqual(wrong.reason._tag, "InvalidOption")
      yield* writeLog
      yield* exported
      const disk = yield* FaultyDisk
      disk.flipBit((yield* queueFiles).find((file) => file.endsWith(".000000.dat"))!, 50)
      const before = disk.files()
      const damaged = yield* Effect.flip(importDirectory(options))
      assert.strictEqual(damaged.reason._tag, "Damaged")
      assert.deepStrictEqual(disk.files(), before)
      yield* importDirectory({ ...options, skipsDamage: true })
      const total = Object.values(contents(yield* verified)).reduce((sum, [messages = 0]) => sum + messages, 0)
      assert.strictEqual(total, 81 + 101 - 1)
    }).pipe(Effect.provide(layer)))

  it.effect("an import does not take the last free space of the disk, unless its limit is lower", () =>
    Effect.gen(function*() {
      yield* writeLog
      yield* exported
      const before = contents(yield* verified)
      const disk = yield* FaultyDisk
      disk.resize(1_000_000)
      const error = yield* Effect.flip(importDirectory({ ...options, minFreeBytes: 2_000_000 }))
      assert.match(error.message, /has \d+ bytes of free space, less than --min-free-bytes \(2000000\)/)
      const { holdings } = yield* verified
      assert.deepStrictEqual(
        holdings.filter(({ storage }) => storage === "queue").map(({ channel, messages }) => [channel, messages]),
        [["a", before["orders:a"]![0]], ["paused", before["orders:paused"]![0]]]
      )
      yield* importDirectory({ ...options, minFreeBytes: 1000 })
      assert.deepStrictEqual(contents(yield* verified), before)
    }).pipe(Effect.provide(layer)))

  it.effect("if a log cannot be written, the messages stay in the disk queues", () =>
    Effect.gen(function*() {
      yield* writeLog
      yield* exported
      const before = contents(yield* verified)
      const disk = yield* FaultyDisk
      disk.fail((operation, path) => operation === "write" && path.endsWith(".segment") ? "EIO" : undefined)
      const error = yield* Effect.flip(importDirectory(options))
      disk.fail(undefined)
      assert.isFalse(error.isRefusal)
      const { holdings } = yield* verified
      assert.deepStrictEqual(
        holdings.filter(({ storage }) => storage === "queue").map(({ channel, messages }) => [channel, messages]),
        [["a", before["orders:a"]![0]], ["paused", before["orders:paused"]![0]]]
      )
      yield* importDirectory(options)
      assert.deepStrictEqual(contents(yield* verified), before)
    }).pipe(Effect.provide(layer)))
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { GuidGenerator } from "../../../../src/protocol/client/Guid.ts"
import { type ExportOptions, exportDirectory, toText } from "../../../../src/services/nsqd/data/Export.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { bodiesOf, open } from "../log/logs.ts"
import { range, recordsOf } from "../storage/queues.ts"
import {
  contents,
  dataPath,
  fill,
  filesOf,
  layer,
  list,
  logDirectory,
  messagesIn,
  metadataIn,
  verified,
  verifiedIn,
  withStorage,
  writeLog
} from "./directories.ts"

const options: ExportOptions = {
  dataPath,
  to: dataPath,
  deferred: "stop",
  skipsDamage: false,
  maxMsgSize: 1000,
  maxBytesPerFile: 1000
}

describe("the export to NSQ's format", () => {
  it.effect("deferred messages are listed, and nothing is written without a decision about them", () =>
    Effect.gen(function*() {
      yield* writeLog
      const disk = yield* FaultyDisk
      const before = disk.files()
      const error = yield* Effect.flip(exportDirectory(options))
      assert.strictEqual(error.reason._tag, "Deferred")
      assert.isTrue(error.isRefusal)
      assert.isTrue(error.message.endsWith(":\n  orders:a  2\n  orders:paused  1"), error.message)
      assert.deepStrictEqual(disk.files(), before)
    }).pipe(Effect.provide(layer)))

  it.effect("an export in place replaces the logs and keeps channels, pauses, bodies and attempts", () =>
    Effect.gen(function*() {
      yield* writeLog
      const before = contents(yield* verified)
      yield* exportDirectory({ ...options, deferred: "now" })
      const files = yield* filesOf
      assert.deepStrictEqual(files.filter((file) => file.includes("/log/")), [])
      const report = yield* verified
      assert.deepStrictEqual([report.damages, report.notes], [[], []])
      assert.deepStrictEqual(before["orders:a"], [79, 2, 81 * 8])
      assert.deepStrictEqual(contents(report), {
        "orders": [0, 0, 0],
        "orders:a": [81, 0, 81 * 8],
        "orders:paused": [101, 0, 101 * 8]
      })
      assert.deepStrictEqual(yield* metadataIn(dataPath), [{
        name: "orders",
        paused: false,
        channels: [{ name: "a", paused: false }, { name: "paused", paused: true }]
      }])
      const a = yield* messagesIn(dataPath, "orders:a")
      const paused = yield* messagesIn(dataPath, "orders:paused")
      assert.deepStrictEqual(a.map(({ number }) => number), [...range(0, 10), ...range(30, 101)])
      assert.deepStrictEqual(paused.map(({ number }) => number), range(0, 101))
      assert.deepStrictEqual(a.filter(({ attempts }) => attempts > 0).map(({ attempts, number }) => [number, attempts]), [
        [40, 6],
        [50, 2]
      ])
      assert.deepStrictEqual(paused.filter(({ attempts }) => attempts > 0), [])
      const ids = new Map(paused.map(({ id, number }) => [number, id]))
      assert.deepStrictEqual(a.map(({ id }) => id), a.map(({ number }) => ids.get(number)))
    }).pipe(Effect.provide(layer)))

  it.effect("headers are removed, and listed by name with the number of messages", () =>
    Effect.gen(function*() {
      yield* list("a")
      yield* withStorage((storage) =>
        Effect.scoped(Effect.gen(function*() {
          const log = yield* storage.openLog("orders", "written")
          yield* log.openChannel("a")
          const ids = new GuidGenerator(1)
          const append = (numbers: ReadonlyArray<number>, headers?: string) =>
            log.append(
              headers === undefined ? bodiesOf(numbers) : { ...bodiesOf(numbers), headers: Buffer.from(headers) },
              1n,
              ids.take(1n, numbers.length),
              0
            )
          yield* append([1])
          yield* append([2, 3], "key:1\ntraceparent:x\n")
          yield* append([4], "key:2\n")
          log.handOver()
        }))
      )
      const result = yield* exportDirectory(options)
      assert.include(toText(result), "orders:a  messages 4  headers removed, which NSQ's format cannot hold: key (3), traceparent (2)")
      assert.deepStrictEqual(contents(yield* verified)["orders:a"], [4, 0, 4 * 8])
    }).pipe(Effect.provide(layer)))

  it.effect("an export drops deferred messages if that was decided", () =>
    Effect.gen(function*() {
      yield* writeLog
      yield* exportDirectory({ ...options, deferred: "drop" })
      assert.deepStrictEqual(contents(yield* verified), {
        "orders": [0, 0, 0],
        "orders:a": [79, 0, 79 * 8],
        "orders:paused": [100, 0, 100 * 8]
      })
    }).pipe(Effect.provide(layer)))

  it.effect("an export to another directory copies the disk queues and leaves the source unchanged", () =>
    Effect.gen(function*() {
      yield* writeLog
      yield* fill("metrics:x", range(0, 50), 5)
      const disk = yield* FaultyDisk
      disk.put(
        `${dataPath}/nsqd.dat`,
        JSON.stringify({
          topics: [
            { name: "metrics", paused: true, channels: [{ name: "x", paused: false }] },
            { name: "orders", paused: false, channels: [{ name: "a", paused: false }, { name: "paused", paused: true }] }
          ],
          version: "1.3.0"
        })
      )
      const before = disk.files()
      yield* exportDirectory({ ...options, to: "/target", deferred: "now" })
      for (const [path, bytes] of before) assert.deepStrictEqual(disk.files().get(path), bytes, path)
      const report = yield* verifiedIn("/target")
      assert.deepStrictEqual(report.damages, [])
      assert.deepStrictEqual(contents(report), {
        "metrics": [0, 0, 0],
        "metrics:x": [45, 0, 45 * 8],
        "orders": [0, 0, 0],
        "orders:a": [81, 0, 81 * 8],
        "orders:paused": [101, 0, 101 * 8]
      })
      assert.deepStrictEqual((yield* metadataIn("/target"))?.map(({ name, paused }) => [name, paused]), [
        ["metrics", true],
        ["orders", false]
      ])
    }).pipe(Effect.provide(layer)))

  it.effect("messages that the topic holds go to the disk queue of the topic", () =>
    Effect.gen(function*() {
      yield* list("a")
      const log = yield* open({ directory: logDirectory, durability: "written" })
      yield* log.channel("a")
      yield* log.publish([1])
      log.log.hold()
      yield* log.appendHeld([2, 3])
      yield* log.close
      yield* exportDirectory(options)
      assert.deepStrictEqual((yield* messagesIn(dataPath, "orders")).map(({ number }) => number), [2, 3])
      assert.deepStrictEqual((yield* messagesIn(dataPath, "orders:a")).map(({ number }) => number), [1])
    }).pipe(Effect.provide(layer)))

  it.effect("a target with files is refused", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      disk.put("/target/file", "x")
      const error = yield* Effect.flip(exportDirectory({ ...options, to: "/target" }))
      assert.strictEqual(error.reason._tag, "NotEmpty")
    }).pipe(Effect.provide(layer)))

  it.effect("damage prevents an export, or its messages are left out", () =>
    Effect.gen(function*() {
      yield* writeLog
      const disk = yield* FaultyDisk
      const segment = (yield* filesOf).find((file) => file.endsWith(".segment"))!
      disk.flipBit(segment, 500)
      const before = disk.files()
      const error = yield* Effect.flip(exportDirectory({ ...options, deferred: "now" }))
      assert.strictEqual(error.reason._tag, "Damaged")
      assert.deepStrictEqual(disk.files(), before)
      yield* exportDirectory({ ...options, deferred: "now", skipsDamage: true })
      assert.deepStrictEqual(contents(yield* verified)["orders:a"], [1, 0, 8])
    }).pipe(Effect.provide(layer)))

  for (const operation of ["write", "fsync"] as const) {
    it.effect(`if a ${operation} fails the logs stay and no queue remains`, () =>
      Effect.gen(function*() {
        yield* writeLog
        const disk = yield* FaultyDisk
        const before = disk.files()
        let count = 0
        disk.fail((done, path) =>
          done === operation && path.includes("orders:paused") && path.endsWith(".dat") && count++ > 0 ? "EIO" : undefined
        )
        const error = yield* Effect.flip(exportDirectory({ ...options, deferred: "now" }))
        disk.fail(undefined)
        assert.isFalse(error.isRefusal)
        assert.deepStrictEqual(disk.files(), before)
      }).pipe(Effect.provide(layer)))
  }

  it.effect("messages of a queue that exists already stay", () =>
    Effect.gen(function*() {
      yield* writeLog
      yield* withStorage((storage) =>
        Effect.scoped(Effect.flatMap(storage.openQueue("orders:a"), (queue) => queue.append([recordsOf([500, 501])])))
      )
      yield* exportDirectory({ ...options, deferred: "drop" })
      const numbers = (yield* messagesIn(dataPath, "orders:a")).map(({ number }) => number)
      assert.deepStrictEqual(numbers.slice(0, 3), [500, 501, 0])
      assert.strictEqual(numbers.length, 81)
    }).pipe(Effect.provide(layer)))

  it.effect("a loss of power at any operation of an export in place loses no message", () =>
    Effect.gen(function*() {
      let operation = 0
      for (let isCrashed = true; isCrashed; operation++) {
        const seed = operation
        isCrashed = yield* Effect.gen(function*() {
          yield* writeLog
          const disk = yield* FaultyDisk
          disk.losePower(seed)
          disk.crashAt(seed, seed)
          yield* Effect.exit(exportDirectory({ ...options, deferred: "now" }))
          const hasCrashed = disk.isCrashed()
          disk.losePower(seed)
          const { holdings } = yield* verified
          for (const [channel, count] of [["a", 81], ["paused", 101]] as const) {
            const counts = holdings.filter((holding) => holding.channel === channel)
              .map(({ deferred, messages }) => messages + deferred)
            assert.include(counts, count, `${channel} after operation ${seed}`)
          }
          return hasCrashed
        }).pipe(Effect.provide(Layer.fresh(layer)))
      }
      assert.isAbove(operation, 100)
    }))
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { messageFrameHeaderSize } from "../../../../src/protocol/client/MessageBatch.ts"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import { readStateBlocks } from "../../../../src/services/nsqd/log/StateBlocks.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { finish, numbersOf, open } from "./logs.ts"

const changed = { segmentBytes: 300 }
const all = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]
/** The messages of each record. */
const records = [[0], [1, 2], [3], [4, 5, 6], [7], [8, 9]]

/** The files of a small log: channel `a` has finished four messages, `b` none. */
const files = Effect.gen(function*() {
  yield* fill
  return (yield* FaultyDisk).files()
}).pipe(Effect.provide(FaultyDisk.layer, { local: true }))

const fill = Effect.gen(function*() {
  const log = yield* open(changed)
  const a = yield* log.channel("a")
  yield* log.channel("b")
  for (const numbers of records) yield* log.publish(numbers)
  ;(yield* log.read(a)).filter(({ number }) => number % 3 === 0).forEach(finish)
  yield* log.log.recorded
})

/** The same after a checkpoint in parts, and the state files: the older one and the newer one. */
const filesWithParts = Effect.gen(function*() {
  yield* fill
  // Any file is too long.
  const { log } = yield* open({ ...changed, stateSizes: { partBytes: 1, slackBytes: -1_000_000 } })
  yield* log.recorded
  yield* log.recorded
  const disk = yield* FaultyDisk
  const states = () => Array.from(disk.files().keys()).filter((path) => path.endsWith(".state")).sort()
  while (states().length < 2) yield* Effect.yieldNow
  const [older = "", newer = ""] = states()
  const files = yield* Disk
  const kinds: Array<string> = []
  const isComplete = () =>
    Effect.map(
      readStateBlocks(files, newer, ({ kind }) => kinds.push(kind) > 0),
      (blocks) => blocks.isComplete
    )
  while (!(yield* isComplete())) yield* Effect.yieldNow
  assert.isAbove(kinds.filter((kind) => kind === "part").length, 3)
  return { content: disk.files(), older, newer }
}).pipe(Effect.provide(FaultyDisk.layer, { local: true }))

/** What is delivered after a restart over these files, by channel, and what was logged. */
const restart = (content: ReadonlyMap<string, Buffer>) => {
  const reports: Array<string> = []
  const logger = Logger.make<unknown, void>(({ message }) => void reports.push(String(message)))
  return Effect.gen(function*() {
    const disk = yield* FaultyDisk
    for (const [path, bytes] of content) disk.put(path, bytes)
    const log = yield* open(changed)
    const delivered = new Map<string, ReadonlyArray<number>>()
    const channels = [yield* log.channel("a"), yield* log.channel("b")]
    log.log.handOver()
    for (const channel of channels) {
      const messages = yield* log.read(channel)
      assert.strictEqual(channel.waiting, 0)
      for (const { batch, number, position } of messages) {
        const body = batch.frames.subarray(position + messageFrameHeaderSize, position + messageFrameHeaderSize + 8)
        assert.deepStrictEqual([...body], [0, 0, 0, number, number, number, number, number])
      }
      delivered.set(channel.name, numbersOf(messages))
    }
    // The log can be used further.
    yield* log.publish([10])
    for (const channel of channels) assert.deepStrictEqual(numbersOf(yield* log.read(channel)), [10])
    return { a: delivered.get("a") ?? [], b: delivered.get("b") ?? [], reports }
  }).pipe(Effect.provide(FaultyDisk.layer.pipe(Layer.provideMerge(Logger.layer([logger]))), { local: true }))
}

const withBytes = (content: ReadonlyMap<string, Buffer>, path: string, bytes: Buffer) =>
  new Map([...content, [path, bytes]])

/** The messages that are missing belong to one record. */
const isOneRecord = (missing: ReadonlyArray<number>): boolean =>
  missing.length === 0 || records.some((record) => record.length === missing.length && record.includes(missing[0]!))

describe("a damaged log", () => {
  it.effect(
    "a flipped bit in any byte loses one record at most, which is reported, and starts the log",
    () =>
      Effect.gen(function*() {
        const intact = yield* files
        assert.isAbove(intact.size, 3)
        for (const [path, bytes] of intact) {
          // The zeros ahead of the records.
          const used = bytes.findLastIndex((byte) => byte !== 0) + 1
          for (let at = 0; at < used; at++) {
            const flipped = Buffer.from(bytes)
            flipped[at]! ^= 1 << (at % 8)
            const { a, b, reports } = yield* restart(withBytes(intact, path, flipped))
            const where = `${path} at ${at}: a ${a.join()}, b ${b.join()}, ${reports.join("; ")}`
            const missing = all.filter((number) => !b.includes(number))
            assert.isTrue(isOneRecord(missing), where)
            if (path.endsWith(".state")) assert.isEmpty(missing, where)
            assert.isNotEmpty(reports, where)
            assert.isTrue(
              all.every((number) => number % 3 === 0 || a.includes(number) || missing.includes(number)),
              where
            )
          }
        }
      }),
    240_000
  )

  it.effect(
    "a checkpoint in parts that is damaged or cut anywhere is replaced by the one before",
    () =>
      Effect.gen(function*() {
        const { content, newer, older } = yield* filesWithParts
        const bytes = content.get(newer)!
        const unfinished = all.filter((number) => number % 3 !== 0)
        for (let at = 0; at < bytes.length; at++) {
          const flipped = Buffer.from(bytes)
          flipped[at]! ^= 1 << (at % 8)
          const { a, b, reports } = yield* restart(withBytes(content, newer, flipped))
          assert.deepStrictEqual([a, b, reports.length > 0], [unfinished, all, true], `${at}`)
          const cut = yield* restart(withBytes(content, newer, bytes.subarray(0, at)))
          assert.deepStrictEqual([cut.a, cut.b], [unfinished, all], `cut at ${at}`)
        }
        // The newer one does not need the older one.
        const { a, b, reports } = yield* restart(withBytes(content, older, Buffer.alloc(0)))
        assert.deepStrictEqual([a, b, reports], [unfinished, all, []])
      }),
    240_000
  )

  it.effect("a file that is cut anywhere loses what was behind, and starts the log", () =>
    Effect.gen(function*() {
      const intact = yield* files
      const segments = [...intact.keys()].filter((path) => path.endsWith(".segment"))
      for (const [path, bytes] of intact) {
        const used = bytes.findLastIndex((byte) => byte !== 0) + 1
        for (let size = 0; size < used; size++) {
          const { a, b, reports } = yield* restart(withBytes(intact, path, bytes.subarray(0, size)))
          const where = `${path} cut at ${size}: a ${a.join()}, b ${b.join()}, ${reports.join("; ")}`
          const missing = all.filter((number) => !a.includes(number) && number % 3 !== 0)
          if (path.endsWith(".state")) assert.isEmpty(missing, where)
          else if (missing.length > 0 && path !== segments.at(-1)) assert.isNotEmpty(reports, where)
        }
      }
    }), 240_000)
})

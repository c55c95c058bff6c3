import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { messageHeaderSize } from "../../../../src/protocol/client/Message.ts"
import type { RecordRun } from "../../../../src/services/nsqd/storage/BackendQueue.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { drain, layer, numbersOf, open, range, recordsOf } from "./queues.ts"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const path = (number: number, extension: string): string =>
  `/data/t.diskqueue.${String(number).padStart(6, "0")}.${extension}`

/** Records of different sizes and content, and their positions. */
const variedRecords = (count: number): { readonly run: RecordRun; readonly starts: ReadonlyArray<number> } => {
  const starts: Array<number> = []
  const records = range(0, count).map((number) => {
    const size = messageHeaderSize + 4 + (number * 7) % 40
    // No two ranges of bytes are equal, so that it is certain which are missing.
    const record = Buffer.from(
      Array.from({ length: 4 + size }, (_, i) => 1 + (Math.imul(number * 97 + i, 0x9e3779b1) >>> 25))
    )
    record.writeInt32BE(size, 0)
    record.writeInt32BE(number, 4 + messageHeaderSize)
    return record
  })
  let at = 0
  for (const record of records) {
    starts.push(at)
    at += record.length
  }
  return { run: { bytes: Buffer.concat(records), start: 0, end: at, count }, starts: [...starts, at] }
}

const count = 24
const varied = variedRecords(count)

/** Writes the records in groups, damages their file, and reads the rest after a restart. */
const readDamaged = Effect.fnUntraced(function*(groups: number, damage: (content: Buffer) => Uint8Array) {
  const disk = yield* FaultyDisk
  const options = { maxBytesPerFile: 10_000, maxMsgSize: 200 }
  const first = yield* open(options)
  const size = Math.ceil(count / groups)
  for (let from = 0; from < count; from += size) {
    const to = Math.min(count, from + size)
    const [start, end] = [varied.starts[from]!, varied.starts[to]!]
    yield* first.queue.append([{ ...varied.run, start, end, count: to - from }])
  }
  yield* first.close
  disk.put(path(0, "dat"), damage(Buffer.from(disk.files().get(path(0, "dat"))!)))
  const { queue, sync } = yield* open(options)
  const found: Array<{ readonly number: number; readonly bytes: string }> = []
  for (let run = yield* queue.read(300); run !== undefined; run = yield* queue.read(300)) {
    const bytes = Buffer.from(run.bytes)
    for (let at = run.start; at < run.end; at += 4 + bytes.readInt32BE(at)) {
      const record = bytes.subarray(at, at + 4 + bytes.readInt32BE(at))
      found.push({ number: record.readInt32BE(4 + messageHeaderSize), bytes: record.toString("hex") })
    }
    run.ledger.settle(0, run.count)
  }
  yield* sync
  return found
})

const recordOf = (number: number): string =>
  Buffer.from(varied.run.bytes.subarray(varied.starts[number], varied.starts[number + 1])).toString("hex")

/** Every record outside of these bytes is delivered, in order, and every delivered record is as written. */
const assertDelivered = (found: ReadonlyArray<{ number: number; bytes: string }>, from: number, to: number): void => {
  const isTouched = (number: number) => varied.starts[number]! < to && varied.starts[number + 1]! > from
  const untouched = range(0, count).filter((number) => !isTouched(number))
  for (const { bytes, number } of found) assert.strictEqual(bytes, recordOf(number))
  const numbers = found.map(({ number }) => number)
  assert.deepStrictEqual(numbers.filter((number) => !isTouched(number)), untouched)
  assert.strictEqual(new Set(numbers).size, numbers.length)
}

const end = varied.run.end

/** The bytes that may be missing: removing other bytes can give the same file, for example between equal bytes. */
const everyCut = (from: number, to: number): readonly [from: number, to: number] => {
  const { bytes } = varied.run
  let [first, last] = [from, to]
  for (let length = to - from; first > 0 && bytes[first - 1] === bytes[first - 1 + length];) first--
  for (let length = to - from; last < end && bytes[last] === bytes[last - length];) last++
  return [first, last]
}

describe("a disk queue with checksums", () => {
  it.effect.prop(
    "everything except a record with a wrong byte is delivered",
    [between(0, end - 1), between(1, 255), between(1, count)],
    ([at, value, groups]) =>
      Effect.gen(function*() {
        const found = yield* readDamaged(groups, (content) => {
          content[at]! ^= value
          return content
        })
        assertDelivered(found, at, at + 1)
      }).pipe(Effect.provide(layer)),
    { timeout: 240_000, arbitrary: { runs: 400 } }
  )

  it.effect.prop(
    "everything except records with missing bytes is delivered",
    [between(0, end - 1), between(1, end), between(1, count)],
    ([from, length, groups]) =>
      Effect.gen(function*() {
        const to = Math.min(end, from + length)
        const found = yield* readDamaged(
          groups,
          (content) => Buffer.concat([content.subarray(0, from), content.subarray(to)])
        )
        assertDelivered(found, ...everyCut(from, to))
      }).pipe(Effect.provide(layer)),
    { timeout: 240_000, arbitrary: { runs: 400 } }
  )

  it.effect("everything except the record that seems to have lost its neighbour's byte is delivered", () =>
    Effect.gen(function*() {
      // The first record ends with zeros and the second one starts with them: it is not visible which of them lost
      // one.
      const found = yield* readDamaged(1, (content) => Buffer.concat([content.subarray(0, 30), content.subarray(31)]))
      assertDelivered(found, ...everyCut(30, 31))
      assert.strictEqual(found.length, count - 1)
    }).pipe(Effect.provide(layer)))

  it.effect.prop(
    "everything except overwritten records is delivered",
    [between(0, end - 1), between(1, end), between(0, 255), between(1, count)],
    ([from, length, value, groups]) =>
      Effect.gen(function*() {
        const to = Math.min(end, from + length)
        const found = yield* readDamaged(groups, (content) => content.fill(value, from, to))
        assertDelivered(found, from, to)
      }).pipe(Effect.provide(layer)),
    { timeout: 240_000, arbitrary: { runs: 400 } }
  )

  it.effect("a file with a damaged record is renamed together with its checksums", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      yield* readDamaged(3, (content) => content.fill(1, 50, 60))
      const names = Array.from(disk.files().keys()).filter((name) => name.includes("000000"))
      assert.deepStrictEqual(names.sort(), [path(0, "dat.bad"), path(0, "sum.bad")])
    }).pipe(Effect.provide(layer)))

  it.effect("records with missing, incomplete or damaged checksums are delivered", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const first = yield* open()
      for (const number of range(0, 20)) yield* first.queue.append([recordsOf([number])])
      yield* first.close
      const sums = Buffer.from(disk.files().get(path(0, "sum"))!)
      sums.fill(0, 40, 100)
      sums[200]! ^= 1
      disk.put(path(0, "sum"), sums.subarray(0, sums.length - 5))
      const { queue } = yield* open()
      assert.deepStrictEqual(yield* drain(queue), range(0, 20))
    }).pipe(Effect.provide(layer)))

  it.effect("records that NSQ has written since are not compared with checksums", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const first = yield* open()
      yield* first.queue.append([recordsOf(range(0, 5))])
      yield* first.close
      disk.put(path(0, "dat"), recordsOf(range(5, 10)).bytes)
      disk.put("/data/t.diskqueue.meta.dat", "4\n0,0\n0,190\n")
      const { queue } = yield* open()
      assert.isFalse(disk.files().has(path(0, "sum")))
      assert.deepStrictEqual(yield* drain(queue), range(5, 10))
    }).pipe(Effect.provide(layer)))

  it.effect("a failed write leaves no checksums", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const first = yield* open({ syncEvery: 1 })
      yield* first.queue.append([recordsOf(range(0, 3))])
      disk.fail((operation) => operation === "fsync" ? "EIO" : undefined)
      yield* Effect.flip(first.queue.append([recordsOf(range(3, 8))]))
      disk.fail(undefined)
      yield* first.queue.append([recordsOf(range(8, 12))])
      const run = (yield* first.queue.read(1000))!
      assert.deepStrictEqual(numbersOf(run), range(0, 3))
      yield* first.close
      const { queue } = yield* open()
      assert.deepStrictEqual(yield* drain(queue), [...range(0, 3), ...range(8, 12)])
      assert.isFalse(Array.from(disk.files().keys()).some((name) => name.endsWith(".bad")))
    }).pipe(Effect.provide(layer)))

  it.effect("health recovers once checksums that a full disk refused are no longer needed", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const { health, queue, saveState, sync } = yield* open({ syncEvery: 1000 })
      yield* queue.append([recordsOf(range(0, 100))])
      disk.fail((operation, name) => operation === "write" && name.endsWith(".sum") ? "ENOSPC" : undefined)
      yield* saveState
      assert.strictEqual(health()?.code, "ENOSPC")
      yield* drain(queue)
      yield* queue.empty
      yield* sync
      assert.isUndefined(health())
    }).pipe(Effect.provide(layer)))

  it.effect("checksums are removed with their data file", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const { queue, saveState, sync } = yield* open()
      yield* queue.append([recordsOf(range(0, 100))])
      yield* saveState
      assert.isTrue(disk.files().has(path(0, "sum")))
      yield* drain(queue)
      yield* sync
      const sums = () => Array.from(disk.files().keys()).filter((name) => name.endsWith(".sum"))
      assert.deepStrictEqual(sums(), [path(3, "sum")])
      yield* queue.empty
      assert.deepStrictEqual(sums(), [])
    }).pipe(Effect.provide(layer)))
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { readGuid } from "../../../../src/protocol/client/Guid.ts"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import { readPieces } from "../../../../src/services/nsqd/log/FilePieces.ts"
import { Segment } from "../../../../src/services/nsqd/log/Segment.ts"
import { epochOfFile, recoverSegment } from "../../../../src/services/nsqd/log/SegmentRecovery.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { layer, open, range } from "./logs.ts"

const path = "/log/orders/0000000000000001.segment"

/** A segment with records of different sizes, one of which is deferred, and zeros behind them. */
const segmentOfRecords = Effect.gen(function*() {
  const log = yield* open()
  yield* log.channel("a")
  yield* log.publish([1])
  yield* log.publish([2, 3, 4])
  yield* log.publish([5], 1_000_000_000)
  yield* log.publish([6, 7], 0, 200)
  yield* log.publish([8])
  yield* log.close
  const bytes = (yield* FaultyDisk).files().get(path)
  if (bytes === undefined) return yield* Effect.die(new Error(`${path} does not exist`))
  const used = bytes.findLastIndex((byte) => byte !== 0) + 1
  return { used, bytes: Buffer.from(bytes.subarray(0, used + 500)) }
}).pipe(Effect.provide(FaultyDisk.layer, { local: true }))

/** What recovery finds in a segment with this content. */
const recover = (content: Buffer, pieceBytes: number | undefined, epoch: number | undefined = 7) =>
  Effect.gen(function*() {
    ;(yield* FaultyDisk).put(path, content)
    const segment = new Segment(1, path)
    segment.end = Infinity
    const found = yield* recoverSegment(yield* Disk, segment, epoch, 0, pieceBytes)
    const { deferred, end, holes, isTorn, lastId, size } = found
    return { deferred, end, holes, isTorn, lastId, size }
  }).pipe(Effect.provide(FaultyDisk.layer, { local: true }))

describe("the recovery of a segment", () => {
  it.effect("finds the records, the deferred messages and the last id", () =>
    Effect.gen(function*() {
      const { bytes, used } = yield* segmentOfRecords
      const { deferred, end, holes, isTorn, lastId, size } = yield* recover(bytes, undefined)
      assert.deepStrictEqual({ end, holes, isTorn, size }, { end: 9, holes: [], isTorn: false, size: used })
      assert.deepStrictEqual(deferred, [{ first: 5, end: 6, due: 1_000_000_000 }])
      // The id is before the body, which has 8 bytes.
      assert.deepStrictEqual(lastId, readGuid(bytes, used - 8 - 16))
    }))

  it.effect(
    "does not depend on the size of the pieces, whichever byte is damaged and wherever the file is cut",
    () =>
      Effect.gen(function*() {
        const { bytes, used } = yield* segmentOfRecords
        const damaged = range(0, used).map((at) => {
          const flipped = Buffer.from(bytes)
          flipped[at]! ^= 1 << (at % 8)
          return flipped
        })
        const cut = range(0, used + 100).map((size) => bytes.subarray(0, size))
        // The file of an earlier segment, whose records have lower sequences.
        const reused = [100, 111, 180].map((size) => Buffer.concat([bytes.subarray(0, used), bytes.subarray(0, size)]))
        for (const content of [bytes, ...damaged, ...cut, ...reused]) {
          const whole = yield* recover(content, undefined)
          for (const pieceBytes of [64, 65, 127, 300]) {
            assert.deepStrictEqual(yield* recover(content, pieceBytes), whole)
          }
        }
      }),
    240_000
  )

  it.effect("finds no record without an epoch", () =>
    Effect.gen(function*() {
      const { bytes } = yield* segmentOfRecords
      const { end, isTorn, size } = yield* Effect.provide(
        Effect.gen(function*() {
          ;(yield* FaultyDisk).put(path, bytes)
          return yield* recoverSegment(yield* Disk, new Segment(1, path), undefined, 0)
        }),
        FaultyDisk.layer,
        { local: true }
      )
      assert.deepStrictEqual({ end, isTorn, size }, { end: 1, isTorn: true, size: 0 })
    }))
})

describe("the epoch of a segment", () => {
  it.effect("is found behind megabytes of other bytes", () =>
    Effect.gen(function*() {
      const { bytes } = yield* segmentOfRecords
      const disk = yield* FaultyDisk
      for (const ahead of [0, 1024 * 1024 - 30, 1024 * 1024, 3_000_000]) {
        disk.put(path, Buffer.concat([Buffer.alloc(ahead), bytes]))
        assert.strictEqual(yield* epochOfFile(yield* Disk, path), 7)
      }
      disk.put(path, Buffer.alloc(3_000_000))
      assert.isUndefined(yield* epochOfFile(yield* Disk, path))
    }).pipe(Effect.provide(layer, { local: true })))
})

describe("pieces of a file", () => {
  it.effect("have the whole file once, and no more of it than requested", () =>
    Effect.gen(function*() {
      const content = Buffer.from(range(0, 1000).map((number) => number % 251))
      ;(yield* FaultyDisk).put("/file", content)
      const pieces: Array<Buffer> = []
      yield* readPieces(yield* Disk, "/file", (piece, position, size) => {
        assert.isAtMost(piece.length, 300)
        pieces.push(Buffer.from(piece))
        const end = position + piece.length
        return end < size ? { position: end, atLeast: pieces.length === 2 ? 300 : 0 } : undefined
      }, 100)
      assert.deepStrictEqual(Buffer.concat(pieces), content)
      assert.deepStrictEqual(pieces.map(({ length }) => length), [100, 100, 300, 100, 100, 100, 100, 100])
    }).pipe(Effect.provide(Layer.fresh(layer), { local: true })))
})

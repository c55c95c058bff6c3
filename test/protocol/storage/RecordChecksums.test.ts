import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { GuidGenerator } from "../../../src/protocol/client/Guid.ts"
import { MessageBatch } from "../../../src/protocol/client/MessageBatch.ts"
import {
  blockSize,
  decodeBlocks,
  encodeBlock,
  findKnown,
  KnownRecords,
  walkVerified
} from "../../../src/protocol/storage/RecordChecksums.ts"
import { joinBodies } from "../../../src/services/nsqd/broker/Publisher.ts"

const now = 1_790_000_000_123_456_789n
const maxMsgSize = 1000
const Bodies = Schema.NonEmptyArray(Schema.String)

const recordsOf = (bodies: ReadonlyArray<string>) =>
  MessageBatch.published(
    joinBodies(bodies.map((body) => Buffer.from(body))),
    now,
    new GuidGenerator(1).take(now, bodies.length)
  )
    .encodeRecords(0, bodies.length)

/** Records of these bodies that lie at `offset` of a data file, and what a reader knows of them. */
const stored = (bodies: ReadonlyArray<string>, offset: number) => {
  const records = recordsOf(bodies)
  const known = new KnownRecords()
  decodeBlocks(encodeBlock(offset, [records]), known, 0)
  return { bytes: Buffer.from(records.bytes), known }
}

describe("checksums of records", () => {
  it.prop(
    "the blocks of all writes tell where each record lies",
    [Bodies, Bodies, Schema.Literals([0, 5000, 2 ** 40])],
    ([first, second, offset]) => {
      const one = recordsOf(first)
      const two = recordsOf(second)
      // One write of two runs, and another write.
      const blocks = [encodeBlock(offset, [one, two]), encodeBlock(offset + one.end + two.end, [one])]
      const bytes = Buffer.concat(blocks)
      assert.strictEqual(blockSize(bytes), blocks[0]?.length)
      const known = new KnownRecords()
      assert.strictEqual(decodeBlocks(bytes, known, 0), bytes.length)
      assert.strictEqual(known.offsets.length, 2 * first.length + second.length)
      assert.deepStrictEqual([known.offsets[0], known.end], [offset, offset + 2 * one.end + two.end])
      assert.deepStrictEqual(known.hashes.slice(0, first.length), known.hashes.slice(-first.length))
    }
  )

  it("a damaged block is skipped, and the rest of an incomplete one is left", () => {
    const records = recordsOf(["tea", "coffee"])
    const block = encodeBlock(0, [records])
    const next = encodeBlock(records.end, [records])
    for (let at = 0; at < block.length; at++) {
      const damaged = Buffer.concat([block, next])
      damaged[at] = (damaged[at] ?? 0) ^ 1
      // A wrong count of records may make the block seem to be longer than the file.
      const known = new KnownRecords()
      const used = decodeBlocks(damaged, known, 0)
      if (used === damaged.length) assert.deepStrictEqual(known.offsets[0], records.end, `byte ${at}`)
      else assert.deepStrictEqual([used, known.offsets], [0, []], `byte ${at}`)
    }
    const known = new KnownRecords()
    assert.strictEqual(decodeBlocks(Buffer.concat([block, next.subarray(0, -1)]), known, 0), block.length)
    assert.strictEqual(known.offsets.length, 2)
  })

  it("records are forgotten before an offset, and move with the bytes of the data file", () => {
    const { known } = stored(["a", "b", "c"], 100)
    const [, second = 0, third = 0] = known.offsets
    known.dropBefore(second)
    assert.deepStrictEqual(known.offsets, [second, third])
    known.shift(-7)
    assert.deepStrictEqual(known.offsets, [second - 7, third - 7])
    known.dropBefore(third)
    assert.deepStrictEqual([known.offsets, known.end], [[], 0])
  })
})

describe("a walk over records with checksums", () => {
  it("undamaged records are walked to their end, with and without checksums", () => {
    const { bytes, known } = stored(["tea", "", "coffee"], 50)
    for (const knowledge of [known, new KnownRecords()]) {
      const { next, problem, starts } = walkVerified(bytes, bytes.length, 50, knowledge, maxMsgSize)
      assert.deepStrictEqual([starts.length, starts.at(-1), problem, next], [4, bytes.length, undefined, undefined])
    }
  })

  it("a walk stops at the record with any wrong byte, and states the problem", () => {
    const { bytes, known } = stored(["tea", "coffee", "cups"], 0)
    const [, second = 0, third = 0] = known.offsets
    for (let at = second; at < third; at++) {
      const damaged = Buffer.from(bytes)
      damaged[at] = (damaged[at] ?? 0) ^ 0x40
      const { problem, starts } = walkVerified(damaged, damaged.length, 0, known, maxMsgSize)
      assert.deepStrictEqual(Array.from(starts), [0, second], `byte ${at}`)
      assert.match(
        problem ?? "",
        at < second + 4 ? /^size -?\d+ differs from the recorded size 32$/ : /^wrong checksum$/
      )
    }
  })

  it("the end of the bytes within a record is not a problem, and the size of the record is known", () => {
    const { bytes, known } = stored(["tea", "coffee"], 0)
    const [, second = 0] = known.offsets
    for (let end = second; end < bytes.length; end++) {
      const { next, problem, starts } = walkVerified(bytes, end, 0, known, maxMsgSize)
      assert.deepStrictEqual([Array.from(starts), problem, next], [[0, second], undefined, bytes.length - second - 4])
    }
  })

  it("a record without a checksum must not reach into one with a checksum", () => {
    const { bytes, known } = stored(["tea", "coffee", "cups"], 0)
    const [, second = 0, third = 0] = known.offsets
    known.dropBefore(third)
    const damaged = Buffer.from(bytes)
    damaged.writeInt32BE(bytes.readInt32BE(second) + 1, second)
    const { problem, starts } = walkVerified(damaged, damaged.length, 0, known, maxMsgSize)
    assert.deepStrictEqual([Array.from(starts), problem], [[0, second], "invalid message read size (33)"])
  })

  it("a known record is found after the data file lost or gained bytes", () => {
    const { bytes, known } = stored(["tea", "coffee"], 0)
    const [, second = 0] = known.offsets
    for (const moved of [bytes.subarray(5), Buffer.concat([Buffer.alloc(9, 1), bytes.subarray(5)])]) {
      assert.deepStrictEqual(findKnown(moved, 0, moved.length, known), {
        at: moved.length - (bytes.length - second),
        index: 1
      })
    }
    assert.isUndefined(findKnown(bytes, second + 1, bytes.length, known))
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import {
  dataFileName,
  dataFileNumber,
  decodeQueueMetadata,
  encodeQueueMetadata,
  metadataFileName,
  walkRecords
} from "../../../src/protocol/storage/DiskQueueFormat.ts"
import { int32 } from "../client/commands.ts"

const Count = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))
const record = (bodySize: number): Buffer => Buffer.concat([int32(26 + bodySize), Buffer.alloc(26 + bodySize, 1)])

describe("the disk queue's format", () => {
  it.prop(
    "queue metadata round-trips",
    [Schema.Struct({ depth: Count, readFile: Count, readOffset: Count, writeFile: Count, writeOffset: Count })],
    ([numbers]) => {
      const metadata = {
        depth: numbers.depth,
        read: { file: numbers.readFile, offset: numbers.readOffset },
        write: { file: numbers.writeFile, offset: numbers.writeOffset }
      }
      assert.deepStrictEqual(decodeQueueMetadata(encodeQueueMetadata(metadata)), metadata)
    }
  )

  it("queue metadata is encoded as NSQ's three lines", () => {
    const metadata = { depth: 3, read: { file: 0, offset: 120 }, write: { file: 1, offset: 7 } }
    assert.strictEqual(encodeQueueMetadata(metadata), "3\n0,120\n1,7\n")
  })

  it("a negative depth is decoded as 0, and anything except three lines is invalid", () => {
    assert.strictEqual(decodeQueueMetadata("-2\n0,0\n0,0\n")?.depth, 0)
    for (const text of ["", "3\n", "3\n0,0\n", "x\n0,0\n0,0\n", "3\n0,-1\n0,0\n", "3\n0,0\n0,0\nmore"]) {
      assert.isUndefined(decodeQueueMetadata(text))
    }
  })

  it.prop(
    "damaged queue metadata is decoded to exact numbers or is invalid",
    [Schema.Array(Count), Schema.String],
    ([numbers, text]) => {
      for (const damaged of [numbers.join("\n"), numbers.join(","), `${numbers.join("")}\n0,0\n0,0\n`, text]) {
        const metadata = decodeQueueMetadata(damaged)
        if (metadata === undefined) continue
        const { depth, read, write } = metadata
        for (const number of [depth, read.file, read.offset, write.file, write.offset]) {
          assert.isTrue(Number.isSafeInteger(number) && number >= 0)
        }
      }
    }
  )

  it("queue metadata with numbers that are not safe integers is invalid", () => {
    for (
      const text of ["9007199254740993\n0,0\n0,0\n", "1\n0,9007199254740992\n0,0\n", `1\n0,0\n${"9".repeat(400)},0\n`]
    ) {
      assert.isUndefined(decodeQueueMetadata(text))
    }
  })

  it("file names are NSQ's, and their numbers can be parsed", () => {
    assert.strictEqual(dataFileName("t:c", 12), "t:c.diskqueue.000012.dat")
    assert.strictEqual(metadataFileName("t:c"), "t:c.diskqueue.meta.dat")
    assert.strictEqual(dataFileNumber("t:c", dataFileName("t:c", 1_234_567)), 1_234_567)
    for (const name of ["t.diskqueue.000001.dat", "t:c.diskqueue.meta.dat", "t:c.diskqueue.000001.dat.bad"]) {
      assert.isUndefined(dataFileNumber("t:c", name))
    }
  })

  it("a walk over records stops at a truncated record or an invalid size", () => {
    const records = Buffer.concat([record(1), record(10)])
    const end = records.length
    assert.deepStrictEqual(walkRecords(records, 0, end, 100), { count: 2, end, next: undefined })
    assert.deepStrictEqual(walkRecords(records, 0, end - 1, 100), { count: 1, end: 31, next: 36 })
    assert.deepStrictEqual(walkRecords(records, 0, end, 9), { count: 1, end: 31, next: 36 })
    for (const size of [-1, 0, 25, 0x7fffffff]) {
      const damaged = Buffer.concat([record(1), int32(size), Buffer.alloc(100)])
      assert.deepStrictEqual(walkRecords(damaged, 0, damaged.length, 100), { count: 1, end: 31, next: size })
    }
  })
})

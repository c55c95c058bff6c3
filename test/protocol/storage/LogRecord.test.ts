import { assert, describe, it } from "@effect/vitest"
import { GuidGenerator } from "../../../src/protocol/client/Guid.ts"
import { MessageBatch } from "../../../src/protocol/client/MessageBatch.ts"
import {
  findLogHeader,
  frameStarts,
  isIntact,
  logEpochOf,
  logHeaderSize,
  readLogHeader,
  writeLogHeader
} from "../../../src/protocol/storage/LogRecord.ts"
import { joinBodies } from "../../../src/services/nsqd/broker/Publisher.ts"

const now = 1_790_000_000_123_456_789n
const epoch = 0xdeadbeef
const bodies = ["tea", "", "NSQL, as a body may begin"].map((body) => Buffer.from(body))
const frames = MessageBatch.published(joinBodies(bodies), now, new GuidGenerator(1).take(now, bodies.length)).frames

/** Larger than 32 bits, where a number may be. */
const fields = {
  epoch,
  count: bodies.length,
  first: 2 ** 40 + 3,
  acceptedAt: 1_790_000_000_123,
  due: 1_790_000_000_123 + 86_400_000,
  durable: 2 ** 40,
  hasHeaders: false
}

const recordOf = (changes: Partial<typeof fields> = {}): Buffer => {
  const record = Buffer.concat([Buffer.alloc(logHeaderSize, 0xff), frames])
  writeLogHeader(record, record.length, { ...fields, ...changes })
  return record
}

const framesAt = (record: Buffer, at = 0): Buffer => record.subarray(at + logHeaderSize)

describe("a record of the durable log", () => {
  it("a header is read as it was written, wherever the record lies", () => {
    const record = recordOf()
    const bytes = Buffer.concat([Buffer.alloc(13, 1), record])
    const header = readLogHeader(bytes, 13, epoch)
    assert.include(header, { ...fields, payloadBytes: frames.length })
    assert.isTrue(header !== undefined && isIntact(header, framesAt(bytes, 13)))
    const starts = frameStarts(frames, bodies.length)
    assert.deepStrictEqual(
      bodies.map((_, i) => frames.subarray((starts[i] ?? 0) + 34, starts[i + 1]).toString()),
      bodies.map(String)
    )
    assert.strictEqual(starts[bodies.length], frames.length)
  })

  it("only a record in which messages may have headers has format version 2", () => {
    const record = recordOf({ hasHeaders: true })
    assert.strictEqual(record[4], 2)
    assert.strictEqual(recordOf()[4], 1)
    assert.strictEqual(readLogHeader(record, 0, epoch)?.hasHeaders, true)
    record[4] = 3
    assert.isUndefined(readLogHeader(record, 0, epoch))
  })

  it("a header with any wrong bit is not valid", () => {
    const record = recordOf()
    for (let at = 0; at < logHeaderSize; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const damaged = Buffer.from(record)
        damaged[at] = (damaged[at] ?? 0) ^ (1 << bit)
        assert.isUndefined(readLogHeader(damaged, 0, epoch), `byte ${at}, bit ${bit}`)
      }
    }
  })

  it("a header that was cut off, or is of another log or of no messages, is not valid", () => {
    const record = recordOf()
    assert.isUndefined(readLogHeader(record.subarray(0, logHeaderSize - 1), 0, epoch))
    assert.isUndefined(readLogHeader(record, 1, epoch))
    assert.isUndefined(readLogHeader(record, 0, epoch + 1))
    assert.isUndefined(readLogHeader(recordOf({ count: 0 }), 0, epoch))
    assert.isUndefined(readLogHeader(recordOf({ count: 1000 }), 0, epoch))
    assert.isUndefined(readLogHeader(Buffer.alloc(1000), 0, 0))
  })

  it("frames with any wrong byte, and frames of another number, are not intact", () => {
    const record = recordOf()
    const header = readLogHeader(record, 0, epoch)
    assert.isDefined(header)
    if (header === undefined) return
    for (let at = 0; at < frames.length; at++) {
      const damaged = Buffer.from(frames)
      damaged[at] = (damaged[at] ?? 0) ^ 0x10
      assert.isFalse(isIntact(header, damaged), `byte ${at}`)
    }
    assert.isFalse(isIntact(header, frames.subarray(0, -1)))
    for (const count of [bodies.length - 1, bodies.length + 1]) assert.isFalse(isIntact({ ...header, count }, frames))
  })

  it("the next header is found behind damage, and the magic in a body is not taken for one", () => {
    const record = recordOf()
    const damaged = Buffer.from(record)
    damaged.fill(0, 0, 10)
    const bytes = Buffer.concat([damaged, record])
    assert.strictEqual(findLogHeader(bytes, 0, epoch), record.length)
    assert.strictEqual(findLogHeader(bytes, record.length + 1, epoch), -1)
    assert.strictEqual(findLogHeader(bytes, 0, epoch + 1), -1)
    assert.strictEqual(logEpochOf(bytes), epoch)
    assert.isUndefined(logEpochOf(damaged))
    assert.isUndefined(logEpochOf(Buffer.from("NSQL")))
  })
})

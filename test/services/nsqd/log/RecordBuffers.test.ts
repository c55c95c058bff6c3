import { assert, describe, it } from "@effect/vitest"
import { LogBatch } from "../../../../src/services/nsqd/log/LogBatch.ts"
import { LogMemory } from "../../../../src/services/nsqd/log/LogMemory.ts"
import { LogTail } from "../../../../src/services/nsqd/log/LogTail.ts"
import { largest, RecordBuffers } from "../../../../src/services/nsqd/log/RecordBuffers.ts"

describe("the buffers of records", () => {
  it("a buffer that was given back is used for the next record that fits", () => {
    const buffers = new RecordBuffers()
    const first = buffers.take(5000)
    assert.isAtLeast(first.length, 5000)
    buffers.give(first)
    assert.strictEqual(buffers.bytes, first.length)
    assert.notStrictEqual(buffers.take(first.length + 1), first)
    assert.strictEqual(buffers.take(first.length / 2 + 1), first)
    assert.strictEqual(buffers.bytes, 0)
    assert.notStrictEqual(buffers.take(5000), first)
  })

  it("every size fits, from one byte to more than the largest buffer that is used again", () => {
    const buffers = new RecordBuffers()
    for (const size of [1, 1023, 1024, 1025, largest - 1, largest, largest + 1]) {
      const buffer = buffers.take(size)
      assert.isAtLeast(buffer.length, size)
      buffers.give(buffer)
      if (size <= largest) assert.strictEqual(buffers.take(size), buffer)
    }
    assert.strictEqual(buffers.bytes, 0)
  })

  it("the buffers that wait are bounded", () => {
    const buffers = new RecordBuffers()
    const taken = Array.from({ length: 10 }, () => buffers.take(largest))
    for (const buffer of taken) buffers.give(buffer)
    assert.strictEqual(buffers.bytes, 4 * largest)
  })

  it("the tail of a log gives back the buffers of messages that no channel has taken", () => {
    const memory = new LogMemory()
    const tail = new LogTail(memory)
    for (const first of [1, 2]) {
      const own = memory.buffers.take(1024)
      tail.push(new LogBatch(first, 1, own.subarray(64), 0, false, own))
    }
    assert.strictEqual(tail.find(1)?.first, 1)
    tail.trim(3)
    assert.strictEqual(memory.buffers.bytes, 1024)
  })
})

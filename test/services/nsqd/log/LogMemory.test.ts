import { assert, describe, it } from "@effect/vitest"
import { LogBatch } from "../../../../src/services/nsqd/log/LogBatch.ts"
import { LogMemory } from "../../../../src/services/nsqd/log/LogMemory.ts"
import { LogTail } from "../../../../src/services/nsqd/log/LogTail.ts"

const batch = (first: number): LogBatch => new LogBatch(first, 1, Buffer.alloc(100), 0, false)

describe("LogMemory", () => {
  it("many logs share one limit, and the log that was used least recently gives up its oldest messages first", () => {
    const memory = new LogMemory(500)
    const tails = Array.from({ length: 3 }, () => new LogTail(memory))
    const [a, b, c] = tails as [LogTail, LogTail, LogTail]
    for (const tail of [a, b]) for (const first of [1, 2]) tail.push(batch(first))
    for (const first of [1, 2]) c.push(batch(first))
    assert.deepStrictEqual(tails.map(({ bytes }) => bytes), [100, 200, 200])
    assert.isUndefined(a.find(1))
    assert.strictEqual(a.find(2)?.first, 2)
    a.push(batch(3))
    assert.deepStrictEqual(tails.map(({ bytes }) => bytes), [200, 100, 200])
    assert.strictEqual(memory.bytes, 500)
  })

  it("one log can use the whole limit, and memory that is released is used again", () => {
    const memory = new LogMemory(500)
    const a = new LogTail(memory)
    const b = new LogTail(memory)
    for (let first = 1; first <= 10; first++) a.push(batch(first))
    assert.strictEqual(a.bytes, 500)
    a.clear()
    assert.strictEqual(memory.bytes, 0)
    for (let first = 1; first <= 5; first++) b.push(batch(first))
    b.trim(4)
    assert.strictEqual(memory.bytes, 200)
    assert.strictEqual(b.find(5)?.first, 5)
  })
})

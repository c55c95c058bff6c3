import { assert, describe, it } from "@effect/vitest"
import { growthPercent } from "../../src/programs/collector.ts"

const mebibyte = 1024 * 1024

describe("the growth of the heap before V8 marks it", () => {
  it("a small heap has room for the buffers of messages", () => {
    assert.strictEqual(growthPercent(22 * mebibyte, 10 * mebibyte), 200)
  })

  it("the growth of a tiny heap is limited", () => {
    assert.strictEqual(growthPercent(mebibyte, 0), 450)
  })

  it("V8 decides about heaps that have much room anyway", () => {
    assert.strictEqual(growthPercent(100 * mebibyte, 50 * mebibyte), 0)
  })
})

import { assert, describe, it } from "@effect/vitest"
import { bounds, LatencyHistogram } from "../../../../src/services/nsqd/broker/LatencyHistogram.ts"

describe("the latency histogram", () => {
  it("a latency counts in the first bucket whose bound it does not exceed, or in the last one", () => {
    const histogram = new LatencyHistogram()
    for (const bound of bounds) histogram.add(bound * 1e9, 2)
    histogram.add(3601 * 1e9, 7)
    assert.deepStrictEqual(Array.from(histogram.counts), [...bounds.map(() => 2), 7])
    assert.strictEqual(histogram.count, 2 * bounds.length + 7)
    assert.strictEqual(histogram.max, 3601)
    assert.strictEqual(histogram.min, 0.001)
  })

  it("the histogram sums seconds, and a clock that was set back counts as 0", () => {
    const histogram = new LatencyHistogram()
    histogram.add(2_000_000_000, 3)
    histogram.add(-1, 1)
    assert.strictEqual(histogram.sum, 6)
    assert.strictEqual(histogram.counts[0], 1)
  })
})

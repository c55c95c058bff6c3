import { assert, describe, it } from "@effect/vitest"
import * as Format from "../../../src/web/core/format.ts"

describe("format", () => {
  it("counts have separators between thousands", () => {
    assert.deepStrictEqual([0, 999, 1000, 1234567].map(Format.count), ["0", "999", "1,000", "1,234,567"])
    assert.deepStrictEqual([null, 0, 0.25, 99.96, 1234.5].map(Format.rate), ["–", "0", "0.3", "100", "1,235"])
    assert.deepStrictEqual([null, 0, 1234.5].map(Format.perSecond), ["–", "0/s", "1,235/s"])
    assert.deepStrictEqual([1, 3].map((n) => Format.quantity(n, "node")), ["1 node", "3 nodes"])
    assert.deepStrictEqual([950, 12_345, 3_500_000].map(Format.short), ["950", "12.3k", "3.5M"])
    assert.deepStrictEqual([999, 1234, 2_500_000].map(Format.bytes), ["999 B", "1.2 kB", "2.5 MB"])
  })

  it("durations have three digits, and the form of other time spans above a minute", () => {
    const durations = [0, 12, 1500, 2_345_678, 280_990_000, 3.25e9, 6e10, 61e9, 3.6e12, 7.325e12, 90_061e9]
    assert.deepStrictEqual(durations.map(Format.nanoseconds), [
      "0 ns",
      "12 ns",
      "1.5 µs",
      "2.35 ms",
      "281 ms",
      "3.25 s",
      "1 m",
      "1 m 1 s",
      "1 h",
      "2 h 2 m",
      "1 d 1 h"
    ])
  })

  it("percentiles are named, and no data is not a latency of 0", () => {
    assert.deepStrictEqual([0.99, 0.999, 0.5, 1].map(Format.percentile), ["p99", "p99.9", "p50", "max"])
    assert.deepStrictEqual([Format.latency(0, 0), Format.latency(undefined, 3), Format.latency(1500, 3)], [
      "–",
      "–",
      "1.5 µs"
    ])
  })

  it("ages are in whole units", () => {
    const spans = [0, 999, 59_000, 200_000, 7_200_000, 93_784_000].map(Format.span)
    assert.deepStrictEqual(spans, ["0 s", "0 s", "59 s", "3 m 20 s", "2 h", "1 d 2 h"])
    assert.deepStrictEqual([Format.age(null, 5), Format.age(1000, 3000)], ["–", "2 s"])
  })

  it("times of day have 24 hours", () => {
    const at = new Date(2026, 0, 2, 15, 4, 5).getTime()
    assert.strictEqual(Format.minute(at), "15:04")
    assert.strictEqual(Format.second(at), "15:04:05")
    assert.strictEqual(Format.beginning(at, at + 60_000), "15:04")
    assert.strictEqual(Format.beginning(at, at + 86_400_000), "2 Jan, 15:04")
    assert.deepStrictEqual([Format.exact(at, at), Format.exact(at, at + 86_400_000)], ["15:04:05", "2 Jan, 15:04"])
    assert.strictEqual(Format.since(at, at + 125_000), "15:04, for 2 m 5 s")
  })
})

import { assert, describe, it } from "@effect/vitest"
import * as Format from "../../../src/web/core/format.ts"

describe("format", () => {
  it("counts have separators between thousands", () => {
    assert.deepStrictEqual([0, 999, 1000, 1234567].map(Format.count), ["0", "999", "1,000", "1,234,567"])
    assert.deepStrictEqual([null, 0, 0.25, 99.96, 1234.5].map(Format.rate), ["–", "0", "0.3", "100", "1,235"])
    assert.deepStrictEqual([1, 3].map((n) => Format.quantity(n, "node")), ["1 node", "3 nodes"])
    assert.deepStrictEqual([999, 1234, 2_500_000].map(Format.bytes), ["999 B", "1.2 kB", "2.5 MB"])
  })

  it("durations have NSQ's form", () => {
    const durations = [0, 12, 1500, 2_345_678, 3.25e9, 6e10, 61e9, 3.6e12, 7.325e12, 90_061e9]
    assert.deepStrictEqual(durations.map(Format.nanoseconds), [
      "0ns",
      "12ns",
      "1.5us",
      "2.35ms",
      "3.25s",
      "1m",
      "1m1s",
      "1h",
      "2h2m5s",
      "25h1m1s"
    ])
  })

  it("percentiles have NSQ's suffixes, and ages are in whole units", () => {
    assert.deepStrictEqual([0.99, 0.999, 0.5, 0.91, 1].map(Format.percentile), [
      "99th",
      "99.9th",
      "50th",
      "91st",
      "100th"
    ])
    assert.strictEqual(Format.ago(0, 125_000), "2 minutes ago")
    assert.strictEqual(Format.ago(10, 5), "0 seconds ago")
  })

  it("times of day have 24 hours", () => {
    const at = new Date(2026, 0, 2, 15, 4, 5).getTime()
    assert.strictEqual(Format.minute(at), "15:04")
    assert.strictEqual(Format.second(at), "15:04:05")
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { LatencyQuantiles } from "../../../../src/services/nsqd/broker/LatencyQuantiles.ts"

const values = ({ percentiles }: { readonly percentiles: ReadonlyArray<{ readonly value: number }> | null }) =>
  percentiles?.map(({ value }) => value)

describe("latency percentiles", () => {
  it.effect.prop(
    "percentiles are within 1 % of the true value for any latencies",
    {
      latencies: Schema.NonEmptyArray(Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 4e12 })))),
      quantile: Schema.Finite.pipe(Schema.check(Schema.isBetween({ minimum: 0.001, maximum: 1 })))
    },
    ({ latencies, quantile }) =>
      Effect.sync(() => {
        const quantiles = new LatencyQuantiles(1000, [quantile], 0)
        for (const latency of latencies) quantiles.add(latency, 1)
        const { count } = quantiles.summary([], 0)
        const [value = NaN] = values(quantiles.summary([], 0)) ?? []
        const sorted = latencies.toSorted((a, b) => a - b)
        const exact = sorted[Math.floor(quantile * (sorted.length - 1))] ?? NaN
        assert.strictEqual(count, latencies.length)
        assert.isTrue(Math.abs(value - exact) <= exact * 0.0101 + 1, `${value} instead of ${exact}`)
      }),
    { arbitrary: { runs: 200 } }
  )

  it("percentiles are 0 without messages and for a clock that was set back", () => {
    const quantiles = new LatencyQuantiles(1000, [1, 0.5], 0)
    assert.deepStrictEqual(quantiles.summary([], 0), {
      count: 0,
      percentiles: [{ quantile: 1, value: 0 }, { quantile: 0.5, value: 0 }]
    })
    quantiles.add(-5, 3)
    assert.deepStrictEqual(quantiles.summary([], 0).count, 3)
    assert.deepStrictEqual(values(quantiles.summary([], 0)), [0, 0])
  })

  it("percentiles forget the older half of the window when half a window has passed", () => {
    const quantiles = new LatencyQuantiles(1000, [1], 0)
    const countAt = (now: number) => quantiles.summary([], now).count
    quantiles.add(10, 1)
    quantiles.moveTo(500)
    quantiles.add(20, 2)
    assert.strictEqual(countAt(999), 3)
    assert.strictEqual(countAt(1000), 2)
    assert.strictEqual(countAt(1500), 0)
    quantiles.add(30, 4)
    assert.strictEqual(countAt(10_000_000), 0)
  })

  it("percentiles of several channels cover all their messages", () => {
    const a = new LatencyQuantiles(1000, [1, 0.5], 0)
    const b = new LatencyQuantiles(1000, [1, 0.5], 0)
    a.add(1000, 1)
    b.add(3000, 5)
    assert.strictEqual(a.summary([b], 0).count, 6)
    assert.deepStrictEqual(values(a.summary([b], 0)), [3000, 3000])
    assert.strictEqual(a.summary([], 0).count, 1)
    assert.strictEqual(b.summary([], 0).count, 5)
  })
})

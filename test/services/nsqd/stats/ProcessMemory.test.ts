import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { GcPauses, percentile, ProcessMemory } from "../../../../src/services/nsqd/stats/ProcessMemory.ts"

describe("memory statistics", () => {
  it("memory statistics use NSQ's percentiles", () => {
    const hundred = Array.from({ length: 100 }, (_, i) => i + 1)
    assert.deepStrictEqual([100, 99, 95].map((p) => percentile(p, hundred)), [100, 100, 96])
    assert.strictEqual(percentile(99, []), 0)
    assert.strictEqual(percentile(95, [7]), 7)
  })

  it("the last 256 garbage collection pauses are kept, and all are counted", () => {
    const pauses = new GcPauses()
    assert.deepStrictEqual(pauses.percentiles([100, 95]), [0, 0])
    pauses.add(1000)
    for (let i = 0; i < 256; i++) pauses.add(0.25)
    assert.deepStrictEqual(pauses.percentiles([100]), [250])
    assert.strictEqual(pauses.total, 257)
  })

  it.effect("memory statistics are nine integers", () =>
    Effect.gen(function*() {
      const stats = (yield* ProcessMemory).read()
      assert.strictEqual(Object.keys(stats).length, 9)
      for (const [name, value] of Object.entries(stats)) {
        assert.isTrue(Number.isSafeInteger(value) && value >= 0, `${name} ${value}`)
      }
      assert.isAbove(stats.heap_in_use_bytes, 0)
    }).pipe(Effect.provide(ProcessMemory.layer)))
})

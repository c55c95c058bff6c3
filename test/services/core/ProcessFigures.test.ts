import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { type DelayHistogram, ProcessFigures } from "../../../src/services/core/ProcessFigures.ts"

/** A histogram that a test fills, and what was done with it. */
const fakeHistogram = () => {
  const done: Array<string> = []
  const histogram: DelayHistogram = {
    count: 100,
    max: 70e6,
    percentile: (percent) => percent === 50 ? 19e6 : 25e6,
    enable: () => done.push("enable"),
    disable: () => done.push("disable"),
    reset: () => done.push("reset")
  }
  return { done, layer: ProcessFigures.layerWith(() => histogram) }
}

describe("figures of the process", () => {
  it.effect("the delay of the event loop is that of the last ten seconds, without the resolution of the timer", () => {
    const { layer } = fakeHistogram()
    return Effect.gen(function*() {
      const { delay } = yield* ProcessFigures
      assert.isUndefined(yield* delay)
      yield* Effect.yieldNow
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(yield* delay, { p50: 0, p99: 5e6, max: 50e6, seconds: 10 })
    }).pipe(Effect.provide(layer))
  })

  it.effect("the delay is measured from the first reading on, until it is not read for a minute", () => {
    const { done, layer } = fakeHistogram()
    return Effect.gen(function*() {
      const { delay } = yield* ProcessFigures
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(done, [])
      yield* delay
      yield* Effect.yieldNow
      yield* TestClock.adjust("30 seconds")
      assert.deepStrictEqual(done, ["enable", "reset", "reset", "reset"])
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(done.at(-1), "disable")
      assert.isUndefined(yield* delay)
    }).pipe(Effect.provide(layer))
  })

  it.live("memory and file descriptors are those of this process", () =>
    Effect.gen(function*() {
      const { files, memory } = yield* ProcessFigures
      const { available, heapLimit, heapUsed, rss, total } = memory()
      assert.isAbove(rss, heapUsed)
      assert.isAbove(heapLimit, heapUsed)
      assert.isAtMost(available, total)
      const found = yield* files
      if (process.platform === "linux") assert.isAbove(found?.limit ?? 0, found?.open ?? 0)
    }).pipe(Effect.provide(ProcessFigures.layer)))
})

import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Threshold from "../../../src/services/logging/LogThreshold.ts"
import { logLevels } from "../../../src/services/options/OptionKind.ts"

describe("LogThreshold", () => {
  it("a threshold allows its own level and the more severe ones", () => {
    const allowed = (threshold: Threshold.LogThreshold) => logLevels.filter(threshold.allows)
    assert.deepStrictEqual(allowed(Threshold.make("debug")), ["debug", "info", "warn", "error", "fatal"])
    assert.deepStrictEqual(allowed(Threshold.make("warn")), ["warn", "error", "fatal"])
    assert.deepStrictEqual(allowed(Threshold.make("fatal")), ["fatal"])
  })

  it("a changed threshold applies at once", () => {
    const threshold = Threshold.make("error")
    threshold.set("debug")
    assert.isTrue(threshold.allows("debug"))
    assert.strictEqual(threshold.level(), "debug")
    threshold.set("fatal")
    assert.isFalse(threshold.allows("error"))
    assert.strictEqual(threshold.level(), "fatal")
  })

  it.effect("the default threshold is info", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* Threshold.LogThreshold).level(), "info")
    }))
})

import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Backoff } from "../../../src/services/client/Backoff.ts"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const Signals = Schema.Array(Schema.Literals(["backoff", "resume", "continue"]))

describe("Backoff", () => {
  it.prop(
    "the wait is never longer than the longest wait, and the level changes by at most one and is never negative",
    [between(0, 10_000), between(0, 100_000), Signals],
    ([multiplierMillis, maxMillis, signals]) => {
      const backoff = new Backoff({ multiplierMillis, maxMillis })
      for (const signal of signals) {
        const before = backoff.level
        const inBackoff = backoff.note(signal)
        assert.isAtMost(backoff.waitMillis, maxMillis)
        assert.isAtLeast(backoff.level, 0)
        const rise = backoff.level - before
        assert.include(signal === "backoff" ? [0, 1] : signal === "resume" ? [0, -1] : [0], rise === 0 ? 0 : rise)
        assert.strictEqual(inBackoff, before > 0 || backoff.level > 0)
      }
    }
  )

  it.prop(
    "as many successes as failures always end a backoff",
    [between(1, 1000), Signals],
    ([multiplier, signals]) => {
      const backoff = new Backoff({ multiplierMillis: multiplier, maxMillis: 120_000 })
      for (const signal of signals) backoff.note(signal)
      for (let { level } = backoff; level > 0; level--) backoff.note("resume")
      assert.strictEqual(backoff.level, 0)
      assert.isFalse(backoff.note("resume"))
    }
  )

  it("the wait of a backoff doubles with every failure up to the longest wait, and halves with every success", () => {
    const backoff = new Backoff({ multiplierMillis: 100, maxMillis: 1000 })
    const waits = Array.from({ length: 5 }, () => {
      backoff.note("backoff")
      return backoff.waitMillis
    })
    assert.deepStrictEqual(waits, [200, 400, 800, 800, 800])
    assert.isTrue(backoff.note("resume"))
    assert.strictEqual(backoff.waitMillis, 400)
    backoff.note("resume")
    assert.isTrue(backoff.note("resume"))
    assert.strictEqual(backoff.level, 0)
    assert.isFalse(backoff.note("resume"))
  })

  it("a result that neither raises nor lowers the level leaves the wait unchanged", () => {
    const backoff = new Backoff({ multiplierMillis: 100, maxMillis: 1000 })
    backoff.note("backoff")
    assert.isTrue(backoff.note("continue"))
    assert.deepStrictEqual([backoff.level, backoff.waitMillis], [1, 200])
  })

  it("a longest wait of 0 disables backoff, also with a multiplier of 0", () => {
    for (const multiplierMillis of [0, 1000]) {
      const backoff = new Backoff({ multiplierMillis, maxMillis: 0 })
      assert.isFalse(backoff.note("backoff"))
      assert.deepStrictEqual([backoff.level, backoff.waitMillis], [0, 0])
    }
  })
})

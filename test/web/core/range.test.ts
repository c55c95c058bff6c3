import { assert, describe, it } from "@effect/vitest"
import * as Range from "../../../src/web/core/range.ts"

describe("the range of charts", () => {
  it("a range in an address is the same after a reload, and the initial one is left out", () => {
    for (const text of ["", "15m", "6h", "24h", "7d", "1000000-2000000"]) {
      assert.strictEqual(Range.format(Range.parse(text)), text)
    }
    assert.deepStrictEqual(Range.parse("1h"), Range.initial)
  })

  it("anything else, and a time below a minute, is the initial range", () => {
    for (const text of ["5y", "2000000-1000000", "1000-2000", "1-", "<script>"]) {
      assert.deepStrictEqual(Range.parse(text), Range.initial, text)
    }
    assert.isUndefined(Range.between(0, 59_000))
    assert.deepStrictEqual(Range.between(0, 60_000), { span: 60_000, to: 60_000 })
  })
})

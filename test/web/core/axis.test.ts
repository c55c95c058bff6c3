import { assert, describe, it } from "@effect/vitest"
import { rateSteps, wholeSteps } from "../../../src/web/core/axis.ts"
import * as Format from "../../../src/web/core/format.ts"

const value = (label: string): number => Number(label.replaceAll(",", ""))

describe("the axes of charts", () => {
  it("the label of each step of a rate is the rate", () => {
    for (const step of rateSteps.filter((step) => step <= 10_000)) {
      for (const times of [1, 2, 3, 4, 5]) {
        assert.closeTo(value(Format.rate(step * times)), step * times, 1e-9, String(step))
      }
    }
  })

  it("the steps of a count are whole and ascend", () => {
    assert.deepStrictEqual(wholeSteps.slice(0, 5), [1, 2, 5, 10, 20])
    assert.deepStrictEqual(rateSteps.slice(0, 4), [0.1, 0.2, 0.5, 1])
    assert.isTrue(wholeSteps.every((step, i) => Number.isInteger(step) && step > (wholeSteps[i - 1] ?? 0)))
  })
})

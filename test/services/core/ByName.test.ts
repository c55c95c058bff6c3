import { assert, describe, it } from "@effect/vitest"
import * as ByName from "../../../src/services/core/ByName.ts"

const shuffled = (count: number) => Array.from({ length: count }, (_, i) => ({ name: `t${(i * 7919) % count}` }))

describe("sorting by name in steps", () => {
  it("sorting in steps gives the same order as sorting at once, with a number of steps that grows with the number of items", () => {
    for (const count of [0, 1, 1000, 1001, 10_007]) {
      const items = shuffled(count)
      const steps = ByName.sortedInSteps(items)
      let taken = 0
      let step = steps.next()
      for (; step.done !== true; step = steps.next()) taken++
      assert.deepStrictEqual(step.value, ByName.sorted(items))
      assert.isAtLeast(taken, Math.floor((count - 1) / 1000))
    }
  })
})

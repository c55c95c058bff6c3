import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Line } from "../../../src/services/client/Line.ts"

describe("Line", () => {
  it.prop(
    "a line behaves as an array to which items are pushed and from which they are shifted",
    [Schema.Array(Schema.Union([Schema.Int, Schema.Literal("take")]))],
    ([steps]) => {
      const line = new Line<number>()
      const model: Array<number> = []
      for (const step of steps) {
        if (step === "take") assert.strictEqual(line.take(), model.shift())
        else {
          line.push(step)
          model.push(step)
        }
        assert.strictEqual(line.length, model.length)
        assert.strictEqual(line.first, model[0])
        assert.deepStrictEqual([...line], model)
      }
    }
  )

  it("a line returns its items in order, however many it has", () => {
    const line = new Line<number>()
    let [pushed, taken] = [0, 0]
    for (let round = 0; round < 5000; round++) {
      line.push(pushed++)
      line.push(pushed++)
      if (round % 3 > 0) assert.strictEqual(line.take(), taken++)
      assert.strictEqual(line.length, pushed - taken)
    }
    assert.deepStrictEqual([...line].slice(0, 3), [taken, taken + 1, taken + 2])
    while (line.length > 0) assert.strictEqual(line.take(), taken++)
    assert.isUndefined(line.take())
  })
})

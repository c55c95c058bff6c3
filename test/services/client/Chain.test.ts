import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Chain, ChainLink } from "../../../src/services/client/Chain.ts"

class Item extends ChainLink<Item> {
  readonly id: number

  constructor(id: number) {
    super()
    this.id = id
  }
}

const idsOf = (chain: Chain<Item>): ReadonlyArray<number> => {
  const ids: Array<number> = []
  for (let item = chain.first; item !== undefined; item = item.after) ids.push(item.id)
  return ids
}

const Step = Schema.Union([
  Schema.Literals(["push", "pushFront", "take"]),
  Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 }))
])

describe("Chain", () => {
  it.prop(
    "a chain behaves as an array with additions at both ends and removals anywhere",
    [Schema.Array(Step)],
    ([steps]) => {
      const chain = new Chain<Item>()
      const model: Array<Item> = []
      for (const [id, step] of steps.entries()) {
        if (step === "push") {
          const item = new Item(id)
          chain.push(item)
          model.push(item)
        } else if (step === "pushFront") {
          const item = new Item(id)
          chain.pushFront(item)
          model.unshift(item)
        } else if (step === "take") {
          assert.strictEqual(chain.take(), model.shift())
        } else {
          const [item] = model.splice(step, 1)
          if (item !== undefined) chain.remove(item)
        }
        assert.deepStrictEqual(idsOf(chain), model.map((item) => item.id))
        assert.strictEqual(chain.isEmpty, model.length === 0)
      }
    }
  )

  it("removing an item that is not in the chain does nothing", () => {
    const [one, other] = [new Chain<Item>(), new Chain<Item>()]
    const [a, b] = [new Item(1), new Item(2)]
    one.push(a)
    other.push(b)
    one.remove(b)
    one.remove(new Item(3))
    assert.deepStrictEqual([idsOf(one), idsOf(other)], [[1], [2]])
    one.remove(a)
    one.remove(a)
    assert.isTrue(one.isEmpty)
  })
})

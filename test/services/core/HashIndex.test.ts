import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { HashIndex } from "../../../src/services/core/HashIndex.ts"

const number = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))
/** Few hashes, so that many numbers share the slots of one. */
const Step = Schema.Struct({ add: Schema.Boolean, hash: number(6), number: number(300) })

describe("HashIndex", () => {
  it.prop(
    "has what was added and not removed, while it grows and its hashes collide",
    { steps: Schema.Array(Step).check(Schema.isMinLength(200), Schema.isMaxLength(600)) },
    ({ steps }) => {
      const index = new HashIndex()
      const expected = new Map<number, number>()
      const isMissing = (hash: number, wanted: number) => index.find(hash, (number) => number === wanted) < 0
      for (const { add, hash, number } of steps) {
        const known = expected.get(number)
        if (add && known === undefined) {
          index.add(hash - 3, number)
          expected.set(number, hash - 3)
        } else if (!add && known !== undefined) {
          index.remove(known, number)
          expected.delete(number)
          assert.isTrue(isMissing(known, number))
        }
      }
      for (const [number, hash] of expected) assert.isFalse(isMissing(hash, number))
      for (let other = 0; other <= 300; other++) {
        if (!expected.has(other)) { for (let hash = -3; hash <= 3; hash++) assert.isTrue(isMissing(hash, other)) }
      }
    }
  )

  it("a hundred thousand numbers are found while numbers are added and the oldest removed", () => {
    const index = new HashIndex()
    const hashOf = (number: number) => Math.imul(number, 0x9e3779b1)
    for (let number = 0; number < 300_000; number++) {
      index.add(hashOf(number), number)
      if (number >= 100_000) index.remove(hashOf(number - 100_000), number - 100_000)
    }
    for (let number = 0; number < 300_000; number++) {
      const found = index.find(hashOf(number), (other) => other === number)
      assert.strictEqual(found, number < 200_000 ? -1 : number)
    }
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { NumberIndex } from "../../../src/services/core/NumberIndex.ts"

const int = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))
/** Few hashes, so that many numbers share a bucket. */
const Step = Schema.Struct({ hash: int(6), forget: int(2), remove: Schema.Option(int(300)) })

describe("NumberIndex", () => {
  it.prop(
    "has the numbers of the window that were not removed, while it grows, its hashes collide and the numbers pass the greatest integer",
    {
      start: Schema.Literals([1, 2 ** 31 - 200, -200]),
      steps: Schema.Array(Step).check(Schema.isMinLength(200), Schema.isMaxLength(600))
    },
    ({ start, steps }) => {
      const index = new NumberIndex()
      /** The hash of each number of the window; without one for those that were removed. */
      const expected = new Map<number, number | undefined>()
      let first = start
      let next = start
      const hashAt = (number: number) => expected.get(number)
      const find = (hash: number, wanted: number) =>
        index.find(hash, first, (next - first) >>> 0, (number) => number === wanted)
      for (const { forget, hash, remove } of steps) {
        const number = next
        next = (next + 1) | 0
        expected.set(number, number === 0 ? undefined : hash - 3)
        if (number !== 0) index.add(hash - 3, number, first, (next - first) >>> 0, hashAt)
        if (remove._tag === "Some") {
          const removed = (first + remove.value) | 0
          const known = expected.get(removed)
          if (known !== undefined) {
            index.remove(known, removed, first, (next - first) >>> 0)
            expected.set(removed, undefined)
            assert.isUndefined(find(known, removed))
          }
        }
        // One number leaves for each that comes, or fewer.
        if (forget === 0 && first !== next) {
          const known = expected.get(first)
          expected.delete(first)
          const left = first
          first = (first + 1) | 0
          if (known !== undefined) assert.isUndefined(find(known, left))
        }
      }
      for (const [number, known] of expected) {
        for (let hash = -3; hash <= 3; hash++) {
          assert.strictEqual(find(hash, number), hash === known ? number : undefined)
        }
      }
    }
  )

  it("a hundred thousand numbers are found while numbers are added and the window moves", () => {
    const index = new NumberIndex()
    const hashOf = (number: number) => Math.imul(number, 0x9e3779b1)
    for (let number = 1; number < 300_000; number++) {
      const first = Math.max(1, number - 100_000)
      index.add(hashOf(number), number, first, number + 1 - first, hashOf)
    }
    assert.isBelow(index.bytes, 5_000_000)
    for (let number = 1; number < 300_000; number++) {
      const found = index.find(hashOf(number), 199_999, 100_001, (other) => other === number)
      assert.strictEqual(found, number < 199_999 ? undefined : number)
    }
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { HashGenerations } from "../../../src/services/core/HashGenerations.ts"

const int = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))
/** Few hashes, so that many numbers compete for a place. */
const Step = Schema.Struct({ hash: int(6), forget: int(2), remove: Schema.Option(int(300)) })

const isSame = (number: number, wanted: number): boolean => number === wanted

describe("HashGenerations", () => {
  it.prop(
    "has the numbers that are neither forgotten nor removed, while generations come and go, hashes collide and the numbers pass the greatest integer",
    {
      start: Schema.Literals([0, 1, 2 ** 31 - 200, -200]),
      steps: Schema.Array(Step).check(Schema.isMinLength(200), Schema.isMaxLength(600))
    },
    ({ start, steps }) => {
      const index = new HashGenerations()
      /** The hash of each number that is not forgotten; without one for those that were removed. */
      const expected = new Map<number, number | undefined>()
      let first = start
      let next = start
      for (const { forget, hash, remove } of steps) {
        const number = next
        next = (next + 1) | 0
        expected.set(number, hash - 3)
        index.add(hash - 3, number, expected.size)
        if (remove._tag === "Some") {
          const removed = (first + remove.value) | 0
          const known = expected.get(removed)
          if (known !== undefined) {
            index.remove(known, removed)
            expected.set(removed, undefined)
            assert.isUndefined(index.find(known, removed, isSame))
          }
        }
        // One number leaves for each that comes, or fewer.
        if (forget === 0) {
          expected.delete(first)
          first = (first + 1) | 0
          index.forget(first)
        }
      }
      for (const [number, known] of expected) {
        if (known !== undefined) assert.strictEqual(index.find(known, number, isSame), number)
      }
    }
  )

  it("a hundred thousand of a million numbers take 27 bytes each at most and are found", () => {
    const index = new HashGenerations()
    const hashOf = (number: number) => Math.imul(number, 0x9e3779b1)
    const most = 100_000
    for (let number = 1; number < 1_000_000; number++) {
      index.add(hashOf(number), number, Math.min(number, most))
      index.forget(number - most)
      if (number % 997 !== 0) continue
      const old = Math.max(1, number - most + 1)
      for (const known of [number, old]) assert.strictEqual(index.find(hashOf(known), known, isSame), known)
      assert.isUndefined(index.find(hashOf(number + 1), number + 1, isSame))
    }
    assert.isAtMost(index.bytes, 27 * most)
  })

  it("of hashes that are new fewer than one in ten lead to a number of another one", () => {
    const index = new HashGenerations()
    const hashOf = (number: number) => Math.imul(number ^ (number >>> 15), 0x2c1b3c6d)
    let looks = 0
    const most = 25_000
    for (let number = 0; number < 100_000; number++) {
      index.find(hashOf(number), number, () => {
        looks++
        return false
      })
      index.add(hashOf(number), number, Math.min(number + 1, most))
      index.forget(number - most)
      // At first there are generations of all sizes.
      if (number < 2 * most) looks = 0
    }
    assert.isBelow(looks, 5000)
  })
})

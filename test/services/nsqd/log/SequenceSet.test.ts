import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { SequenceSet } from "../../../../src/services/nsqd/log/SequenceSet.ts"

/** Beyond three chunks of the set. */
const most = 13_000
const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
/** The first sequence and the number of sequences that are added: mostly few, sometimes more than a chunk. */
const Addition = Schema.Struct({
  from: between(1, most),
  length: Schema.Union([between(0, 3), between(0, 100), between(4000, 4200)])
})

/** What the set is to contain, one flag for each sequence. */
class Model {
  readonly flags = new Uint8Array(most + 5000)

  constructor(floor: number) {
    this.flags.fill(1, 0, floor)
  }

  add(from: number, to: number): number {
    let added = 0
    for (let at = from; at < to; at++) {
      if (this.flags[at] === 0) added++
      this.flags[at] = 1
    }
    return added
  }

  firstMissing(from: number): number {
    return this.flags.indexOf(0, from)
  }

  /** The ranges of members above the first sequence that is not in the set. */
  ranges(): ReadonlyArray<readonly [number, number]> {
    const found: Array<readonly [number, number]> = []
    for (let at = this.flags.indexOf(1, this.firstMissing(0)); at >= 0;) {
      const end = this.flags.indexOf(0, at)
      found.push([at, end])
      at = this.flags.indexOf(1, end)
    }
    return found
  }
}

const rangesOf = (set: SequenceSet): ReadonlyArray<readonly [number, number]> => {
  const found: Array<readonly [number, number]> = []
  set.forEachRange((from, to) => void found.push([from, to]))
  return found
}

describe("a set of sequences", () => {
  it.prop(
    "sequences that are added in any order are in the set, and no others",
    [between(1, most), Schema.Array(Addition), between(1, most), between(0, 5000)],
    ([floor, additions, from, length]) => {
      const set = new SequenceSet(floor)
      const model = new Model(floor)
      for (const addition of additions) {
        const end = addition.from + addition.length
        assert.strictEqual(set.add(addition.from, end), model.add(addition.from, end))
        assert.strictEqual(set.floor, model.firstMissing(0))
      }
      const ranges = model.ranges()
      assert.deepStrictEqual(rangesOf(set), ranges)
      assert.strictEqual(set.above, ranges.reduce((sum, [start, end]) => sum + end - start, 0))
      assert.strictEqual(set.firstMissing(from), model.firstMissing(from))
      const to = Math.min(from + length, most)
      assert.strictEqual(set.includes(from, to), from >= to || model.firstMissing(from) >= to)
      for (let at = 0; at < most; at += 7) assert.strictEqual(set.has(at), model.flags[at] === 1, String(at))
    }
  )

  it.prop(
    "a scan in steps passes all members that were there before, whatever is added meanwhile",
    [between(1, most), Schema.Array(Addition), Schema.Array(Addition)],
    ([floor, before, meanwhile]) => {
      const set = new SequenceSet(floor)
      const passed = new Model(floor)
      for (const { from, length } of before) set.add(from, from + length)
      const model = new Model(set.floor)
      for (const [from, to] of rangesOf(set)) model.add(from, to)
      const steps = set.scanRanges((from, to) => {
        passed.add(from, to)
        assert.isTrue(set.includes(from, to))
      })
      passed.add(0, set.floor)
      for (const { from, length } of meanwhile) {
        if (steps.next().done === true) break
        set.add(from, from + length)
        // The floor may pass chunks that the scan has not reached.
        set.add(set.floor, set.floor + 1)
      }
      while (steps.next().done !== true);
      assert.strictEqual(model.flags.findIndex((flag, at) => flag === 1 && passed.flags[at] === 0), -1)
    }
  )

  it("messages that are finished in the reverse order become one floor", () => {
    const set = new SequenceSet(1)
    for (let at = 10_000; at > 1; at--) assert.strictEqual(set.add(at, at + 1), 1)
    assert.deepStrictEqual([set.floor, set.above, rangesOf(set)], [1, 9999, [[2, 10_001]]])
    assert.strictEqual(set.add(1, 2), 1)
    assert.deepStrictEqual([set.floor, set.above, rangesOf(set)], [10_001, 0, []])
  })

  it("a sequence that is added twice counts once", () => {
    const set = new SequenceSet(1)
    assert.deepStrictEqual([set.add(5, 8), set.add(6, 10), set.add(5, 10), set.add(0, 1)], [3, 2, 0, 0])
    assert.deepStrictEqual([set.floor, set.above], [1, 5])
  })

  it("sequences beyond 32 bits are as good as others", () => {
    const base = 2 ** 40
    const set = new SequenceSet(base)
    set.add(base + 1, base + 5000)
    assert.isFalse(set.has(base))
    assert.isTrue(set.includes(base + 1, base + 5000))
    assert.strictEqual(set.firstMissing(base + 1), base + 5000)
    set.add(base, base + 1)
    assert.strictEqual(set.floor, base + 5000)
  })
})

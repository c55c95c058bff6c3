import { assert, describe, it } from "@effect/vitest"
import { SequenceHeap } from "../../../../src/services/nsqd/log/SequenceHeap.ts"
import { Chance } from "./LogModel.ts"

describe("SequenceHeap", () => {
  it("a heap returns the sequences of a sorted array", () => {
    for (let seed = 0; seed < 100; seed++) {
      const chance = new Chance(seed)
      const heap = new SequenceHeap()
      let model: Array<number> = []
      for (let step = 0; step < 300; step++) {
        const choice = chance.below(100)
        if (choice < 50 || (choice < 98 && model.length === 0)) {
          const sequence = chance.below(1000)
          heap.push(sequence)
          model.push(sequence)
          model.sort((a, b) => a - b)
        } else if (choice < 65) {
          const sequence = chance.happens(80) ? chance.pick(model) : chance.below(1000)
          const at = model.indexOf(sequence)
          assert.strictEqual(heap.remove(sequence), at >= 0, `seed ${seed}`)
          if (at >= 0) model.splice(at, 1)
        } else if (choice < 98) assert.strictEqual(heap.pop(), model.shift(), `seed ${seed}`)
        else if (choice === 98) {
          heap.removeWhere((sequence) => sequence % 3 === 0)
          model = model.filter((sequence) => sequence % 3 !== 0)
        } else {
          heap.clear()
          model = []
        }
        assert.deepStrictEqual([heap.count, heap.lowest], [model.length, model[0] ?? Infinity], `seed ${seed}`)
      }
    }
  })
  it("a heap of many sequences grows and shrinks", () => {
    const heap = new SequenceHeap()
    const count = 100_003
    for (let at = 0; at < count; at++) heap.push((at * 7919) % count)
    heap.removeWhere((sequence) => sequence % 2 === 1)
    for (let sequence = 0; sequence < count; sequence += 400) assert.isTrue(heap.remove(sequence))
    assert.isFalse(heap.remove(400))
    for (let sequence = 0; sequence < count; sequence += 2) {
      if (sequence % 400 !== 0) assert.strictEqual(heap.pop(), sequence)
    }
    heap.push(7)
    assert.deepStrictEqual([heap.count, heap.lowest], [1, 7])
  })
})

import { assert, describe, it } from "@effect/vitest"
import * as AddressPool from "../../../src/services/tools/AddressPool.ts"

const addresses = ["a", "b", "c"]
const second = 1000

/** A pool whose time and random number the test sets. */
const pool = (mode: string, chance = 0.99) => {
  const circumstances = { time: 1_000_000, chance }
  const choose = AddressPool.make(mode, addresses, {
    now: () => circumstances.time,
    random: () => circumstances.chance
  })
  /** The addresses of the next choices; those in `failing` fail, and all others succeed. */
  const next = (count: number, failing = "", millis: Readonly<Record<string, number>> = {}) =>
    Array.from({ length: count }, () => {
      const { address, mark } = choose()
      circumstances.time += millis[address] ?? 0
      mark(address !== failing)
      return address
    }).join("")
  return { circumstances, next }
}

describe("round-robin", () => {
  it("round-robin begins with the second address and takes each in turn, whatever the results", () => {
    assert.strictEqual(pool("round-robin").next(7, "c"), "bcabcab")
  })

  it("an unknown mode is round-robin", () => {
    assert.strictEqual(pool("nonsense").next(3), "bca")
  })
})

describe("hostpool", () => {
  it("hostpool takes each address in turn", () => {
    assert.strictEqual(pool("hostpool").next(7), "abcabca")
  })

  it("hostpool leaves out a failed address for 30 s, then twice as long each time up to 15 minutes", () => {
    const { circumstances, next } = pool("hostpool")
    assert.strictEqual(next(6, "b"), "abcaca")
    circumstances.time += 30 * second
    assert.notInclude(next(4, "b"), "b")
    for (const pause of [30, 60, 120, 240, 480, 900, 900]) {
      circumstances.time += 1
      assert.lengthOf(next(6, "b").replace(/[ac]/g, ""), 1, `after ${pause} s`)
      circumstances.time += Math.min(pause * 2, 900) * second
      assert.notInclude(next(4, "b"), "b")
    }
    circumstances.time += 1
    assert.lengthOf(next(6).replace(/[ac]/g, ""), 2)
  })

  it("hostpool revives all addresses when none is left, and begins with the first", () => {
    const { circumstances, next } = pool("hostpool")
    assert.strictEqual([next(1, "a"), next(1, "b"), next(1, "c")].join(""), "abc")
    assert.strictEqual(next(3), "aab")
    circumstances.time += 1
    assert.strictEqual(next(3), "cab")
  })
})

describe("epsilon-greedy", () => {
  const speeds = { a: 100, b: 1, c: 100 }

  it("epsilon-greedy explores the addresses in turn, with a decreasing probability", () => {
    const { next } = pool("epsilon-greedy", 0)
    assert.strictEqual(next(6, "", speeds), "abcabc")
    const rare = pool("epsilon-greedy", 0.2)
    // The probability falls from 0.3 to 0.27, 0.243, 0.2187, 0.19683; the last is below the random number, so the speed
    // decides.
    assert.strictEqual(rare.next(4, "", speeds), "abca")
    assert.strictEqual(rare.next(3, "", speeds), "bbb")
  })

  it("epsilon-greedy prefers fast addresses, even below a millisecond", () => {
    const { circumstances, next } = pool("epsilon-greedy", 0)
    next(3, "", { a: 0.5, b: 0.01, c: 0.5 })
    for (const chance of [0.31, 0.5, 0.96]) {
      circumstances.chance = chance
      assert.strictEqual(next(1, "", { b: 0.01 }), "b")
    }
  })

  it("epsilon-greedy forgets response times after five minutes", () => {
    const { circumstances, next } = pool("epsilon-greedy", 0)
    next(3, "", speeds)
    circumstances.chance = 0.5
    assert.strictEqual(next(2, "", speeds), "bb")
    circumstances.time += 300 * second
    assert.strictEqual(next(3), "abc")
  })

  it("epsilon-greedy leaves out failed addresses", () => {
    const { circumstances, next } = pool("epsilon-greedy", 0)
    next(3, "", speeds)
    circumstances.chance = 0.5
    assert.strictEqual(next(1, "b"), "b")
    assert.notInclude(next(10, "", speeds), "b")
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { KeyWords } from "../../../src/services/core/KeyWords.ts"
import { RecentKeys } from "../../../src/services/core/RecentKeys.ts"

const Step = Schema.Struct({
  key: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 99 })),
  wait: Schema.Literals([0, 1, 5]),
  most: Schema.Literals([0, 3, 100]),
  window: Schema.Literals([4, 20, 1000]),
  isPending: Schema.Boolean,
  settle: Schema.Literals(["nothing", "stored", "failed"])
})

const words = new KeyWords()

const wordsOf = (key: string): KeyWords => {
  words.setText(key)
  return words
}

describe("RecentKeys", () => {
  it.prop(
    "has the keys of a Map whose first entries are removed, also when the numbers pass the greatest integer",
    {
      start: Schema.Literals([1, -1, -30, 2 ** 31 - 30, -70]),
      steps: Schema.Array(Step).check(Schema.isMinLength(100), Schema.isMaxLength(300))
    },
    ({ start, steps }) => {
      const keys = new RecentKeys(start)
      const expected = new Map<string, number>()
      let now = 0
      let pendingFrom: number | undefined
      for (const { isPending, key: number, most, settle, wait, window } of steps) {
        const name = String(number)
        now += wait
        if (expected.get(name) !== Infinity) {
          const noted = keys.note(wordsOf(name), isPending ? Infinity : now)
          assert.strictEqual(keys.numberOf(wordsOf(name)), noted)
          if (isPending) pendingFrom ??= noted
          expected.delete(name)
          expected.set(name, isPending ? Infinity : now)
        }
        if (settle !== "nothing" && pendingFrom !== undefined) {
          keys.settle(pendingFrom, keys.end, settle === "stored" ? now : undefined)
          pendingFrom = undefined
          for (const [other, time] of expected) {
            if (time !== Infinity) continue
            if (settle === "stored") expected.set(other, now)
            else expected.delete(other)
          }
        }
        keys.forget(most, now - window)
        const size = () => Array.from(expected.values()).filter((time) => time !== Infinity).length
        for (const [oldest, time] of expected) {
          if (time === Infinity || (size() <= most && time > now - window)) break
          expected.delete(oldest)
        }
        assert.strictEqual(keys.size, size())
        assert.strictEqual(keys.timeOf(wordsOf(name)), expected.get(name))
      }
      for (let other = 0; other < 100; other++) {
        assert.strictEqual(keys.has(wordsOf(String(other))), expected.has(String(other)))
        assert.strictEqual(keys.timeOf(wordsOf(String(other))), expected.get(String(other)))
      }
    }
  )

  it("keys of any length and alphabet are distinct", () => {
    const names = [
      "",
      "a",
      "a\0",
      "\u00e9",
      "e\u0301",
      "k".repeat(63),
      "k".repeat(64),
      "k".repeat(65),
      `${"k".repeat(64)}l`,
      "\u{1f600}"
    ]
    const keys = new RecentKeys()
    for (const [at, name] of names.entries()) {
      assert.isFalse(keys.has(wordsOf(name)), name)
      keys.note(wordsOf(name), at)
      assert.isTrue(keys.has(wordsOf(name)), name)
    }
    assert.strictEqual(keys.size, names.length)
    for (const [at, name] of names.entries()) {
      keys.forget(names.length, at)
      assert.isFalse(keys.has(wordsOf(name)), name)
      assert.strictEqual(keys.size, names.length - at - 1)
    }
  })

  it("a key that is noted repeatedly takes the place of one, while an older key remains", () => {
    const keys = new RecentKeys()
    keys.note(wordsOf("old"), 0)
    for (let time = 1; time <= 1_000_000; time++) keys.note(wordsOf("again"), time)
    assert.isBelow(keys.bytes, 1024 * 1024)
    assert.deepStrictEqual([keys.size, keys.has(wordsOf("old")), keys.has(wordsOf("again"))], [2, true, true])
    keys.forget(2, 0)
    assert.deepStrictEqual([keys.size, keys.has(wordsOf("old")), keys.has(wordsOf("again"))], [1, false, true])
  })

  it("bursts of keys that are all forgotten in between take at most twice the memory of one", () => {
    for (const burst of [1, 64, 65, 192, 448, 4032, 8128]) {
      const keys = new RecentKeys()
      const afterBurst = (from: number): number => {
        for (let number = from; number < from + burst; number++) keys.note(wordsOf(String(number)), number)
        keys.forget(0, Infinity)
        assert.strictEqual(keys.size, 0)
        return keys.bytes
      }
      const twice = 2 * afterBurst(0)
      for (let bursts = 1; bursts < 20; bursts++) {
        assert.isAtMost(afterBurst(bursts * burst), twice, `bursts of ${burst}`)
      }
    }
  })

  it("a hundred thousand keys of a million are kept, the newest ones", () => {
    const keys = new RecentKeys()
    for (let number = 0; number < 1_000_000; number++) {
      keys.note(wordsOf(String(number)), number)
      keys.forget(100_000, -Infinity)
    }
    assert.strictEqual(keys.size, 100_000)
    assert.isBelow(keys.bytes, 11_000_000)
    assert.deepStrictEqual([899_999, 900_000, 999_999].map((number) => keys.has(wordsOf(String(number)))), [
      false,
      true,
      true
    ])
    assert.deepStrictEqual([899_999, 999_999].map((number) => keys.timeOf(wordsOf(String(number)))), [
      undefined,
      999_999
    ])
    keys.clear()
    assert.deepStrictEqual([keys.size, keys.has(wordsOf("999999"))], [0, false])
    keys.note(wordsOf("a"), 1)
    assert.deepStrictEqual([keys.size, keys.has(wordsOf("a"))], [1, true])
  })
})

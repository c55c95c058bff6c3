import { assert, describe, it } from "@effect/vitest"
import { hashedWordsMax, hashWords } from "../../../src/services/core/KeyHash.ts"

/** The hashes of words that differ only as `change` says. */
const hashesOf = (count: number, change: (words: Int32Array, number: number) => void) =>
  Array.from({ length: count }, (_, number) => {
    const words = new Int32Array(hashedWordsMax)
    change(words, number)
    return hashWords(words, hashedWordsMax)
  })

/** How many of 2^16 places the hashes take, by their low bits or by their high ones. */
const placesOf = (hashes: ReadonlyArray<number>) => [
  new Set(hashes.map((hash) => hash & 0xffff)).size,
  new Set(hashes.map((hash) => hash >>> 16)).size
]

describe("the hash of keys", () => {
  it("words that differ in a few bits take many places", () => {
    const kinds: ReadonlyArray<(words: Int32Array, number: number) => void> = [
      (words, number) => words[0] = number,
      (words, number) => words[14] = number << 16,
      (words, number) => words[7] = Math.imul(number, 0x01000193),
      (words, number) => {
        words[1] = number & 0xff
        words[2] = (number >> 8) << 24
      },
      // In the highest bits of words a sum of products of whole words would cancel out.
      (words, number) => {
        for (let bit = 0; bit < 15; bit++) words[bit] = ((number >> bit) & 1) << 31
      }
    ]
    for (const change of kinds) {
      for (const places of placesOf(hashesOf(2 ** 16, change))) assert.isAbove(places, 2 ** 16 / 4)
    }
  })

  it("a hash is the same each time, and one of the first words only", () => {
    const words = Int32Array.from({ length: hashedWordsMax }, (_, at) => at)
    assert.strictEqual(hashWords(words, 3), hashWords(words.slice(0, 4), 3))
    assert.notStrictEqual(hashWords(words, 3), hashWords(words, 4))
  })
})

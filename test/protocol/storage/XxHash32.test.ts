import { assert, describe, it } from "@effect/vitest"
import { xxHash32 } from "../../../src/protocol/storage/XxHash32.ts"

const hashOf = (text: string, start = 0): string => {
  const bytes = new Uint8Array(Buffer.from("x".repeat(start) + text + "y"))
  return (xxHash32(new DataView(bytes.buffer), start, bytes.length - 1) >>> 0).toString(16).padStart(8, "0")
}

describe("XXH32", () => {
  // Test vectors of the reference implementation and its ports.
  for (
    const [text, hash] of [
      ["", "02cc5d05"],
      ["a", "550d7456"],
      ["abc", "32d153ff"],
      ["Nobody inspects the spammish repetition", "e2293b2f"]
    ] as const
  ) {
    it(`the hash of "${text}" is ${hash} at any position`, () => {
      for (const start of [0, 1, 2, 3, 7]) assert.strictEqual(hashOf(text, start), hash)
    })
  }
})

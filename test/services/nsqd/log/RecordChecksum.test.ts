import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { crc32 } from "node:zlib"
import { RecordChecksum } from "../../../../src/services/nsqd/log/RecordChecksum.ts"

describe("the checksum of records", () => {
  it.effect("native code computes the same as Node's", () =>
    Effect.gen(function*() {
      const checksum = new RecordChecksum()
      const samples = [0, 1, 63, 234, 46_800, 1_000_000].map((size) =>
        Buffer.from(Uint8Array.from({ length: size }, (_, at) => at * 7))
      )
      const expected = samples.map((bytes) => crc32(bytes))
      assert.deepStrictEqual(samples.map((bytes) => checksum.of(bytes)), expected)
      yield* checksum.load
      assert.deepStrictEqual(samples.map((bytes) => checksum.of(bytes)), expected)
    }))
})

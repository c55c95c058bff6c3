import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import * as Frames from "../../../src/services/http/WebSocketFrames.ts"

/** A frame of a client, whose first byte has the flags. */
export const frame = (first: number, payload: Buffer | string, mask = Buffer.from([1, 2, 3, 4])): Buffer => {
  const bytes = Buffer.from(payload)
  const { length } = bytes
  const head = length < 126
    ? [first, 0x80 | length]
    : length < 65_536
    ? [first, 0x80 | 126, length >> 8, length & 255]
    : [first, 0x80 | 127, 0, 0, 0, 0, length >>> 24, (length >> 16) & 255, (length >> 8) & 255, length & 255]
  return Buffer.concat([Buffer.from(head), mask, bytes.map((byte, i) => byte ^ mask[i % 4]!)])
}

const decode = (...chunks: ReadonlyArray<Buffer>) => {
  const decoder = new Frames.FrameDecoder(100_000)
  return chunks.flatMap((chunk) => decoder.push(chunk))
}
const codeOf = (...chunks: ReadonlyArray<Buffer>) => {
  const last = decode(...chunks).at(-1)
  return last?._tag === "Close" ? last.code : undefined
}

describe("WebSocketFrames", () => {
  it.effect.prop(
    "texts are decoded however they are cut into frames and reads",
    {
      texts: Arbitrary.array(Arbitrary.schema(Schema.String), { maxLength: 5 }),
      size: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 300 })),
      read: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 50 }))
    },
    ({ read, size, texts }) =>
      Effect.sync(() => {
        const wellFormed = texts.map((text) => text.toWellFormed().repeat(20))
        const frames = wellFormed.flatMap((text) => {
          const bytes = Buffer.from(text)
          const parts = Math.max(1, Math.ceil(bytes.length / size))
          return Array.from({ length: parts }, (_, i) =>
            Buffer.concat([
              frame((i === parts - 1 ? 0x80 : 0) | (i === 0 ? 1 : 0), bytes.subarray(i * size, (i + 1) * size)),
              // Control frames may lie between the parts.
              frame(0x8a, "")
            ]))
        })
        const all = Buffer.concat(frames)
        const chunks = Array.from({ length: Math.ceil(all.length / read) }, (_, i) =>
          all.subarray(i * read, (i + 1) * read))
        const received = decode(...chunks).flatMap((one) =>
          one._tag === "Text" ? [one.text] : []
        )
        assert.deepStrictEqual(received, wellFormed)
      })
  )

  it("texts of all lengths are encoded", () => {
    assert.deepStrictEqual(Frames.text("abc"), Buffer.from([0x81, 3, 97, 98, 99]))
    assert.deepStrictEqual(Frames.text("x".repeat(300)).subarray(0, 4), Buffer.from([0x81, 126, 1, 44]))
    assert.deepStrictEqual(
      Frames.text("x".repeat(70_000)).subarray(0, 10),
      Buffer.from([0x81, 127, 0, 0, 0, 0, 0, 1, 0x11, 0x70])
    )
    assert.deepStrictEqual(Frames.close(1001), Buffer.from([0x88, 2, 3, 0xe9]))
  })

  it("pings, pongs and closes are decoded, and nothing after a close", () => {
    assert.deepStrictEqual(decode(frame(0x89, "hi"), frame(0x8a, "")), [
      { _tag: "Ping", payload: Buffer.from("hi") },
      { _tag: "Pong" }
    ])
    const code = Buffer.from([3, 0xe9])
    assert.deepStrictEqual(decode(Buffer.concat([frame(0x88, code), frame(0x81, "late")]), frame(0x81, "later")), [
      { _tag: "Close", code: 1001 }
    ])
    assert.strictEqual(codeOf(frame(0x88, "")), 1000)
  })

  it("what the standard forbids ends the connection with its code", () => {
    const unmasked = Buffer.from([0x81, 1, 97])
    assert.strictEqual(codeOf(unmasked), 1002)
    assert.strictEqual(codeOf(frame(0xc1, "compressed")), 1002)
    assert.strictEqual(codeOf(frame(0x83, "reserved")), 1002)
    assert.strictEqual(codeOf(frame(0x80, "continuation of nothing")), 1002)
    assert.strictEqual(codeOf(frame(0x01, "a"), frame(0x81, "a new text in a text")), 1002)
    assert.strictEqual(codeOf(frame(0x09, "a ping in parts")), 1002)
    assert.strictEqual(codeOf(frame(0x89, "x".repeat(126))), 1002)
    assert.strictEqual(codeOf(frame(0x88, Buffer.from([3, 0xed]))), 1002)
    assert.strictEqual(codeOf(frame(0x88, "x")), 1002)
    assert.strictEqual(codeOf(frame(0x82, "binary")), 1003)
    assert.strictEqual(codeOf(frame(0x81, Buffer.from([0xff]))), 1007)
  })

  it("a message that is too big ends the connection before it is received", () => {
    const big = frame(0x81, "x".repeat(100_001))
    assert.strictEqual(codeOf(big.subarray(0, 10)), 1009)
    const huge = Buffer.from([0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
    assert.strictEqual(codeOf(huge), 1009)
    assert.strictEqual(codeOf(frame(0x01, "x".repeat(60_000)), frame(0x80, "x".repeat(50_000))), 1009)
  })
})

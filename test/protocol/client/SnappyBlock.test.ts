import { assert, describe, it } from "@effect/vitest"
import { crc32c as nativeCrc32c } from "@node-rs/crc32"
import { Effect, Schema } from "effect"
import { randomBytes } from "node:crypto"
import snappy from "snappy"
import { crc32c } from "../../../src/protocol/client/Crc32c.ts"
import * as SnappyBlock from "../../../src/protocol/client/SnappyBlock.ts"

const text = Buffer.from(
  JSON.stringify(Array.from({ length: 2000 }, (_, id) => ({ id, topic: "orders", paused: false })))
)

/** Content of every kind: empty, short, of one byte, noise, text, longer than a fragment, with distant repetitions. */
const contents: ReadonlyArray<Buffer> = [
  Buffer.alloc(0),
  Buffer.from("a"),
  Buffer.from("abcdabcdabcdabcd"),
  ...Array.from({ length: 80 }, (_, length) => Buffer.alloc(length, "ab")),
  Buffer.alloc(65_536),
  randomBytes(60),
  randomBytes(61),
  randomBytes(300),
  randomBytes(70_000),
  text,
  Buffer.concat([text, randomBytes(1000), text]),
  Buffer.alloc(200_000, "0123456789")
]

const native = (block: Buffer): Buffer => Buffer.from(snappy.uncompressSync(block, { asBuffer: true }))

describe("Snappy's blocks in JavaScript", () => {
  it("the native code decompresses what the JavaScript compresses, and the other way round", () => {
    for (const content of contents) {
      const block = SnappyBlock.compress(content)
      assert.isTrue(native(block).equals(content), `${content.length} bytes`)
      assert.isTrue(SnappyBlock.uncompress(block).equals(content), `${content.length} bytes`)
      assert.isTrue(SnappyBlock.uncompress(snappy.compressSync(content)).equals(content), `${content.length} bytes`)
    }
  })

  it("repetitive content becomes a tenth of its size or less, as with the native code", () => {
    for (const content of [text, Buffer.alloc(65_536)]) {
      const size = SnappyBlock.compress(content).length
      assert.isBelow(size, content.length / 5)
      assert.isBelow(size, snappy.compressSync(content).length * 1.3)
    }
  })

  it.effect.prop(
    "any content returns from a block, also from a view into a larger buffer",
    { bytes: Schema.Uint8Array, times: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 30 })) },
    ({ bytes, times }) =>
      Effect.sync(() => {
        const whole = Buffer.concat(Array.from({ length: times }, () => bytes))
        const content = whole.subarray(Math.min(3, whole.length))
        assert.isTrue(native(SnappyBlock.compress(content)).equals(content))
        assert.isTrue(SnappyBlock.uncompress(SnappyBlock.compress(content)).equals(content))
      })
  )

  it("a malformed block is refused, and takes no more memory than its size allows", () => {
    const good = SnappyBlock.compress(text)
    const malformed = [
      Buffer.alloc(0),
      // Lengths without an end, of more than the block can contain, and of more than the elements contain.
      Buffer.alloc(10, 0xff),
      Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0x00, 0x61]),
      Buffer.from([0x03, 0x00, 0x61]),
      // A literal and a number that end too early.
      Buffer.from([0x05, 0x10, 0x61]),
      Buffer.from([0x05, 61 << 2, 0x61]),
      // Copies from offset 0, from before the start, and beyond the length.
      Buffer.from([0x05, 0x00, 0x61, 0x01, 0x00]),
      Buffer.from([0x05, 0x00, 0x61, 0x01, 0x02]),
      Buffer.from([0x02, 0x00, 0x61, 0x01, 0x01]),
      good.subarray(0, good.length - 1),
      Buffer.concat([good, Buffer.from([0x00, 0x61])])
    ]
    for (const block of malformed) {
      assert.throws(() => SnappyBlock.uncompress(block), RangeError, undefined, block.toString("hex"))
    }
  })

  it("a long copy with an offset of four bytes is understood", () => {
    assert.strictEqual(
      SnappyBlock.uncompress(Buffer.from([0x07, 0x08, 0x61, 0x62, 0x63, 0x0f, 0x03, 0, 0, 0])).toString(),
      "abcabca"
    )
  })
})

describe("CRC-32C in JavaScript", () => {
  it("the checksum of the standard's test string is right", () => {
    assert.strictEqual(crc32c(Buffer.from("123456789")), 0xe3069283)
    assert.strictEqual(crc32c(Buffer.alloc(0)), 0)
  })

  it.effect.prop(
    "the checksum is that of the native code",
    { bytes: Schema.Uint8Array },
    ({ bytes }) =>
      Effect.sync(() => {
        assert.strictEqual(crc32c(bytes), nativeCrc32c(bytes) >>> 0)
        const longer = Buffer.concat([bytes, text.subarray(0, 1000 + bytes.length)])
        assert.strictEqual(crc32c(longer), nativeCrc32c(longer) >>> 0)
      })
  )
})

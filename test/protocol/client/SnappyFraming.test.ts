import { assert, describe, it } from "@effect/vitest"
import { crc32c } from "@node-rs/crc32"
import { Result } from "effect"
import { compressSync, uncompressSync } from "snappy"
import { type SnappyCodec, SnappyDecoder, SnappyEncoder } from "../../../src/protocol/client/SnappyFraming.ts"

const codec: SnappyCodec = {
  compress: (content) => compressSync(content),
  uncompress: (block) => Buffer.from(uncompressSync(block)),
  crc32c: (bytes) => crc32c(bytes)
}

const identifier = Buffer.from("\xff\x06\0\0sNaPpY", "latin1")

const chunk = (type: number, body: Uint8Array): Buffer => {
  const header = Buffer.alloc(4)
  header[0] = type
  header.writeUIntLE(body.length, 1, 3)
  return Buffer.concat([header, body])
}

const checksum = (content: Uint8Array): Buffer => {
  const crc = crc32c(content)
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0)
  return bytes
}

const compressed = (content: Uint8Array, block: Uint8Array = compressSync(content)): Buffer =>
  chunk(0, Buffer.concat([checksum(content), block]))

const uncompressed = (content: Uint8Array): Buffer => chunk(1, Buffer.concat([checksum(content), content]))

/** Decodes a stream; returns its content and its end. */
const decode = (
  pieces: ReadonlyArray<Uint8Array>
): { readonly content: string; readonly error: string | undefined } => {
  const decoder = new SnappyDecoder(codec)
  let content = ""
  for (const piece of pieces) {
    decoder.feed(Buffer.from(piece))
    while (true) {
      const next = decoder.next()
      if (Result.isFailure(next)) return { content, error: next.failure.message }
      if (next.success === undefined) break
      content += next.success.toString("latin1")
    }
  }
  return { content, error: decoder.atBoundary ? undefined : "cut off" }
}

const cutEvery = (bytes: Buffer, size: number): Array<Buffer> =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => bytes.subarray(i * size, (i + 1) * size))

/** Returns bytes without repetitions, the same in every run. */
const noise = (length: number): Buffer => {
  const bytes = Buffer.alloc(length)
  let x = 1
  for (let i = 0; i < length; i++) {
    x = (Math.imul(x, 1103515245) + 12345) >>> 0
    bytes[i] = x >>> 24
  }
  return bytes
}

describe("the Snappy framing format", () => {
  it("any content round-trips through a snappy stream in pieces of any size", () => {
    const contents = [Buffer.alloc(0), Buffer.from("x"), Buffer.alloc(200_000, "abc"), noise(70_000), noise(65_536)]
    const encoder = new SnappyEncoder(codec)
    const stream = Buffer.concat(contents.map((content) => encoder.encode(content)))
    const expected = Buffer.concat(contents).toString("latin1")
    for (const size of [1, 3, 1000, 65_539, stream.length]) {
      const { content, error } = decode(cutEvery(stream, size))
      assert.isTrue(content === expected, `cut every ${size}`)
      assert.isUndefined(error)
    }
  })

  it("a snappy stream starts with one stream identifier", () => {
    const encoder = new SnappyEncoder(codec)
    assert.strictEqual(encoder.encode(Buffer.from("a")).indexOf(identifier), 0)
    assert.strictEqual(encoder.encode(Buffer.from("b")).indexOf(identifier), -1)
  })

  it("content that becomes smaller by an eighth is compressed in chunks of 64 KiB", () => {
    const types = (content: Buffer) => {
      const found = []
      const stream = new SnappyEncoder(codec).encode(content)
      for (let at = identifier.length; at < stream.length; at += 4 + stream.readUIntLE(at + 1, 3)) {
        found.push(stream[at])
      }
      return found
    }
    assert.deepStrictEqual(types(Buffer.from("OK")), [1])
    assert.deepStrictEqual(types(noise(1000)), [1])
    assert.deepStrictEqual(types(Buffer.alloc(1000, "ab")), [0])
    assert.deepStrictEqual(types(Buffer.concat([Buffer.alloc(65_536), noise(65_536), Buffer.from("!")])), [0, 1, 1])
  })

  it("the checksum is that of the snappy framing specification", () => {
    assert.strictEqual(crc32c("123456789") >>> 0, 0xe3069283)
  })

  it("a snappy stream may repeat its identifier and contain skippable chunks of any size", () => {
    const a = uncompressed(Buffer.from("a"))
    const b = compressed(Buffer.alloc(100, "b"))
    for (const type of [0x80, 0xfd, 0xfe]) {
      const stream = Buffer.concat([
        identifier,
        a,
        chunk(type, noise(300_000)),
        identifier,
        chunk(type, Buffer.alloc(0)),
        b
      ])
      for (const size of [100_000, stream.length]) {
        assert.deepStrictEqual(decode(cutEvery(stream, size)), { content: `a${"b".repeat(100)}`, error: undefined })
      }
    }
  })

  it("the decoder does not keep skippable chunks in memory", () => {
    const decoder = new SnappyDecoder(codec)
    decoder.feed(Buffer.concat([identifier, chunk(0xfe, Buffer.alloc(0xffffff)).subarray(0, 4)]))
    const piece = Buffer.alloc(65_536)
    for (let i = 0; i < 255; i++) {
      decoder.feed(piece)
      assert.deepStrictEqual(decoder.next(), Result.succeed(undefined))
      assert.isFalse(decoder.atBoundary)
    }
    decoder.feed(Buffer.concat([piece.subarray(1), uncompressed(Buffer.from("after"))]))
    assert.deepStrictEqual(decoder.next(), Result.succeed(Buffer.from("after")))
    assert.isTrue(decoder.atBoundary)
  })

  it("an invalid chunk is an error after the content before it", () => {
    const good = Buffer.concat([identifier, uncompressed(Buffer.from("good"))])
    const text = Buffer.alloc(1000, "text")
    const block = compressSync(text)
    const spoiled = Buffer.from(block)
    spoiled.fill(0xff, 10)
    const wrongSum = compressed(text)
    wrongSum[4] = (wrongSum[4] ?? 0) ^ 1
    const cases: ReadonlyArray<readonly [Buffer, string]> = [
      [chunk(0x02, Buffer.alloc(10)), "unknown chunk type 2"],
      [chunk(0x7f, Buffer.alloc(10)), "unknown chunk type 127"],
      [chunk(0xff, Buffer.from("sNaPpy")), "invalid stream identifier"],
      [chunk(0xff, Buffer.from("sNaPpYY")), "invalid stream identifier"],
      [chunk(0, Buffer.alloc(3)), "compressed chunk of 3 bytes"],
      [chunk(1, Buffer.alloc(3)), "uncompressed chunk of 3 bytes"],
      [chunk(1, Buffer.alloc(65_541)).subarray(0, 4), "uncompressed chunk of 65541 bytes"],
      [chunk(0, Buffer.alloc(76_495)).subarray(0, 4), "compressed chunk of 76495 bytes"],
      [wrongSum, "wrong checksum"],
      [chunk(1, Buffer.concat([checksum(text), Buffer.from("other")])), "wrong checksum"],
      [compressed(text, spoiled), "malformed compressed block"],
      [compressed(text, block.subarray(0, -1)), "malformed compressed block"],
      [compressed(text, Buffer.alloc(0)), "invalid length of a compressed block"],
      [compressed(text, Buffer.from([0x80])), "invalid length of a compressed block"],
      // 64 KiB and one byte, then 4 GiB less one.
      [compressed(text, Buffer.from([0x81, 0x80, 0x04, 0])), "invalid length of a compressed block"],
      [compressed(text, Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0])), "invalid length of a compressed block"]
    ]
    for (const [bad, reason] of cases) {
      assert.deepStrictEqual(decode([good, bad]), { content: "good", error: `snappy: ${reason}` })
    }
  })

  it("a snappy stream without its identifier is an error", () => {
    for (const first of [uncompressed(Buffer.from("a")), chunk(0xfe, Buffer.alloc(4)), Buffer.from("PUB t\n")]) {
      assert.strictEqual(decode([first]).error, "snappy: missing stream identifier")
    }
  })

  it("a snappy stream may end only between two chunks", () => {
    const stream = Buffer.concat([identifier, compressed(Buffer.alloc(50, "x"))])
    assert.isUndefined(decode([stream]).error)
    for (let length = 1; length < stream.length; length++) {
      if (length !== identifier.length) assert.strictEqual(decode([stream.subarray(0, length)]).error, "cut off")
    }
  })
})

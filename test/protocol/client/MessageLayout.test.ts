import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { writeGuid } from "../../../src/protocol/client/Guid.ts"
import { framesSize, layOutPublished, type PublishedBodies } from "../../../src/protocol/client/MessageBatch.ts"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const Publish = Schema.Struct({
  sizes: Schema.Array(Schema.Union([between(1, 40), between(1, 3000)])).check(
    Schema.isMinLength(1),
    Schema.isMaxLength(60)
  ),
  gap: between(0, 80),
  before: between(0, 100)
})

const timestamp = 1_790_000_000_123_456_789n
const ids = { unit: 481_123_456_789, sequence: 4090, node: 7 }

/** Bodies of these sizes with other bytes around them. */
const publishedOf = ({ before, gap, sizes }: typeof Publish.Type): PublishedBodies => {
  const bodyBytes = sizes.reduce((sum, size) => sum + size, 0)
  const bytes = Buffer.alloc(before + bodyBytes + sizes.length * (4 + gap) + 10, "*")
  let at = before
  sizes.forEach((size, index) => {
    bytes.writeInt32BE(size, at)
    for (let i = 0; i < size; i++) bytes[at + 4 + i] = (index * 31 + i) & 255
    at += 4 + size + gap
  })
  return { bytes, start: before, gap, count: sizes.length, bodyBytes }
}

/** The frames, one after the other as the protocol describes them. */
const framesOf = (published: PublishedBodies): Buffer => {
  let at = published.start
  return Buffer.concat(Array.from({ length: published.count }, (_, index) => {
    const size = published.bytes.readInt32BE(at)
    const header = Buffer.alloc(34)
    header.writeInt32BE(size + 30, 0)
    header.writeInt32BE(2, 4)
    header.writeBigInt64BE(timestamp, 8)
    header.writeUInt16BE(1, 16)
    writeGuid(header, 18, ids, index)
    const body = published.bytes.subarray(at + 4, at + 4 + size)
    at += 4 + size + published.gap
    return Buffer.concat([header, body])
  }))
}

describe("published messages as frames", () => {
  it.prop(
    "bodies of any sizes, with other bytes between them, are the bodies of the frames",
    [Publish],
    ([publish]) => {
      const published = publishedOf(publish)
      const before = Buffer.from(published.bytes)
      const size = framesSize(published)
      const out = Buffer.alloc(5 + size + 5, "#")
      assert.strictEqual(layOutPublished(out, 5, published, timestamp, ids), 5 + size)
      assert.deepStrictEqual(out.subarray(5, 5 + size), framesOf(published))
      assert.strictEqual(out.toString("latin1", 0, 5) + out.toString("latin1", 5 + size), "##########")
      assert.deepStrictEqual(published.bytes, before)
    }
  )
})

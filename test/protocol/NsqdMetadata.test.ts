import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { decodeNsqdMetadata, encodeNsqdMetadata, NsqdMetadata } from "../../src/protocol/NsqdMetadata.ts"

const normal = (metadata: NsqdMetadata): unknown => JSON.parse(encodeNsqdMetadata(metadata))

describe("nsqd.dat", () => {
  it.prop("round-trips", [NsqdMetadata], ([metadata]) => {
    const decoded = Result.getOrThrow(decodeNsqdMetadata(encodeNsqdMetadata(metadata)))
    assert.deepStrictEqual(normal(decoded), normal(metadata))
  })

  it.prop("of any text is metadata or an error", [Schema.String], ([text]) => {
    assert.isTrue(Result.isResult(decodeNsqdMetadata(text)))
  })

  it.prop(
    "that is damaged is metadata that its Schema accepts, or an error",
    [NsqdMetadata, Schema.Array(Schema.Tuple([Schema.Int, Schema.Int]))],
    ([metadata, changes]) => {
      const bytes = Buffer.from(encodeNsqdMetadata(metadata))
      for (const [at, value] of changes) bytes[Math.abs(at) % bytes.length] = value & 0xff
      const decoded = decodeNsqdMetadata(bytes.toString())
      assert.isTrue(Result.isFailure(decoded) || Schema.is(NsqdMetadata)(decoded.success))
    }
  )

  it("has NSQ's keys in NSQ's order, and null for empty lists", () => {
    const topics = [{ name: "t", paused: true, channels: [{ name: "c", paused: false }] }, {
      name: "u",
      paused: false,
      channels: []
    }]
    assert.strictEqual(
      encodeNsqdMetadata({ topics, version: "1.3.0" }),
      "{\"topics\":[{\"name\":\"t\",\"paused\":true,\"channels\":[{\"name\":\"c\",\"paused\":false}]}," +
        "{\"name\":\"u\",\"paused\":false,\"channels\":null}],\"version\":\"1.3.0\"}"
    )
    assert.strictEqual(encodeNsqdMetadata({ topics: [], version: "1.3.0" }), "{\"topics\":null,\"version\":\"1.3.0\"}")
  })
})

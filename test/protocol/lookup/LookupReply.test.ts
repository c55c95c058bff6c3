import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { encodeReply, isRefusal, ReplyDecoder, ReplyError } from "../../../src/protocol/lookup/LookupReply.ts"

describe("responses of nsqlookupd", () => {
  it.effect.prop(
    "responses of nsqlookupd are decoded as they were encoded, in pieces of any size",
    {
      texts: Schema.Array(Schema.String),
      chunk: Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: 9 })))
    },
    ({ chunk, texts }) =>
      Effect.sync(() => {
        const bytes = Buffer.concat(texts.map((text) => encodeReply(Buffer.from(text))))
        const decoder = new ReplyDecoder(bytes.length)
        const read: Array<string> = []
        for (let at = 0; at < bytes.length; at += chunk) {
          decoder.feed(bytes.subarray(at, at + chunk))
          for (let next = decoder.next(); next !== undefined; next = decoder.next()) read.push(next.toString())
        }
        assert.deepStrictEqual(read, texts.map((text) => Buffer.from(text).toString()))
      })
  )

  it("a response of a negative size or above the limit is an error before its bytes arrive", () => {
    for (
      const [size, text] of [
        [-5, "response body size (-5) is negative"],
        [11, "response body size (11) is greater than limit (10)"]
      ] as const
    ) {
      const decoder = new ReplyDecoder(10)
      const header = Buffer.alloc(4)
      header.writeInt32BE(size)
      decoder.feed(header)
      const error = decoder.next()
      assert(error instanceof ReplyError)
      assert.strictEqual(error.message, text)
    }
  })

  it("a response that begins with an error code is a refusal", () => {
    for (const text of ["E_INVALID", "E_BAD_TOPIC REGISTER topic name 'a b' is not valid"]) {
      assert.isTrue(isRefusal(text))
    }
    for (const text of ["", "OK", "{}", "not E_INVALID"]) assert.isFalse(isRefusal(text), text)
  })
})

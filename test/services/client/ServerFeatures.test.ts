import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { decodeFeatures, ServerFeatures, withoutNegotiation } from "../../../src/services/client/ServerFeatures.ts"

const bySchema = Schema.decodeResult(Schema.fromJsonString(ServerFeatures))

const expected = (text: string): ServerFeatures | undefined => {
  const decoded = bySchema(text)
  return Result.isSuccess(decoded) ? decoded.success : undefined
}

const values = [1, 0, -3, 1.5, 2 ** 53, true, false, "", "1.3.0", null, [], {}]

describe("ServerFeatures", () => {
  it("the client decodes a reply to IDENTIFY like the Schema, whatever the values of its keys are", () => {
    for (const key of Object.keys(ServerFeatures.fields)) {
      for (const value of values) {
        const text = JSON.stringify({ max_rdy_count: 7, tls_v1: true, other: 1, [key]: value })
        assert.deepStrictEqual(decodeFeatures(text), expected(text), text)
      }
    }
    for (
      const text of ["", "{", "[]", "null", "1", `"{}"`, "{}", `{"max_msg_size":9,"version":"1.3.0","headers":true}`]
    ) {
      assert.deepStrictEqual(decodeFeatures(text), expected(text), text)
    }
    assert.deepStrictEqual(decodeFeatures("{}"), withoutNegotiation)
  })
})

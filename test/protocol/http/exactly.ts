/** Compares the JSON that a server writes with the Schema of its response. */
import { assert } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { encodeJson } from "../../../src/services/http/HttpResponse.ts"

const parse = Schema.decodeEffect(Schema.fromJsonString(Schema.Unknown))

/**
 * Decodes a response, and encodes it again to the same text: it has every key of the Schema and no other, in the Schema's order.
 * A key that is missing would be encoded with its default.
 */
export const decodeExactly = Effect.fnUntraced(function*<A, I>(schema: Schema.Codec<A, I>, text: string) {
  const value = yield* Schema.decodeUnknownEffect(schema, { onExcessProperty: "error" })(yield* parse(text))
  assert.strictEqual(encodeJson(yield* Schema.encodeEffect(schema)(value)), text)
  return value
})

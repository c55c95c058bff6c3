/** Bodies in JSON by a Schema. Loaded with the first value, because a client needs no Schema for bytes. */
import { type Effect, Schema } from "effect"
import * as DeadLetterSchema from "./DeadLetterSchema.ts"

/** Encodes values of a Schema to JSON, and decodes them. */
export interface TopicCodec<A> {
  readonly encode: (value: A) => Effect.Effect<string, Schema.SchemaError>
  readonly decode: (text: string) => Effect.Effect<A, Schema.SchemaError>
}

/** Returns the codec of a Schema. */
export const of = <A, I>(schema: Schema.Codec<A, I>): TopicCodec<A> => {
  const json = Schema.fromJsonString(schema)
  return { encode: Schema.encodeEffect(json), decode: Schema.decodeUnknownEffect(json) }
}

/** The codec of the envelopes of dead letters. */
export const deadLetters = of(DeadLetterSchema.make({
  BigIntFromString: Schema.BigIntFromString,
  Int: Schema.Int,
  String: Schema.String,
  Struct: Schema.Struct,
  Uint8ArrayFromBase64: Schema.Uint8ArrayFromBase64
}))

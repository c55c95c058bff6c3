/**
 * JSON responses with a list or a record of thousands of items, which are encoded in turns with everything else in the process: 4 MB at
 * once would delay every other request for 50 ms.
 */
import { Effect, Schema, Stream } from "effect"
import { HttpServerResponse } from "effect/http"
import * as Turns from "../core/Turns.ts"

/** The number of characters that are sent at once. */
const chunkLength = 64 * 1024

const encoder = new TextEncoder()

/** The text of an object whose list or record at `key` is empty, in the two parts that items belong between. */
const around = (text: string, key: string): readonly [before: string, after: string] => {
  const empty = [`"${key}":[]`, `"${key}":{}`].find((each) => text.includes(each)) ?? ""
  const end = text.indexOf(empty) + empty.length - 1
  return [text.slice(0, end), text.slice(end)]
}

function* chunksOf(
  [before, after]: readonly [string, string],
  items: Iterable<string>
): Generator<void, ReadonlyArray<Uint8Array>, void> {
  const chunks: Array<Uint8Array> = []
  let text = before
  let separator = ""
  for (const item of items) {
    text += separator + item
    separator = ","
    if (text.length >= chunkLength) {
      chunks.push(encoder.encode(text))
      text = ""
    }
    yield
  }
  chunks.push(encoder.encode(text + after))
  return chunks
}

/** Returns the texts of the items of a list. */
export function* list<A, I>(schema: Schema.Codec<A, I>, items: ReadonlyArray<A>): Generator<string, void, void> {
  const encode = Schema.encodeSync(Schema.fromJsonString(schema))
  for (const item of items) yield encode(item)
}

/** Returns the texts of the entries of a record. */
export function* record<A, I>(
  schema: Schema.Codec<A, I>,
  entries: Iterable<readonly [key: string, item: A]>
): Generator<string, void, void> {
  const encode = Schema.encodeSync(Schema.fromJsonString(schema))
  for (const [key, item] of entries) yield `${JSON.stringify(key)}:${encode(item)}`
}

/** Returns the response `value`, whose list or record at `key` is empty, with these items there. A step for each item. */
export const response = <A, I>(
  schema: Schema.Codec<A, I>,
  value: A,
  key: string & keyof A,
  items: Iterable<string>
): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.gen(function*() {
    const text = yield* Effect.orDie(Schema.encodeEffect(Schema.fromJsonString(schema))(value))
    const chunks = yield* Turns.finish(yield* Turns.Turns, chunksOf(around(text, key), items))
    return HttpServerResponse.stream(Stream.fromIterable(chunks), {
      contentType: "application/json",
      contentLength: chunks.reduce((sum, { length }) => sum + length, 0)
    })
  })

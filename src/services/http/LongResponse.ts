/**
 * Decodes responses that may be very long, such as the statistics of thousands of topics, in turns with everything else in the
 * process: parsing and checking 10 MB at once would delay every other request for most of a second.
 */
import { Effect, Result, Schema } from "effect"
import * as JsonElements from "../../protocol/text/JsonElements.ts"
import { finish, Turns } from "../core/Turns.ts"

/** The schemas of a response with a list of topics, which is decoded topic by topic. */
export interface ByTopic<Head extends { readonly topics: ReadonlyArray<unknown> | null }, Topic> {
  /** The response without the content of the topics. */
  readonly head: Schema.Codec<Head, unknown>
  readonly topic: Schema.Codec<Topic, unknown>
}

/** The content of such a response. */
export type Decoded<Head, Topic> = Omit<Head, "topics"> & { readonly topics: ReadonlyArray<Topic> | null }

/** The body is not JSON, or does not match the schemas. */
const invalid = Result.fail(undefined)

const parse = Schema.decodeUnknownResult(Schema.fromJsonString(Schema.Unknown))

/** Decodes the response `body`; fails if it is not JSON or does not match the schemas. */
export const decode = <Head extends { readonly topics: ReadonlyArray<unknown> | null }, Topic>(
  { head, topic }: ByTopic<Head, Topic>,
  body: Buffer
): Effect.Effect<Decoded<Head, Topic>, undefined> => {
  const decodeHead = Schema.decodeUnknownResult(head)
  const decodeTopic = Schema.decodeUnknownResult(topic)

  function* steps(): Generator<void, Result.Result<Decoded<Head, Topic>, undefined>, void> {
    const found = yield* JsonElements.find(body, "topics")
    const parsed = parse(found === undefined ? body.toString() : found.rest)
    if (Result.isFailure(parsed)) return invalid
    const decoded = decodeHead(parsed.success)
    if (Result.isFailure(decoded)) return invalid
    const { topics: whole, ...rest } = decoded.success
    if (whole === null) return Result.succeed({ ...rest, topics: null })
    const topics: Array<Topic> = []
    const count = found === undefined ? whole.length : found.elements.length
    for (let i = 0; i < count; i++) {
      const slice = found?.elements[i]
      const value = slice === undefined
        ? Result.succeed(whole[i])
        : parse(body.toString("utf8", slice.start, slice.end))
      const one = Result.isFailure(value) ? invalid : decodeTopic(value.success)
      if (Result.isFailure(one)) return invalid
      topics.push(one.success)
      yield
    }
    return Result.succeed({ ...rest, topics })
  }

  return Effect.flatMap(
    Effect.flatMap(Turns, (turns) => finish(turns, steps())),
    Effect.fromResult
  )
}

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

/** A longer response is decoded in turns of its own only, and not in the rest of the round in which its end has arrived. */
const longBytes = 64 * 1024

/**
 * Decodes the response `body`, and passes each topic to the function that `begin` returns for the rest of the response. Fails if the
 * response is not JSON or does not match the schemas, maybe after some topics.
 */
export const forEach = <Head extends { readonly topics: ReadonlyArray<unknown> | null }, Topic>(
  { head, topic }: ByTopic<Head, Topic>,
  body: Buffer,
  begin: (rest: Head) => (topic: Topic) => void
): Effect.Effect<Head, undefined> => {
  const decodeHead = Schema.decodeUnknownResult(head)
  const decodeTopic = Schema.decodeUnknownResult(topic)

  function* steps(): Generator<void, Result.Result<Head, undefined>, void> {
    const found = yield* JsonElements.find(body, "topics")
    const parsed = parse(found === undefined ? body.toString() : found.rest)
    if (Result.isFailure(parsed)) return invalid
    const decoded = decodeHead(parsed.success)
    if (Result.isFailure(decoded)) return invalid
    const whole = decoded.success.topics ?? []
    const use = begin(decoded.success)
    const count = found === undefined ? whole.length : found.elements.length
    for (let i = 0; i < count; i++) {
      const slice = found?.elements[i]
      const value = slice === undefined
        ? Result.succeed(whole[i])
        : parse(body.toString("utf8", slice.start, slice.end))
      const one = Result.isFailure(value) ? invalid : decodeTopic(value.success)
      if (Result.isFailure(one)) return invalid
      use(one.success)
      yield
    }
    return Result.succeed(decoded.success)
  }

  const decoded = Effect.flatMap(
    Turns,
    (turns) => Effect.andThen(body.length > longBytes ? turns.next : Effect.void, finish(turns, steps()))
  )
  return Effect.flatMap(decoded, Effect.fromResult)
}

/** Decodes the response `body`; fails if it is not JSON or does not match the schemas. */
export const decode = <Head extends { readonly topics: ReadonlyArray<unknown> | null }, Topic>(
  schemas: ByTopic<Head, Topic>,
  body: Buffer
): Effect.Effect<Decoded<Head, Topic>, undefined> =>
  Effect.suspend(() => {
    const decoded: Array<Topic> = []
    const add = (topic: Topic): void => void decoded.push(topic)
    return Effect.map(
      forEach(schemas, body, () => add),
      ({ topics, ...rest }) => ({ ...rest, topics: topics === null ? null : decoded })
    )
  })

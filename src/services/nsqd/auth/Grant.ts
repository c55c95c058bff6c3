/**
 * What an auth server lets a client do, as its answer says (section 10 of the protocol notes). Pure. An answer that is not
 * entirely understood is no answer.
 */
import { Data, Result, Schema } from "effect"
import * as Patterns from "./Patterns.ts"

/** What a client may do, until its time is over. */
export interface Grant {
  readonly identity: string
  readonly identityUrl: string
  /** How many authorizations there are; with none the client may do nothing. */
  readonly permissionCount: number
  readonly ttlMillis: number
  /**
   * Whether the client may subscribe to the channel of the topic or, for an empty channel, publish to the topic. As in NSQ a
   * pattern for channels has to match the empty name for that.
   */
  readonly permits: (topic: string, channel: string) => boolean
}

/** An answer that cannot be used. The reason quotes patterns, permissions and numbers of it, nothing else. */
export class InvalidAnswer extends Data.TaggedError("InvalidAnswer")<{ readonly reason: string }> {}

const orNull = <S extends Schema.Top>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

/** As in Go, what is missing or null is empty. */
const Answer = Schema.fromJsonString(Schema.Struct({
  ttl: orNull(Schema.Int),
  identity: orNull(Schema.String),
  identity_url: orNull(Schema.String),
  authorizations: orNull(Schema.Array(Schema.Struct({
    topic: orNull(Schema.String),
    channels: orNull(Schema.Array(Schema.String)),
    permissions: orNull(Schema.Array(Schema.String))
  })))
}))

type Authorization = NonNullable<typeof Answer.Type["authorizations"]>[number]

const decodeAnswer = Schema.decodeResult(Answer)

const maxAuthorizations = 10_000

const invalid = (reason: string) => Result.fail(new InvalidAnswer({ reason }))

const compile = (what: "topic" | "channel", pattern: string) =>
  Result.mapError(
    Patterns.compile(pattern),
    ({ reason }) =>
      new InvalidAnswer({ reason: `unable to compile ${what} ${JSON.stringify(pattern.slice(0, 256))} ${reason}` })
  )

const understand = ({ channels, permissions, topic }: Authorization) =>
  Result.gen(function*() {
    const allowed = new Set(permissions)
    for (const permission of allowed) {
      if (permission !== "subscribe" && permission !== "publish") {
        return yield* invalid(`unknown permission ${JSON.stringify(permission.slice(0, 256))}`)
      }
    }
    const topicPattern = yield* compile("topic", topic ?? "")
    const channelPatterns = yield* Result.all((channels ?? []).map((channel) => compile("channel", channel)))
    return {
      permits: (topic: string, channel: string): boolean =>
        allowed.has(channel === "" ? "publish" : "subscribe") &&
        Patterns.matches(topicPattern, topic) &&
        channelPatterns.some((pattern) => Patterns.matches(pattern, channel))
    }
  })

/** Reads the body of an answer. */
export const decode = (body: string): Result.Result<Grant, InvalidAnswer> =>
  Result.gen(function*() {
    const answer = yield* Result.mapError(
      decodeAnswer(body),
      () => new InvalidAnswer({ reason: "the answer is not the JSON of an authorization" })
    )
    const authorizations = answer.authorizations ?? []
    if (authorizations.length > maxAuthorizations) {
      return yield* invalid(`${authorizations.length} authorizations, ${maxAuthorizations} are allowed`)
    }
    const understood = yield* Result.all(authorizations.map(understand))
    const ttl = answer.ttl ?? 0
    if (ttl <= 0) return yield* invalid(`invalid TTL ${ttl} (must be >0)`)
    return {
      identity: answer.identity ?? "",
      identityUrl: answer.identity_url ?? "",
      permissionCount: understood.length,
      ttlMillis: ttl * 1000,
      permits: (topic, channel) => understood.some((authorization) => authorization.permits(topic, channel))
    }
  })

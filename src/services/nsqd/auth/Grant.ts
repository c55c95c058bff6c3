/**
 * The permissions in an auth server's response (docs/protocol/client.md#auth-servers). Pure. A response with anything
 * that is not understood is rejected as a whole.
 */
import { Result, Schema } from "effect"
import { type AuthError, authError } from "./AuthError.ts"
import * as Patterns from "./Patterns.ts"

/**
 * The permissions of a client until they expire.
 *
 * @since 0.1.0
 * @category models
 */
export interface Grant {
  readonly identity: string
  readonly identityUrl: string
  /** Number of authorizations; 0 permits nothing. */
  readonly permissionCount: number
  readonly ttlMillis: number
  /**
   * Whether the client may subscribe to the channel of the topic or, for an empty channel, publish to the topic. As
   * in NSQ, publishing requires a channel pattern that matches the empty name.
   */
  readonly permits: (topic: string, channel: string) => boolean
}

const orNull = <S extends Schema.Top>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))

/** As in Go, missing and null fields are empty. */
const Response = Schema.fromJsonString(Schema.Struct({
  ttl: orNull(Schema.Int),
  identity: orNull(Schema.String),
  identity_url: orNull(Schema.String),
  authorizations: orNull(Schema.Array(Schema.Struct({
    topic: orNull(Schema.String),
    channels: orNull(Schema.Array(Schema.String)),
    permissions: orNull(Schema.Array(Schema.String))
  })))
}))

type Authorization = NonNullable<typeof Response.Type["authorizations"]>[number]

const decodeResponse = Schema.decodeResult(Response)

const maxAuthorizations = 10_000

const invalid = (description: string) => Result.fail(authError("InvalidResponse", description))

const compile = (what: "topic" | "channel", pattern: string) =>
  Result.mapError(
    Patterns.compile(pattern),
    ({ message }) =>
      authError("InvalidResponse", `unable to compile ${what} ${JSON.stringify(pattern.slice(0, 256))} ${message}`)
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

/** Decodes the body of a response. Fails with the reason `InvalidResponse`. */
export const decode = (body: string): Result.Result<Grant, AuthError> =>
  Result.gen(function*() {
    const response = yield* Result.mapError(
      decodeResponse(body),
      () => authError("InvalidResponse", "the response is not a valid authorization")
    )
    const authorizations = response.authorizations ?? []
    if (authorizations.length > maxAuthorizations) {
      return yield* invalid(`${authorizations.length} authorizations exceed the limit of ${maxAuthorizations}`)
    }
    const understood = yield* Result.all(authorizations.map(understand))
    const ttl = response.ttl ?? 0
    if (ttl <= 0) return yield* invalid(`invalid TTL ${ttl} (must be >0)`)
    return {
      identity: response.identity ?? "",
      identityUrl: response.identity_url ?? "",
      permissionCount: understood.length,
      ttlMillis: ttl * 1000,
      permits: (topic, channel) => understood.some((authorization) => authorization.permits(topic, channel))
    }
  })

/**
 * Authorization of consumers over HTTP: the same permissions as those of SUB, for the secret in the header
 * `Authorization: Bearer <secret>`. Everything is permitted without an `Authorizer`.
 */
import { Effect, Redacted } from "effect"
import type { IncomingMessage } from "node:http"
import { failure, HttpFailure } from "../../http/HttpResponse.ts"
import type { TlsDetails } from "../../net/TlsHandshake.ts"
import { Authorizer } from "../auth/Authorizer.ts"
import type { Grant } from "../auth/Grant.ts"

/** A client that wants to subscribe. */
export interface Subscriber {
  readonly incoming: IncomingMessage
  /** The peer's `host:port`, for the log. */
  readonly remoteAddress: string
  /** Empty for a unix socket. */
  readonly remoteIp: string
  readonly tls: TlsDetails | undefined
}

/** Returns the grant for a channel, `undefined` without an `Authorizer`. Fails with 401 or 403 if the client may not subscribe. */
export type SubAccess = (
  subscriber: Subscriber,
  topic: string,
  channel: string
) => Effect.Effect<Grant | undefined, HttpFailure>

const unauthenticated = (code: string): HttpFailure =>
  new HttpFailure({ response: failure(401, code, ["WWW-Authenticate", "Bearer"]) })

const missing = unauthenticated("AUTH_REQUIRED")
const failed = unauthenticated("AUTH_FAILED")
const refused = new HttpFailure({ response: failure(403, "UNAUTHORIZED") })

/** Node decodes headers as latin1, which returns the bytes that were sent. */
const secretIn = ({ headers }: IncomingMessage): Buffer | undefined => {
  const secret = /^bearer +(.+)$/i.exec(headers.authorization ?? "")?.[1]
  return secret === undefined ? undefined : Buffer.from(secret, "latin1")
}

/** The check against the Authorizer of the environment. */
export const make: Effect.Effect<SubAccess> = Effect.map(
  Authorizer,
  (authorizer) =>
    Effect.fnUntraced(function*({ incoming, remoteAddress, remoteIp, tls }, topic, channel) {
      if (authorizer === undefined) return undefined
      const secret = secretIn(incoming)
      if (secret === undefined) return yield* missing
      const grant = yield* authorizer.query({
        secret: Redacted.make(secret, { label: "secret" }),
        remoteIp,
        tls: tls !== undefined,
        commonName: tls?.commonName ?? ""
      }).pipe(
        Effect.tapError(({ message }) => Effect.logError(`HTTP: [${remoteAddress}] AUTH failed ${message}`)),
        Effect.mapError(() => failed)
      )
      if (!grant.permits(topic, channel)) return yield* refused
      return grant
    })
)

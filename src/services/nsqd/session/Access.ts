/**
 * Which clients may do what (section 10 of the protocol notes): the AUTH command, and the question before every SUB, PUB, MPUB
 * and DPUB. Nothing is allowed that the auth server has not allowed, and when it cannot be asked any more, nothing is.
 *
 * Hot path: what needs no question to the auth server is checked synchronously.
 */
import { Effect, Redacted } from "effect"
import { type ProtocolError, protocolError } from "../../../protocol/client/ProtocolError.ts"
import * as Time from "../../core/Time.ts"
import { Authorization } from "../auth/Authorization.ts"
import { Authorizer, type Credentials } from "../auth/Authorizer.ts"
import { hostOf, type Session } from "./Session.ts"

/** The commands that have to be permitted. */
export type Guarded = "SUB" | "PUB" | "MPUB" | "DPUB"

const disabled = Effect.fail(protocolError("E_AUTH_DISABLED", "AUTH disabled"))
const alreadySet = Effect.fail(protocolError("E_INVALID", "AUTH already set"))
const nothingGranted = Effect.fail(protocolError("E_UNAUTHORIZED", "AUTH no authorizations found"))

const credentialsOf = ({ connection, tls }: Session, secret: Buffer): Credentials => ({
  // The bytes in the read buffer do not stay.
  secret: Redacted.make(Buffer.from(secret), { label: "secret" }),
  remoteIp: hostOf(connection.remoteAddress),
  tls: tls !== undefined,
  commonName: tls?.commonName ?? ""
})

/** The checks, with the authorizer of the environment. */
export const make = Effect.gen(function*() {
  const authorizer = yield* Authorizer
  const time = yield* Time.make

  const ask = Effect.fnUntraced(function*(
    asked: Authorizer,
    session: Session,
    credentials: Credentials
  ): Effect.fn.Return<Authorization, ProtocolError> {
    const grant = yield* asked.query(credentials).pipe(
      Effect.tapError(({ reason }) =>
        Effect.logError(`PROTOCOL(V2): [${session.connection.remoteAddress}] AUTH failed ${reason}`)
      ),
      Effect.mapError(() => protocolError("E_AUTH_FAILED", "AUTH failed"))
    )
    return new Authorization(grant, credentials, time.monotonicMillis())
  })

  /** AUTH: finds out what the client may do, and tells it who it is. */
  const authenticate = Effect.fnUntraced(function*(
    session: Session,
    secret: Buffer
  ): Effect.fn.Return<void, ProtocolError> {
    if (session.authorization !== undefined) return yield* alreadySet
    if (authorizer === undefined) return yield* disabled
    const authorization = yield* ask(authorizer, session, credentialsOf(session, secret))
    const { identity, identityUrl, permissionCount } = authorization.grant
    if (permissionCount === 0) return yield* nothingGranted
    session.authorization = authorization
    session.outbox.response(
      JSON.stringify({ identity, identity_url: identityUrl, permission_count: permissionCount })
    )
  })

  const refusal = (session: Session, command: Guarded, topic: string, channel: string): ProtocolError | undefined =>
    session.authorization?.permits(topic, channel) === true
      ? undefined
      : protocolError("E_UNAUTHORIZED", `AUTH failed for ${command} on "${topic}" "${channel}"`)

  /** Asks again what the client may do; until it is known it may do nothing. */
  const renew = Effect.fnUntraced(function*(
    asked: Authorizer,
    session: Session,
    expired: Authorization,
    command: Guarded,
    topic: string,
    channel: string
  ): Effect.fn.Return<void, ProtocolError> {
    session.authorization = yield* ask(asked, session, expired.credentials)
    const refused = refusal(session, command, topic, channel)
    if (refused !== undefined) return yield* refused
  })

  /**
   * Whether the client may carry out a command; `channel` is empty for those that publish. `undefined` when it may. An Effect
   * fails when it may not, or finds out by asking the auth server.
   */
  const check = (
    session: Session,
    command: Guarded,
    topic: string,
    channel: string
  ): Effect.Effect<void, ProtocolError> | undefined => {
    if (authorizer === undefined) return undefined
    const { authorization } = session
    if (authorization === undefined) {
      return Effect.fail(protocolError("E_AUTH_FIRST", `AUTH required before ${command}`))
    }
    if (authorization.isExpired(time.monotonicMillis())) {
      return renew(authorizer, session, authorization, command, topic, channel)
    }
    const refused = refusal(session, command, topic, channel)
    return refused === undefined ? undefined : Effect.fail(refused)
  }

  return { authenticate, check, isRequired: authorizer !== undefined }
})

/**
 * Authorization of clients (docs/protocol/client.md#auth): AUTH, and a check before every SUB, PUB, MPUB and DPUB. A client may do
 * only what the auth server has granted, and nothing once its grant has expired and cannot be renewed.
 *
 * Hot path: a grant that has not expired is checked synchronously.
 */
import { Effect, Redacted } from "effect"
import { type ProtocolError, protocolError } from "../../../../protocol/client/ProtocolError.ts"
import type { Completion } from "../../../core/Completion.ts"
import * as Time from "../../../core/Time.ts"
import { Authorization } from "../../auth/Authorization.ts"
import { Authorizer, type Credentials } from "../../auth/Authorizer.ts"
import { hostOf, type Session } from "./Session.ts"

/** The commands that need a permission. */
export type Guarded = "SUB" | "PUB" | "MPUB" | "DPUB" | "HPUB"

/** Authorizes the commands of clients. */
export interface Access {
  /** Whether clients have to send AUTH. */
  readonly isRequired: boolean
  /** Queries the auth server for the permissions of a secret. */
  readonly authenticate: (session: Session, secret: Buffer) => Effect.Effect<Authorization, ProtocolError>
  /**
   * Checks that the client may execute a command, and fails if not; `channel` is empty for publishing. Renews an
   * expired grant first.
   */
  readonly check: (session: Session, command: Guarded, topic: string, channel: string) => Completion<ProtocolError>
}

const disabled = Effect.fail(protocolError("E_AUTH_DISABLED", "AUTH disabled"))

const credentialsOf = ({ connection, tls }: Session, secret: Buffer): Credentials => ({
  // A copy: the read buffer is reused.
  secret: Redacted.make(Buffer.from(secret), { label: "secret" }),
  remoteIp: hostOf(connection.remoteAddress),
  tls: tls !== undefined,
  commonName: tls?.commonName ?? ""
})

const refusal = (session: Session, command: Guarded, topic: string, channel: string): ProtocolError | undefined =>
  session.authorization?.permits(topic, channel) === true
    ? undefined
    : protocolError("E_UNAUTHORIZED", `AUTH failed for ${command} on "${topic}" "${channel}"`)

/** The checks against the Authorizer of the environment; everything is permitted without one. */
export const make = Effect.gen(function*() {
  const authorizer = yield* Authorizer
  const time = yield* Time.make

  const query = Effect.fnUntraced(function*(
    queried: Authorizer,
    session: Session,
    credentials: Credentials
  ): Effect.fn.Return<Authorization, ProtocolError> {
    const grant = yield* queried.query(credentials).pipe(
      Effect.tapError(({ message }) =>
        Effect.logError(`PROTOCOL(V2): [${session.connection.remoteAddress}] AUTH failed ${message}`)
      ),
      Effect.mapError(() => protocolError("E_AUTH_FAILED", "AUTH failed"))
    )
    return new Authorization(grant, credentials, time.monotonicMillis())
  })

  const renew = Effect.fnUntraced(function*(
    queried: Authorizer,
    session: Session,
    expired: Authorization,
    command: Guarded,
    topic: string,
    channel: string
  ): Effect.fn.Return<void, ProtocolError> {
    session.authorize(yield* query(queried, session, expired.credentials))
    const refused = refusal(session, command, topic, channel)
    if (refused !== undefined) return yield* refused
  })

  const access: Access = {
    isRequired: authorizer !== undefined,
    authenticate: (session, secret) =>
      authorizer === undefined ? disabled : query(authorizer, session, credentialsOf(session, secret)),
    check: (session, command, topic, channel) => {
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
  }
  return access
})

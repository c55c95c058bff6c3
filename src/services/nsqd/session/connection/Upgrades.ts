/**
 * The upgrades that an IDENTIFY negotiates (docs/protocol/client.md#upgrades): TLS, then one compression inside it,
 * each confirmed by an OK on the upgraded connection. Nothing else is sent meanwhile, and bytes that the client sends
 * too early are never read as commands.
 */
import { Effect, type Scope } from "effect"
import { type ProtocolError, protocolError } from "../../../../protocol/client/ProtocolError.ts"
import { Turns } from "../../../core/Turns.ts"
import * as DeflateConnection from "../../../net/DeflateConnection.ts"
import { ServerTls } from "../../../net/ServerTls.ts"
import * as SnappyCodecs from "../../../net/SnappyCodecs.ts"
import * as SnappyConnection from "../../../net/SnappyConnection.ts"
import type { Connection } from "../../../net/Transport.ts"
import type { Session } from "./Session.ts"

type Upgrade = Effect.Effect<void, ProtocolError, Scope.Scope>

const failed = (reason: string): ProtocolError => protocolError("E_IDENTIFY_FAILED", `IDENTIFY failed ${reason}`)

const announce = (session: Session, what: string): Effect.Effect<void> =>
  Effect.logInfo(`PROTOCOL(V2): [${session.connection.remoteAddress}] upgrading connection to ${what}`)

const confirm = (session: Session): void => {
  session.outbox.ok(1)
  session.send()
}

/** Performs the negotiated upgrades. The IDENTIFY response is the last frame on the old connection. */
export const make = Effect.gen(function*() {
  const tls = yield* ServerTls
  const turns = yield* Turns

  const startTls = Effect.fnUntraced(function*(session: Session): Effect.fn.Return<void, ProtocolError, Scope.Scope> {
    const { connection } = session
    if (tls === undefined || connection.startTls === undefined) return yield* failed("TLS is not available")
    yield* announce(session, "TLS")
    const secure = yield* Effect.mapError(connection.startTls(tls), ({ message }) => failed(message))
    session.secure(secure.connection, secure.details)
    if (secure.refusal !== undefined) return yield* failed(secure.refusal)
    confirm(session)
  })

  const compress = Effect.fnUntraced(function*(
    session: Session,
    how: "deflate" | "snappy",
    what: string,
    upgrade: (connection: Connection) => Effect.Effect<Connection, ProtocolError, Scope.Scope>
  ): Effect.fn.Return<void, ProtocolError, Scope.Scope> {
    yield* announce(session, what)
    session.compress(yield* upgrade(session.connection), how)
    confirm(session)
  })

  const startSnappy = (session: Session): Upgrade =>
    compress(
      session,
      "snappy",
      "snappy",
      (connection) => Effect.map(SnappyCodecs.load, (codec) => SnappyConnection.make(connection, codec, turns))
    )

  const startDeflate = (session: Session, level: number): Upgrade =>
    compress(
      session,
      "deflate",
      `deflate (level ${level})`,
      (connection) => DeflateConnection.make(connection, level)
    )

  return (session: Session): Upgrade | undefined => {
    const { deflate, deflateLevel, snappy, tls } = session.negotiated
    if (!tls && !deflate && !snappy) return undefined
    const upgrades = Effect.suspend(() => {
      if (session.decoder.buffered > 0) return Effect.fail(failed("data before the end of the upgrade"))
      session.beginUpgrade()
      session.send()
      const secured = tls ? startTls(session) : Effect.void
      const compressed = snappy ? startSnappy(session) : deflate ? startDeflate(session, deflateLevel) : Effect.void
      return Effect.andThen(secured, compressed)
    })
    return Effect.ensuring(upgrades, Effect.sync(() => session.endUpgrade()))
  }
})

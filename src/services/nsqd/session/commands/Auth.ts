/** AUTH: the client proves its identity, and the auth server grants it permissions. See docs/protocol/client.md#auth. */
import { Effect } from "effect"
import { type ProtocolError, protocolError } from "../../../../protocol/client/ProtocolError.ts"
import type { Access } from "../connection/Access.ts"
import type { CommandHandler } from "../connection/CommandHandler.ts"
import type { Session } from "../connection/Session.ts"

interface Auth {
  readonly secret: Buffer
}

const alreadySet = Effect.fail(protocolError("E_INVALID", "AUTH already set"))
const nothingGranted = Effect.fail(protocolError("E_UNAUTHORIZED", "AUTH no authorizations found"))

export const make = (access: Access): CommandHandler<Auth> => {
  const authenticate = Effect.fnUntraced(function*(
    session: Session,
    { secret }: Auth
  ): Effect.fn.Return<void, ProtocolError> {
    if (session.authorization !== undefined) return yield* alreadySet
    const authorization = yield* access.authenticate(session, secret)
    const { identity, identityUrl, permissionCount } = authorization.grant
    if (permissionCount === 0) return yield* nothingGranted
    session.authorize(authorization)
    session.outbox.response(
      JSON.stringify({ identity, identity_url: identityUrl, permission_count: permissionCount })
    )
  })
  return { permittedIn: ["Init"], describe: () => "AUTH", execute: authenticate }
}

/** Servers on loopback with sockets of Node, and handshakes of the client library with them. */
import { Effect } from "effect"
import * as Net from "node:net"
import * as ClientTls from "../../../src/services/client/ClientTls.ts"
import type { TlsOptions } from "../../../src/services/client/index.ts"

/** Starts a server on a free port, until the test ends; returns the port. */
export const listening = <S extends Net.Server>(server: S) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.callback<S>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))),
      () => Effect.sync(() => void server.close())
    ),
    () => {
      const address = server.address()
      return typeof address === "object" && address !== null ? address.port : 0
    }
  )

/** The result of a client's handshake for the name `host`: the version of TLS, or the reason of the failure. */
export const shake = Effect.fnUntraced(function*(port: number, options: TlsOptions, host = "localhost") {
  const tls = yield* ClientTls.make(options, host)
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => Net.connect(port, "127.0.0.1")),
    (each) => Effect.sync(() => void each.destroy())
  )
  return yield* Effect.match(tls.handshake(socket), {
    onSuccess: (secure) => String(secure.getProtocol()),
    onFailure: ({ message }) => message
  })
})

/**
 * A listening HTTP server over `node:http`, living in a Scope. Of requests it knows nothing: they go to a callback, because
 * publishing must not cost a fiber. Connections that are idle end at once when the Scope closes; handlers that are at work
 * get a moment to finish, and nobody else can hold up the end.
 */
import { Effect, type Scope } from "effect"
import * as Http from "node:http"
import type { Socket } from "node:net"
import { joinAddress, type Listener, ListenError, splitAddress } from "../transport/Transport.ts"

/** Longer than the 90 s for which Go's clients, NSQ's own among them, keep connections that they may use again. */
const idleTimeoutMillis = 180_000
const headersTimeoutMillis = 60_000
const requestTimeoutMillis = 300_000
/** Finds peers that are gone without a word. */
const keepAliveProbeMillis = 60_000
const maxHeaderBytes = 64 * 1024

/** How long handlers that are at work hold up the end. */
const grace = "1 second"
/** How long the last answers may take to go out. */
const linger = "500 millis"

export interface ServerSettings {
  /** What the log calls it: `HTTP`. */
  readonly name: string
  /** `host:port`, or the path of a unix socket. */
  readonly address: string
  readonly onRequest: (incoming: Http.IncomingMessage, outgoing: Http.ServerResponse) => void
  /** Completes when no handler is at work. */
  readonly quiet: Effect.Effect<void>
}

const makeServer = (onRequest: ServerSettings["onRequest"]): Http.Server => {
  const server = Http.createServer({
    keepAlive: true,
    keepAliveInitialDelay: keepAliveProbeMillis,
    keepAliveTimeout: idleTimeoutMillis,
    headersTimeout: headersTimeoutMillis,
    requestTimeout: requestTimeoutMillis,
    maxHeaderSize: maxHeaderBytes
  }, onRequest)
  // The interim answer is for the handler to give, once it wants the body.
  return server.on("checkContinue", onRequest)
}

const bind = (server: Http.Server, address: string): Effect.Effect<Listener, ListenError> =>
  Effect.callback((resume) => {
    const split = splitAddress(address)
    const fail = (cause: Error): void => resume(Effect.fail(new ListenError({ address, cause })))
    server.once("error", fail)
    // Without a host Node listens on every address, IPv6 included where there is any.
    const where = split === undefined ? { path: address } : split.host === "" ? { port: split.port } : split
    server.listen(where, () => {
      server.off("error", fail)
      // From here on errors concern single connections that could not be accepted.
      server.on("error", () => {})
      const bound = server.address()
      resume(Effect.succeed(
        bound === null || typeof bound === "string"
          ? { address, port: -1 }
          : { address: joinAddress(bound.address, bound.port), port: bound.port }
      ))
    })
  })

const end = (socket: Socket): void => {
  if (socket.writableLength > 0) socket.destroySoon()
  else socket.destroy()
}

const close = (server: Http.Server, sockets: ReadonlySet<Socket>, quiet: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.gen(function*() {
    let closed = false
    server.close(() => {
      closed = true
    })
    yield* Effect.timeoutOption(quiet, grace)
    sockets.forEach(end)
    if (sockets.size === 0 && closed) return
    const allClosed = Effect.callback<void>((resume) => {
      if (closed) resume(Effect.void)
      else server.once("close", () => resume(Effect.void))
    })
    yield* Effect.timeoutOption(allClosed, linger)
    for (const socket of sockets) socket.destroy()
  })

/** Listens until the Scope closes. The socket file of a unix socket goes with it. */
export const listen = Effect.fnUntraced(
  function*(settings: ServerSettings): Effect.fn.Return<Listener, ListenError, Scope.Scope> {
    const sockets = new Set<Socket>()
    const server = makeServer(settings.onRequest)
    server.on("connection", (socket) => {
      sockets.add(socket)
      socket.once("close", () => sockets.delete(socket))
    })
    const listener = yield* Effect.acquireRelease(
      bind(server, settings.address),
      ({ address }) =>
        Effect.andThen(
          Effect.logInfo(`${settings.name}: closing ${address}`),
          close(server, sockets, settings.quiet)
        )
    )
    yield* Effect.logInfo(`${settings.name}: listening on ${listener.address}`)
    return listener
  }
)

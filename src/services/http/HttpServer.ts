/**
 * A listening HTTP server over `node:http` or `node:https`, living in a Scope. Of requests it knows nothing: they go to a
 * callback, because publishing must not cost a fiber. Connections that are idle end at once when the Scope closes; handlers
 * that are at work get a moment to finish, and nobody else can hold up the end.
 */
import { Effect, FiberSet, type Scope } from "effect"
import * as Http from "node:http"
import type { Server as HttpsServer } from "node:https"
import type { Socket } from "node:net"
import type { TLSSocket } from "node:tls"
import * as NetListener from "../net/NetListener.ts"
import type { ServerTls } from "../net/ServerTls.ts"
import { type Listener, type ListenError, peerAddress } from "../net/Transport.ts"
import * as ConnectionLimit from "./ConnectionLimit.ts"
import type { HttpResponse } from "./HttpResponse.ts"
import * as RequestBody from "./RequestBody.ts"
import type { RequestGuard } from "./RequestGuard.ts"

/** How long a peer may take over what. Node looks every `checkInterval` for who took too long over headers or a request. */
export interface Timeouts {
  readonly headersMillis: number
  /** For all of a request, its body included. */
  readonly requestMillis: number
  /** Between two requests. */
  readonly idleMillis: number
  /** Nothing moves in either direction, though an answer is on its way. */
  readonly stalledMillis: number
  readonly checkIntervalMillis: number
}

export const defaultTimeouts: Timeouts = {
  headersMillis: 60_000,
  requestMillis: 300_000,
  // Longer than the 90 s for which Go's clients, NSQ's own among them, keep connections that they may use again.
  idleMillis: 180_000,
  // Longer than the longest profile takes.
  stalledMillis: 600_000,
  checkIntervalMillis: 10_000
}

/** Finds peers that are gone without a word. */
const keepAliveProbeMillis = 60_000
const maxHeaderBytes = 64 * 1024

/** How long handlers that are at work hold up the end. */
const grace = "1 second"
/** How long the last answers may take to go out. */
const linger = "500 millis"

export type OnRequest = (incoming: Http.IncomingMessage, outgoing: Http.ServerResponse) => void

/** Takes a new connection. `toNode` passes it on to `node:http`, which reads `unread` before what arrives next. */
export type OnConnection = (socket: Socket, toNode: (unread: Buffer) => void) => void

export interface ServerSettings {
  /** What the log calls it: `HTTP`, `HTTPS`. */
  readonly name: string
  /** `host:port`, or the path of a unix socket. */
  readonly address: string
  readonly onRequest: OnRequest
  /** Refuses requests before `onRequest` sees them. */
  readonly guard: RequestGuard
  /** Open connections; 0 for no limit. */
  readonly maxConnections: number
  /** Completes when no handler is at work. */
  readonly quiet: Effect.Effect<void>
  /** Present for HTTPS. */
  readonly tls?: ServerTls
  readonly timeouts?: Timeouts
  /** Takes new connections before `node:http` does. Only for plain HTTP. */
  readonly onConnection?: OnConnection
}

const optionsFor = (timeouts: Timeouts): Http.ServerOptions => ({
  keepAlive: true,
  keepAliveInitialDelay: keepAliveProbeMillis,
  keepAliveTimeout: timeouts.idleMillis,
  headersTimeout: timeouts.headersMillis,
  requestTimeout: timeouts.requestMillis,
  connectionsCheckingInterval: timeouts.checkIntervalMillis,
  maxHeaderSize: maxHeaderBytes
})

const addressOf = ({ remoteAddress, remotePort }: Socket): string => peerAddress(remoteAddress, remotePort)

const plainHttpAnswer = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"

/** A server whose connections are only used when the policy for client certificates allows it. */
const makeHttpsServer = Effect.fnUntraced(function*(
  tls: ServerTls,
  options: Http.ServerOptions
): Effect.fn.Return<HttpsServer, never, Scope.Scope> {
  const Https = yield* Effect.promise(() => import("node:https"))
  const fork = yield* FiberSet.makeRuntime<never>()
  // As NSQ, without ALPN: a server that takes part refuses clients that offer nothing but `http/1.0` or `h2`.
  const server = Https.createServer({ ...options, ...tls.serverOptions(), ALPNProtocols: [] })
  yield* tls.keepCurrent(server)
  const warn = (socket: Socket, why: string): void =>
    void fork(Effect.logWarning(`http: TLS handshake error from ${addressOf(socket)}: ${why}`))
  /** Connections before their handshake, by the address of their peer. */
  const handshaking = new Map<string, Socket>()
  server.on("connection", (socket: Socket) => {
    const address = addressOf(socket)
    handshaking.set(address, socket)
    socket.once("close", () => handshaking.delete(address))
  })
  server.prependListener("secureConnection", (secure: TLSSocket) => {
    handshaking.delete(addressOf(secure))
    const refusal = tls.refusal(secure)
    if (refusal === undefined) return
    warn(secure, refusal)
    secure.destroy()
  })
  server.on("tlsClientError", (error: NodeJS.ErrnoException, secure) => {
    const socket = handshaking.get(addressOf(secure))
    if (error.code === "ERR_SSL_HTTP_REQUEST") socket?.end(plainHttpAnswer)
    warn(socket ?? secure, tls.handshakeFailed(error).message)
  })
  return server
})

/** Takes new connections from the server; the result gives it one after all, with bytes that were read from it. */
const detach = (server: Http.Server): (socket: Socket, unread?: Buffer) => void => {
  const listeners = server.listeners("connection")
  server.removeAllListeners("connection")
  return (socket, unread) => {
    if (unread !== undefined) socket.unshift(unread)
    for (const listener of listeners) Reflect.apply(listener, server, [socket])
    socket.resume()
  }
}

const makeServer = (
  { timeouts = defaultTimeouts, tls }: ServerSettings
): Effect.Effect<Http.Server, never, Scope.Scope> => {
  const options = optionsFor(timeouts)
  return Effect.map(
    tls === undefined ? Effect.sync(() => Http.createServer(options)) : makeHttpsServer(tls, options),
    (server) => {
      server.setTimeout(timeouts.stalledMillis)
      // A client that has sent its request and closed its side still waits for the response, as in NSQ.
      return Object.assign(server, { httpAllowHalfOpen: true })
    }
  )
}

/** Refuses what the guard and the limit for connections refuse, and passes the rest on. */
const guarded = (
  { guard, onRequest }: ServerSettings,
  limit: ConnectionLimit.ConnectionLimit,
  fork: (effect: Effect.Effect<void>) => void
): OnRequest => {
  const refuse = (incoming: Http.IncomingMessage, outgoing: Http.ServerResponse, response: HttpResponse): void =>
    fork(RequestBody.answerUnread(incoming, outgoing, response))
  return (incoming, outgoing) => {
    const refusal = limit(incoming) ?? guard(incoming)
    if (refusal === undefined) onRequest(incoming, outgoing)
    else refuse(incoming, outgoing, refusal)
  }
}

/** The open sockets that an event of the server announces. */
const track = (server: Http.Server, event: "connection" | "secureConnection"): ReadonlySet<Socket> => {
  const sockets = new Set<Socket>()
  server.on(event, (socket: Socket) => {
    sockets.add(socket)
    socket.once("close", () => sockets.delete(socket))
  })
  return sockets
}

const end = (socket: Socket): void => {
  if (socket.writableLength > 0) socket.destroySoon()
  else socket.destroy()
}

/** `sockets` are all that are open, `serving` those that requests come by: others below TLS. */
const close = (
  server: Http.Server,
  sockets: ReadonlySet<Socket>,
  serving: ReadonlySet<Socket>,
  quiet: Effect.Effect<void>
): Effect.Effect<void> =>
  Effect.gen(function*() {
    let closed = false
    server.close(() => {
      closed = true
    })
    yield* Effect.timeoutOption(quiet, grace)
    serving.forEach(end)
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
    const { onConnection } = settings
    const server = yield* makeServer(settings)
    const toNode = onConnection === undefined ? undefined : detach(server)
    const sockets = track(server, "connection")
    const serving = settings.tls === undefined ? sockets : track(server, "secureConnection")
    const fork = yield* FiberSet.makeRuntime<never>()
    const run = (effect: Effect.Effect<void>): void => void fork(effect)
    const limit = ConnectionLimit.apply(server, sockets, settings.maxConnections, settings.tls !== undefined, run)
    const onRequest = guarded(settings, limit, run)
    if (onConnection !== undefined && toNode !== undefined) {
      server.on("connection", (socket: Socket) => {
        if (limit({ socket }) !== undefined) toNode(socket)
        else onConnection(socket, (unread) => toNode(socket, unread))
      })
    }
    // The interim response is for the handler to give, once it wants the body.
    server.on("request", onRequest).on("checkContinue", onRequest)
    const listener = yield* Effect.acquireRelease(
      NetListener.bind(server, settings.address),
      ({ address }) =>
        Effect.andThen(
          Effect.logInfo(`${settings.name}: closing ${address}`),
          close(server, sockets, serving, settings.quiet)
        )
    )
    yield* Effect.logInfo(`${settings.name}: listening on ${listener.address}`)
    return listener
  }
)

/**
 * An HTTP listener over `node:http` or `node:https`, which lives in a Scope. A callback handles the requests, because publishing
 * must not cost a fiber. When the Scope closes, idle connections end at once, running handlers may take a second to finish, and
 * nothing else delays the end.
 */
import { Effect, FiberSet, type Scope } from "effect"
import * as Http from "node:http"
import type { Server as HttpsServer } from "node:https"
import type { Socket } from "node:net"
import type { TLSSocket } from "node:tls"
import type { NetError } from "../net/NetError.ts"
import type { ServerTls } from "../net/ServerTls.ts"
import { type Listener, peerAddress } from "../net/Transport.ts"
import * as ConnectionLimit from "./ConnectionLimit.ts"
import { HttpBinding } from "./HttpBinding.ts"
import type { HttpResponse } from "./HttpResponse.ts"
import * as RequestBody from "./RequestBody.ts"
import type { RequestGuard } from "./RequestGuard.ts"
import * as Upgrade from "./Upgrade.ts"

/** The time limits of a peer. Node checks those of headers and requests every `checkIntervalMillis`. */
export interface Timeouts {
  readonly headersMillis: number
  /** For a whole request, including its body. */
  readonly requestMillis: number
  /** Between two requests. */
  readonly idleMillis: number
  /** Without data in either direction while a response is being sent. */
  readonly stalledMillis: number
  readonly checkIntervalMillis: number
}

/** The default of `ServerSettings.timeouts`. */
export const defaultTimeouts: Timeouts = {
  headersMillis: 60_000,
  requestMillis: 300_000,
  // Longer than the 90 s for which Go's clients, including NSQ's, keep idle connections.
  idleMillis: 180_000,
  // Longer than the longest profile.
  stalledMillis: 600_000,
  checkIntervalMillis: 10_000
}

/** TCP keepalive, which detects peers that vanished. */
const keepAliveProbeMillis = 60_000
const maxHeaderBytes = 64 * 1024

/** The longest wait for running handlers at the end. */
const grace = "1 second"
/** The longest wait for the last responses to be sent. */
const linger = "500 millis"

/** Handles a request and sends the response. */
export type OnRequest = (incoming: Http.IncomingMessage, outgoing: Http.ServerResponse) => void

/** Handles a new connection. `toNode` passes it to `node:http`, which reads `unread` before further input. */
export type OnConnection = (socket: Socket, toNode: (unread: Buffer) => void) => void

/** The settings of a listener. */
export interface ServerSettings {
  /** The name in the log: `HTTP`, `HTTPS`. */
  readonly name: string
  /** `host:port`, or the path of a unix socket. */
  readonly address: string
  readonly onRequest: OnRequest
  /** Refuses requests before `onRequest` gets them. */
  readonly guard: RequestGuard
  /** The maximum number of open connections; 0 for no limit. */
  readonly maxConnections: number
  /** Completes when no handler is running. */
  readonly quiet: Effect.Effect<void>
  /** Present for HTTPS. */
  readonly tls?: ServerTls
  readonly timeouts?: Timeouts
  /** Chooses the requests for an upgrade whose handler may take the connection over (`Upgrade`). Default: none. */
  readonly upgrades?: (incoming: Http.IncomingMessage) => boolean
  /** Gets new connections before `node:http`. Only for plain HTTP. */
  readonly onConnection?: OnConnection
}

const optionsFor = (timeouts: Timeouts, upgrades: ServerSettings["upgrades"]): Http.ServerOptions => ({
  ...upgrades !== undefined && { shouldUpgradeCallback: upgrades },
  keepAlive: true,
  keepAliveInitialDelay: keepAliveProbeMillis,
  keepAliveTimeout: timeouts.idleMillis,
  headersTimeout: timeouts.headersMillis,
  requestTimeout: timeouts.requestMillis,
  connectionsCheckingInterval: timeouts.checkIntervalMillis,
  maxHeaderSize: maxHeaderBytes
})

const addressOf = ({ remoteAddress, remotePort }: Socket): string => peerAddress(remoteAddress, remotePort)

const plainHttpResponse = "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"

/** Creates a server that closes connections that the policy for client certificates refuses. */
const makeHttpsServer = Effect.fnUntraced(function*(
  tls: ServerTls,
  options: Http.ServerOptions
): Effect.fn.Return<HttpsServer, never, Scope.Scope> {
  const Https = yield* Effect.promise(() => import("node:https"))
  const fork = yield* FiberSet.makeRuntime<never>()
  // Without ALPN, as in NSQ: with it the server would refuse clients that offer only `http/1.0` or `h2`.
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
    if (error.code === "ERR_SSL_HTTP_REQUEST") socket?.end(plainHttpResponse)
    warn(socket ?? secure, tls.handshakeFailed(error).message)
  })
  return server
})

/** Detaches new connections from the server; the result passes one to it after all, with bytes already read from it. */
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
  { timeouts = defaultTimeouts, tls, upgrades }: ServerSettings
): Effect.Effect<Http.Server, never, Scope.Scope> => {
  const options = optionsFor(timeouts, upgrades)
  return Effect.map(
    tls === undefined ? Effect.sync(() => Http.createServer(options)) : makeHttpsServer(tls, options),
    (server) => {
      server.setTimeout(timeouts.stalledMillis)
      // As in NSQ, a client that closes its side after the request still gets the response.
      return Object.assign(server, { httpAllowHalfOpen: true })
    }
  )
}

/** Refuses requests that the guard or the connection limit refuses, and passes the others on. */
const guarded = (
  { guard, onRequest }: ServerSettings,
  limit: ConnectionLimit.ConnectionLimit,
  fork: (effect: Effect.Effect<void>) => void
): OnRequest => {
  const refuse = (incoming: Http.IncomingMessage, outgoing: Http.ServerResponse, response: HttpResponse): void =>
    fork(RequestBody.respondUnread(incoming, outgoing, response))
  return (incoming, outgoing) => {
    const refusal = limit(incoming) ?? guard(incoming)
    if (refusal === undefined) onRequest(incoming, outgoing)
    else refuse(incoming, outgoing, refusal)
  }
}

/**
 * Passes requests for an upgrade to the handler, with a response whose connection it may take over. Node's versions without
 * `shouldUpgradeCallback` would make all of them upgrades, also those that `upgrades` does not choose: there they are ordinary requests.
 */
const passUpgrades = (server: Http.Server, onRequest: OnRequest): void => {
  if (!("shouldUpgradeCallback" in server)) return
  server.on("upgrade", (incoming: Http.IncomingMessage, _, head: Buffer) => {
    const { socket } = incoming
    // The close event that follows an error is sufficient.
    socket.on("error", () => {})
    const outgoing = new Http.ServerResponse(incoming)
    outgoing.shouldKeepAlive = false
    outgoing.assignSocket(socket)
    outgoing.once("finish", () => socket.destroySoon())
    if (head.length > 0) socket.unshift(head)
    Upgrade.offer(outgoing)
    onRequest(incoming, outgoing)
  })
}

/** Returns the set of open sockets, which an event of the server reports. */
const track = (server: Http.Server, event: "connection" | "secureConnection"): ReadonlySet<Socket> => {
  const sockets = new Set<Socket>()
  server.on(event, (socket: Socket) => {
    sockets.add(socket)
    socket.once("close", () => sockets.delete(socket))
  })
  return sockets
}

const end = (socket: Socket): void => {
  Upgrade.end(socket)
  if (socket.writableLength > 0) socket.destroySoon()
  else socket.destroy()
}

/** Ends the server. `sockets` are all open TCP sockets, `serving` those that carry requests, which differ under TLS. */
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

/** Listens until the Scope closes, which also removes the file of a unix socket. */
export const listen = Effect.fnUntraced(
  function*(settings: ServerSettings): Effect.fn.Return<Listener, NetError, Scope.Scope> {
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
    // With `Expect: 100-continue` the handler sends the interim response when it reads the body.
    server.on("request", onRequest).on("checkContinue", onRequest)
    if (settings.upgrades !== undefined) passUpgrades(server, onRequest)
    const bind = yield* HttpBinding
    const listener = yield* Effect.acquireRelease(
      bind(server, settings.address, settings.tls === undefined ? "http" : "https"),
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

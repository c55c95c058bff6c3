/**
 * HTTP clients of the tools and nsqadmin: with a limit for connecting, with persistent connections, and without additional
 * headers.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import type * as Undici from "@effect/platform-node/Undici"
import { Duration, Effect, Layer } from "effect"
import { HttpClient } from "effect/http"
import type * as Http from "node:http"
import type * as Https from "node:https"
import type { LookupFunction } from "node:net"
import * as Tls from "node:tls"
import * as Trust from "../net/Trust.ts"

/** Time limits of requests. */
export interface HttpOptions {
  readonly httpClientConnectTimeout: Duration.Duration
  /** For a whole exchange, including connecting. */
  readonly httpClientRequestTimeout: Duration.Duration
}

/** The TLS options of a client. Default: verifies servers by the authorities of the system, without a client certificate. */
export interface ClientTls {
  readonly ca?: Trust.Authorities
  readonly allowPartialTrustChain?: boolean
  readonly cert?: string
  readonly key?: string
  readonly rejectUnauthorized?: boolean
}

/** Makes the agent fail connections that take longer than `millis` to be established. */
export const limitConnecting = (agent: Http.Agent, millis: number): void => {
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (options, callback) => {
    const socket = connect(options, callback)
    if (socket === null || socket === undefined) return socket
    const late = setTimeout(() => socket.destroy(new Error("connect timeout")), millis)
    const stop = () => clearTimeout(late)
    socket.once("connect", stop).once("close", stop)
    return socket
  }
}

/** Makes the agent trust the certificates of the system, which are read with its first connection. */
const trustSystem = (agent: Https.Agent, { cert, key }: ClientTls): void => {
  const connect = agent.createConnection.bind(agent)
  let secureContext: Tls.SecureContext | undefined
  agent.createConnection = (options, callback) => {
    secureContext ??= cert === undefined || key === undefined
      ? Trust.systemContext(Tls)
      : Tls.createSecureContext({ ...Trust.system(Tls), cert, key })
    const trusting = { ...options, secureContext }
    return connect(trusting, callback)
  }
}

/** Provides a client with the limit for connecting; requests in progress end with the Scope. */
export const layer = (
  options: Pick<HttpOptions, "httpClientConnectTimeout">,
  tls: ClientTls = {},
  /** Resolves host names. Default: the operating system's resolver. */
  lookup?: LookupFunction
): Layer.Layer<HttpClient.HttpClient> => {
  const agents = Effect.tap(
    NodeHttpClient.makeAgent({ keepAlive: true, ...tls, ...(lookup === undefined ? {} : { lookup }) }),
    ({ http, https }) =>
      Effect.sync(() => {
        if (tls.ca === undefined && tls.rejectUnauthorized !== false) trustSystem(https, tls)
        const millis = Duration.toMillis(options.httpClientConnectTimeout)
        if (!Number.isFinite(millis)) return
        limitConnecting(http, millis)
        limitConnecting(https, millis)
      })
  )
  // Fresh, because layers are shared: all clients of a program would otherwise have the agents of the first.
  return Layer.fresh(NodeHttpClient.layerNodeHttpNoAgent).pipe(
    Layer.provide(Layer.effect(NodeHttpClient.HttpAgent, agents)),
    Layer.merge(Layer.succeed(HttpClient.TracerDisabledWhen, () => true))
  )
}

/** Converts a limit for undici, where 0 is no limit. */
const millisOrNone = (limit: Duration.Duration): number => Duration.isFinite(limit) ? Duration.toMillis(limit) : 0

/** Returns a connector for undici. The certificates of the system are read on first use. */
const undiciConnector = (
  { buildConnector }: typeof Undici,
  timeout: number
): Undici.buildConnector.connector => {
  const plain = buildConnector({ timeout })
  let secure: Undici.buildConnector.connector | undefined
  return (options, callback) => {
    if (options.protocol !== "https:") return plain(options, callback)
    secure ??= buildConnector({ timeout, secureContext: Trust.systemContext(Tls) })
    return secure(options, callback)
  }
}

/**
 * The same with undici, for tools that send a request for each message: it costs a third less than `node:http`
 * (measured with `nsq_to_http`).
 */
export const layerUndici = (
  options: Pick<HttpOptions, "httpClientConnectTimeout">
): Layer.Layer<HttpClient.HttpClient> => {
  const dispatcher = Effect.map(
    Effect.promise(() => import("@effect/platform-node/Undici")),
    (undici) =>
      NodeHttpClient.layerDispatcherOptions({
        connect: undiciConnector(undici, millisOrNone(options.httpClientConnectTimeout))
      })
  )
  return NodeHttpClient.layerUndiciNoDispatcher.pipe(
    Layer.provide(Layer.unwrap(dispatcher)),
    Layer.merge(Layer.succeed(HttpClient.TracerDisabledWhen, () => true))
  )
}

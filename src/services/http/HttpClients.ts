/**
 * HTTP clients for every daemon and tool, with a limit for connecting and the trust of `Trust`, and without additional headers.
 * `HttpExchange` sends requests with them.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import type * as Undici from "@effect/platform-node/Undici"
import { Context, Duration, Effect, Layer } from "effect"
import { HttpClient } from "effect/http"
import type * as Http from "node:http"
import type * as Https from "node:https"
import type { LookupFunction } from "node:net"
import * as Tls from "node:tls"
import * as Trust from "../net/Trust.ts"
import * as RawHttp from "./RawHttp.ts"
import { untraced } from "./Untraced.ts"

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
  /** Default: Node's. */
  readonly minVersion?: Tls.SecureVersion
  readonly rejectUnauthorized?: boolean
}

/** The connections of a client. */
export interface Connections {
  /**
   * Whether requests share connections. Default: true. Not for rare requests: a kept connection would fail the next request after
   * its server has closed it.
   */
  readonly keepAlive?: boolean
  /** Limit for concurrent connections to one server. Default: Infinity. */
  readonly maxSockets?: number
  /** Resolves host names. Default: the operating system's resolver. */
  readonly lookup?: LookupFunction
}

/** Makes the agent fail connections that take longer than `millis` to be established. */
export const limitConnecting = (agent: Http.Agent, millis: number): void => {
  const connect = agent.createConnection.bind(agent)
  agent.createConnection = (options, callback) => {
    const socket = connect(options, callback)
    if (socket === null || socket === undefined) return socket
    const error = Object.assign(new Error("connect timeout"), { code: "ETIMEDOUT" })
    const late = setTimeout(() => socket.destroy(error), millis)
    const stop = () => clearTimeout(late)
    socket.once("connect", stop).once("close", stop)
    return socket
  }
}

/** Makes the agent trust the certificates of the system, which are read with its first connection. */
const trustSystem = (agent: Https.Agent, { cert, key, minVersion }: ClientTls): void => {
  const connect = agent.createConnection.bind(agent)
  const lowest = minVersion === undefined ? {} : { minVersion }
  let secureContext: Tls.SecureContext | undefined
  agent.createConnection = (options, callback) => {
    secureContext ??= cert === undefined || key === undefined
      ? Trust.systemContext(Tls, minVersion)
      : Tls.createSecureContext({ ...Trust.system(Tls), cert, key, ...lowest })
    const trusting = { ...options, secureContext }
    return connect(trusting, callback)
  }
}

/** Provides a client over `node:http` with the limit for connecting; requests in progress end with the Scope. */
export const layer = (
  options: Pick<HttpOptions, "httpClientConnectTimeout">,
  tls: ClientTls = {},
  connections: Connections = {}
): Layer.Layer<HttpClient.HttpClient> =>
  Layer.effect(
    HttpClient.HttpClient,
    Effect.gen(function*() {
      const agents = yield* NodeHttpClient.makeAgent({ keepAlive: true, ...tls, ...connections })
      const { http, https } = agents
      if (tls.ca === undefined && tls.rejectUnauthorized !== false) trustSystem(https, tls)
      const millis = Duration.toMillis(options.httpClientConnectTimeout)
      if (Number.isFinite(millis)) {
        limitConnecting(http, millis)
        limitConnecting(https, millis)
      }
      return untraced(yield* Effect.provideService(NodeHttpClient.makeNodeHttp, NodeHttpClient.HttpAgent, agents))
    })
  )

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
 * (measured with `nsq_to_http`). A response with more than `maxResponseSize` bytes fails and closes its connection: for short
 * responses of unknown length this costs a quarter less than `BoundedResponse`. `RawHttp` uses the same connections.
 */
export const layerUndici = (
  options: Pick<HttpOptions, "httpClientConnectTimeout">,
  maxResponseSize: number
): Layer.Layer<HttpClient.HttpClient> =>
  Layer.effectContext(
    Effect.gen(function*() {
      const undici = yield* Effect.promise(() => import("@effect/platform-node/Undici"))
      const connect = undiciConnector(undici, millisOrNone(options.httpClientConnectTimeout))
      const dispatcher = yield* NodeHttpClient.makeDispatcherOptions({ connect, maxResponseSize })
      const client = yield* Effect.provideService(NodeHttpClient.makeUndici, NodeHttpClient.Dispatcher, dispatcher)
      return Context.make(HttpClient.HttpClient, untraced(client)).pipe(
        Context.add(RawHttp.RawHttp, RawHttp.make(dispatcher))
      )
    })
  )

/**
 * HTTP as the utilities use it: two time limits that flags set, connections that are kept for the next request, and no headers
 * but the ones that are asked for.
 */
import { NodeHttpClient } from "@effect/platform-node"
import { Duration, Effect, Layer } from "effect"
import { HttpClient } from "effect/http"
import type * as Http from "node:http"
import * as Kind from "../options/OptionKind.ts"
import { row } from "../options/OptionTable.ts"
import { type ToolError, toolError } from "./ToolError.ts"

/** The flags of every utility that uses HTTP. */
export interface HttpOptions {
  readonly httpClientConnectTimeout: Duration.Duration
  /** Of a whole exchange, connecting included. */
  readonly httpClientRequestTimeout: Duration.Duration
}

export const table = (requestTimeout: Duration.Input) => ({
  httpClientConnectTimeout: row(
    "http-client-connect-timeout",
    Kind.duration,
    () => Duration.seconds(2),
    "time limit for connecting by HTTP"
  ),
  httpClientRequestTimeout: row(
    "http-client-request-timeout",
    Kind.duration,
    () => Duration.fromInputUnsafe(requestTimeout),
    "time limit for an HTTP request and its answer"
  )
})

/** Both limits have to be positive. */
export const check = (options: HttpOptions): Effect.Effect<void, ToolError> => {
  if (!Duration.isPositive(options.httpClientConnectTimeout)) {
    return Effect.fail(toolError("--http-client-connect-timeout should be positive"))
  }
  return Duration.isPositive(options.httpClientRequestTimeout)
    ? Effect.void
    : Effect.fail(toolError("--http-client-request-timeout should be positive"))
}

/** The limits with none where they are not positive, for utilities that take them so. */
export const unlimitedUnlessPositive = <O extends HttpOptions>(options: O): O => ({
  ...options,
  httpClientConnectTimeout: orInfinity(options.httpClientConnectTimeout),
  httpClientRequestTimeout: orInfinity(options.httpClientRequestTimeout)
})

const orInfinity = (limit: Duration.Duration): Duration.Duration =>
  Duration.isPositive(limit) ? limit : Duration.infinity

/** Ends a connection of the agent's that takes longer than this to be made. */
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

/** A client that keeps the limit for connecting; requests under way end with the Scope. */
export const layer = (options: HttpOptions): Layer.Layer<HttpClient.HttpClient> => {
  const agents = Effect.tap(NodeHttpClient.makeAgent({ keepAlive: true }), ({ http, https }) =>
    Effect.sync(() => {
      const millis = Duration.toMillis(options.httpClientConnectTimeout)
      if (!Number.isFinite(millis)) return
      limitConnecting(http, millis)
      limitConnecting(https, millis)
    }))
  return NodeHttpClient.layerNodeHttpNoAgent.pipe(
    Layer.provide(Layer.effect(NodeHttpClient.HttpAgent, agents)),
    Layer.merge(Layer.succeed(HttpClient.TracerDisabledWhen, () => true))
  )
}

/**
 * One request to one auth server over HTTP or HTTPS (docs/protocol/client.md#auth-servers). The secret is part of the
 * request, so no part of the request may appear in a log line, an error or a trace.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { ByteSize, Duration, Effect, Redacted, Result, Schema, type Scope } from "effect"
import {
  HttpClient,
  type HttpClientError,
  HttpClientRequest,
  type HttpClientResponse,
  HttpIncomingMessage
} from "effect/http"
import * as Http from "node:http"
import * as Https from "node:https"
import { Socket } from "node:net"
import * as Tls from "node:tls"
import type { NetError } from "../../net/NetError.ts"
import * as TlsFiles from "../../net/TlsFiles.ts"
import * as Trust from "../../net/Trust.ts"
import type { NsqdOptions } from "../options/NsqdOptions.ts"
import { AuthError, authError } from "./AuthError.ts"
import type { Credentials } from "./Authorizer.ts"
import * as Grant from "./Grant.ts"

/** Queries an auth server for the permissions of a client. */
export type Ask = (endpoint: URL, credentials: Credentials) => Effect.Effect<Grant.Grant, AuthError>

const maxResponseBytes = ByteSize.bytes(1024 * 1024)

/** Concurrent connections to auth servers: after an outage all clients reconnect at once. */
const maxSockets = 256

const failure = (description: string): AuthError => authError("RequestFailure", description)

// ---- the request

const escapes = Array.from({ length: 256 }, (_, byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`)

/** Form encoding of a query value. The bytes of a secret are preserved, even if they are not valid UTF-8. */
const encode = (value: Buffer): string =>
  value.toString("latin1").replace(/[^A-Za-z0-9\-._~]/g, (char) => char === " " ? "+" : escapes[char.charCodeAt(0)]!)

const parameters = ({ commonName, remoteIp, secret, tls }: Credentials): ReadonlyArray<readonly [string, Buffer]> => [
  ["common_name", Buffer.from(commonName)],
  ["remote_ip", Buffer.from(remoteIp)],
  ["secret", Redacted.value(secret)],
  ["tls", Buffer.from(String(tls))]
]

const request = (method: string, endpoint: URL, credentials: Credentials): HttpClientRequest.HttpClientRequest => {
  const values = parameters(credentials)
  if (method === "post") {
    const body = Object.fromEntries(values.map(([name, value]) => [name, [value.toString()]]))
    return HttpClientRequest.post(endpoint.href).pipe(
      HttpClientRequest.bodyText(JSON.stringify(body), "application/json")
    )
  }
  const url = new URL(endpoint)
  const query = values.map(([name, value]) => `${name}=${encode(value)}`).join("&")
  url.search = url.search === "" ? query : `${url.search.slice(1)}&${query}`
  return HttpClientRequest.get(url.href)
}

// ---- the response

const HttpsPort = Schema.fromJsonString(Schema.Struct({ https_port: Schema.Int }))
const decodeHttpsPort = Schema.decodeResult(HttpsPort)

/** The HTTPS endpoint that a server names when it refuses plain HTTP, as NSQ's daemons do. */
const secureEndpoint = (endpoint: URL, body: string): Result.Result<URL, AuthError> => {
  const decoded = decodeHttpsPort(body)
  const port = Result.isSuccess(decoded) ? decoded.success.https_port : 0
  if (port < 1 || port > 65_535) {
    return Result.fail(failure("got response 403 without https_port"))
  }
  const url = new URL(endpoint)
  url.protocol = "https:"
  url.port = String(port)
  return Result.succeed(url)
}

/** Kind and code of an error. Its message is not used, because it may contain the URL. */
const failed = ({ reason }: HttpClientError.HttpClientError): AuthError => {
  const { cause } = reason
  const code = typeof cause === "object" && cause !== null && "code" in cause ? ` ${String(cause.code)}` : ""
  return failure(`${reason._tag}${code}`)
}

/**
 * Redirects are followed on the same host only and never from HTTPS to HTTP, because the request contains the secret.
 */
const refuseElsewhere = (
  response: HttpClientResponse.HttpClientResponse
): Effect.Effect<HttpClientResponse.HttpClientResponse, AuthError> => {
  const { headers: { location }, request, status } = response
  if (status < 300 || status >= 400 || location === undefined) return Effect.succeed(response)
  const from = new URL(request.url)
  const to = URL.parse(location, from.href)
  const isSafe = to !== null && to.hostname === from.hostname && (from.protocol === "http:" || to.protocol === "https:")
  return isSafe
    ? Effect.succeed(response)
    : Effect.fail(
      failure(`got response ${status} with a redirect to another host`)
    )
}

// ---- the connections

/** Fails connections that are not established in time. */
const limitConnecting = <S>(socket: S, limitMillis: number): S => {
  if (socket instanceof Socket) {
    const late = Object.assign(new Error("connect timeout"), { code: "ETIMEDOUT" })
    socket.setTimeout(limitMillis, () => socket.destroy(late)).once("connect", () => socket.setTimeout(0))
  }
  return socket
}

/** Agents without keep-alive: a reused connection that the server closes meanwhile would fail the next client. */
const makeAgents = (limitMillis: number, tls: Https.AgentOptions): NodeHttpClient.HttpAgent["Service"] => {
  class HttpAgent extends Http.Agent {
    override createConnection(...parameters: Parameters<Http.Agent["createConnection"]>) {
      return limitConnecting(super.createConnection(...parameters), limitMillis)
    }
  }
  class HttpsAgent extends Https.Agent {
    override createConnection(...parameters: Parameters<Https.Agent["createConnection"]>) {
      const [settings, ...rest] = parameters
      const trusting = tls.ca === undefined
        ? { ...settings, secureContext: Trust.systemContext(Tls, tls.minVersion) }
        : settings
      return limitConnecting(super.createConnection(trusting, ...rest), limitMillis)
    }
  }
  return {
    http: new HttpAgent({ keepAlive: false, maxSockets }),
    https: new HttpsAgent({ ...tls, keepAlive: false, maxSockets })
  }
}

/**
 * A client for auth servers with the timeouts and trusted certificates of `options`. Fails if a certificate file is
 * not usable.
 */
export const make = Effect.fnUntraced(function*(
  options: NsqdOptions
): Effect.fn.Return<Ask, NetError, Scope.Scope> {
  const ca = yield* TlsFiles.authorities(options)
  const tls = { minVersion: options.tlsMinVersion, ...(ca === undefined ? {} : Trust.given(ca)) }
  // Reads the system's certificates at the start, so that the first client does not wait for it.
  if (ca === undefined && options.authHttpAddresses.some((address) => address.startsWith("https:"))) {
    Trust.systemContext(Tls, options.tlsMinVersion)
  }
  const agents = yield* Effect.acquireRelease(
    Effect.sync(() => makeAgents(Duration.toMillis(options.httpClientConnectTimeout), tls)),
    ({ http, https }) => Effect.sync(() => (http.destroy(), https.destroy()))
  )
  const http = yield* Effect.provideService(NodeHttpClient.makeNodeHttp, NodeHttpClient.HttpAgent, agents)
  const client = http.pipe(
    HttpClient.mapRequest(HttpClientRequest.accept("application/vnd.nsq; version=1.0")),
    HttpClient.transformResponse(Effect.flatMap(refuseElsewhere)),
    HttpClient.followRedirects(10)
  )

  /** Returns status and body. */
  const send = (endpoint: URL, credentials: Credentials) =>
    client.execute(request(options.authHttpRequestMethod, endpoint, credentials)).pipe(
      Effect.flatMap((response) => Effect.map(response.text, (body) => ({ status: response.status, body }))),
      Effect.mapError((error) => error instanceof AuthError ? error : failed(error)),
      // Node throws for a request it cannot send, for example a redirect to another protocol, and its error contains
      // the URL.
      Effect.catchDefect(() => Effect.fail(failure("the request cannot be sent"))),
      Effect.timeoutOrElse({
        duration: options.httpClientRequestTimeout,
        orElse: () => Effect.fail(failure("request timeout"))
      })
    )

  const responseOf = Effect.fnUntraced(function*(endpoint: URL, credentials: Credentials) {
    let response = yield* send(endpoint, credentials)
    if (response.status === 403 && endpoint.protocol === "http:") {
      response = yield* send(yield* Effect.fromResult(secureEndpoint(endpoint, response.body)), credentials)
    }
    if (response.status !== 200) return yield* failure(`got response ${response.status}`)
    return yield* Effect.fromResult(Grant.decode(response.body))
  })

  return (endpoint, credentials) =>
    responseOf(endpoint, credentials).pipe(
      Effect.provideService(HttpIncomingMessage.MaxBodySize, maxResponseBytes),
      // A span would contain the URL and with it the secret.
      Effect.provideService(HttpClient.TracerDisabledWhen, () => true)
    )
})

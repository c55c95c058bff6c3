/**
 * One request to one auth server over HTTP or HTTPS (docs/protocol/client.md#auth-servers). The secret is part of the
 * request, so no part of the request may appear in a log line, an error or a trace.
 */
import { Context, Effect, Layer, Redacted, type Scope } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import * as Tls from "node:tls"
import * as HttpClients from "../../http/HttpClients.ts"
import type { HttpError } from "../../http/HttpError.ts"
import * as HttpExchange from "../../http/HttpExchange.ts"
import type { NetError } from "../../net/NetError.ts"
import * as TlsFiles from "../../net/TlsFiles.ts"
import * as Trust from "../../net/Trust.ts"
import type { NsqdOptions } from "../options/NsqdOptions.ts"
import { type AuthError, authError } from "./AuthError.ts"
import type { Credentials } from "./Authorizer.ts"
import * as Grant from "./Grant.ts"

/** Queries an auth server for the permissions of a client. */
export type Query = (endpoint: URL, credentials: Credentials) => Effect.Effect<Grant.Grant, AuthError>

const maxResponseBytes = 1024 * 1024

/**
 * No keep-alive: a reused connection that the server closes meanwhile would fail the next client. The number of connections is
 * limited, because after an outage all clients reconnect at once.
 */
const connections = { keepAlive: false, maxSockets: 256 }

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

/** Converts the error without any part of the request: its kind and code, not its message. */
const failed = ({ description, reason, url }: HttpError): AuthError => {
  if (reason._tag === "ConnectionFailure") return failure(`TransportError${reason.code && ` ${reason.code}`}`)
  // Over HTTPS there is no other port to name.
  const isRefused = reason._tag === "UnexpectedStatus" && reason.status === 403 && url.startsWith("http:")
  return failure(isRefused ? "got response 403 without https_port" : description)
}

/**
 * A client for auth servers with the timeouts and trusted certificates of `options`. Fails if a certificate file is
 * not usable.
 */
export const make = Effect.fnUntraced(function*(
  options: NsqdOptions
): Effect.fn.Return<Query, NetError, Scope.Scope> {
  const ca = yield* TlsFiles.authorities(options)
  // Reads the system's certificates at the start, so that the first client does not wait for it.
  if (ca === undefined && options.authHttpAddresses.some((address) => address.startsWith("https:"))) {
    Trust.systemContext(Tls, options.tlsMinVersion)
  }
  const tls = { minVersion: options.tlsMinVersion, ...(ca === undefined ? {} : Trust.given(ca)) }
  const client = Context.get(yield* Layer.build(HttpClients.layer(options, tls, connections)), HttpClient.HttpClient)

  return (endpoint, credentials) =>
    HttpExchange.sendToDaemon(client, request(options.authHttpRequestMethod, endpoint, credentials), {
      timeout: options.httpClientRequestTimeout,
      maxBytes: maxResponseBytes,
      redirects: "same host"
    }).pipe(
      Effect.mapError(failed),
      // Node throws for a request it cannot send, and its error contains the URL.
      Effect.catchDefect(() => Effect.fail(failure("the request cannot be sent"))),
      Effect.flatMap(({ body }) => Effect.fromResult(Grant.decode(body.toString())))
    )
})

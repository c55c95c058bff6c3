/**
 * The requests of `nsq_to_http` (docs/protocol/tools.md#nsq_to_http): the message as the body of a POST or in the URL of a GET,
 * and the rules of success.
 */
import { type Clock, Duration, Effect } from "effect"
import { HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import type { Headers as MessageHeaders } from "../../protocol/client/Headers.ts"
import * as HttpExchange from "../http/HttpExchange.ts"
import type * as RawHttp from "../http/RawHttp.ts"
import { type ToolError, toolError } from "./ToolError.ts"

/** Header values by lower-case name. */
export type Headers = Readonly<Record<string, string>>

/** HTTP's syntax of header names and values, because Node throws on others. */
const headerName = /^[\w!#$%&'*+.^`|~-]+$/
// oxlint-disable-next-line no-control-regex -- values may contain all characters except these
const headerValue = /^[^\u0000-\u0008\u000a-\u001f\u007f]+$/
/** Headers that the request determines; options cannot set them. */
const ownHeaders = new Set(["host", "content-length", "transfer-encoding", "trailer"])

/** Encodes a header value in UTF-8: Node writes one byte for each character. */
export const headerText = (text: string): string => Buffer.from(text).toString("latin1")

/** Parses `Name: value`; the last of a name counts. Returns `undefined` if one is not a valid header. */
export const parseHeaders = (given: ReadonlyArray<string>): Headers | undefined => {
  const headers = new Map<string, string>()
  for (const text of given) {
    const colon = text.indexOf(":")
    const name = text.slice(0, Math.max(colon, 0)).trim().toLowerCase()
    const value = text.slice(colon + 1).trim()
    if (!headerName.test(name) || !headerValue.test(value)) return undefined
    if (!ownHeaders.has(name)) headers.set(name, headerText(value))
  }
  return Object.fromEntries(headers)
}

const traceContext = new Set(["traceparent", "tracestate"])

/** Returns the headers of a message as headers of a request: the trace context as it is, all others as `Nsq-Header-<name>`. */
export const headersOf = (headers: MessageHeaders): Headers =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      traceContext.has(name) ? name : `nsq-header-${name}`,
      headerText(value)
    ])
  )

const escapes = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte)
  if (/[\w.~-]/.test(character)) return character
  return character === " " ? "+" : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
})

/** Encodes bytes as the value of a query. */
export const queryEscape = (body: Uint8Array): string => {
  let text = ""
  for (const byte of body) text += escapes[byte] ?? ""
  return text
}

/** Replaces `%s` by the text, and `%%` by a percent sign. */
export const fill = (address: string, text: string): string =>
  address.replaceAll(/%[%s]/g, (place) => place === "%s" ? text : "%")

/** Returns a POST of the body; headers may replace the content type. */
export const post = (address: string, body: Uint8Array, contentType: string, headers: Headers) =>
  HttpClientRequest.post(address).pipe(
    HttpClientRequest.bodyUint8Array(body, headerText(contentType)),
    HttpClientRequest.setHeaders(headers)
  )

/** Returns a GET with the body in place of `%s`. */
export const get = (address: string, body: Uint8Array, headers: Headers) =>
  HttpClientRequest.get(fill(address, queryEscape(body)), { headers })

/** A POST succeeds with 200 to 299, a GET with 200 only. */
const isSuccess = (request: HttpClientRequest.HttpClientRequest, status: number): boolean =>
  request.method === "GET" ? status === 200 : status >= 200 && status < 300

/** Returns an error and its causes, the innermost last. */
const causes = (error: unknown): ReadonlyArray<Error> => error instanceof Error ? [error, ...causes(error.cause)] : []

/**
 * Whether the server closed a keep-alive connection just as it was reused, which is not a failure of the server. undici reports
 * the bytes that the connection had received; without any, the connection itself has failed.
 */
const isStaleConnection = (error: unknown): boolean =>
  causes(error).some((cause) =>
    "code" in cause && cause.code === "UND_ERR_SOCKET" && "socket" in cause && hasReceived(cause.socket)
  )

const hasReceived = (socket: unknown): boolean =>
  typeof socket === "object" && socket !== null && "bytesRead" in socket && Number(socket.bytesRead) > 0

/** Returns a client that sends a request once more if its connection was stale. */
const repeating = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.transform(client, (exchange) => Effect.retry(exchange, { times: 1, while: isStaleConnection }))

/** Limit for a response in bytes, which the client has to apply. */
export const maxResponseSize = 1024 * 1024

/**
 * Sends a request, follows redirects, and reads the response to the end so that its connection can be reused. Fails with the
 * reason `RequestFailure` if the server does not take the message.
 *
 * The status decides, so a body that is too long or too slow fails no request. `HttpExchange.send` would fail here.
 */
export const send = Effect.fnUntraced(function*(
  request: HttpClientRequest.HttpClientRequest,
  timeout: Duration.Duration,
  first?: HttpClientResponse.HttpClientResponse
): Effect.fn.Return<void, ToolError, HttpClient.HttpClient> {
  const client = repeating(yield* HttpClient.HttpClient)
  const failed = (description: string) => toolError("RequestFailure", description)
  const response = yield* HttpExchange.open(client, request, {
    redirects: "any host",
    ...first !== undefined && { first }
  }).pipe(
    Effect.timeoutOrElse({ duration: timeout, orElse: () => Effect.fail(HttpExchange.timedOut(request)) }),
    Effect.mapError(({ description, method, url }) => failed(`${method} ${url}: ${description}`))
  )
  yield* Effect.timeoutOption(Effect.ignore(response.arrayBuffer), timeout)
  if (!isSuccess(request, response.status)) return yield* failed(`got status code ${response.status}`)
})

/** An address of `nsq_to_http`, and what all requests to it have in common. */
export interface Destination {
  /** Returns the request for a message. */
  readonly request: (body: Uint8Array) => HttpClientRequest.HttpClientRequest
  /** The same for `RawHttp`. */
  readonly raw: (body: Uint8Array) => RawHttp.RawRequest
}

/** Returns headers in the form of `RawHttp`, which adds those of the body itself. */
const rawHeaders = (headers: Readonly<Record<string, string>>): Array<string> =>
  Object.entries(headers).filter(([name]) => !ownHeaders.has(name)).flat()

/** Returns the destination of POSTs. */
export const postsTo = (address: string, contentType: string, headers: Headers): Destination => {
  const request = (body: Uint8Array) => post(address, body, contentType, headers)
  const { headers: common, url } = HttpExchange.authenticated(request(new Uint8Array(1)))
  const { origin, pathname, search } = new URL(url)
  const fixed = { origin, path: pathname + search, method: "POST", headers: rawHeaders(common) } as const
  return { request, raw: (body) => ({ ...fixed, body }) }
}

/** Returns the destination of GETs. */
export const getsFrom = (address: string, headers: Headers): Destination => {
  const request = (body: Uint8Array) => get(address, body, headers)
  return {
    request,
    raw: (body) => {
      const { headers: common, url } = HttpExchange.authenticated(request(body))
      const { origin, pathname, search } = new URL(url)
      return { origin, path: pathname + search, method: "GET", headers: rawHeaders(common), body: null }
    }
  }
}

const redirecting = new Set([301, 302, 303, 307, 308])

/**
 * Sends a message as `send` does, with `RawHttp`. Redirects and errors, which are rare, are dealt with as there.
 */
export const sendRaw = (
  raw: RawHttp.Send,
  client: HttpClient.HttpClient,
  clock: Clock.Clock,
  { raw: rawRequest, request }: Destination,
  body: Uint8Array,
  timeout: Duration.Duration
): Effect.Effect<void, ToolError> =>
  Effect.suspend(() => {
    const millis = Duration.toMillis(timeout)
    const given = rawRequest(body)
    const started = clock.monotonicTimeNanosUnsafe()
    const exchange = raw(given, millis).pipe(
      // Not in the callback of the error, where undici still takes the connection for usable.
      Effect.catchIf(({ cause }) => isStaleConnection(cause), () => Effect.andThen(Effect.yieldNow, raw(given, millis)))
    )
    return Effect.matchEffect(exchange, {
      onSuccess: ({ location, status }) => {
        if (given.method === "GET" ? status === 200 : status >= 200 && status < 300) return Effect.void
        if (location === "" || !redirecting.has(status)) {
          return Effect.fail(toolError("RequestFailure", `got status code ${status}`))
        }
        const full = request(body)
        const first = HttpClientResponse.fromWeb(full, new Response(null, { status, headers: { location } }))
        const passed = Number(clock.monotonicTimeNanosUnsafe() - started) / 1_000_000
        const left = Duration.millis(Math.max(0, millis - passed))
        return Effect.provideService(send(full, left, first), HttpClient.HttpClient, client)
      },
      onFailure: ({ cause }) => {
        const full = request(body)
        const { description, method, url } = cause === undefined
          ? HttpExchange.timedOut(full)
          : HttpExchange.connectionFailed(full, cause)
        return Effect.fail(toolError("RequestFailure", `${method} ${url}: ${description}`))
      }
    })
  })

/**
 * The requests of `nsq_to_http` (docs/protocol/tools.md#nsq_to_http): the message as the body of a POST or in the URL of a GET,
 * and the rules of success.
 */
import { ByteSize, type Duration, Effect, Result } from "effect"
import { Headers as HttpHeaders, HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { masked } from "../core/Masked.ts"
import { type ToolError, toolError } from "./ToolError.ts"

/** Header values by lower-case name. */
export type Headers = Readonly<Record<string, string>>

const maxRedirects = 10

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

/** Limit for a response, for `HttpIncomingMessage.MaxBodySize`; a larger one closes its connection. */
export const maxResponseSize = ByteSize.mebibytes(1)

const reasonOf = (error: Error): string => causes(error).at(-1)?.message ?? error.message

const decoded = (text: string): string => Result.getOrElse(Result.try(() => decodeURIComponent(text)), () => text)

/** Converts the user information of a URL to basic authentication, unless there is an Authorization header. */
const authenticated = (request: HttpClientRequest.HttpClientRequest): HttpClientRequest.HttpClientRequest => {
  const url = URL.parse(request.url)
  if (url === null || url.username + url.password === "") return request
  const { password, username } = url
  url.username = ""
  url.password = ""
  const plain = HttpClientRequest.setUrl(request, url.href)
  return "authorization" in request.headers
    ? plain
    : HttpClientRequest.basicAuth(plain, decoded(username), decoded(password))
}

/** Redirects that are followed, as in Go; only `repeating` ones keep the method and the body. */
const redirecting = new Set([301, 302, 303, 307, 308])
const repeating = new Set([307, 308])
/** Headers that are sent to another host; any other may be a secret, for example an API key. */
const harmless = new Set(["accept", "accept-encoding", "content-length", "content-type", "user-agent"])

/** Whether a redirect stays on the configured host, and does not leave HTTPS. */
const isTrusted = (from: URL, to: URL): boolean =>
  to.hostname === from.hostname && (from.protocol === "http:" || to.protocol === "https:")

/** Returns the request that follows a redirect, or `undefined` if the response is not a redirect. */
const redirected = (
  request: HttpClientRequest.HttpClientRequest,
  response: HttpClientResponse.HttpClientResponse
): HttpClientRequest.HttpClientRequest | undefined => {
  const { headers: { location }, status } = response
  if (!redirecting.has(status) || location === undefined || location === "") return undefined
  const from = new URL(request.url)
  const to = URL.parse(location, from.href)
  if (to === null || !/^https?:$/.test(to.protocol)) return undefined
  const repeats = repeating.has(status)
  const keeps = (name: string): boolean =>
    (isTrusted(from, to) || harmless.has(name)) && (repeats || name !== "content-type")
  const headers = Object.fromEntries(Object.entries(request.headers).filter(([name]) => keeps(name)))
  const next = repeats
    ? HttpClientRequest.makeWith(
      request.method,
      to.href,
      request.urlParams,
      request.hash,
      HttpHeaders.fromInput(headers),
      request.body
    )
    : HttpClientRequest.get(to.href, { headers })
  return authenticated(next)
}

/**
 * Sends a request, follows redirects, and reads the response to the end so that its connection can be reused. Fails with the
 * reason `RequestFailure` if the server does not take the message.
 */
export const send = Effect.fnUntraced(function*(
  given: HttpClientRequest.HttpClientRequest,
  timeout: Duration.Duration
): Effect.fn.Return<void, ToolError, HttpClient.HttpClient> {
  const client = yield* HttpClient.HttpClient
  const failed = (description: string) => toolError("RequestFailure", description)
  const first = authenticated(given)

  const follow = Effect.gen(function*() {
    let request = first
    for (let redirects = 0;; redirects++) {
      const response = yield* client.execute(request).pipe(
        Effect.retry({ times: 1, while: isStaleConnection }),
        Effect.mapError((error) => failed(`${request.method} ${masked(request.url)}: ${reasonOf(error)}`))
      )
      const next = redirects < maxRedirects ? redirected(request, response) : undefined
      if (next === undefined) return response
      yield* Effect.ignore(response.arrayBuffer)
      request = next
    }
  })
  const response = yield* Effect.timeoutOrElse(follow, {
    duration: timeout,
    orElse: () => Effect.fail(failed(`${first.method} ${masked(first.url)}: request timeout`))
  })
  yield* Effect.ignore(Effect.timeoutOption(response.arrayBuffer, timeout))
  if (!isSuccess(first, response.status)) return yield* failed(`got status code ${response.status}`)
})

/**
 * The requests of `nsq_to_http`: a message as the body of a POST, or in the address of a GET, and what counts as success.
 */
import { ByteSize, type Duration, Effect, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"

/** The server did not take a message. */
export class RequestFailed extends Schema.TaggedError<RequestFailed>()("RequestFailed", { reason: Schema.String }) {
  override get message(): string {
    return this.reason
  }
}

export type Headers = Readonly<Record<string, string>>

const maxRedirects = 10

/** HTTP's own syntax: what Node would throw for is refused before. */
const headerName = /^[\w!#$%&'*+.^`|~-]+$/
const headerValue = /^[\t\x20-\x7e\x80-\xff]+$/
/** These follow from the request, whatever is given. */
const ownHeaders = new Set(["host", "content-length", "transfer-encoding", "trailer"])

/** Reads `Name: value`; of several for one name the last counts. `undefined` when one of them is none. */
export const parseHeaders = (given: ReadonlyArray<string>): Headers | undefined => {
  const headers = new Map<string, string>()
  for (const text of given) {
    const colon = text.indexOf(":")
    const name = text.slice(0, Math.max(colon, 0)).trim().toLowerCase()
    const value = text.slice(colon + 1).trim()
    if (!headerName.test(name) || !headerValue.test(value)) return undefined
    if (!ownHeaders.has(name)) headers.set(name, value)
  }
  return Object.fromEntries(headers)
}

const escapes = Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte)
  if (/[\w.~-]/.test(character)) return character
  return character === " " ? "+" : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
})

/** Bytes as the value of a query. */
export const queryEscape = (body: Uint8Array): string => {
  let text = ""
  for (const byte of body) text += escapes[byte] ?? ""
  return text
}

/** Puts text in the place of `%s`; `%%` stands for a percent sign. */
export const fill = (address: string, text: string): string =>
  address.replaceAll(/%[%s]/g, (place) => place === "%s" ? text : "%")

/** A POST of the body; headers may replace the content type. */
export const post = (address: string, body: Uint8Array, contentType: string, headers: Headers) =>
  HttpClientRequest.post(address).pipe(
    HttpClientRequest.bodyUint8Array(body, contentType),
    HttpClientRequest.setHeaders(headers)
  )

export const get = (address: string, body: Uint8Array, headers: Headers) =>
  HttpClientRequest.get(fill(address, queryEscape(body)), { headers })

/** A POST may be answered by anything from 200 to 299, a GET by 200 only. */
const isSuccess = (request: HttpClientRequest.HttpClientRequest, status: number): boolean =>
  request.method === "GET" ? status === 200 : status >= 200 && status < 300

/** An error and what it was caused by, down to the operating system's. */
const causes = (error: unknown): ReadonlyArray<Error> => error instanceof Error ? [error, ...causes(error.cause)] : []

/** The server has closed a connection just as it was to be used again; the operating system says so, or undici. */
const closedCodes = new Set<unknown>(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"])
const isClosedConnection = (error: unknown): boolean =>
  causes(error).some((cause) => "code" in cause && closedCodes.has(cause.code))

/** What an answer may have to say, for `HttpIncomingMessage.MaxBodySize`; one that says more costs its connection. */
export const maxAnswer = ByteSize.mebibytes(1)

const reasonOf = (error: Error): string => causes(error).at(-1)?.message ?? error.message

/** Sends, follows redirections, and reads the answer away so that its connection can be used again. */
export const send = Effect.fnUntraced(function*(
  request: HttpClientRequest.HttpClientRequest,
  timeout: Duration.Duration
): Effect.fn.Return<void, RequestFailed, HttpClient.HttpClient> {
  const client = HttpClient.followRedirects(yield* HttpClient.HttpClient, maxRedirects)
  const failed = (reason: string) => new RequestFailed({ reason })
  const response = yield* client.execute(request).pipe(
    Effect.retry({ times: 1, while: isClosedConnection }),
    Effect.mapError((error) => failed(`${request.method} ${request.url}: ${reasonOf(error)}`)),
    Effect.timeoutOrElse({
      duration: timeout,
      orElse: () => Effect.fail(failed(`${request.method} ${request.url}: request timeout`))
    })
  )
  yield* Effect.ignore(Effect.timeoutOption(response.arrayBuffer, timeout))
  if (!isSuccess(request, response.status)) return yield* failed(`got status code ${response.status}`)
})

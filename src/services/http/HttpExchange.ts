/**
 * One request to another server and its response, within limits of time and size, for every client in this package. The
 * `HttpClient` decides about connections and TLS (`HttpClients`), `Redirects` about redirects. Every failure is an `HttpError`.
 */
import { type Duration, Effect, Result, Schema, Stream } from "effect"
import {
  FetchHttpClient,
  type Headers,
  type HttpClient,
  HttpClientError,
  HttpClientRequest,
  type HttpClientResponse
} from "effect/http"
import { masked } from "../core/Masked.ts"
import { NetError } from "../net/NetError.ts"
import * as BoundedResponse from "./BoundedResponse.ts"
import { HttpError, HttpErrorReason } from "./HttpError.ts"
import * as Redirects from "./Redirects.ts"

/** How a request is sent. */
export interface Sending {
  /** The server, as configured or announced, for error messages. Default: the host of the URL. */
  readonly address?: string
  /** The redirects to follow. Default: `none`. */
  readonly redirects?: Redirects.Rule
  /** The response, if the request has been sent already; `open` then only follows its redirects. Default: none. */
  readonly first?: HttpClientResponse.HttpClientResponse
}

/** The limits of an exchange. */
export interface Limits {
  /** For the whole exchange, including connecting. */
  readonly timeout: Duration.Duration
  /** For the body of the response, in bytes; 0 for no limit. */
  readonly maxBytes: number
  /** The flag that sets `maxBytes`, for the error message. Default: `fixed limit`. */
  readonly option?: string
  /** Checks the address first, within the timeout. Fails with the reason `AddressRefusal`. */
  readonly permitted?: Effect.Effect<unknown, NetError>
}

/** A complete response. */
export interface Received {
  readonly status: number
  readonly headers: Headers.Headers
  readonly body: Buffer
}

const manually: RequestInit = { redirect: "manual" }

/** Limit for the body of a redirect, which is discarded. */
const maxDiscarded = 1024 * 1024

const decoded = (text: string): string => Result.getOrElse(Result.try(() => decodeURIComponent(text)), () => text)

/**
 * Sends the user information of the URL as basic authentication, unless there is an Authorization header: `fetch` refuses URLs
 * with user information, and error messages must not contain it.
 */
export const authenticated = (request: HttpClientRequest.HttpClientRequest): HttpClientRequest.HttpClientRequest => {
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

/** Returns an error and its causes, the innermost last. If several addresses of a host failed, the first counts. */
const causesOf = (error: unknown): ReadonlyArray<Error> => {
  if (!(error instanceof Error)) return []
  return [error, ...causesOf(error instanceof AggregateError ? error.errors[0] : error.cause)]
}

const codeOf = (error: Error): string => "code" in error && typeof error.code === "string" ? error.code : ""

const refusalOf = ({ message }: NetError): HttpErrorReason => HttpErrorReason.AddressRefusal({ description: message })

/** Returns the reason of a failed request. */
const reasonOf = (error: HttpClientError.HttpClientError): HttpErrorReason => {
  if (error.reason._tag === "InvalidUrlError") return HttpErrorReason.InvalidUrl()
  const causes = causesOf(error)
  const innermost = causes.at(-1)
  if (innermost instanceof NetError && innermost.reason._tag === "AddressRefusal") return refusalOf(innermost)
  return HttpErrorReason.ConnectionFailure({
    description: innermost?.message ?? error.message,
    code: causes.map(codeOf).find((code) => code !== "") ?? ""
  })
}

const fail = (
  { method, url }: HttpClientRequest.HttpClientRequest,
  { address }: Sending,
  reason: HttpErrorReason
): HttpError => new HttpError({ address: address ?? URL.parse(url)?.host ?? url, method, url: masked(url), reason })

/** Returns the error of a request whose connection has failed. */
export const connectionFailed = (request: HttpClientRequest.HttpClientRequest, cause: unknown): HttpError => {
  const reason = new HttpClientError.TransportError({ request, cause })
  return fail(authenticated(request), {}, reasonOf(new HttpClientError.HttpClientError({ reason })))
}

/** Returns the error of a request that exceeds its timeout. */
export const timedOut = (request: HttpClientRequest.HttpClientRequest, sending: Sending = {}): HttpError =>
  fail(authenticated(request), sending, HttpErrorReason.Timeout())

/**
 * Sends a request and returns the response without its body, which the caller has to read or to bound. The user information of
 * the URL becomes basic authentication.
 */
export const open = Effect.fnUntraced(function*(
  client: HttpClient.HttpClient,
  given: HttpClientRequest.HttpClientRequest,
  sending: Sending = {}
): Effect.fn.Return<HttpClientResponse.HttpClientResponse, HttpError> {
  const { first, redirects = "none" } = sending
  let request = authenticated(given)
  for (let count = 0;; count++) {
    const response = count === 0 && first !== undefined ? first : yield* client.execute(request).pipe(
      Effect.provideService(FetchHttpClient.RequestInit, manually),
      Effect.mapError((error) => fail(request, sending, reasonOf(error)))
    )
    if (redirects === "none" || count === Redirects.maxRedirects) return response
    const next = Redirects.next(redirects, request, response)
    if (Result.isFailure(next)) return yield* fail(request, sending, next.failure)
    if (next.success === undefined) return response
    yield* BoundedResponse.discard(response, maxDiscarded)
    request = authenticated(next.success)
  }
})

/** Sends a request and returns the whole response, of any status. */
export const send = (
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest,
  { maxBytes, option = "fixed limit", permitted = Effect.void, timeout, ...sending }: Sending & Limits
): Effect.Effect<Received, HttpError> =>
  Effect.gen(function*() {
    const failed = (reason: HttpErrorReason) => fail(authenticated(request), sending, reason)
    return yield* Effect.gen(function*() {
      yield* Effect.mapError(permitted, (refused) => failed(refusalOf(refused)))
      const response = yield* open(client, request, sending)
      const body = yield* Effect.mapError(
        BoundedResponse.bytes(response, maxBytes, option),
        (error) => failed(error._tag === "ResponseTooLarge" ? error : reasonOf(error))
      )
      return { status: response.status, headers: response.headers, body }
    }).pipe(Effect.timeoutOrElse({ duration: timeout, orElse: () => Effect.fail(timedOut(request, sending)) }))
  })

// ---- NSQ's daemons

/**
 * NSQ's error codes. Nothing else of an error response is shown: it may come from a server that is not an NSQ daemon, and contain
 * data that is confidential.
 */
const codes = new Set(
  [
    "BAD_REQUEST CHANNEL_NOT_FOUND EXITING FORBIDDEN INTERNAL_ERROR INVALID_ARG_CHANNEL INVALID_ARG_TOPIC INVALID_CHANNEL",
    "INVALID_OPTION INVALID_REQUEST INVALID_TOPIC INVALID_VALUE METHOD_NOT_ALLOWED MISSING_ARG_CHANNEL MISSING_ARG_NODE",
    "MISSING_ARG_TOPIC MSG_EMPTY MSG_TOO_BIG NOT_FOUND TLS_REQUIRED TOO_MANY_CHANNELS TOO_MANY_TOPICS TOPIC_NOT_FOUND"
  ].flatMap((line) => line.split(" "))
)

/** Codes of effect-nsq's nsqd, which NSQ's does not have. */
const ownCodes = new Set(
  [
    "AMBIGUOUS_ADDRESS CLIENT_NOT_FOUND INVALID_ARG_CONTAINS INVALID_ARG_FROM INVALID_ARG_JSON INVALID_ARG_LIMIT INVALID_ARG_REGEX",
    "INVALID_ARG_RATE INVALID_ARG_STATE INVALID_ARG_TO INVALID_POLICY MESSAGE_NOT_FOUND MESSAGE_ON_DISK MISSING_ARG_ID",
    "MISSING_ARG_SEQUENCE NOT_DURABLE POLICY_NOT_FOUND POLICY_OF_CONFIG REDRIVE_NOT_FOUND REDRIVE_RUNNING TOO_MANY_POLICIES",
    "TOO_MANY_READERS"
  ].flatMap((line) => line.split(" "))
)

/** Those whose text says what is wrong with the request. */
const explained = new Set(
  [
    "INVALID_ARG_FROM INVALID_ARG_JSON INVALID_ARG_LIMIT INVALID_ARG_RATE INVALID_ARG_REGEX INVALID_ARG_STATE INVALID_ARG_TO",
    "INVALID_POLICY MESSAGE_ON_DISK NOT_DURABLE POLICY_OF_CONFIG TOO_MANY_POLICIES"
  ].flatMap((line) => line.split(" "))
)

/** Longer texts are cut. */
const maxDetail = 500

const decodeFailure = Schema.decodeResult(Schema.fromJsonString(Schema.Struct({ message: Schema.String })))
const decodeHttpsPort = Schema.decodeResult(Schema.fromJsonString(Schema.Struct({
  https_port: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 65_535 }))
})))

const codeIn = (body: Buffer): { readonly code: string; readonly detail?: string } => {
  const failure = decodeFailure(body.toString())
  const text = Result.isSuccess(failure) ? failure.success.message : ""
  const code = text.replace(/:.*/s, "")
  if (explained.has(code)) return { code, detail: text.slice(code.length + 1, maxDetail).trim() }
  return { code: codes.has(code) || ownCodes.has(code) ? code : "" }
}

/** Returns the HTTPS URL that a daemon names when it refuses plain HTTP. */
const secureUrl = (url: string, { body, status }: Received): string | undefined => {
  const secure = URL.parse(url)
  if (status !== 403 || secure?.protocol !== "http:") return undefined
  const port = decodeHttpsPort(body.toString())
  if (Result.isFailure(port)) return undefined
  secure.protocol = "https:"
  secure.port = String(port.success.https_port)
  return secure.href
}

/** A response of a daemon: with a body that is read piece by piece, or with the whole body of an error. */
export type Opened =
  | { readonly _tag: "Streaming"; readonly stream: Stream.Stream<Uint8Array, HttpError> }
  | { readonly _tag: "Refused"; readonly received: Received }

/**
 * Sends a request to a daemon, over HTTPS if it requires that. The timeout and the size limit are those of the beginning of the response
 * and of errors; the caller has to bound what it reads of the stream.
 */
export const openFromDaemon = Effect.fnUntraced(function*(
  client: HttpClient.HttpClient,
  given: HttpClientRequest.HttpClientRequest,
  options: Sending & Limits
): Effect.fn.Return<Opened, HttpError> {
  const attempt = (request: HttpClientRequest.HttpClientRequest): Effect.Effect<Opened, HttpError> =>
    Effect.gen(function*() {
      const failed = (error: HttpClientError.HttpClientError) => fail(authenticated(request), options, reasonOf(error))
      const response = yield* open(client, request, options)
      const { headers, status } = response
      if (status === 200) return { _tag: "Streaming" as const, stream: Stream.mapError(response.stream, failed) }
      const body = yield* Effect.mapError(
        BoundedResponse.bytes(response, options.maxBytes, options.option ?? "fixed limit"),
        (error) => error._tag === "ResponseTooLarge" ? fail(authenticated(request), options, error) : failed(error)
      )
      return { _tag: "Refused" as const, received: { status, headers, body } }
    }).pipe(Effect.timeoutOrElse({
      duration: options.timeout,
      orElse: () => Effect.fail(timedOut(request, options))
    }))
  const opened = yield* attempt(given)
  const secure = opened._tag === "Refused" ? secureUrl(given.url, opened.received) : undefined
  return secure === undefined ? opened : yield* attempt(HttpClientRequest.setUrl(given, secure))
})

/** Requests the JSON of API version 1, which servers from before NSQ 1.0 would wrap otherwise. */
export const versioned = HttpClientRequest.setHeader("accept", "application/vnd.nsq; version=1.0")

/** Sends a request as NSQ does to its daemons, and returns the one that was sent last with the response of any status. */
const sendTwice = Effect.fnUntraced(function*(
  client: HttpClient.HttpClient,
  given: HttpClientRequest.HttpClientRequest,
  options: Sending & Limits
): Effect.fn.Return<{ request: HttpClientRequest.HttpClientRequest; received: Received }, HttpError> {
  const request = versioned(given)
  const received = yield* send(client, request, options)
  const secure = secureUrl(request.url, received)
  if (secure === undefined) return { request, received }
  const repeated = HttpClientRequest.setUrl(request, secure)
  return { request: repeated, received: yield* send(client, repeated, options) }
})

/**
 * Sends a request as NSQ does to its daemons: `versioned`, and once more over HTTPS if the daemon requires it. Returns the response of
 * any status. Each of the two requests has the limits.
 */
export const exchangeWithDaemon = (
  client: HttpClient.HttpClient,
  request: HttpClientRequest.HttpClientRequest,
  options: Sending & Limits
): Effect.Effect<Received, HttpError> => Effect.map(sendTwice(client, request, options), ({ received }) => received)

/** Sends a request like `exchangeWithDaemon`. Any status other than 200 is a failure. */
export const sendToDaemon = Effect.fnUntraced(function*(
  client: HttpClient.HttpClient,
  given: HttpClientRequest.HttpClientRequest,
  options: Sending & Limits
): Effect.fn.Return<Received, HttpError> {
  const { received, request } = yield* sendTwice(client, given, options)
  const { body, status } = received
  if (status === 200) return received
  return yield* fail(authenticated(request), options, HttpErrorReason.UnexpectedStatus({ status, ...codeIn(body) }))
})

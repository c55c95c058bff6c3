/**
 * Responses as values, in the forms of nsqd's HTTP API (docs/protocol/http.md#conventions): text, JSON, empty, an error code, and
 * the plain forms of `/ping` and `/debug` without NSQ's version header. Constant responses are built once.
 */
import { Data } from "effect"
import type { ServerResponse } from "node:http"

/** A response. */
export interface HttpResponse {
  readonly status: number
  /** Alternating names and values, as they are sent; with the length of the body, without date and connection. */
  readonly headers: Array<string>
  readonly body: string | Buffer
  /** Sends the body in place of `body`, for any time. */
  readonly stream?: (outgoing: ServerResponse) => void
  /** Takes the connection over in place of a response. */
  readonly takeOver?: (outgoing: ServerResponse) => void
}

/** The failure of a request, with the response that states the reason. */
export class HttpFailure extends Data.TaggedError("HttpFailure")<{ readonly response: HttpResponse }> {}

const nsqHeader = ["X-Nsq-Content-Type", "nsq; version=1.0"]
/** Browsers must not render a response as a page, guess its type or cache it. */
const secured = [
  "X-Content-Type-Options",
  "nosniff",
  "Content-Security-Policy",
  "default-src 'none'; frame-ancestors 'none'",
  "Cache-Control",
  "no-store"
]
const textType = ["Content-Type", "text/plain; charset=utf-8"]
const jsonType = ["Content-Type", "application/json; charset=utf-8"]

/** Returns a response with its length and the security headers. */
export const make = (status: number, headers: ReadonlyArray<string>, body: string | Buffer): HttpResponse => ({
  status,
  headers: [...headers, ...secured, "Content-Length", String(Buffer.byteLength(body))],
  body
})

// Go's JSON encoder also escapes characters with a meaning in HTML or JavaScript.
const unsafe = /[<>&\u2028\u2029]/g
const escapeUnsafe = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`

/** Encodes JSON as Go does. */
export const encodeJson = (value: unknown): string => JSON.stringify(value).replace(unsafe, escapeUnsafe)

/** The headers of text. */
export const textHeaders: ReadonlyArray<string> = [...textType, ...nsqHeader]
/** The headers of JSON. */
export const jsonHeaders: ReadonlyArray<string> = [...jsonType, ...nsqHeader]

/** 200 with text; without a content type if it is empty. */
export const text = (body: string): HttpResponse => make(200, body === "" ? nsqHeader : textHeaders, body)

/** 200 with a value as JSON. */
export const json = (value: unknown): HttpResponse => jsonText(encodeJson(value))

/** 200 with encoded JSON. */
export const jsonText = (body: string): HttpResponse => make(200, jsonHeaders, body)

/** 200 without a body. */
export const empty: HttpResponse = make(200, nsqHeader, "")

/** An error with one of NSQ's codes as its `message`. */
export const failure = (status: number, code: string, headers: ReadonlyArray<string> = []): HttpResponse =>
  make(status, [...headers, ...jsonType, ...nsqHeader], encodeJson({ message: code }))

/** The response of the plain HTTP listener if TLS is required, with the port to use instead, and NSQ's spacing. */
export const tlsRequired = (httpsPort: number): HttpResponse =>
  make(403, [...jsonType, ...nsqHeader], `{"message": "TLS_REQUIRED", "https_port": ${httpsPort}}`)

/** Text without NSQ's version header. */
export const plain = (status: number, body: string): HttpResponse => make(status, textType, body)

/** A file to download, without NSQ's version header. */
export const file = (type: string, name: string, body: string): HttpResponse =>
  make(200, ["Content-Type", type, "Content-Disposition", `attachment; filename="${name}"`], body)

/** An HTML page, without NSQ's version header. */
export const html = (status: number, body: string, headers: ReadonlyArray<string> = []): HttpResponse =>
  make(status, [...headers, "Content-Type", "text/html; charset=utf-8"], body)

/** 200 with the text `OK`. */
export const ok = text("OK")
/** 500 `INTERNAL_ERROR`. */
export const internalError = failure(500, "INTERNAL_ERROR")
/** 400 `INVALID_REQUEST`. */
export const invalidRequest = failure(400, "INVALID_REQUEST")

/** Returns a failure with one of NSQ's codes: `return yield* fail(400, "INVALID_TOPIC")`. */
export const fail = (status: number, code: string): HttpFailure => new HttpFailure({ response: failure(status, code) })

/** 200 with a body of unknown length, sent by `stream`. */
export const streamed = (
  headers: ReadonlyArray<string>,
  stream: (outgoing: ServerResponse) => void
): HttpResponse => ({ status: 200, headers: [...headers, ...secured], body: "", stream })

/** 200 with an endless body, sent by `stream`. */
export const streaming = (
  headers: ReadonlyArray<string>,
  stream: (outgoing: ServerResponse) => void
): HttpResponse => streamed([...headers, ...nsqHeader], stream)

/** The connection is no longer one of HTTP: it is taken over. */
export const takenOver = (takeOver: (outgoing: ServerResponse) => void): HttpResponse => ({
  status: 101,
  headers: [],
  body: "",
  takeOver
})

/** Sends a response. */
export const send = (outgoing: ServerResponse, response: HttpResponse): void => {
  if (response.takeOver !== undefined) return response.takeOver(outgoing)
  outgoing.writeHead(response.status, response.headers)
  if (response.stream === undefined) outgoing.end(response.body)
  else response.stream(outgoing)
}

/**
 * Answers as values, in the forms nsqd's HTTP API has (section 7 of the nsqd notes): text, JSON, nothing, an error code, and
 * the bare forms of `/ping` and `/debug` that lack NSQ's version header. Answers that never change are built once. Nothing
 * here decides what to answer.
 */
import { Data } from "effect"
import type { ServerResponse } from "node:http"

export interface HttpResponse {
  readonly status: number
  /** Names and values in turn, as they go out; with the length of the body, without date and connection. */
  readonly headers: Array<string>
  readonly body: string | Buffer
  /** Sends what follows the head, for as long as it likes, instead of a body. */
  readonly stream?: (outgoing: ServerResponse) => void
}

/** The outcome of a request that could not be carried out: the answer that says why. */
export class HttpFailure extends Data.TaggedError("HttpFailure")<{ readonly response: HttpResponse }> {}

const nsqHeader = ["X-Nsq-Content-Type", "nsq; version=1.0"]
/** No browser may make a page of a response, guess its type or keep it. */
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

export const make = (status: number, headers: ReadonlyArray<string>, body: string | Buffer): HttpResponse => ({
  status,
  headers: [...headers, ...secured, "Content-Length", String(Buffer.byteLength(body))],
  body
})

// Go's JSON encoder also escapes what HTML or JavaScript would misread.
const unsafe = /[<>&\u2028\u2029]/g
const escapeUnsafe = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`

/** JSON as Go writes it. */
export const encodeJson = (value: unknown): string => JSON.stringify(value).replace(unsafe, escapeUnsafe)

/** The headers of text and of JSON. */
export const textHeaders: ReadonlyArray<string> = [...textType, ...nsqHeader]
export const jsonHeaders: ReadonlyArray<string> = [...jsonType, ...nsqHeader]

/** 200 with a text; an empty one has no content type. */
export const text = (body: string): HttpResponse => make(200, body === "" ? nsqHeader : textHeaders, body)

/** 200 with a value as JSON. */
export const json = (value: unknown): HttpResponse => jsonText(encodeJson(value))

/** 200 with JSON that has been written already. */
export const jsonText = (body: string): HttpResponse => make(200, jsonHeaders, body)

/** 200 and no body. */
export const empty: HttpResponse = make(200, nsqHeader, "")

/** An error with one of NSQ's codes. */
export const failure = (status: number, code: string, headers: ReadonlyArray<string> = []): HttpResponse =>
  make(status, [...headers, ...jsonType, ...nsqHeader], encodeJson({ message: code }))

/** Plain HTTP where TLS is required, with the port to use instead; spaced as NSQ does it. */
export const tlsRequired = (httpsPort: number): HttpResponse =>
  make(403, [...jsonType, ...nsqHeader], `{"message": "TLS_REQUIRED", "https_port": ${httpsPort}}`)

/** Text without NSQ's version header. */
export const plain = (status: number, body: string): HttpResponse => make(status, textType, body)

/** A file of another type to keep, without NSQ's version header. */
export const file = (type: string, name: string, body: string): HttpResponse =>
  make(200, ["Content-Type", type, "Content-Disposition", `attachment; filename="${name}"`], body)

/** An HTML page, without NSQ's version header. */
export const html = (status: number, body: string, headers: ReadonlyArray<string> = []): HttpResponse =>
  make(status, [...headers, "Content-Type", "text/html; charset=utf-8"], body)

export const ok = text("OK")
export const internalError = failure(500, "INTERNAL_ERROR")
export const invalidRequest = failure(400, "INVALID_REQUEST")

/** Fails with one of NSQ's codes: `return yield* fail(400, "INVALID_TOPIC")`. */
export const fail = (status: number, code: string): HttpFailure => new HttpFailure({ response: failure(status, code) })

/** 200 with a body of unknown length, which `stream` sends. */
export const streamed = (
  headers: ReadonlyArray<string>,
  stream: (outgoing: ServerResponse) => void
): HttpResponse => ({ status: 200, headers: [...headers, ...secured], body: "", stream })

/** 200 with a body that goes on for ever. */
export const streaming = (
  headers: ReadonlyArray<string>,
  stream: (outgoing: ServerResponse) => void
): HttpResponse => streamed([...headers, ...nsqHeader], stream)

/** Sends an answer. */
export const send = (outgoing: ServerResponse, response: HttpResponse): void => {
  outgoing.writeHead(response.status, response.headers)
  if (response.stream === undefined) outgoing.end(response.body)
  else response.stream(outgoing)
}

/**
 * Requests to the HTTP API of one daemon, and the errors that its responses stand for.
 */
import { Duration, Effect, Result, Schema, Stream } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { masked, maskedAddress } from "../core/Masked.ts"
import { HttpError, HttpErrorReason } from "../http/HttpError.ts"
import * as HttpExchange from "../http/HttpExchange.ts"
import { AdminError, AdminErrorReason } from "./AdminError.ts"

/**
 * Options of the administration clients.
 *
 * @since 0.2.0
 * @category models
 */
export interface AdminOptions {
  /** For a whole request, including connecting. Default: 10 s. */
  readonly timeout?: Duration.Input
  /** For one response, in bytes; 0 for no limit. Default: 64 MiB. */
  readonly maxResponseSize?: number
}

/** The parameters of a request; those that are undefined are omitted. */
export type Parameters = Readonly<Record<string, string | number | boolean | undefined>>

/** A request. */
export interface AdminRequest {
  readonly method: "GET" | "POST" | "PUT" | "DELETE"
  readonly path: string
  readonly parameters?: Parameters
  readonly body?: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

/** Longer texts of error responses are cut: they are shown in messages. */
const maxDescription = 500

const decodeFailure = Schema.decodeResult(Schema.fromJsonString(Schema.Struct({ message: Schema.String })))

/** Returns the text of an error response: the message of its JSON, or the body. */
const descriptionOf = (body: Buffer): string => {
  const text = body.toString()
  return Result.match(decodeFailure(text), { onSuccess: ({ message }) => message, onFailure: () => text })
    .slice(0, maxDescription).trim()
}

const codeOf = (description: string): string => /^[A-Z][A-Z_]+(?=$|[: ])/.exec(description)?.[0] ?? ""

const query = (parameters: Parameters): string => {
  const given = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`]
  )
  return given.length === 0 ? "" : `?${given.join("&")}`
}

/** The requests to one daemon. */
export interface AdminRequests {
  /** Sends a request. Any status other than 200 is a failure. */
  readonly send: (request: AdminRequest) => Effect.Effect<HttpExchange.Received, AdminError>
  /** Sends a GET request, and decodes the JSON of the response. */
  readonly get: <A, I>(
    schema: Schema.Codec<A, I>,
    path: string,
    parameters?: Parameters
  ) => Effect.Effect<A, AdminError>
  /** Sends a GET request, and decodes each line of the response as JSON, as it arrives. */
  readonly lines: <A, I>(
    schema: Schema.Codec<A, I>,
    path: string,
    parameters: Parameters
  ) => Stream.Stream<A, AdminError>
  /** Sends a POST request and ignores the body of the response. */
  readonly post: (path: string, parameters: Parameters, body?: Uint8Array) => Effect.Effect<void, AdminError>
  /** Returns the error of a response that does not have the expected form. */
  readonly invalid: (method: string, path: string) => AdminError
  /** Returns the error of a request that is not sent, because the daemon would refuse it with status 400 and this text. */
  readonly refused: (description: string) => AdminError
  /** Sends a GET request for the state of the daemon, which is a text. */
  readonly check: (path: string) => Effect.Effect<void, AdminError>
}

/** Returns the requests to the daemon at `address`: `host:port`, or `http(s)://host:port`. */
export const make = Effect.fnUntraced(function*(
  address: string,
  options: AdminOptions = {}
): Effect.fn.Return<AdminRequests, never, HttpClient.HttpClient> {
  const client = yield* HttpClient.HttpClient
  const base = (/^https?:\/\//.test(address) ? address : `http://${address}`).replace(/\/+$/, "")
  const shown = maskedAddress(address)
  const limits = {
    address,
    timeout: Duration.fromInputUnsafe(options.timeout ?? "10 seconds"),
    maxBytes: options.maxResponseSize ?? 64 * 1024 * 1024,
    option: "maxResponseSize"
  }

  const failed = (reason: AdminErrorReason) => new AdminError({ address: shown, reason })

  const refusal = ({ parameters = {} }: AdminRequest, { body, status }: HttpExchange.Received): AdminError => {
    const description = descriptionOf(body)
    const code = codeOf(description)
    const topic = String(parameters.topic ?? "")
    if (code === "TOPIC_NOT_FOUND") return failed(AdminErrorReason.TopicNotFound({ topic }))
    return code === "CHANNEL_NOT_FOUND"
      ? failed(AdminErrorReason.ChannelNotFound({ topic, channel: String(parameters.channel ?? "") }))
      : failed(AdminErrorReason.Refusal({ status, code, description }))
  }

  const exchange = ({ body, headers = {}, method, parameters = {}, path }: AdminRequest) => {
    const request = HttpClientRequest.make(method)(`${base}${path}${query(parameters)}`, { headers })
    const full = body === undefined ? request : HttpClientRequest.bodyUint8Array(request, body)
    return Effect.mapError(
      HttpExchange.exchangeWithDaemon(client, full, limits),
      (error) => failed(AdminErrorReason.RequestFailure({ error }))
    )
  }

  const send: AdminRequests["send"] = (request) =>
    Effect.filterOrFail(
      exchange(request),
      ({ status }) => status === 200,
      (received) => refusal(request, received)
    )

  const invalid = (method: string, path: string): AdminError => {
    const reason = HttpErrorReason.InvalidResponse()
    const error = new HttpError({ address, method, url: masked(`${base}${path}`), reason })
    return failed(AdminErrorReason.RequestFailure({ error }))
  }

  const lines: AdminRequests["lines"] = (schema, path, parameters) => {
    const decode = Schema.decodeEffect(Schema.fromJsonString(schema))
    const request = HttpClientRequest.get(`${base}${path}${query(parameters)}`)
    const requestFailed = (error: HttpError): AdminError => failed(AdminErrorReason.RequestFailure({ error }))
    const tooLarge = requestFailed(
      new HttpError({
        address,
        method: "GET",
        url: masked(request.url),
        reason: HttpErrorReason.ResponseTooLarge({
          description: `a line of the response has more than ${limits.maxBytes} bytes`,
          option: limits.option
        })
      })
    )
    return Stream.unwrap(Effect.map(
      Effect.mapError(HttpExchange.openFromDaemon(client, request, limits), requestFailed),
      (opened) => {
        if (opened._tag === "Refused") {
          return Stream.fail(refusal({ method: "GET", path, parameters }, opened.received))
        }
        let length = 0
        return opened.stream.pipe(
          Stream.mapError(requestFailed),
          Stream.decodeText,
          // A line without an end would fill the memory.
          Stream.mapEffect((text) => {
            const end = text.lastIndexOf("\n")
            length = end < 0 ? length + text.length : text.length - end
            return limits.maxBytes > 0 && length > limits.maxBytes ? Effect.fail(tooLarge) : Effect.succeed(text)
          }),
          Stream.splitLines,
          Stream.filter((line) => line !== ""),
          Stream.mapEffect((line) => Effect.mapError(decode(line), () => invalid("GET", path)))
        )
      }
    ))
  }

  return {
    send,
    lines,
    invalid,
    refused: (description) => failed(AdminErrorReason.Refusal({ status: 400, code: codeOf(description), description })),
    get: (schema, path, parameters = {}) => {
      const decode = Schema.decodeEffect(Schema.fromJsonString(schema))
      return Effect.flatMap(
        send({ method: "GET", path, parameters }),
        ({ body }) => Effect.mapError(decode(body.toString()), () => invalid("GET", path))
      )
    },
    post: (path, parameters, body) =>
      Effect.asVoid(send({ method: "POST", path, parameters, ...body !== undefined && { body } })),
    check: (path) =>
      Effect.flatMap(exchange({ method: "GET", path }), ({ body, status }) =>
        status === 200
          ? Effect.void
          : Effect.fail(failed(AdminErrorReason.Unhealthy({ description: descriptionOf(body) }))))
  }
})

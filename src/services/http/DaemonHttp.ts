/**
 * HTTP requests to an nsqd or nsqlookupd, as in NSQ's tools: JSON of API version 1, any status other than 200 is a failure, and
 * the request is repeated over HTTPS if the daemon requires it. Failures have NSQ's texts. Daemons are not trusted: responses are
 * limited in size and time, and `DaemonNetworks` checks addresses that another daemon announced.
 */
import { Context, type Duration, Effect, Layer, Option, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { STATUS_CODES } from "node:http"
import { masked, maskedAddress } from "../core/Masked.ts"
import { DaemonNetworks, type Origin } from "../net/DaemonNetworks.ts"
import * as BoundedResponse from "./BoundedResponse.ts"
import * as LongResponse from "./LongResponse.ts"

/** A daemon is unreachable, returned an error, or returned an invalid response. */
export class DaemonError extends Schema.TaggedError<DaemonError>()("DaemonError", {
  /** `host:port` of the daemon. */
  address: Schema.String,
  reason: Schema.String
}) {
  override get message(): string {
    return this.reason
  }
}

const Forbidden = Schema.fromJsonString(Schema.Struct({ https_port: Schema.Int }))
const Failed = Schema.fromJsonString(Schema.Struct({ message: Schema.String }))

const maxRedirections = 1

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

const httpsOf = (url: string, port: number): string => {
  const secure = new URL(url.replace("http:", "https:"))
  secure.port = String(port)
  return secure.href
}

/** Returns the operating system's error text, if the error has one. */
const reasonOf = (error: { readonly message: string; readonly cause?: unknown }): string => {
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    if (cause.cause === undefined) return cause.message
  }
  return error.message
}

const method = { GET: "Get", POST: "Post" }

/** Limits of an exchange with a daemon. */
export interface DaemonHttpLimits {
  /** For a whole exchange. */
  readonly httpClientRequestTimeout: Duration.Duration
  /** For one response, in bytes; all responses to one question may have four times as many. 0 for no limit. */
  readonly maxDaemonResponseSize: number
}

/** Returns a client that connects only to addresses that daemons of this origin may announce. Default: an unrestricted client. */
export const NamedClients = Context.Reference<((origin: Origin) => HttpClient.HttpClient) | undefined>(
  "effect-nsq/cluster/NamedClients",
  { defaultValue: () => undefined }
)

/** Sends requests to daemons. */
export class DaemonHttp extends Context.Service<DaemonHttp, {
  /** Requests a path with query from the daemon at `address`, `host:port`, and decodes the response. Default origin: `configured`. */
  readonly get: <A, I>(
    schema: Schema.Codec<A, I>,
    address: string,
    path: string,
    origin?: Origin
  ) => Effect.Effect<A, DaemonError>
  /** The same for a response with a list of topics that may be very long. Decoding takes turns with other work. */
  readonly getByTopic: <Head extends { readonly topics: ReadonlyArray<unknown> | null }, Topic>(
    schemas: LongResponse.ByTopic<Head, Topic>,
    address: string,
    path: string,
    origin?: Origin
  ) => Effect.Effect<LongResponse.Decoded<Head, Topic>, DaemonError>
  /** Posts to the daemon at `address`, `host:port`, and ignores the body of its response. Default origin: `configured`. */
  readonly post: (
    address: string,
    path: string,
    body?: Uint8Array,
    origin?: Origin
  ) => Effect.Effect<void, DaemonError>
}>()("effect-nsq/cluster/DaemonHttp") {
  /** Uses the HttpClient of the context, and for announced addresses `NamedClients`. */
  static readonly layer = (limits: DaemonHttpLimits): Layer.Layer<DaemonHttp, never, HttpClient.HttpClient> =>
    Layer.effect(
      DaemonHttp,
      Effect.gen(function*() {
        const { httpClientRequestTimeout: requestTimeout, maxDaemonResponseSize } = limits
        const configured = yield* HttpClient.HttpClient
        const named = yield* NamedClients
        const networks = yield* DaemonNetworks
        const clientFor = (origin: Origin) => origin === "configured" ? configured : named?.(origin) ?? configured

        const send = (
          verb: "GET" | "POST",
          address: string,
          origin: Origin,
          url: string,
          body: Uint8Array | undefined,
          redirections = maxRedirections
        ): Effect.Effect<Buffer, DaemonError> =>
          Effect.gen(function*() {
            const failed = (reason: string) =>
              new DaemonError({ address, reason: masked(`${method[verb]} "${url}": ${reason}`) })
            const headers = { accept: "application/vnd.nsq; version=1.0" }
            const bare = HttpClientRequest.make(verb)(url, { headers })
            const request = body === undefined ? bare : HttpClientRequest.bodyUint8Array(bare, body)
            const [status, received] = yield* networks.resolve(address, origin).pipe(
              Effect.andThen(clientFor(origin).execute(request)),
              Effect.flatMap((response) =>
                Effect.map(
                  BoundedResponse.bytes(response, maxDaemonResponseSize, "--max-daemon-response-size"),
                  (received) => [response.status, received] as const
                )
              ),
              Effect.timeoutOrElse({
                duration: requestTimeout,
                orElse: () => Effect.fail(failed("request timeout"))
              }),
              Effect.mapError((error) => error instanceof DaemonError ? error : failed(reasonOf(error)))
            )
            if (status === 403 && redirections > 0 && url.startsWith("http://")) {
              const secure = yield* Effect.option(Schema.decodeEffect(Forbidden)(received.toString()))
              if (secure._tag === "Some") {
                return yield* send(verb, address, origin, httpsOf(url, secure.value.https_port), body, 0)
              }
            }
            if (status !== 200) {
              const failure = yield* Effect.option(Schema.decodeEffect(Failed)(received.toString()))
              const code = Option.isSome(failure) ? failure.value.message.replace(/:.*/s, "") : ""
              const shown = codes.has(code) ? ` ${code}` : ""
              const reason = `got response ${status} ${STATUS_CODES[status] ?? ""}${shown} of ${maskedAddress(address)}`
              return yield* new DaemonError({ address, reason })
            }
            return received
          })
        /** Sends a GET request, and decodes the response. */
        const getWith = <A, E>(
          address: string,
          path: string,
          origin: Origin,
          read: (received: Buffer) => Effect.Effect<A, E>
        ): Effect.Effect<A, DaemonError> => {
          const url = `http://${address}${path}`
          const invalid = () => new DaemonError({ address, reason: `Get "${masked(url)}": invalid response` })
          return Effect.flatMap(
            send("GET", address, origin, url, undefined),
            (received) => Effect.mapError(read(received), invalid)
          )
        }

        return DaemonHttp.of({
          get: (schema, address, path, origin = "configured") => {
            const decode = Schema.decodeEffect(Schema.fromJsonString(schema))
            return getWith(address, path, origin, (received) => decode(received.toString()))
          },
          getByTopic: (schemas, address, path, origin = "configured") =>
            getWith(address, path, origin, (received) => LongResponse.decode(schemas, received)),
          post: (address, path, body, origin = "configured") =>
            Effect.asVoid(send("POST", address, origin, `http://${address}${path}`, body))
        })
      })
    )
}

/**
 * Asks one nsqd or nsqlookupd by HTTP, as NSQ's own tools do: JSON of API version 1, any status but 200 is a failure, and a
 * daemon that wants HTTPS is asked again that way. Failures are in NSQ's words. No daemon is trusted: a response is bounded in
 * size and time, and an address that another daemon named is connected to only as `DaemonNetworks` allows.
 */
import { Context, type Duration, Effect, Layer, Option, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { STATUS_CODES } from "node:http"
import { masked, maskedAddress } from "../core/Masked.ts"
import { DaemonNetworks, type Origin } from "../net/DaemonNetworks.ts"
import * as BoundedResponse from "./BoundedResponse.ts"
import * as LongResponse from "./LongResponse.ts"

/** A daemon did not answer, or refused. */
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
 * NSQ's codes for failures. Of a response that reports a failure nothing else is passed on: it may come from a server that is no
 * daemon of NSQ's and not meant to be seen by whoever reads the message.
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

/** The operating system's words, where it said something. */
const reasonOf = (error: { readonly message: string; readonly cause?: unknown }): string => {
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) {
    if (cause.cause === undefined) return cause.message
  }
  return error.message
}

const method = { GET: "Get", POST: "Post" }

/** Limits of an exchange with a daemon. */
export interface DaemonHttpLimits {
  /** Of a whole exchange. */
  readonly httpClientRequestTimeout: Duration.Duration
  /** Of one response, in bytes; all responses to one question may have four times as many together. 0 is for no limit. */
  readonly maxDaemonResponseSize: number
}

/** Clients that only connect to what daemons of these origins may name; one without such care unless provided. */
export const NamedClients = Context.Reference<((origin: Origin) => HttpClient.HttpClient) | undefined>(
  "effect-nsq/cluster/NamedClients",
  { defaultValue: () => undefined }
)

export class DaemonHttp extends Context.Service<DaemonHttp, {
  /** Asks the daemon at `host:port`, which `origin` has named, for a path with query, and decodes its answer. */
  readonly get: <A, I>(
    schema: Schema.Codec<A, I>,
    address: string,
    path: string,
    origin?: Origin
  ) => Effect.Effect<A, DaemonError>
  /** The same for an answer with a list of topics that may be very long. Decoding it takes turns with everything else. */
  readonly getByTopic: <Head extends { readonly topics: ReadonlyArray<unknown> | null }, Topic>(
    schemas: LongResponse.ByTopic<Head, Topic>,
    address: string,
    path: string,
    origin?: Origin
  ) => Effect.Effect<LongResponse.Decoded<Head, Topic>, DaemonError>
  /** Has the daemon at `host:port`, which `origin` has named, do something. */
  readonly post: (
    address: string,
    path: string,
    body?: Uint8Array,
    origin?: Origin
  ) => Effect.Effect<void, DaemonError>
}>()("effect-nsq/cluster/DaemonHttp") {
  /** By the client of the environment, and for addresses that daemons name by `NamedClients`. */
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
            const [status, answer] = yield* networks.resolve(address, origin).pipe(
              Effect.andThen(clientFor(origin).execute(request)),
              Effect.flatMap((response) =>
                Effect.map(
                  BoundedResponse.bytes(response, maxDaemonResponseSize, "--max-daemon-response-size"),
                  (answer) => [response.status, answer] as const
                )
              ),
              Effect.timeoutOrElse({
                duration: requestTimeout,
                orElse: () => Effect.fail(failed("request timeout"))
              }),
              Effect.mapError((error) => error instanceof DaemonError ? error : failed(reasonOf(error)))
            )
            if (status === 403 && redirections > 0 && url.startsWith("http://")) {
              const secure = yield* Effect.option(Schema.decodeEffect(Forbidden)(answer.toString()))
              if (secure._tag === "Some") {
                return yield* send(verb, address, origin, httpsOf(url, secure.value.https_port), body, 0)
              }
            }
            if (status !== 200) {
              const failure = yield* Effect.option(Schema.decodeEffect(Failed)(answer.toString()))
              const code = Option.isSome(failure) ? failure.value.message.replace(/:.*/s, "") : ""
              const shown = codes.has(code) ? ` ${code}` : ""
              const reason = `got response ${status} ${STATUS_CODES[status] ?? ""}${shown} of ${maskedAddress(address)}`
              return yield* new DaemonError({ address, reason })
            }
            return answer
          })
        /** Asks, and reads the answer. */
        const asked = <A, E>(
          address: string,
          path: string,
          origin: Origin,
          read: (answer: Buffer) => Effect.Effect<A, E>
        ): Effect.Effect<A, DaemonError> => {
          const url = `http://${address}${path}`
          const strange = () =>
            new DaemonError({ address, reason: `Get "${masked(url)}": the answer is not what NSQ's daemons say` })
          return Effect.flatMap(
            send("GET", address, origin, url, undefined),
            (answer) => Effect.mapError(read(answer), strange)
          )
        }

        return DaemonHttp.of({
          get: (schema, address, path, origin = "configured") => {
            const decode = Schema.decodeEffect(Schema.fromJsonString(schema))
            return asked(address, path, origin, (answer) => decode(answer.toString()))
          },
          getByTopic: (schemas, address, path, origin = "configured") =>
            asked(address, path, origin, (answer) => LongResponse.decode(schemas, answer)),
          post: (address, path, body, origin = "configured") =>
            Effect.asVoid(send("POST", address, origin, `http://${address}${path}`, body))
        })
      })
    )
}

/**
 * Asks one nsqd or nsqlookupd by HTTP, as NSQ's own tools do: JSON of API version 1, any status but 200 is a failure, and a
 * daemon that wants HTTPS is asked again that way. Failures are in NSQ's words.
 */
import { ByteSize, Context, type Duration, Effect, Layer, Schema } from "effect"
import { HttpClient, HttpClientRequest, HttpIncomingMessage } from "effect/http"
import { STATUS_CODES } from "node:http"

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

const maxRedirections = 1

/** A cluster of very many channels says less; what says more is no daemon of NSQ's. */
const maxAnswer = ByteSize.mebibytes(256)

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

export class DaemonHttp extends Context.Service<DaemonHttp, {
  /** Asks the daemon at `host:port` for a path with query, and decodes its answer. */
  readonly get: <A, I>(schema: Schema.Codec<A, I>, address: string, path: string) => Effect.Effect<A, DaemonError>
  /** Has the daemon at `host:port` do something. */
  readonly post: (address: string, path: string, body?: Uint8Array) => Effect.Effect<void, DaemonError>
}>()("effect-nsq/cluster/DaemonHttp") {
  /** `requestTimeout` is for a whole exchange. */
  static readonly layer = (
    requestTimeout: Duration.Duration
  ): Layer.Layer<DaemonHttp, never, HttpClient.HttpClient> =>
    Layer.effect(
      DaemonHttp,
      Effect.gen(function*() {
        const client = yield* HttpClient.HttpClient

        const send = (
          verb: "GET" | "POST",
          address: string,
          url: string,
          body: Uint8Array | undefined,
          redirections = maxRedirections
        ): Effect.Effect<string, DaemonError> =>
          Effect.gen(function*() {
            const failed = (reason: string) =>
              new DaemonError({ address, reason: `${method[verb]} "${url}": ${reason}` })
            const headers = { accept: "application/vnd.nsq; version=1.0" }
            const bare = HttpClientRequest.make(verb)(url, { headers })
            const request = body === undefined ? bare : HttpClientRequest.bodyUint8Array(bare, body)
            const [status, text] = yield* Effect.flatMap(
              client.execute(request),
              (response) => Effect.map(response.text, (text) => [response.status, text] as const)
            ).pipe(
              Effect.timeoutOrElse({
                duration: requestTimeout,
                orElse: () => Effect.fail(failed("request timeout"))
              }),
              Effect.mapError((error) => error._tag === "DaemonError" ? error : failed(reasonOf(error))),
              Effect.provideService(HttpIncomingMessage.MaxBodySize, maxAnswer)
            )
            if (status === 403 && redirections > 0 && url.startsWith("http://")) {
              const secure = yield* Effect.option(Schema.decodeEffect(Forbidden)(text))
              if (secure._tag === "Some") {
                return yield* send(verb, address, httpsOf(url, secure.value.https_port), body, 0)
              }
            }
            if (status !== 200) {
              const reason = `got response ${status} ${STATUS_CODES[status] ?? ""} ${JSON.stringify(text)}`
              return yield* new DaemonError({ address, reason })
            }
            return text
          })

        return DaemonHttp.of({
          get: (schema, address, path) => {
            const url = `http://${address}${path}`
            const decode = Schema.decodeEffect(Schema.fromJsonString(schema))
            const strange = () =>
              new DaemonError({ address, reason: `Get "${url}": the answer is not what NSQ's daemons say` })
            return Effect.flatMap(
              send("GET", address, url, undefined),
              (text) => Effect.mapError(decode(text), strange)
            )
          },
          post: (address, path, body) => Effect.asVoid(send("POST", address, `http://${address}${path}`, body))
        })
      })
    )
}

/**
 * Graphite, where NSQ's users keep their statistics: one rate, and its pictures passed on (section 4 of the nsqadmin notes).
 */
import { Context, Duration, Effect, Layer, Schema } from "effect"
import { HttpClient, HttpClientRequest, type HttpClientResponse } from "effect/http"
import { NsqadminOptions } from "../options/NsqadminOptions.ts"

/** Graphite did not answer, or not what it should. */
export class GraphiteError extends Schema.TaggedError<GraphiteError>()("GraphiteError", { reason: Schema.String }) {
  override get message(): string {
    return `graphite request failed - ${this.reason}`
  }
}

const Rendered = Schema.Tuple([
  Schema.Struct({
    datapoints: Schema.TupleWithRest(Schema.Tuple([Schema.Array(Schema.NullOr(Schema.Finite))]), [Schema.Unknown])
  })
])

export class Graphite extends Context.Service<Graphite, {
  /** The rate per second of a target in the interval before the last, with 2 decimals; `N/A` when it is negative. */
  readonly rate: (target: string) => Effect.Effect<string, GraphiteError>
  /** Passes a request for a picture on: `search` is its query with the question mark. */
  readonly render: (
    search: string,
    forwardedFor: string
  ) => Effect.Effect<HttpClientResponse.HttpClientResponse, GraphiteError>
}>()("effect-nsq/admin/Graphite") {
  static readonly layer: Layer.Layer<Graphite, never, HttpClient.HttpClient> = Layer.effect(
    Graphite,
    Effect.gen(function*() {
      const { graphiteUrl, httpClientRequestTimeout, statsdInterval } = yield* NsqadminOptions
      const client = yield* HttpClient.HttpClient
      const seconds = Math.trunc(Duration.toSeconds(statsdInterval))
      const failed = (reason: string) => new GraphiteError({ reason })

      const execute = (request: HttpClientRequest.HttpClientRequest) =>
        client.execute(request).pipe(
          Effect.timeout(httpClientRequestTimeout),
          Effect.mapError(({ message }) => failed(message))
        )

      const rate = Effect.fnUntraced(function*(target: string) {
        const query = new URLSearchParams({
          format: "json",
          from: `-${seconds * 2}sec`,
          target,
          until: `-${seconds}sec`
        })
        const url = `${graphiteUrl}/render?${query}`
        yield* Effect.logInfo(`GRAPHITE: ${url}`)
        const response = yield* execute(HttpClientRequest.get(url))
        const text = yield* Effect.mapError(response.text, ({ message }) => failed(message))
        if (response.status !== 200) return yield* failed(`got response ${response.status} ${JSON.stringify(text)}`)
        const [{ datapoints: [[value]] }] = yield* Effect.mapError(
          Schema.decodeEffect(Schema.fromJsonString(Rendered))(text),
          () => failed("the answer has no value")
        )
        if (typeof value !== "number") return yield* failed("the answer has no value")
        return value < 0 ? "N/A" : (value / seconds).toFixed(2)
      })

      /** Only host and credentials of Graphite's address count. */
      const render = (search: string, forwardedFor: string) =>
        Effect.suspend(() => {
          const { host, password, protocol, username } = new URL(graphiteUrl)
          const request = HttpClientRequest.get(`${protocol}//${host}/render${search}`, {
            headers: { "x-forwarded-for": forwardedFor }
          })
          return execute(
            username === "" ? request : HttpClientRequest.basicAuth(
              request,
              decodeURIComponent(username),
              decodeURIComponent(password)
            )
          )
        })

      return Graphite.of({ rate, render })
    })
  )
}

/**
 * Graphite, where NSQ's users keep their statistics: one rate, and its pictures passed on (section 4 of the nsqadmin notes).
 */
import { Context, Duration, Effect, Layer, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { masked } from "../core/Masked.ts"
import * as BoundedResponse from "../http/BoundedResponse.ts"
import { NsqadminOptions } from "./NsqadminOptions.ts"

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

/** Far more than one number needs. */
const maxRateBytes = 64 * 1024

/** Raster images. Others, SVG among them, could contain scripts, which would run as nsqadmin's own. */
const pictureTypes = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"])

/** Hundreds of times the size of a usual picture. */
const maxPictureBytes = 16 * 1024 * 1024

/** A picture of Graphite. */
export interface Picture {
  readonly type: string
  readonly body: Uint8Array
}

export class Graphite extends Context.Service<Graphite, {
  /** The rate per second of a target in the interval before the last, with 2 decimals; `N/A` when it is negative. */
  readonly rate: (target: string) => Effect.Effect<string, GraphiteError>
  /** Passes a request for a picture on: `search` is its query with the question mark. */
  readonly render: (
    search: string,
    forwardedFor: string
  ) => Effect.Effect<Picture, GraphiteError>
}>()("effect-nsq/admin/Graphite") {
  static readonly layer: Layer.Layer<Graphite, never, HttpClient.HttpClient> = Layer.effect(
    Graphite,
    Effect.gen(function*() {
      const { graphiteUrl, httpClientRequestTimeout, statsdInterval } = yield* NsqadminOptions
      const client = yield* HttpClient.HttpClient
      const seconds = Math.trunc(Duration.toSeconds(statsdInterval))
      const failed = (reason: string) => new GraphiteError({ reason: masked(reason) })

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
        if (response.status !== 200) return yield* failed(`got response ${response.status}`)
        const text = yield* BoundedResponse.text(response, maxRateBytes, "Graphite's rates").pipe(
          Effect.timeout(httpClientRequestTimeout),
          Effect.mapError(({ message }) => failed(message))
        )
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
          const authorized = username === "" ? request : HttpClientRequest.basicAuth(
            request,
            decodeURIComponent(username),
            decodeURIComponent(password)
          )
          return Effect.flatMap(execute(authorized), (response) => {
            const type = response.headers["content-type"]?.split(";")[0]?.trim().toLowerCase() ?? ""
            if (response.status !== 200) return Effect.fail(failed(`got response ${response.status}`))
            if (!pictureTypes.has(type)) {
              return Effect.fail(failed("the response is not a picture of type PNG, JPEG, GIF or WebP"))
            }
            return BoundedResponse.bytes(response, maxPictureBytes, "Graphite's pictures").pipe(
              Effect.timeout(httpClientRequestTimeout),
              Effect.mapError(({ message }) => failed(message)),
              Effect.map((body) => ({ type, body }))
            )
          })
        })

      return Graphite.of({ rate, render })
    })
  )
}

/** The client for Graphite: queries a rate and proxies pictures (docs/protocol/http.md#graphite). */
import { Context, Duration, Effect, Layer, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { masked } from "../core/Masked.ts"
import * as BoundedResponse from "../http/BoundedResponse.ts"
import { NsqadminError, NsqadminErrorReason } from "./NsqadminError.ts"
import { NsqadminOptions } from "./NsqadminOptions.ts"

const Rendered = Schema.Tuple([
  Schema.Struct({
    datapoints: Schema.TupleWithRest(Schema.Tuple([Schema.Array(Schema.NullOr(Schema.Finite))]), [Schema.Unknown])
  })
])

/** Limit for the response to a query of one rate. */
const maxRateBytes = 64 * 1024

/** Raster images only: other types, such as SVG, can contain scripts, which would run in nsqadmin's origin. */
const pictureTypes = new Set(["image/png", "image/jpeg", "image/gif", "image/webp"])

/** Limit for a picture: hundreds of times the usual size. */
const maxPictureBytes = 16 * 1024 * 1024

/** A picture from Graphite. */
export interface Picture {
  readonly type: string
  readonly body: Uint8Array
}

/** Requests to Graphite. They fail with the reason `GraphiteFailure`. */
export class Graphite extends Context.Service<Graphite, {
  /** Returns the rate of a target per second in the interval before the last, with 2 decimals; `N/A` if negative. */
  readonly rate: (target: string) => Effect.Effect<string, NsqadminError>
  /** Requests a picture. `search` is the query with the question mark, `forwardedFor` the value of `X-Forwarded-For`. */
  readonly render: (
    search: string,
    forwardedFor: string
  ) => Effect.Effect<Picture, NsqadminError>
}>()("effect-nsq/admin/Graphite") {
  static readonly layer: Layer.Layer<Graphite, never, HttpClient.HttpClient> = Layer.effect(
    Graphite,
    Effect.gen(function*() {
      const { graphiteUrl, httpClientRequestTimeout, statsdInterval } = yield* NsqadminOptions
      const client = yield* HttpClient.HttpClient
      const seconds = Math.trunc(Duration.toSeconds(statsdInterval))
      const failed = (description: string) =>
        new NsqadminError({ reason: NsqadminErrorReason.GraphiteFailure({ description: masked(description) }) })

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
          () => failed("the response has no value")
        )
        if (typeof value !== "number") return yield* failed("the response has no value")
        return value < 0 ? "N/A" : (value / seconds).toFixed(2)
      })

      /** As in NSQ, ignores the path of `--graphite-url`. */
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

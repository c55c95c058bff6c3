/** The client for Graphite: queries a rate and proxies pictures (docs/protocol/http.md#graphite). */
import { Context, Duration, Effect, Layer, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { masked } from "../core/Masked.ts"
import * as HttpExchange from "../http/HttpExchange.ts"
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

      /** Sends a request for a response of at most `maxBytes`; `option` names the limit. */
      const send = (request: HttpClientRequest.HttpClientRequest, maxBytes: number, option: string) =>
        HttpExchange.send(client, request, { timeout: httpClientRequestTimeout, maxBytes, option }).pipe(
          Effect.mapError(({ description }) => failed(description)),
          Effect.tap(({ status }) => status === 200 ? Effect.void : Effect.fail(failed(`got response ${status}`)))
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
        const { body } = yield* send(HttpClientRequest.get(url), maxRateBytes, "Graphite's rates")
        const [{ datapoints: [[value]] }] = yield* Effect.mapError(
          Schema.decodeEffect(Schema.fromJsonString(Rendered))(body.toString()),
          () => failed("the response has no value")
        )
        if (typeof value !== "number") return yield* failed("the response has no value")
        return value < 0 ? "N/A" : (value / seconds).toFixed(2)
      })

      /** As in NSQ, ignores the path of `--graphite-url`. */
      const render = Effect.fnUntraced(function*(search: string, forwardedFor: string) {
        const url = new URL(graphiteUrl)
        url.pathname = "/render"
        url.search = search
        const request = HttpClientRequest.get(url.href, { headers: { "x-forwarded-for": forwardedFor } })
        const { body, headers } = yield* send(request, maxPictureBytes, "Graphite's pictures")
        const type = headers["content-type"]?.split(";")[0]?.trim().toLowerCase() ?? ""
        if (pictureTypes.has(type)) return { type, body }
        return yield* failed("the response is not a picture of type PNG, JPEG, GIF or WebP")
      })

      return Graphite.of({ rate, render })
    })
  )
}

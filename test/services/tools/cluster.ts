/** The HTTP responses of daemons, from an HTTP client without a network. */
import { Effect, Layer } from "effect"
import { HttpClient, HttpClientError, HttpClientResponse } from "effect/http"
import type { Info } from "../../../src/protocol/http/InfoResponse.ts"
import type { Channel, Stats } from "../../../src/protocol/http/StatsResponse.ts"

/** The response to a URL: JSON, or a status with a body. `undefined` refuses the connection, and `"silent"` never replies. */
export type Reply = object | readonly [status: number, body: string] | "silent" | undefined

/** An HTTP client whose responses come from `respond`. */
export const layer = (respond: (url: URL) => Reply): Layer.Layer<HttpClient.HttpClient> =>
  Layer.succeed(
    HttpClient.HttpClient,
    HttpClient.make((request, url) => {
      const response = respond(url)
      if (response === "silent") return Effect.never
      if (response === undefined) {
        const cause = new Error("connect ECONNREFUSED")
        return Effect.fail(
          new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause }) })
        )
      }
      const [status, body] = Array.isArray(response) ? response : [200, JSON.stringify(response)]
      return Effect.succeed(HttpClientResponse.fromWeb(request, new Response(body, { status })))
    })
  )

/** The responses of an nsqd to `/stats` and `/info`, with figures that may change. */
export const nsqd = (address: string, channel: () => Partial<typeof Channel.Encoded>) => (url: URL): Reply => {
  if (url.host !== address) return undefined
  const [broadcast_address = "", port] = address.split(":")
  if (url.pathname === "/info") return { broadcast_address, http_port: Number(port) } satisfies typeof Info.Encoded
  return {
    topics: [{ topic_name: "t", channels: [{ channel_name: "c", ...channel() }] }]
  } satisfies typeof Stats.Encoded
}

/**
 * nsqadmin's HTTP API as typed calls (docs/nsqadmin.md#the-api): a whole cluster, its figures and their history, and actions on all
 * nsqds and nsqlookupds at once.
 */
import type { Effect } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { HttpApiClient } from "effect/http-api"
import { AdminApi } from "../../protocol/http/admin/AdminApi.ts"

/**
 * Returns the calls to the nsqadmin at `url`, with its `--base-path`: `http://127.0.0.1:4171`. They are grouped as its endpoints are,
 * and fail with nsqadmin's error responses, which have a tag and NSQ's code in `message`.
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const nsqadmin = yield* NsqadminApi.make("http://127.0.0.1:4171")
 *   yield* nsqadmin.topics.act({ params: { topic: "orders" }, payload: { action: "pause" } })
 * }).pipe(Effect.provide(FetchHttpClient.layer))
 * ```
 *
 * @since 0.2.0
 * @category constructors
 */
export const make = (url: string): Effect.Effect<NsqadminApi, never, HttpClient.HttpClient> =>
  HttpApiClient.make(AdminApi, {
    transformClient: HttpClient.mapRequest(HttpClientRequest.prependUrl(url.replace(/\/+$/, "")))
  })

/**
 * The calls to one nsqadmin.
 *
 * @since 0.2.0
 * @category models
 */
export type NsqadminApi = HttpApiClient.ForApi<typeof AdminApi>

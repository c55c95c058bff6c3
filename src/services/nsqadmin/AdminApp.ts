/**
 * The pages and the API of one cluster as a function of requests: the router below a base path, NSQ's 404 and 405 responses, access log
 * and compression.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { Cause, Clock, Context, Duration, Effect, Layer, type Scope } from "effect"
import {
  HttpMiddleware,
  HttpPlatform,
  HttpRouter,
  HttpServerError,
  HttpServerRequest,
  HttpServerResponse
} from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { AdminApi } from "../../protocol/http/admin/AdminApi.ts"
import type { Cluster } from "../cluster/Cluster.ts"
import type { ClusterActions } from "../cluster/ClusterActions.ts"
import type { ClusterSources } from "../cluster/ClusterSources.ts"
import * as GoDuration from "../core/GoDuration.ts"
import { type OptionsError, refusedValue } from "../options/OptionsError.ts"
import type { AdminAccess } from "./AdminAccess.ts"
import type { AdminConfig } from "./AdminConfig.ts"
import { AdminMetrics } from "./AdminMetrics.ts"
import * as AdminPage from "./AdminPage.ts"
import * as AdminRoutes from "./AdminRoutes.ts"
import type { Alerts } from "./Alerts.ts"
import * as ClientsHandlers from "./ClientsHandlers.ts"
import type { ClusterPolicies } from "./ClusterPolicies.ts"
import * as CountersHandlers from "./CountersHandlers.ts"
import * as Endpoints from "./Endpoints.ts"
import type { Graphite } from "./Graphite.ts"
import type { History } from "./History.ts"
import type { LiveFeed } from "./LiveFeed.ts"
import * as LiveHandlers from "./LiveHandlers.ts"
import * as MessagesHandlers from "./MessagesHandlers.ts"
import type { Mutes } from "./Mutes.ts"
import * as NodesHandlers from "./NodesHandlers.ts"
import type { Notifications } from "./Notifications.ts"
import { type CheckedOptions, NsqadminOptions } from "./NsqadminOptions.ts"
import { Patience } from "./Patience.ts"
import * as Peer from "./Peer.ts"
import * as PoliciesHandlers from "./PoliciesHandlers.ts"
import type { Redrives } from "./Redrives.ts"
import * as StorageHandlers from "./StorageHandlers.ts"
import type { StoredMessages } from "./StoredMessages.ts"
import type { TailFeed } from "./TailFeed.ts"
import type { TestMessage } from "./TestMessage.ts"
import * as TopicsHandlers from "./TopicsHandlers.ts"
import * as Upstream from "./Upstream.ts"
import type { WebAssets } from "./WebAssets.ts"

type App<E, R> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>

const internalError = Endpoints.failure(500, "INTERNAL_ERROR")

/** Paths of programs, whose responses stay JSON also in a browser. */
const ofPrograms = /^\/(?:api|config|static|fonts|render|ping|metrics)(?:\/|$)/

/** Whether a user follows a link or types an address: a page explains more than a line of JSON. */
const wantsPage = ({ headers, method }: HttpServerRequest.HttpServerRequest, path: string): boolean =>
  method === "GET" && (headers["accept"] ?? "").includes("text/html") && !ofPrograms.test(path)

/**
 * Removes the base path from the request's URL, and responds to requests without an endpoint: to a browser with `notFoundPage`, to
 * programs as NSQ.
 */
const withinBase =
  <PE, PR>(base: string, unrouted: ReturnType<typeof Endpoints.make>, notFoundPage: App<PE, PR>) =>
  <E, R>(app: App<E, R>): App<E | PE, R | PR | HttpServerRequest.HttpServerRequest> =>
    Effect.flatMap(
      HttpServerRequest.HttpServerRequest,
      (request): App<E | PE, Exclude<R, HttpServerRequest.HttpServerRequest> | PR> => {
        const { url } = request
        const end = url.indexOf("?")
        const path = end < 0 ? url : url.slice(0, end)
        const search = end < 0 ? "" : url.slice(end)
        if (path !== base && !path.startsWith(`${base}/`)) {
          return wantsPage(request, path) ? notFoundPage : Effect.succeed(Endpoints.notFound)
        }
        const below = path.slice(base.length)
        const local = below === "" ? "/" : below
        const settled = unrouted(request.method, local, search)
        if (settled?.status === 404 && wantsPage(request, local)) return notFoundPage
        return settled === undefined
          ? Effect.provideService(app, HttpServerRequest.HttpServerRequest, request.modify({ url: local + search }))
          : Effect.succeed(settled)
      }
    )

/** Least time without progress before a stream is closed. A stream has an event at least every 15 s, and one per sample. */
const leastPatienceMillis = 45_000

const jsonType = "application/json"

/** Sets NSQ's version header and its exact content type on JSON responses: tools compare both. */
const finished = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse =>
  (response.headers["content-type"] ?? "").startsWith(jsonType)
    ? HttpServerResponse.setHeaders(response, {
      "content-type": `${jsonType}; charset=utf-8`,
      "x-nsq-content-type": "nsq; version=1.0"
    })
    : response

/**
 * Tells proxies not to buffer streams of events, and closes a stream if the client closes its side or reads nothing for
 * `patienceMillis`. Otherwise an unresponsive client would keep its pending events in memory.
 */
const streamed = (patienceMillis: number) => <E, R>(app: App<E, R>): App<E, R | HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function*() {
    const request = yield* HttpServerRequest.HttpServerRequest
    const response = yield* app
    if (response.headers["content-type"]?.startsWith("text/event-stream") !== true) return response
    Peer.closeWhenGone(request, patienceMillis)
    return HttpServerResponse.setHeader(response, "x-accel-buffering", "no")
  })

/** Forbids browsers to render, sniff or cache a response, unless its route sets other headers. */
const secured = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.setHeaders(response, {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    ...response.headers,
    "x-content-type-options": "nosniff"
  })

/** Whether the client went away, or nsqadmin stops. Closing the requests to daemons can add failures to such a cause. */
const isAbort = (cause: Cause.Cause<unknown>): boolean =>
  Cause.hasInterruptsOnly(cause) ||
  cause.reasons.some((reason) => reason._tag === "Interrupt" && reason.annotations.has(HttpServerError.ClientAbort.key))

/**
 * Logs a line per request, as in NSQ, and counts it. A disconnected client is not logged as a failure, nor counted. Prometheus requests
 * metrics all the time, which are not logged.
 */
const logged =
  (responded: (status: number) => void, unlogged: string) =>
  <E, R>(app: App<E, R>): App<never, R | HttpServerRequest.HttpServerRequest> =>
    Effect.gen(function*() {
      const request = yield* HttpServerRequest.HttpServerRequest
      const what = `${request.method} ${Peer.target(request)}`
      const started = yield* Clock.monotonicTimeNanos
      let isAborted = false
      const response = yield* Effect.catchCause(app, (cause) => {
        isAborted = isAbort(cause)
        const log = isAborted
          ? Effect.logDebug(`${what}: client disconnected`, cause)
          : Effect.logError(`${what} failed`, cause)
        return Effect.as(log, internalError)
      })
      if (isAborted) return response
      responded(response.status)
      if (response.status === 200 && Peer.target(request) === unlogged) return response
      const elapsed = GoDuration.format(Duration.nanos((yield* Clock.monotonicTimeNanos) - started))
      yield* Effect.logInfo(`${response.status} ${what} (${Peer.address(request)}) ${elapsed}`)
      return response
    })

const apiRoutes = HttpApiBuilder.layer(AdminApi).pipe(
  Layer.provide([
    TopicsHandlers.layer,
    NodesHandlers.layer,
    ClientsHandlers.layer,
    CountersHandlers.layer,
    LiveHandlers.layer,
    MessagesHandlers.layer,
    StorageHandlers.layer,
    PoliciesHandlers.layer
  ])
)

/** The services that the API and the pages use. */
export type Services =
  | Checked
  | AdminAccess
  | AdminConfig
  | AdminMetrics
  | Alerts
  | Cluster
  | ClusterActions
  | ClusterSources
  | Graphite
  | History
  | LiveFeed
  | Mutes
  | ClusterPolicies
  | Notifications
  | Patience
  | Redrives
  | StoredMessages
  | TailFeed
  | TestMessage
  | WebAssets

/** The values derived from the options of the running nsqadmin. */
export class Checked extends Context.Service<Checked, CheckedOptions>()("effect-nsq/admin/Checked") {}

/** Responds to the requests below a base path. Streams and other resources of a response end with its Scope. */
export interface Handler {
  /** Empty, or `/` and a path without a trailing slash. */
  readonly basePath: string
  readonly app: App<never, HttpServerRequest.HttpServerRequest | Scope.Scope>
}

/** Returns the pages and the API of a cluster, with a program's own routes. Fails if one of these exists already. */
export const make = Effect.fnUntraced(function*(own: ReadonlyArray<HttpRouter.Route>) {
  const checked = yield* Checked
  const { proxyGraphite, sampleInterval } = yield* NsqadminOptions
  const { basePath } = checked
  const metrics = yield* AdminMetrics
  const { isExpected } = yield* Patience
  const standard = [...Endpoints.ofApi(), ...AdminRoutes.endpoints(proxyGraphite)]
  const taken = own.find((route) => standard.some(({ method, path }) => method === route.method && path === route.path))
  if (taken !== undefined) return yield* refusedValue(`the route ${taken.method} ${taken.path} exists already`)
  const unrouted = Endpoints.make([...standard, ...own], basePath)
  const router = yield* HttpRouter.toHttpEffect(
    Layer.mergeAll(apiRoutes, AdminRoutes.layer(checked), HttpRouter.addAll(own))
  )
  const page = yield* AdminPage.make(basePath)
  const compressed = HttpMiddleware.compression({ algorithms: ["gzip", "deflate"], minSize: 0 })
  const app = router.pipe(
    withinBase(basePath, unrouted, page(404)),
    Effect.map(finished),
    streamed(Math.max(leastPatienceMillis, 3 * Duration.toMillis(sampleInterval))),
    compressed,
    logged(metrics.responded, `${basePath}/metrics`),
    Effect.map(secured),
    Effect.provideService(Upstream.IsExpected, isExpected),
    Effect.provideService(HttpPlatform.HttpPlatform, yield* HttpPlatform.HttpPlatform)
  )
  return { basePath, app } satisfies Handler
})

/** The pages and the API of one cluster, of several. */
export class ClusterApp extends Context.Service<ClusterApp, Handler>()("effect-nsq/admin/ClusterApp") {
  static readonly layer: Layer.Layer<ClusterApp, OptionsError, Services> = Layer.effect(ClusterApp, make([])).pipe(
    Layer.provide(NodeHttpServer.layerHttpServices)
  )
}

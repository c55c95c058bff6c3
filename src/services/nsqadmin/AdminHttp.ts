/**
 * nsqadmin's HTTP server: the pages and APIs of its clusters (`AdminApp`) on the HTTP listener that nsqd and nsqlookupd use.
 */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { ByteSize, Context, Effect, Latch, Layer, type Scope } from "effect"
import { HttpIncomingMessage, type HttpRouter, HttpServerRequest, type HttpServerResponse } from "effect/http"
import * as HttpServer from "../http/HttpServer.ts"
import * as RequestGuard from "../http/RequestGuard.ts"
import type { NetError } from "../net/NetError.ts"
import { type Listener, splitAddress } from "../net/Transport.ts"
import type { OptionsError } from "../options/OptionsError.ts"
import * as AdminApp from "./AdminApp.ts"
import { NsqadminOptions } from "./NsqadminOptions.ts"

/** Exceeds the body limits of all endpoints. */
const maxBodySize = ByteSize.mebibytes(2)

type App<E, R> = Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>

/** Counts running handlers, so that a stopping daemon waits for them. Streams do not count. */
const counting = () => {
  const idle = Latch.makeUnsafe(true)
  let active = 0
  const count = <E, R>(app: App<E, R>): App<E, R> =>
    Effect.acquireUseRelease(
      Effect.sync(() => {
        active++
        idle.closeUnsafe()
      }),
      () => app,
      () =>
        Effect.sync(() => {
          active--
          if (active === 0) idle.openUnsafe()
        })
    )
  return { count, quiet: idle.await }
}

/** Matches paths, below any base path, whose GET opens a stream or reads messages. */
const streaming = /\/api\/(?:live|messages\/[^/]+|nodes\/[^/]+\/messages)$/

/** A program's own routes, relative to the base path. */
export type Routes<E, R> = Effect.Effect<ReadonlyArray<HttpRouter.Route>, E, R | Scope.Scope>

/** The pages and APIs of the clusters besides the first. Default: none. */
export const FurtherClusters: Context.Reference<ReadonlyArray<AdminApp.Handler>> = Context.Reference<
  ReadonlyArray<AdminApp.Handler>
>("effect-nsq/admin/FurtherClusters", { defaultValue: () => [] })

/** Returns the handler of the longest base path that a URL begins with, the first one by default. */
const dispatch = (first: AdminApp.Handler, further: ReadonlyArray<AdminApp.Handler>): AdminApp.Handler["app"] =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ url }) => {
    const path = url.split("?", 1)[0] ?? ""
    const found = further.find(({ basePath }) => path === basePath || path.startsWith(`${basePath}/`))
    return (found ?? first).app
  })

const make = Effect.fnUntraced(function*(own: ReadonlyArray<HttpRouter.Route>) {
  const { httpAddress, httpAllowedHosts, maxHttpConnections } = yield* NsqadminOptions
  const handler = yield* AdminApp.make(own)
  const { count, quiet } = counting()
  const app = count(dispatch(handler, yield* FurtherClusters))
  const scope = yield* Effect.scope
  const onRequest = yield* NodeHttpServer.makeHandler(app, { scope }).pipe(
    Effect.provideService(HttpIncomingMessage.MaxBodySize, maxBodySize)
  )
  const guard = yield* RequestGuard.make({
    daemon: "nsqadmin",
    hostCheckedOf: "everyone",
    allowedHosts: [splitAddress(httpAddress)?.host ?? "", ...httpAllowedHosts],
    changesByGet: () => false,
    startsByGet: (path) => streaming.test(path)
  })
  const maxConnections = maxHttpConnections
  return yield* HttpServer.listen({ name: "HTTP", address: httpAddress, guard, maxConnections, quiet, onRequest })
})

/**
 * nsqadmin's pages and API, and their listener.
 *
 * @since 0.2.0
 * @category services
 */
export class AdminHttp extends Context.Service<AdminHttp, Listener>()("effect-nsq/admin/AdminHttp") {
  /**
   * Serves pages, API and a program's own routes until the Scope closes. Paths are relative to the base path; no own route may have the
   * method and path of a standard one. Fails if one has, and if the address cannot be listened on.
   */
  static readonly layerRoutes = <E = never, R = never>(
    own: Routes<E, R>
  ): Layer.Layer<AdminHttp, NetError | OptionsError | E, AdminApp.Services | Exclude<R, Scope.Scope>> =>
    Layer.effect(AdminHttp, Effect.flatMap(own, (routes) => make(routes))).pipe(
      Layer.provide(NodeHttpServer.layerHttpServices)
    )

  /** The same without own routes. */
  static readonly layer: Layer.Layer<AdminHttp, NetError | OptionsError, AdminApp.Services> = AdminHttp.layerRoutes(
    Effect.succeed([])
  )
}

/**
 * nsqlookupd's HTTP API (docs/protocol/http.md#nsqlookupd-endpoints): combines the endpoints and serves them on the configured
 * address.
 */
import { Context, Effect, FiberSet, Layer, type Scope } from "effect"
import { DaemonState } from "../core/DaemonState.ts"
import * as DebugRoutes from "../http/DebugRoutes.ts"
import * as HttpServer from "../http/HttpServer.ts"
import * as OwnRoutes from "../http/OwnRoutes.ts"
import * as RequestGuard from "../http/RequestGuard.ts"
import * as RequestTarget from "../http/RequestTarget.ts"
import * as Responder from "../http/Responder.ts"
import type { Route } from "../http/Router.ts"
import type { NetError } from "../net/NetError.ts"
import type { Listener } from "../net/Transport.ts"
import type { OptionsError } from "../options/OptionsError.ts"
import * as LookupRoutes from "./LookupRoutes.ts"
import * as MetricsRoutes from "./MetricsRoutes.ts"
import { NsqlookupdOptions } from "./NsqlookupdOptions.ts"
import { Registrations } from "./Registrations.ts"
import { Watches } from "./Watches.ts"
import * as WatchRoutes from "./WatchRoutes.ts"

/** In NSQ an empty address means any port on all interfaces. */
const anyAddress = ":0"

/** All endpoints. */
export const allRoutes = Effect.map(
  Effect.all([LookupRoutes.make, WatchRoutes.make, MetricsRoutes.make, DebugRoutes.makeProfiles("/debug/pprof")]),
  (groups) => groups.flat()
)

/**
 * nsqlookupd's HTTP API and its listener.
 *
 * @since 0.2.0
 * @category services
 */
export class LookupHttp extends Context.Service<LookupHttp, Listener>()("effect-nsq/lookup/LookupHttp") {
  /**
   * Serves the API and a program's own routes until the Scope closes. An own route replaces the standard one with the same method
   * and path. Fails if the address cannot be listened on, or if a route can have no effect.
   */
  static readonly layerRoutes = <E = never, R = never>(
    own: OwnRoutes.Routes<E, R>
  ): Layer.Layer<LookupHttp, NetError | OptionsError | E, Registrations | DaemonState | Exclude<R, Scope.Scope>> =>
    Layer.effect(LookupHttp, Effect.flatMap(own, (routes) => serve(routes))).pipe(Layer.provide(Watches.layer))

  /** The same without own routes. */
  static readonly layer: Layer.Layer<LookupHttp, NetError | OptionsError, Registrations | DaemonState> = LookupHttp
    .layerRoutes(Effect.succeed([]))
}

const serve = Effect.fnUntraced(function*(own: ReadonlyArray<Route>) {
  const { broadcastAddress, httpAddress, httpAllowedHosts, maxHttpConnections } = yield* NsqlookupdOptions
  const state = yield* DaemonState
  const { counts } = yield* Registrations
  const respond = yield* Responder.make(
    yield* OwnRoutes.combine(yield* allRoutes, own),
    (path, status) => counts.requests.add({ path, code: String(status) })
  )
  const handlers = yield* FiberSet.make<void>()
  const fork = yield* FiberSet.runtime(handlers)()
  const guard = yield* RequestGuard.make({
    daemon: "nsqlookupd",
    hostCheckedOf: "browsers",
    allowedHosts: [broadcastAddress, ...httpAllowedHosts],
    changesByGet: () => false,
    startsByGet: (path) => path === "/watch" || DebugRoutes.isProfile(path)
  })
  const understand = RequestTarget.cached((target) => target)
  const listener = yield* HttpServer.listen({
    name: "HTTP",
    address: httpAddress === "" ? anyAddress : httpAddress,
    guard,
    maxConnections: maxHttpConnections,
    quiet: FiberSet.awaitEmpty(handlers),
    onRequest: (incoming, outgoing) => void fork(respond(incoming, outgoing, understand(incoming.url ?? "/")))
  })
  state.listening("http", listener.port)
  return listener
})

/**
 * nsqlookupd's HTTP API (docs/protocol/http.md#nsqlookupd-endpoints): combines the endpoints and serves them on the configured
 * address.
 */
import { Context, Effect, FiberSet, Layer } from "effect"
import { DaemonState } from "../core/DaemonState.ts"
import * as DebugRoutes from "../http/DebugRoutes.ts"
import * as HttpServer from "../http/HttpServer.ts"
import * as RequestGuard from "../http/RequestGuard.ts"
import * as RequestTarget from "../http/RequestTarget.ts"
import * as Responder from "../http/Responder.ts"
import type { NetError } from "../net/NetError.ts"
import type { Listener } from "../net/Transport.ts"
import * as LookupRoutes from "./LookupRoutes.ts"
import { NsqlookupdOptions } from "./NsqlookupdOptions.ts"
import type { Registrations } from "./Registrations.ts"
import { Watches } from "./Watches.ts"
import * as WatchRoutes from "./WatchRoutes.ts"

/** In NSQ an empty address means any port on all interfaces. */
const anyAddress = ":0"

/** All endpoints. */
export const allRoutes = Effect.map(
  Effect.all([LookupRoutes.make, WatchRoutes.make, DebugRoutes.makeProfiles("/debug/pprof")]),
  (groups) => groups.flat()
)

/** The HTTP listener of nsqlookupd. */
export class LookupHttp extends Context.Service<LookupHttp, Listener>()("effect-nsq/lookup/LookupHttp") {
  static readonly layer: Layer.Layer<LookupHttp, NetError, Registrations | DaemonState> = Layer.effect(
    LookupHttp,
    Effect.gen(function*() {
      const { broadcastAddress, httpAddress, httpAllowedHosts, maxHttpConnections } = yield* NsqlookupdOptions
      const state = yield* DaemonState
      const respond = yield* Responder.make(yield* allRoutes)
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
  ).pipe(Layer.provide(Watches.layer))
}

/**
 * nsqd's HTTP API on the configured addresses. `Publish` handles publishing in Node's own callback; a fiber per
 * request handles everything else (`Router` and the routes).
 */
import { Context, Effect, FiberSet, Layer, type Scope } from "effect"
import type { IncomingMessage } from "node:http"
import { DaemonState } from "../../core/DaemonState.ts"
import { ProcessFigures } from "../../core/ProcessFigures.ts"
import * as DebugRoutes from "../../http/DebugRoutes.ts"
import * as HttpResponse from "../../http/HttpResponse.ts"
import * as HttpServer from "../../http/HttpServer.ts"
import * as OwnRoutes from "../../http/OwnRoutes.ts"
import * as RequestGuard from "../../http/RequestGuard.ts"
import * as RequestTarget from "../../http/RequestTarget.ts"
import * as Responder from "../../http/Responder.ts"
import * as Router from "../../http/Router.ts"
import * as Upgrade from "../../http/Upgrade.ts"
import { listenFailure, type NetError } from "../../net/NetError.ts"
import { ServerTls } from "../../net/ServerTls.ts"
import { type Listener, splitAddress } from "../../net/Transport.ts"
import type { OptionsError } from "../../options/OptionsError.ts"
import type { Broker } from "../broker/Broker.ts"
import type { Clients } from "../broker/Clients.ts"
import type { Publisher } from "../broker/Publisher.ts"
import { isPlainHttpRefused, NsqdOptions } from "../options/NsqdOptions.ts"
import type { RuntimeOptions } from "../options/RuntimeOptions.ts"
import type { Policies } from "../policies/Policies.ts"
import { ProcessMemory } from "../stats/ProcessMemory.ts"
import type { Storage } from "../storage/Storage.ts"
import * as ChannelRoutes from "./ChannelRoutes.ts"
import * as ClientRoutes from "./ClientRoutes.ts"
import * as ConfigRoutes from "./ConfigRoutes.ts"
import * as DrainRoutes from "./DrainRoutes.ts"
import * as InfoRoutes from "./InfoRoutes.ts"
import * as MessagesRoutes from "./MessagesRoutes.ts"
import * as NodeRoutes from "./NodeRoutes.ts"
import * as OldApi from "./OldApi.ts"
import * as PolicyRoutes from "./PolicyRoutes.ts"
import { Prometheus } from "./Prometheus.ts"
import * as Publish from "./Publish.ts"
import * as QuickPublish from "./QuickPublish.ts"
import * as RedriveRoutes from "./RedriveRoutes.ts"
import * as RejectRoutes from "./RejectRoutes.ts"
import * as StatsRoutes from "./StatsRoutes.ts"
import * as SubRoutes from "./SubRoutes.ts"
import * as TopicRoutes from "./TopicRoutes.ts"

/** The services that the API uses. */
export type Services = Broker | Policies | Publisher | Clients | Storage | RuntimeOptions | DaemonState | Prometheus

/** The paths of publishing, which `Publish` serves before the router. */
const publishingPaths = ["/pub", "/mpub"]
const oldPublishingPaths = ["/put", "/mput"]

/** Whether `Publish` serves a route before the router. */
const isPublishing = ({ method, path }: Router.Route): boolean =>
  method === "POST" && [...publishingPaths, ...oldPublishingPaths].includes(path)

/** All endpoints. */
export const allRoutes = Effect.gen(function*() {
  const groups = yield* Effect.all([
    InfoRoutes.make,
    StatsRoutes.make,
    Prometheus.useSync(({ routes }) => routes),
    TopicRoutes.make,
    ChannelRoutes.make,
    ConfigRoutes.make,
    SubRoutes.make,
    MessagesRoutes.make,
    DrainRoutes.make,
    NodeRoutes.make,
    ClientRoutes.make,
    PolicyRoutes.make,
    RejectRoutes.make,
    RedriveRoutes.make,
    DebugRoutes.make
  ])
  const routes = groups.flat()
  // For 405 responses to other methods; POST requests do not reach the router.
  const publishing = publishingPaths.map((path) =>
    Router.route("POST", path, () => Effect.die("invariant: publishing does not reach the router"))
  )
  return [...routes, ...publishing, ...OldApi.make(routes)]
})

/** The API as callbacks for plain and encrypted servers; `quiet` completes when no handler is running. */
const makeHandler = Effect.fnUntraced(function*(
  own: ReadonlyArray<Router.Route>
): Effect.fn.Return<
  Required<Pick<HttpServer.ServerSettings, "onConnection" | "onRequest" | "quiet">>,
  OptionsError,
  Services | ProcessMemory | ProcessFigures | Scope.Scope
> {
  const publish = yield* Publish.make
  const respond = yield* Responder.make(yield* OwnRoutes.combine(yield* allRoutes, own, isPublishing))
  const handlers = yield* FiberSet.make<void>()
  const fork = yield* FiberSet.runtime(handlers)()
  const runFork = (effect: Effect.Effect<void>): void => void fork(effect)
  const understand = RequestTarget.cached((target) => ({ target, publish: publish.target(target) }))
  return {
    quiet: FiberSet.awaitEmpty(handlers),
    onConnection: yield* QuickPublish.make({
      target: (uri) => understand(uri).publish,
      publish: publish.publish,
      maxBodySize: publish.maxMsgSize,
      idleMillis: HttpServer.defaultTimeouts.idleMillis,
      fork: runFork
    }),
    onRequest: (incoming, outgoing) => {
      const understood = understand(incoming.url ?? "/")
      if (understood.publish !== undefined && incoming.method === "POST") {
        publish.handle(understood.publish, incoming, outgoing, runFork)
      } else {
        runFork(respond(incoming, outgoing, understood.target))
      }
    }
  }
})

/** Plain HTTP while TLS is required: every response names the HTTPS port. */
const tlsRequired = (state: DaemonState["Service"]): HttpServer.ServerSettings["onRequest"] => (incoming, outgoing) => {
  // The rest of the request is not read, so the response announces that the connection closes.
  if (!incoming.complete) {
    outgoing.shouldKeepAlive = false
    outgoing.once("finish", () => incoming.socket.destroySoon())
  }
  HttpResponse.send(outgoing, HttpResponse.tlsRequired(state.httpsPort))
}

/** Whether a request is one for a WebSocket of `/sub`. */
const isUpgrade = (incoming: IncomingMessage): boolean =>
  Upgrade.isWanted(incoming) && RequestTarget.parse(incoming.url ?? "/").path === SubRoutes.path

/** Paths whose GET takes or shows messages. */
const startingPaths = [SubRoutes.path, MessagesRoutes.path, MessagesRoutes.streamPath]

/** As in NSQ, `--https-address` must not be a unix socket. */
const noPath = (address: string): NetError => listenFailure(address, new Error("missing port in address"))

/**
 * nsqd's HTTP API and its listeners.
 *
 * ```ts
 * const WithRoutes = NsqdHttp.layerRoutes(Effect.map(Broker, ({ topics }) => [
 *   HttpRoute.make("GET", "/topic/count", () => Effect.sync(() => HttpRoute.text(String(topics().length))))
 * ]))
 * ```
 *
 * @since 0.2.0
 * @category services
 */
export class NsqdHttp extends Context.Service<NsqdHttp, {
  /** The port in use; -1 for a unix socket, 0 without HTTP. */
  readonly port: number
  /** The port in use; 0 without HTTPS. */
  readonly httpsPort: number
  /** Fails when a listener can no longer accept connections. */
  readonly broken: Effect.Effect<never, NetError>
}>()("effect-nsq/http/NsqdHttp") {
  /**
   * Serves the API and a program's own routes until the Scope closes: over HTTP unless its address is empty, and over HTTPS if
   * there is a certificate and its address is not empty. An own route replaces the standard one with the same method and path;
   * publishing has the `Publisher` for that. Fails if an address cannot be listened on, or if a route can have no effect.
   */
  static readonly layerRoutes = <E = never, R = never>(
    own: OwnRoutes.Routes<E, R>
  ): Layer.Layer<NsqdHttp, NetError | OptionsError | E, Services | Exclude<R, Scope.Scope>> =>
    Layer.effect(NsqdHttp, Effect.flatMap(own, (routes) => serve(routes))).pipe(
      Layer.provide([ProcessMemory.layer, ProcessFigures.layer])
    )

  /** The same without own routes. */
  static readonly layer: Layer.Layer<NsqdHttp, NetError | OptionsError, Services> = NsqdHttp.layerRoutes(
    Effect.succeed([])
  )
}

const serve = Effect.fnUntraced(function*(
  own: ReadonlyArray<Router.Route>
): Effect.fn.Return<
  NsqdHttp["Service"],
  NetError | OptionsError,
  Services | ProcessMemory | ProcessFigures | Scope.Scope
> {
  const options = yield* NsqdOptions
  const tls = yield* ServerTls
  const state = yield* DaemonState
  const { onConnection, onRequest, quiet } = yield* makeHandler(own)
  const guard = yield* RequestGuard.make({
    daemon: "nsqd",
    hostCheckedOf: "browsers",
    allowedHosts: [options.broadcastAddress, ...options.httpAllowedHosts],
    changesByGet: OldApi.isOld,
    startsByGet: (path) => startingPaths.includes(path) || DebugRoutes.isProfile(path)
  })
  const common = { guard, quiet, maxConnections: options.maxHttpConnections }
  const listeners: Array<Listener> = []
  if (options.httpAddress !== "") {
    const plain = isPlainHttpRefused(options)
      ? { onRequest: tlsRequired(state) }
      : { onConnection, onRequest, upgrades: isUpgrade }
    const settings = { name: "HTTP", address: options.httpAddress, ...common, ...plain }
    const listener = yield* HttpServer.listen(settings)
    listeners.push(listener)
    state.listening("http", listener.port)
  }
  if (tls !== undefined && options.httpsAddress !== "") {
    if (splitAddress(options.httpsAddress) === undefined) return yield* noPath(options.httpsAddress)
    const settings = { name: "HTTPS", address: options.httpsAddress, onRequest, upgrades: isUpgrade, tls, ...common }
    const listener = yield* HttpServer.listen(settings)
    listeners.push(listener)
    state.listening("https", listener.port)
  }
  const broken = Effect.raceAllFirst([Effect.never, ...listeners.map((listener) => listener.broken)])
  return { port: state.httpPort, httpsPort: state.httpsPort, broken }
})

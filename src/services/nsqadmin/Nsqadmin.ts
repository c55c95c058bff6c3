/**
 * The daemon nsqadmin as one Layer, which is made of pieces: cluster queries, sampling, and the HTTP server for pages and API. Only the history of
 * charts, raised alerts and muted warnings are on disk, if a directory is given.
 */
import { Context, Effect, Layer } from "effect"
import type { HttpClient } from "effect/http"
import { join } from "node:path"
import { Cluster } from "../cluster/Cluster.ts"
import { ClusterActions } from "../cluster/ClusterActions.ts"
import { ClusterSources } from "../cluster/ClusterSources.ts"
import type { CompleteLayer } from "../core/CompleteLayer.ts"
import type { AnyLayer, ErrorsOf, RequirementsOf, Standard, Valid } from "../core/Pieces.ts"
import * as ProvidedPieces from "../core/ProvidedPieces.ts"
import * as Version from "../core/Version.ts"
import type { DaemonHttp } from "../http/DaemonHttp.ts"
import * as HttpClients from "../http/HttpClients.ts"
import * as NodeDaemonHttp from "../http/NodeDaemonHttp.ts"
import { isUsed, LogThreshold } from "../logging/LogThreshold.ts"
import * as NsqLogger from "../logging/NsqLogger.ts"
import { DaemonNetworks } from "../net/DaemonNetworks.ts"
import * as Exposure from "../net/Exposure.ts"
import { NetError } from "../net/NetError.ts"
import * as NodeTransport from "../net/NodeTransport.ts"
import { Transport } from "../net/Transport.ts"
import { OptionsError } from "../options/OptionsError.ts"
import { AdminAccess } from "./AdminAccess.ts"
import { Checked, ClusterApp, type Services } from "./AdminApp.ts"
import { AdminConfig } from "./AdminConfig.ts"
import { AdminHttp, FurtherClusters } from "./AdminHttp.ts"
import { AdminMetrics } from "./AdminMetrics.ts"
import { Alerts } from "./Alerts.ts"
import { ClusterPolicies } from "./ClusterPolicies.ts"
import { Graphite } from "./Graphite.ts"
import { History } from "./History.ts"
import { HistoryStore } from "./HistoryStore.ts"
import { LiveFeed } from "./LiveFeed.ts"
import { Mutes } from "./Mutes.ts"
import { pathsOf, ShownCluster } from "./NamedClusters.ts"
import { Notifications } from "./Notifications.ts"
import { NsqadminError, NsqadminErrorReason } from "./NsqadminError.ts"
import * as Options from "./NsqadminOptions.ts"
import { Patience } from "./Patience.ts"
import { Redrives } from "./Redrives.ts"
import { Sampler } from "./Sampler.ts"
import { StoredMessages } from "./StoredMessages.ts"
import { TailFeed } from "./TailFeed.ts"
import { TestMessage } from "./TestMessage.ts"
import { WebAssets } from "./WebAssets.ts"
import { Webhooks } from "./Webhooks.ts"

const failure =
  (tag: "InvalidOption" | "ListenFailure" | "ListenerLoss") =>
  ({ message: description }: { readonly message: string }): NsqadminError =>
    new NsqadminError({ reason: NsqadminErrorReason[tag]({ description }) })

/** The error of a piece as that of the daemon; errors of a program's own pieces stay as they are. */
const pieceError = (error: unknown): unknown =>
  error instanceof OptionsError
    ? failure("InvalidOption")(error)
    : error instanceof NetError
    ? failure("ListenFailure")(error)
    : error

/** The log of NSQ's daemons: the format, prefix and level of the options. */
const logging: Layer.Layer<never> = Layer.unwrap(
  Effect.map(
    Options.NsqadminOptions,
    ({ logFormat: format, logLevel: level, logPrefix: prefix }) => NsqLogger.layer({ format, level, prefix })
  )
)

const standard = {
  logging,
  transport: NodeTransport.layer,
  cluster: Cluster.layer,
  actions: ClusterActions.layer,
  access: AdminAccess.layer,
  notifications: Notifications.layer,
  http: AdminHttp.layer
}

/**
 * The pieces of an nsqadmin that a program replaces; those that it does not name are the standard ones.
 *
 * @since 0.2.0
 * @category models
 */
export interface Pieces {
  /** The loggers, such as `Nsqadmin.pieces.logging`. Default: those of the program. */
  readonly logging?: AnyLayer<never>
  /** Connects to nsqds, to show their messages. */
  readonly transport?: AnyLayer<Transport>
  /** Queries about the cluster. */
  readonly cluster?: AnyLayer<Cluster>
  /** Changes of the cluster. */
  readonly actions?: AnyLayer<ClusterActions>
  /** Decides which users are administrators. */
  readonly access?: AnyLayer<AdminAccess>
  /** Receives the actions of administrators. */
  readonly notifications?: AnyLayer<Notifications>
  /** The pages and the API; `AdminHttp.layerRoutes` adds routes. */
  readonly http?: AnyLayer<AdminHttp>
}

/** What an nsqadmin gives out while it runs. */
type Given = Nsqadmin | Cluster | ClusterActions

/** The services that an nsqadmin has for a piece. */
interface Available {
  readonly cluster: ClusterSources | DaemonHttp
  readonly actions: ClusterSources | DaemonHttp | Cluster
  readonly notifications: HttpClient.HttpClient
  readonly http: Services
}

/** The services that an nsqadmin builds itself. */
type Own = Services | AdminHttp | Transport | DaemonHttp | HttpClient.HttpClient

/** The Layer of a daemon with the pieces `P`. */
type LayerOf<P> = CompleteLayer<
  Given,
  NsqadminError | ErrorsOf<P, NetError | OptionsError>,
  RequirementsOf<P, Available>,
  Exclude<Own, RequirementsOf<P, Available>>
>

/** Fails if no piece reads an option that is set. The pieces have recorded what they read. */
const checkReads = Effect.gen(function*() {
  if (isUsed(yield* LogThreshold)) (yield* Options.reads.current).add(Options.ofLog)
  yield* Options.reads.check
})

const start = Effect.fnUntraced(function*(given: Pieces) {
  const pieces = { ...standard, ...given }
  // Its own, so that no piece is shared with another daemon of the program.
  const memo = yield* Layer.makeMemoMap
  const scope = yield* Effect.scope
  const options = yield* Options.NsqadminOptions
  const checked = yield* Options.check(options)
  const build = <A, E, R>(layer: Layer.Layer<A, E, R>) => Layer.buildWithMemoMap(layer, memo, scope)
  const lower = yield* build(
    pieces.notifications.pipe(
      Layer.provideMerge(pieces.access),
      Layer.provideMerge(HttpClients.layer(options, checked.tls))
    )
  )
  yield* checkReads
  yield* Effect.logInfo(Version.banner("nsqadmin"))
  const userAgent = `nsqadmin/${Version.version}`
  const all = pathsOf(checked.clusters, checked.basePath)

  /** Provides the pages and the API of a cluster with what is its own, and gives out its queries and actions. */
  const within = <A>(index: number, app: AnyLayer<A>): AnyLayer<A | Cluster | ClusterActions> => {
    const { name = "", basePath = "" } = all[index] ?? {}
    const sources = checked.clusters[index]?.sources ?? { lookupd: [], nsqd: [] }
    const historyDir = options.historyDir === "" || index === 0 ? options.historyDir : join(options.historyDir, name)
    const own = { ...options, historyDir }
    return app.pipe(
      Layer.provide([AdminConfig.layer, WebAssets.layer, Graphite.layer]),
      Layer.provide([LiveFeed.layer, TailFeed.layer, TestMessage.layer, AdminMetrics.layer]),
      Layer.provide([StoredMessages.layer, Redrives.layer, ClusterPolicies.layer]),
      Layer.provide(Alerts.layer(all.length > 1 ? name : "")),
      Layer.provide([History.layer, Mutes.layer, Webhooks.layer]),
      Layer.provide(HistoryStore.layer),
      Layer.provide(Sampler.layer(options)),
      Layer.provideMerge(pieces.actions),
      Layer.provide(pieces.transport),
      Layer.provideMerge(pieces.cluster),
      Layer.provide([ClusterSources.layer(sources), Patience.layer]),
      Layer.provide(NodeDaemonHttp.layer({ ...options, userAgent }, checked.tls)),
      Layer.provide([
        Layer.succeed(DaemonNetworks, checked.daemonNetworks),
        Layer.succeed(Checked, { ...checked, basePath }),
        Layer.succeed(ShownCluster, { name, all }),
        Layer.succeed(Options.NsqadminOptions, own)
      ])
    )
  }
  // Each with layers of its own: a piece of one cluster is not that of another.
  const further = yield* Effect.forEach(
    all.slice(1),
    (_, i) =>
      Effect.flatMap(Layer.makeMemoMap, (memo) => Layer.buildWithMemoMap(within(i + 1, ClusterApp.layer), memo, scope))
        .pipe(Effect.map((context) => Context.get(context, ClusterApp)), Effect.provideContext(lower))
  )
  const built = yield* build(within(0, pieces.http)).pipe(
    Effect.provideContext(lower),
    Effect.provideService(FurtherClusters, further)
  )
  const { address, broken } = Context.get(built, AdminHttp)
  if (options.adminUsers.length === 0 && pieces.access === standard.access) {
    yield* Exposure.warn([{ name: "HTTP", address }])
  }
  return Context.make(Nsqadmin, {
    httpAddress: address,
    failed: Effect.mapError(broken, failure("ListenerLoss"))
  }).pipe(
    Context.add(Cluster, Context.get(built, Cluster)),
    Context.add(ClusterActions, Context.get(built, ClusterActions))
  )
})

/** The services of the pieces that a program may have provided by mistake. */
const services = {
  cluster: Cluster,
  actions: ClusterActions,
  access: AdminAccess,
  notifications: Notifications,
  http: AdminHttp
}

/** Fails if the program provided a piece to the Layer, where it has no effect. */
const checkProvided = Effect.fnUntraced(
  function*(pieces: Pieces) {
    yield* ProvidedPieces.check(services, pieces, [Nsqadmin])
    yield* ProvidedPieces.checkOther("transport", Transport, standard.transport, pieces)
  },
  Effect.mapError((message) => failure("InvalidOption")({ message }))
)

const layerOf = (pieces: Pieces): AnyLayer<Given> =>
  Layer.effectContext(Effect.andThen(checkProvided(pieces), Effect.mapError(start(pieces), pieceError))).pipe(
    Layer.provide([pieces.logging ?? Layer.empty, Options.reads.layer])
  )

/**
 * A running nsqadmin. Its Layers also give out its `Cluster` and `ClusterActions`.
 *
 * ```ts
 * const Admin = Nsqadmin.layerWith({ lookupdHttpAddresses: ["127.0.0.1:4161"], sampleInterval: "5 seconds" })
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class Nsqadmin extends Context.Service<Nsqadmin, {
  /** `host:port` of the listener, with the port that the system chose for port 0. */
  readonly httpAddress: string
  /** Fails when the listener fails; never succeeds. */
  readonly failed: Effect.Effect<never, NsqadminError>
}>()("effect-nsq/Nsqadmin") {
  /** The standard pieces, to wrap in `layerWith` and `layerFrom`. */
  static readonly pieces = standard

  /**
   * The daemon with pieces of the program, and the options of the environment. Fails if an option is not valid, if the listener
   * cannot be opened, or as a given piece fails.
   *
   * @since 0.2.0
   */
  static layerFrom<const P extends Pieces>(pieces: P & Valid<P, Pieces>): LayerOf<P>
  static layerFrom(pieces: Pieces): AnyLayer<Given> {
    return layerOf(pieces)
  }

  /**
   * The daemon with NSQ's defaults and the given changes of the options, and with pieces of the program. Default of `pieces`: the
   * standard ones.
   */
  static layerWith<const P extends Pieces = Standard>(
    options: Options.Changes,
    pieces?: P & Valid<P, Pieces>
  ): LayerOf<P>
  static layerWith(options: Options.Changes, pieces: Pieces = {}): AnyLayer<Given> {
    return layerOf(pieces).pipe(Layer.provide(Options.layer(options)))
  }

  /** The standard daemon with the options of the environment. */
  static readonly layer: LayerOf<Standard> = Nsqadmin.layerFrom({})
}

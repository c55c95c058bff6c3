/**
 * The daemon nsqd as one Layer: data directory, storage, broker, listeners, in the order in which NSQ starts them; closing
 * its Scope stops them in the reverse order.
 */
import { Context, Data, Effect, Layer, Result } from "effect"
import { DaemonState } from "../core/DaemonState.ts"
import * as Version from "../core/Version.ts"
import { HttpGet } from "../http/HttpGet.ts"
import * as DaemonNetworks from "../net/DaemonNetworks.ts"
import * as Exposure from "../net/Exposure.ts"
import * as NodeDatagrams from "../net/NodeDatagrams.ts"
import * as NodeTransport from "../net/NodeTransport.ts"
import * as ServerTls from "../net/ServerTls.ts"
import type { TlsConfigError } from "../net/TlsFiles.ts"
import { Authorizer } from "./auth/Authorizer.ts"
import * as AuthServers from "./auth/AuthServers.ts"
import { Broker } from "./broker/Broker.ts"
import { Clients } from "./broker/Clients.ts"
import { Publisher } from "./broker/Publisher.ts"
import { NsqdHttp } from "./http/NsqdHttp.ts"
import { KnownLookupds } from "./lookup/KnownLookupds.ts"
import * as LookupPeers from "./lookup/LookupPeers.ts"
import * as Statsd from "./metrics/Statsd.ts"
import * as Telemetry from "./metrics/Telemetry.ts"
import * as Options from "./options/NsqdOptions.ts"
import * as NsqdOptionsCheck from "./options/NsqdOptionsCheck.ts"
import { NsqdStartError } from "./options/NsqdStartError.ts"
import { RuntimeOptions } from "./options/RuntimeOptions.ts"
import { TcpServer } from "./session/TcpServer.ts"
import { ProcessMemory } from "./stats/ProcessMemory.ts"
import * as DataDirectory from "./storage/DataDirectory.ts"
import * as DiskStorage from "./storage/DiskStorage.ts"
import * as NodeDisk from "./storage/NodeDisk.ts"

/** A running daemon cannot go on. */
export class NsqdFailure extends Data.TaggedError("NsqdFailure")<{ readonly message: string }> {}

const startError = (stage: NsqdStartError["stage"]) => (error: { readonly message: string }): NsqdStartError =>
  new NsqdStartError({ stage, detail: error.message })

/** Nothing is touched before the data directory is ours and the options make sense. */
const prepare = Effect.gen(function*() {
  const options = yield* Options.NsqdOptions
  yield* Effect.addFinalizer(() => Effect.logInfo("NSQ: bye"))
  yield* Effect.mapError(DataDirectory.lock(options.dataPath), startError("instantiate nsqd"))
  yield* NsqdOptionsCheck.check(options)
  yield* Effect.logInfo(Version.banner("nsqd"))
  yield* Effect.logInfo(`ID: ${options.nodeId}`)
})

const buildError = ({ message }: TlsConfigError) =>
  new NsqdStartError({ stage: "instantiate nsqd", detail: `failed to build TLS config - ${message}` })

/** The auth servers of the options; without any, what a program that embeds the daemon provides. */
const makeAuthorizer = Effect.gen(function*() {
  const provided = yield* Authorizer
  const servers = yield* Effect.mapError(AuthServers.make(yield* Options.NsqdOptions), startError("instantiate nsqd"))
  return servers ?? provided
})

/** Reads certificates again; new connections get them, and nothing changes when they are bad. */
const reload = (tls: ServerTls.ServerTls | undefined): Effect.Effect<void> =>
  tls === undefined
    ? Effect.logInfo("NSQ: SIGHUP received, there is nothing to reload")
    : Effect.matchEffect(tls.reload, {
      onSuccess: () => Effect.logInfo("NSQ: SIGHUP received, TLS certificates read again"),
      onFailure: ({ message }) =>
        Effect.logError(`NSQ: SIGHUP received, TLS certificates stay as they are - ${message}`)
    })

/** AUTH and client certificates protect the TCP protocol; as in NSQ the HTTP API has no authentication of its own. */
const warnIfOpen = Effect.fnUntraced(
  function*(tcpAddress: string, httpPort: number, authorizer: Authorizer | undefined): Effect.fn.Return<void> {
    const options = yield* Options.NsqdOptions
    const certified = options.tlsClientAuthPolicy === "require-verify"
    const tcp = authorizer === undefined && !certified ? [{ name: "TCP", address: tcpAddress }] : []
    const plain = httpPort !== 0 && !(certified && Options.isPlainHttpRefused(options))
    const http = plain ? [{ name: "HTTP", address: options.httpAddress }] : []
    yield* Exposure.warn([...tcp, ...http])
  }
)

/** A running nsqd. */
export class Nsqd extends Context.Service<Nsqd, {
  /** The real ports; -1 for a unix socket, 0 for a listener that is off. */
  readonly tcpPort: number
  readonly httpPort: number
  /** Reloads what can be reloaded without losing anything, and logs that it did. */
  readonly reload: Effect.Effect<void>
  /** Fails when the daemon cannot go on, for example because its listener broke. */
  readonly failed: Effect.Effect<never, NsqdFailure>
}>()("effect-nsq/Nsqd") {
  static readonly layer: Layer.Layer<Nsqd, NsqdStartError, RuntimeOptions> = Layer.effect(
    Nsqd,
    Effect.gen(function*() {
      yield* prepare
      const state = yield* DaemonState
      const tls = yield* Effect.mapError(ServerTls.make(yield* Options.NsqdOptions), buildError)
      const authorizer = yield* makeAuthorizer
      const telemetry = yield* Effect.mapError(Telemetry.make, startError("instantiate nsqd"))
      const tracer = yield* Effect.mapError(
        Layer.build(telemetry.tracing),
        startError("instantiate nsqd")
      )
      const services = yield* Layer.build(broker).pipe(
        Effect.provideContext(tracer),
        Effect.mapError(({ action, reason }) => new NsqdStartError({ stage: `${action} metadata`, detail: reason }))
      )
      const listening = yield* Layer.build(listeners(telemetry)).pipe(
        Effect.provideContext(Context.merge(tracer, services)),
        Effect.provideService(ServerTls.ServerTls, tls),
        Effect.provideService(Authorizer, authorizer),
        Effect.mapError(startError("instantiate nsqd"))
      )
      const { httpPort, tcpPort } = state
      const runtimeOptions = yield* RuntimeOptions
      yield* runtimeOptions.listening({ tcp: realPort(tcpPort), http: realPort(httpPort) })
      yield* warnIfOpen(Context.get(listening, TcpServer).address, httpPort, authorizer)
      yield* Effect.provideContext(Layer.build(lookupPeers), services)
      state.running()
      yield* Effect.addFinalizer(() => Effect.sync(() => state.stopping()))
      return Nsqd.of({
        tcpPort,
        httpPort,
        reload: reload(tls),
        failed: Effect.mapError(
          Effect.raceFirst(Context.get(listening, TcpServer).broken, Context.get(listening, NsqdHttp).broken),
          ({ message }) => new NsqdFailure({ message })
        )
      })
    })
  ).pipe(Layer.provide(DaemonState.layer))

  /** A daemon with NSQ's defaults except for the options given. */
  static readonly layerWith = (options: Partial<Options.NsqdOptions>): Layer.Layer<Nsqd, NsqdStartError> =>
    Nsqd.layer.pipe(Layer.provide(RuntimeOptions.layer), Layer.provide(Options.layer(options)))
}

const storage = DiskStorage.layer.pipe(Layer.provide(NodeDisk.layer))

/** What nsqlookupds may name. The options are checked before this is built. */
const daemonNetworks = Layer.effect(
  DaemonNetworks.DaemonNetworks,
  Effect.map(
    Options.NsqdOptions,
    ({ allowedDaemonNetworks }) =>
      DaemonNetworks.make(Result.getOrElse(DaemonNetworks.parse(allowedDaemonNetworks), () => []))
  )
)

const broker = Broker.layer.pipe(
  Layer.provide(KnownLookupds.layerDirectory),
  Layer.provideMerge(KnownLookupds.layer.pipe(Layer.provide(HttpGet.layer), Layer.provide(daemonNetworks))),
  Layer.provideMerge(storage),
  Layer.provideMerge(Layer.mergeAll(Publisher.layer, Clients.layer))
)

/** TCP last: whoever finds it open finds the rest too, and it is the first to close. */
const listeners = (telemetry: Telemetry.Telemetry) =>
  TcpServer.layer.pipe(
    Layer.provideMerge(Layer.mergeAll(NsqdHttp.layer, Statsd.layer, telemetry.metrics)),
    Layer.provide(Layer.mergeAll(NodeTransport.layer, NodeDatagrams.layer, ProcessMemory.layer))
  )

const lookupPeers = LookupPeers.layer.pipe(Layer.provide(NodeTransport.layer))

/** Neither a unix socket nor a listener that is off has a port to announce. */
const realPort = (port: number): number | undefined => port > 0 ? port : undefined

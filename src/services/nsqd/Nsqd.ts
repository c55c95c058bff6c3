/**
 * The nsqd daemon as one Layer. Starts the data directory, storage, broker and listeners in NSQ's order
 * (docs/protocol/options.md#start); closing its Scope stops them in reverse order.
 */
import { Context, Effect, Layer } from "effect"
import { DaemonState } from "../core/DaemonState.ts"
import * as Version from "../core/Version.ts"
import { DaemonNetworks } from "../net/DaemonNetworks.ts"
import * as Exposure from "../net/Exposure.ts"
import type { NetError } from "../net/NetError.ts"
import * as NodeDatagrams from "../net/NodeDatagrams.ts"
import * as NodeTransport from "../net/NodeTransport.ts"
import * as ServerTls from "../net/ServerTls.ts"
import { Authorizer } from "./auth/Authorizer.ts"
import * as AuthServers from "./auth/AuthServers.ts"
import { Broker } from "./broker/Broker.ts"
import { Clients } from "./broker/Clients.ts"
import { Publisher } from "./broker/Publisher.ts"
import * as NodeDisk from "./disk/NodeDisk.ts"
import { NsqdHttp } from "./http/NsqdHttp.ts"
import { KnownLookupds } from "./lookup/KnownLookupds.ts"
import * as LookupPeers from "./lookup/LookupPeers.ts"
import * as Statsd from "./metrics/Statsd.ts"
import * as Telemetry from "./metrics/Telemetry.ts"
import { NsqdError, NsqdErrorReason } from "./NsqdError.ts"
import * as Options from "./options/NsqdOptions.ts"
import { RuntimeOptions } from "./options/RuntimeOptions.ts"
import { TcpServer } from "./session/TcpServer.ts"
import { ProcessMemory } from "./stats/ProcessMemory.ts"
import * as DataDirectory from "./storage/DataDirectory.ts"
import * as DiskStorage from "./storage/DiskStorage.ts"

const failure =
  (tag: Exclude<NsqdErrorReason["_tag"], "MetadataFailure">) =>
  ({ message: description }: { readonly message: string }): NsqdError =>
    new NsqdError({ reason: NsqdErrorReason[tag]({ description }) })

const invalidOption = failure("InvalidOption")

/** Locks the data directory and checks the options before anything is opened or written. */
const prepare = Effect.gen(function*() {
  const options = yield* Options.NsqdOptions
  yield* Effect.addFinalizer(() => Effect.logInfo("NSQ: bye"))
  yield* Effect.mapError(DataDirectory.lock(options.dataPath), failure("LockFailure"))
  const checked = yield* Effect.mapError(Options.check(options), invalidOption)
  yield* Effect.logInfo(Version.banner("nsqd"))
  yield* Effect.logInfo(`ID: ${options.nodeId}`)
  return checked
})

const buildError = ({ message }: NetError) => invalidOption({ message: `failed to build TLS config - ${message}` })

/** The authorizer for the configured auth servers; without any, the `Authorizer` of the environment. */
const makeAuthorizer = Effect.gen(function*() {
  const provided = yield* Authorizer
  const servers = yield* Effect.mapError(AuthServers.make(yield* Options.NsqdOptions), invalidOption)
  return servers ?? provided
})

/** Rereads the TLS certificates for new connections. If they are invalid, logs an error and keeps the current ones. */
const reload = (tls: ServerTls.ServerTls | undefined): Effect.Effect<void> =>
  tls === undefined
    ? Effect.logInfo("NSQ: SIGHUP received, nothing to reload")
    : Effect.matchEffect(tls.reload, {
      onSuccess: () => Effect.logInfo("NSQ: SIGHUP received, TLS certificates reloaded"),
      onFailure: ({ message }) => Effect.logError(`NSQ: SIGHUP received, TLS certificates not reloaded - ${message}`)
    })

/** AUTH and client certificates protect the TCP protocol only; as in NSQ, the HTTP API has no authentication. */
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

/**
 * A running nsqd.
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const { tcpPort } = yield* Nsqd
 *   yield* Effect.log(tcpPort)
 * }).pipe(Effect.provide(Nsqd.layerWith({ tcpAddress: "127.0.0.1:0", httpAddress: "", dataPath: "/var/lib/nsqd" })))
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class Nsqd extends Context.Service<Nsqd, {
  /** The ports in use; -1 for a unix socket, 0 for a disabled listener. */
  readonly tcpPort: number
  readonly httpPort: number
  /** Reloads the TLS certificates and logs the result, without closing connections. */
  readonly reload: Effect.Effect<void>
  /** Fails when the daemon cannot continue, for example because a listener broke. */
  readonly failed: Effect.Effect<never, NsqdError>
}>()("effect-nsq/Nsqd") {
  /** The daemon with the options of the environment. Fails if an option is invalid or a listener cannot be opened. */
  static readonly layer: Layer.Layer<Nsqd, NsqdError, RuntimeOptions> = Layer.effect(
    Nsqd,
    Effect.gen(function*() {
      const { daemonNetworks } = yield* prepare
      const state = yield* DaemonState
      const tls = yield* Effect.mapError(ServerTls.make(yield* Options.NsqdOptions), buildError)
      const authorizer = yield* makeAuthorizer
      const telemetry = yield* Effect.mapError(Telemetry.make, invalidOption)
      const tracer = yield* Effect.mapError(Layer.build(telemetry.tracing), invalidOption)
      const services = yield* Layer.build(broker).pipe(
        Effect.provideContext(tracer),
        Effect.provideService(DaemonNetworks, daemonNetworks),
        Effect.mapError(({ message, reason }) =>
          new NsqdError({
            reason: NsqdErrorReason.MetadataFailure({
              action: reason._tag === "MetadataFailure" ? reason.action : "load",
              description: message
            })
          })
        )
      )
      const listening = yield* Layer.build(listeners(telemetry)).pipe(
        Effect.provideContext(Context.merge(tracer, services)),
        Effect.provideService(ServerTls.ServerTls, tls),
        Effect.provideService(Authorizer, authorizer),
        Effect.mapError((error) => failure(error._tag === "NetError" ? "NetworkFailure" : "InvalidOption")(error))
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
          failure("ListenerLoss")
        )
      })
    })
  ).pipe(Layer.provide(DaemonState.layer))

  /**
   * An nsqd with NSQ's defaults and the given changes. Fails if an option is invalid or a listener cannot be opened.
   */
  static readonly layerWith = (options: Partial<Options.NsqdOptions>): Layer.Layer<Nsqd, NsqdError> =>
    Nsqd.layer.pipe(Layer.provide(RuntimeOptions.layer), Layer.provide(Options.layer(options)))
}

const storage = DiskStorage.layer.pipe(Layer.provide(NodeDisk.layer))

const broker = Layer.mergeAll(Publisher.layer, Clients.layer).pipe(
  Layer.provideMerge(Broker.layer),
  Layer.provide(KnownLookupds.layerDirectory),
  Layer.provideMerge(KnownLookupds.layerNode),
  Layer.provideMerge(storage)
)

/** TCP opens last and closes first: while it accepts connections, everything else is available. */
const listeners = (telemetry: Telemetry.Telemetry) =>
  TcpServer.layer.pipe(
    Layer.provideMerge(Layer.mergeAll(NsqdHttp.layer, Statsd.layer, telemetry.metrics)),
    Layer.provide(Layer.mergeAll(NodeTransport.layer, NodeDatagrams.layer, ProcessMemory.layer))
  )

const lookupPeers = LookupPeers.layer.pipe(Layer.provide(NodeTransport.layer))

/** The port to announce; `undefined` for a unix socket or a disabled listener. */
const realPort = (port: number): number | undefined => port > 0 ? port : undefined

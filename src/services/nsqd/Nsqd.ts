/**
 * The nsqd daemon as one Layer, which is made of pieces. Starts the data directory, storage, broker and listeners in NSQ's order
 * (docs/protocol/options.md#start); closing its Scope stops them in reverse order.
 */
import { Cause, Context, Duration, Effect, Exit, Layer, Option, Predicate } from "effect"
import type { CompleteLayer } from "../core/CompleteLayer.ts"
import { DaemonState } from "../core/DaemonState.ts"
import type { AnyLayer, Standard, Valid } from "../core/Pieces.ts"
import * as ProvidedPieces from "../core/ProvidedPieces.ts"
import * as Version from "../core/Version.ts"
import { isUsed, LogThreshold } from "../logging/LogThreshold.ts"
import { DaemonNetworks } from "../net/DaemonNetworks.ts"
import { Datagrams } from "../net/Datagrams.ts"
import * as Exposure from "../net/Exposure.ts"
import { NetError } from "../net/NetError.ts"
import * as NodeDatagrams from "../net/NodeDatagrams.ts"
import { ServerTls } from "../net/ServerTls.ts"
import { Transport } from "../net/Transport.ts"
import { OptionsError } from "../options/OptionsError.ts"
import { AuthError } from "./auth/AuthError.ts"
import { Authorizer } from "./auth/Authorizer.ts"
import { Broker } from "./broker/Broker.ts"
import type { BrokerError } from "./broker/BrokerError.ts"
import { ChannelDirectory } from "./broker/ChannelDirectory.ts"
import { Clients } from "./broker/Clients.ts"
import { Publisher } from "./broker/Publisher.ts"
import { NsqdHttp } from "./http/NsqdHttp.ts"
import { Prometheus } from "./http/Prometheus.ts"
import { LookupRegistration } from "./lookup/LookupRegistration.ts"
import { Telemetry } from "./metrics/Telemetry.ts"
import { NsqdError, NsqdErrorReason } from "./NsqdError.ts"
import * as Pieces from "./NsqdPieces.ts"
import * as Options from "./options/NsqdOptions.ts"
import * as OptionReads from "./options/OptionReads.ts"
import { RuntimeOptions } from "./options/RuntimeOptions.ts"
import { Policies } from "./policies/Policies.ts"
import { TcpServer } from "./session/TcpServer.ts"
import { ProcessMemory } from "./stats/ProcessMemory.ts"
import * as DataDirectory from "./storage/DataDirectory.ts"
import { Storage } from "./storage/Storage.ts"

const { failure } = Pieces
const invalidOption = failure("InvalidOption")

/** The error of a piece as that of the daemon; errors of a program's own pieces stay as they are. */
const pieceError = (error: unknown): unknown =>
  error instanceof AuthError || error instanceof OptionsError || error instanceof NetError ||
    (error instanceof Error && Predicate.isTagged(error, "TelemetryError"))
    ? invalidOption(error)
    : error

const tlsError = (error: unknown): unknown =>
  error instanceof NetError
    ? invalidOption({ message: `failed to build TLS config - ${error.message}` })
    : pieceError(error)

const brokerError = ({ message, reason }: BrokerError): NsqdError =>
  new NsqdError({
    reason: NsqdErrorReason.MetadataFailure({
      action: reason._tag === "MetadataFailure" ? reason.action : "load",
      description: message
    })
  })

const listenerError = (error: unknown): unknown =>
  error instanceof NetError ? failure("NetworkFailure")(error) : pieceError(error)

/** The pieces of a daemon, standard or replaced. */
type Chosen = Required<Omit<Pieces.Pieces, "logging" | "lock">> & {
  /** `ifRead`: if the storage, a program's own, reads the data directory. */
  readonly lock: boolean | "ifRead"
}

/** Whether the program provides TLS other than by the certificate of the options. */
const hasOwnTls = ({ tls }: Chosen): Effect.Effect<boolean> =>
  Effect.map(ServerTls, (provided) => tls !== Pieces.pieces.tls || provided !== undefined)

const lock = Effect.flatMap(
  Options.NsqdOptions,
  ({ dataPath }) => Effect.mapError(DataDirectory.lock(dataPath), failure("LockFailure"))
)

/** Locks the data directory and checks the options before anything is opened or written. */
const prepare = Effect.fnUntraced(function*(pieces: Chosen) {
  const options = yield* Options.NsqdOptions
  // A failure ends with its own line.
  yield* Effect.addFinalizer((exit) =>
    Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause) ? Effect.logInfo("NSQ: bye") : Effect.void
  )
  if (pieces.lock === true) yield* lock
  const checked = yield* Effect.mapError(Options.check(options, yield* hasOwnTls(pieces)), invalidOption)
  yield* Effect.logInfo(Version.banner("nsqd"))
  yield* Effect.logInfo(`ID: ${options.nodeId}`)
  return checked
})

/** Rereads the TLS certificates for new connections. If they are invalid, logs an error and keeps the current ones. */
const reload = (tls: ServerTls | undefined): Effect.Effect<void> =>
  tls === undefined
    ? Effect.logInfo("NSQ: SIGHUP received, nothing to reload")
    : Effect.matchEffect(tls.reload, {
      onSuccess: () => Effect.logInfo("NSQ: SIGHUP received, TLS certificates reloaded"),
      onFailure: ({ message }) => Effect.logError(`NSQ: SIGHUP received, TLS certificates not reloaded - ${message}`)
    })

/** AUTH and client certificates protect the TCP protocol only; as in NSQ, the HTTP API has no authentication. */
const warnIfOpen = Effect.fnUntraced(
  function*(tcpAddress: Option.Option<string>, httpPort: number): Effect.fn.Return<void> {
    const options = yield* Options.NsqdOptions
    const certified = options.tlsClientAuthPolicy === "require-verify"
    const isOpen = (yield* Authorizer) === undefined && !certified
    const tcp = isOpen ? Option.toArray(tcpAddress).map((address) => ({ name: "TCP", address })) : []
    const plain = httpPort !== 0 && !(certified && Options.isPlainHttpRefused(options))
    const http = plain ? [{ name: "HTTP", address: options.httpAddress }] : []
    yield* Exposure.warn([...tcp, ...http])
  }
)

/** Drains as the options demand before a SIGTERM stops the daemon. */
const beforeTerm = ({ drain }: Broker["Service"]): Effect.Effect<void> =>
  Effect.flatMap(Options.NsqdOptions, ({ drainOnTerm, drainTimeout }) => {
    if (!drainOnTerm) return Effect.void
    const drained = Effect.andThen(drain.begin, drain.empty)
    if (Duration.toMillis(drainTimeout) === 0) return drained
    return Effect.timeoutOrElse(drained, {
      duration: drainTimeout,
      orElse: () => Effect.logWarning("DRAIN: messages remain after --drain-timeout; stopping")
    })
  })

/** The port to announce; `undefined` for a unix socket or a disabled listener. */
const realPort = (port: number): number | undefined => port > 0 ? port : undefined

const none = Layer.empty

/** Records the options that the pieces which are built after the check read. */
const noteLater = (
  reads: OptionReads.Reads,
  { http, statsd, tcp }: Chosen,
  threshold: LogThreshold,
  tls: ServerTls | undefined
): void => {
  if (isUsed(threshold)) reads.add(OptionReads.ofLog)
  if (tls !== undefined) reads.add(["tlsRequired"])
  if (tcp) reads.add(OptionReads.ofTcp)
  if (http !== false) reads.add(OptionReads.ofHttp)
  if (statsd !== false) reads.add(OptionReads.ofStatsd)
}

/** Builds the pieces in NSQ's order; each has those before it. */
const start = Effect.fnUntraced(function*(pieces: Chosen) {
  const { daemonNetworks } = yield* prepare(pieces)
  const options = yield* Options.NsqdOptions
  // Its own, so that no piece is shared with another daemon or broker of the program.
  const memo = yield* Layer.makeMemoMap
  const scope = yield* Effect.scope
  const build = <A, E, R>(layer: Layer.Layer<A, E, R>) => Layer.buildWithMemoMap(layer, memo, scope)
  const state = yield* DaemonState
  const reads = yield* OptionReads.current

  const tls = yield* Effect.mapError(build(pieces.tls || none), tlsError)
  const authorizer = yield* Effect.mapError(build(pieces.authorizer || none), pieceError)
  const exporting = yield* Effect.mapError(build(pieces.otlp || Telemetry.layerNone), pieceError)
  const telemetry = Context.get(exporting, Telemetry)
  const tracer = yield* Effect.mapError(build(telemetry.tracing), pieceError)
  const references = Context.mergeAll(tls, authorizer, tracer)
  const serverTls = Context.get(tls, ServerTls)

  const lower = yield* build(
    (pieces.tcp && pieces.lookup || LookupRegistration.layerNone).pipe(
      Layer.provideMerge(pieces.storage.pipe(Layer.provideMerge(pieces.disk))),
      Layer.provideMerge(Layer.merge(RuntimeOptions.layer, pieces.transport))
    )
  ).pipe(
    Effect.provideContext(references),
    Effect.provideService(DaemonNetworks, daemonNetworks),
    Effect.mapError(pieceError)
  )
  if (pieces.lock === "ifRead" && reads.has("dataPath")) yield* lock
  noteLater(reads, pieces, yield* LogThreshold, serverTls)
  yield* Effect.mapError(OptionReads.check, invalidOption)

  const { directory, registration } = Context.get(lower, LookupRegistration)
  const broker = yield* build(Clients.layer.pipe(Layer.provideMerge(Broker.layer))).pipe(
    Effect.provideContext(Context.merge(references, lower)),
    Effect.provideService(ChannelDirectory, directory),
    Effect.mapError(brokerError)
  )
  const publisher = yield* build(pieces.publisher).pipe(
    Effect.provideContext(Context.mergeAll(references, lower, broker)),
    Effect.mapError(pieceError)
  )
  const services = Context.mergeAll(lower, broker, publisher)

  // TCP opens last and closes first: while it accepts connections, everything else is available.
  const tcp: AnyLayer<never> = pieces.tcp ? TcpServer.layer : none
  const listening = yield* build(
    tcp.pipe(
      Layer.provideMerge(Layer.mergeAll(pieces.http || none, pieces.statsd || none, telemetry.metrics)),
      Layer.provide(pieces.prometheus || Prometheus.layerNone),
      Layer.provide(ProcessMemory.layer)
    )
  ).pipe(
    Effect.provideContext(Context.merge(references, services)),
    Effect.mapError(listenerError)
  )
  const tcpServer = Context.getOption(listening, TcpServer)
  const http = Context.getOption(listening, NsqdHttp)
  const { httpPort, tcpPort } = state
  const runtimeOptions = Context.get(services, RuntimeOptions)
  yield* runtimeOptions.listening({ tcp: realPort(tcpPort), http: realPort(httpPort) })
  yield* Effect.provideContext(warnIfOpen(Option.map(tcpServer, ({ address }) => address), httpPort), references)
  yield* Effect.provideContext(build(registration), services)
  state.running()
  yield* Effect.addFinalizer(() => Effect.sync(() => state.stopping()))
  const listeners = [...Option.toArray(tcpServer), ...Option.toArray(http)]
  return Context.make(Nsqd, {
    tcpPort,
    httpPort,
    reload: reload(serverTls),
    beforeTerm: Effect.provideService(beforeTerm(Context.get(services, Broker)), Options.NsqdOptions, options),
    failed: Effect.mapError(
      Effect.raceAllFirst([Effect.never, ...listeners.map(({ broken }) => broken)]),
      failure("ListenerLoss")
    )
  }).pipe(
    Context.add(Broker, Context.get(services, Broker)),
    Context.add(Policies, Context.get(services, Policies)),
    Context.add(Clients, Context.get(services, Clients)),
    Context.add(Publisher, Context.get(services, Publisher)),
    Context.add(Storage, Context.get(services, Storage)),
    Context.add(RuntimeOptions, runtimeOptions)
  )
})

/** The standard pieces with those that a program gives, for the options of the environment. */
const choose = (given: Pieces.Pieces): Effect.Effect<Chosen> =>
  Effect.map(Options.NsqdOptions, ({ dataPath }) => ({
    lock: given.storage === undefined || dataPath !== "" ? true : "ifRead",
    tcp: true,
    ...Pieces.pieces,
    ...given
  }))

/** Fails if the program provided a piece to the Layer, where it has no effect. */
const checkProvided = Effect.fnUntraced(
  function*(given: Pieces.Pieces) {
    yield* ProvidedPieces.check(Pieces.services, given, [Broker])
    if (given.tcp !== false) {
      yield* ProvidedPieces.checkOther("transport", Transport, Pieces.pieces.transport, given)
    }
    yield* ProvidedPieces.checkOther("statsd", Datagrams, NodeDatagrams.layer, given)
  },
  Effect.mapError((message) => invalidOption({ message }))
)

const layerOf = (given: Pieces.Pieces): AnyLayer<Nsqd | Pieces.Given> =>
  Layer.effectContext(Effect.andThen(checkProvided(given), Effect.flatMap(choose(given), start))).pipe(
    Layer.provide(DaemonState.layer),
    Layer.provide(OptionReads.layer),
    Layer.provide(given.logging ?? none)
  )

/** The Layer of a daemon with the pieces `P`. */
type LayerOf<P> = CompleteLayer<
  Nsqd | Pieces.Given,
  NsqdError | Pieces.ErrorsOf<P>,
  Pieces.RequirementsOf<P>,
  Exclude<Pieces.Own, Pieces.RequirementsOf<P>>
>

/**
 * A running nsqd. Its Layers also give out the daemon's `Broker`, `Policies`, `Publisher`, `Clients`, `Storage` and
 * `RuntimeOptions`, so that the program publishes and consumes in process.
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const { tcpPort } = yield* Nsqd
 *   yield* Effect.log(tcpPort)
 *   yield* publish("started", Buffer.from("now"))
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
  /**
   * With `drainOnTerm`, drains for up to `drainTimeout`; completes at once without it. The program runs it at SIGTERM, before it
   * closes the daemon's Scope.
   */
  readonly beforeTerm: Effect.Effect<void>
  /** Fails when the daemon cannot continue, for example because a listener broke. */
  readonly failed: Effect.Effect<never, NsqdError>
}>()("effect-nsq/Nsqd") {
  /** The standard pieces, to wrap in `layerWith` and `layerFrom`. */
  static readonly pieces = Pieces.pieces

  /**
   * The daemon with pieces of the program, and the options of the environment. A piece that is not given is the standard one; it
   * cannot be provided to the Layer afterwards, which does not compile. Fails if an option is not valid, if no piece reads an
   * option that is set, if a listener cannot be opened, or as a given piece fails.
   *
   * ```ts
   * const Daemon = Nsqd.layerFrom({ publisher: CheckedPublisher, statsd: false })
   * ```
   *
   * @since 0.2.0
   */
  static layerFrom<const P extends Pieces.Pieces>(pieces: P & Valid<P, Pieces.Pieces>): LayerOf<P>
  static layerFrom(pieces: Pieces.Pieces): AnyLayer<Nsqd | Pieces.Given> {
    return layerOf(pieces)
  }

  /**
   * The daemon with NSQ's defaults and the given changes of the options, and with pieces of the program as in `layerFrom`. Default
   * of `pieces`: the standard ones.
   *
   * ```ts
   * const Daemon = Nsqd.layerWith({ memQueueSize: 100_000, msgTimeout: "2 minutes" }, { publisher: CheckedPublisher })
   * ```
   */
  static layerWith<const P extends Pieces.Pieces = Standard>(
    options: Options.Changes,
    pieces?: P & Valid<P, Pieces.Pieces>
  ): LayerOf<P>
  static layerWith(options: Options.Changes, pieces: Pieces.Pieces = {}): AnyLayer<Nsqd | Pieces.Given> {
    return layerOf(pieces).pipe(Layer.provide(Options.layer(options)))
  }

  /** The standard daemon with the options of the environment. */
  static readonly layer: LayerOf<Standard> = Nsqd.layerFrom({})
}

/**
 * The daemon nsqlookupd as a Layer, which is made of pieces: the registrations, and the listeners that change and serve them. Closing
 * its Scope ends the connections; registrations are not stored.
 */
import { Context, Effect, Layer, Option } from "effect"
import type { CompleteLayer } from "../core/CompleteLayer.ts"
import { DaemonState } from "../core/DaemonState.ts"
import type { AnyLayer, ErrorsOf, RequirementsOf, Standard, Valid } from "../core/Pieces.ts"
import * as ProvidedPieces from "../core/ProvidedPieces.ts"
import * as Version from "../core/Version.ts"
import { isUsed, LogThreshold } from "../logging/LogThreshold.ts"
import * as NsqLogger from "../logging/NsqLogger.ts"
import * as Exposure from "../net/Exposure.ts"
import { NetError } from "../net/NetError.ts"
import * as NodeTransport from "../net/NodeTransport.ts"
import { Transport } from "../net/Transport.ts"
import { OptionsError } from "../options/OptionsError.ts"
import { LookupHttp } from "./LookupHttp.ts"
import { LookupTcp } from "./LookupTcp.ts"
import { NsqlookupdError, NsqlookupdErrorReason } from "./NsqlookupdError.ts"
import * as Options from "./NsqlookupdOptions.ts"
import { Registrations } from "./Registrations.ts"

const failure =
  (tag: NsqlookupdErrorReason["_tag"]) => ({ message: description }: { readonly message: string }): NsqlookupdError =>
    new NsqlookupdError({ reason: NsqlookupdErrorReason[tag]({ description }) })

/** The error of a piece as that of the daemon; errors of a program's own pieces stay as they are. */
const pieceError = (error: unknown): unknown =>
  error instanceof NetError
    ? failure("ListenFailure")(error)
    : error instanceof OptionsError
    ? failure("InvalidOption")(error)
    : error

/** The log of NSQ's daemons: the format, prefix and level of the options. */
const logging: Layer.Layer<never> = Layer.unwrap(
  Effect.map(
    Options.NsqlookupdOptions,
    ({ logFormat: format, logLevel: level, logPrefix: prefix }) => NsqLogger.layer({ format, level, prefix })
  )
)

const standard = {
  logging,
  transport: NodeTransport.layer,
  registrations: Registrations.layer,
  http: LookupHttp.layer
}

/**
 * The pieces of an nsqlookupd that a program replaces; those that it does not name are the standard ones. `false` leaves a piece out.
 *
 * @since 0.2.0
 * @category models
 */
export interface Pieces {
  /** The loggers, such as `Nsqlookupd.pieces.logging`. Default: those of the program. */
  readonly logging?: AnyLayer<never>
  /** Listens for nsqds. */
  readonly transport?: AnyLayer<Transport>
  /** The registrations, which the daemon gives out. */
  readonly registrations?: AnyLayer<Registrations>
  /** The HTTP API; `LookupHttp.layerRoutes` adds routes. */
  readonly http?: AnyLayer<LookupHttp> | false
  /** The TCP listener. Default: true. */
  readonly tcp?: boolean
}

/** The services that an nsqlookupd has for a piece. */
interface Available {
  readonly http: Registrations | DaemonState
}

/** The services that an nsqlookupd builds itself. */
type Own = Registrations | DaemonState | Transport | LookupHttp

/** The Layer of a daemon with the pieces `P`. */
type LayerOf<P> = CompleteLayer<
  Nsqlookupd | Registrations,
  NsqlookupdError | ErrorsOf<P, NetError | OptionsError>,
  RequirementsOf<P, Available>,
  Exclude<Own, RequirementsOf<P, Available>>
>

/** Fails if no piece reads an option that is set. The registrations have recorded what they read. */
const checkReads = Effect.fnUntraced(function*(http: boolean, tcp: boolean) {
  const reads = yield* Options.reads.current
  if (isUsed(yield* LogThreshold)) reads.add(Options.ofLog)
  if (http) reads.add(Options.ofHttp)
  if (tcp) reads.add(["tcpAddress"])
  yield* Options.reads.check
})

const start = Effect.fnUntraced(function*(pieces: Pieces) {
  const { http, registrations, tcp = true, transport } = { ...standard, ...pieces }
  // Its own, so that no piece is shared with another daemon of the program.
  const memo = yield* Layer.makeMemoMap
  const scope = yield* Effect.scope
  const build = <A, E, R>(layer: Layer.Layer<A, E, R>) => Layer.buildWithMemoMap(layer, memo, scope)
  yield* Options.check(yield* Options.NsqlookupdOptions)
  const database = yield* build(registrations)
  yield* checkReads(http !== false, tcp)
  yield* Effect.logInfo(Version.banner("nsqlookupd"))
  // TCP is built last because the IDENTIFY response includes the HTTP port.
  const listener: AnyLayer<never> = tcp ? LookupTcp.layer : Layer.empty
  const built = yield* build(
    listener.pipe(
      Layer.provideMerge(http === false ? Layer.empty : http),
      Layer.provide(transport),
      Layer.provide(DaemonState.layer)
    )
  ).pipe(Effect.provideContext(database))
  const open = [
    ...Option.toArray(Context.getOption(built, LookupTcp)).map((bound) => ({ name: "TCP", ...bound })),
    ...Option.toArray(Context.getOption(built, LookupHttp)).map((bound) => ({ name: "HTTP", ...bound }))
  ]
  yield* Exposure.warn(open)
  const addressOf = (name: string) => open.find((listener) => listener.name === name)?.address ?? ""
  return Context.make(Nsqlookupd, {
    tcpAddress: addressOf("TCP"),
    httpAddress: addressOf("HTTP"),
    failed: Effect.mapError(
      Effect.raceAllFirst([Effect.never, ...open.map(({ broken }) => broken)]),
      failure("ListenerLoss")
    )
  }).pipe(Context.add(Registrations, Context.get(database, Registrations)))
})

/** Fails if the program provided a piece to the Layer, where it has no effect. */
const checkProvided = Effect.fnUntraced(
  function*(pieces: Pieces) {
    yield* ProvidedPieces.check({ registrations: Registrations, http: LookupHttp }, pieces, [
      Nsqlookupd
    ])
    if (pieces.tcp !== false) yield* ProvidedPieces.checkOther("transport", Transport, standard.transport, pieces)
  },
  Effect.mapError((message) => failure("InvalidOption")({ message }))
)

const layerOf = (pieces: Pieces): AnyLayer<Nsqlookupd | Registrations> =>
  Layer.effectContext(Effect.andThen(checkProvided(pieces), Effect.mapError(start(pieces), pieceError))).pipe(
    Layer.provide([pieces.logging ?? Layer.empty, Options.reads.layer])
  )

/**
 * A running nsqlookupd. Its Layers also give out its `Registrations`.
 *
 * ```ts
 * const program = Effect.gen(function*() {
 *   const { httpAddress } = yield* Nsqlookupd
 *   yield* Effect.log(httpAddress)
 * }).pipe(Effect.provide(Nsqlookupd.layerWith({ tcpAddress: "127.0.0.1:0", httpAddress: "127.0.0.1:0" })))
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class Nsqlookupd extends Context.Service<Nsqlookupd, {
  /** Bound address for nsqd, `host:port`; empty without TCP. */
  readonly tcpAddress: string
  /** Bound address of the HTTP API, `host:port`; empty without HTTP. */
  readonly httpAddress: string
  /** Fails when the daemon cannot continue, for example because a listener broke. */
  readonly failed: Effect.Effect<never, NsqlookupdError>
}>()("effect-nsq/Nsqlookupd") {
  /** The standard pieces, to wrap in `layerWith` and `layerFrom`. */
  static readonly pieces = standard

  /**
   * The daemon with pieces of the program, and the options of the environment. Fails if an option is not valid, if no piece reads an
   * option that is set, if a listener cannot be opened, or as a given piece fails.
   *
   * @since 0.2.0
   */
  static layerFrom<const P extends Pieces>(pieces: P & Valid<P, Pieces>): LayerOf<P>
  static layerFrom(pieces: Pieces): AnyLayer<Nsqlookupd | Registrations> {
    return layerOf(pieces)
  }

  /**
   * The daemon with NSQ's defaults and the given changes of the options, and with pieces of the program. Default of `pieces`: the
   * standard ones.
   *
   * ```ts
   * const Directory = Nsqlookupd.layerWith({ inactiveProducerTimeout: "1 minute" }, {
   *   http: LookupHttp.layerRoutes(Effect.succeed([hello]))
   * })
   * ```
   */
  static layerWith<const P extends Pieces = Standard>(
    options: Options.Changes,
    pieces?: P & Valid<P, Pieces>
  ): LayerOf<P>
  static layerWith(options: Options.Changes, pieces: Pieces = {}): AnyLayer<Nsqlookupd | Registrations> {
    return layerOf(pieces).pipe(Layer.provide(Options.layer(options)))
  }

  /** The standard daemon with the options of the environment. */
  static readonly layer: LayerOf<Standard> = Nsqlookupd.layerFrom({})
}

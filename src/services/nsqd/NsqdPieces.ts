/**
 * The pieces of an nsqd: the Layers that a program can replace, wrap or leave out, the standard Layer of each, and the types that
 * refuse what would have no effect.
 */
import { Effect, Layer } from "effect"
import type { HttpClient } from "effect/http"
import type { DaemonState } from "../core/DaemonState.ts"
import type * as Types from "../core/Pieces.ts"
import type { AnyLayer } from "../core/Pieces.ts"
import * as NsqLogger from "../logging/NsqLogger.ts"
import type { Datagrams } from "../net/Datagrams.ts"
import type { NetError } from "../net/NetError.ts"
import * as NodeDatagrams from "../net/NodeDatagrams.ts"
import * as NodeTransport from "../net/NodeTransport.ts"
import * as ServerTls from "../net/ServerTls.ts"
import type { Transport } from "../net/Transport.ts"
import type { OptionsError } from "../options/OptionsError.ts"
import type { AuthError } from "./auth/AuthError.ts"
import * as AuthServers from "./auth/AuthServers.ts"
import type { Broker } from "./broker/Broker.ts"
import type { Clients } from "./broker/Clients.ts"
import { Publisher } from "./broker/Publisher.ts"
import { Disk } from "./disk/Disk.ts"
import * as NodeDisk from "./disk/NodeDisk.ts"
import { NsqdHttp } from "./http/NsqdHttp.ts"
import { Prometheus } from "./http/Prometheus.ts"
import { LookupRegistration } from "./lookup/LookupRegistration.ts"
import * as Statsd from "./metrics/Statsd.ts"
import { Telemetry } from "./metrics/Telemetry.ts"
import type { TelemetryError } from "./metrics/TelemetrySettings.ts"
import { NsqdError, NsqdErrorReason } from "./NsqdError.ts"
import { NsqdOptions } from "./options/NsqdOptions.ts"
import * as OptionReads from "./options/OptionReads.ts"
import type { RuntimeOptions } from "./options/RuntimeOptions.ts"
import type { Policies } from "./policies/Policies.ts"
import type { ProcessMemory } from "./stats/ProcessMemory.ts"
import * as DiskStorage from "./storage/DiskStorage.ts"
import { Storage } from "./storage/Storage.ts"

/** The `ServerTls` of the environment, with which the options of a certificate have no effect; otherwise TLS by these options. */
const tls: Layer.Layer<never, NetError> = Layer.effect(
  ServerTls.ServerTls,
  Effect.gen(function*() {
    const provided = yield* ServerTls.ServerTls
    if (provided !== undefined) return provided
    return yield* ServerTls.make(yield* OptionReads.read(...OptionReads.ofTls))
  })
)

/** The log of NSQ's daemons: the format, prefix and level of the options. */
const logging: Layer.Layer<never> = Layer.unwrap(
  Effect.map(
    NsqdOptions,
    ({ logFormat: format, logLevel: level, logPrefix: prefix }) => NsqLogger.layer({ format, level, prefix })
  )
)

/**
 * The standard pieces of an nsqd, to wrap. `logging` is not used unless a program passes it: by default, a daemon logs with the
 * loggers of its program.
 *
 * ```ts
 * const Audited = Nsqd.layerWith({ dataPath: "/var/lib/nsqd" }, { publisher: audit.pipe(Layer.provide(Nsqd.pieces.publisher)) })
 * ```
 *
 * @since 0.2.0
 * @category layers
 */
export const pieces = {
  logging,
  tls,
  authorizer: AuthServers.layer,
  otlp: Telemetry.layer,
  disk: NodeDisk.layer,
  storage: DiskStorage.layer,
  transport: NodeTransport.layer,
  lookup: LookupRegistration.layer,
  publisher: Publisher.layer,
  prometheus: Prometheus.layer,
  http: NsqdHttp.layer,
  statsd: Statsd.layer.pipe(Layer.provide(NodeDatagrams.layer))
}

/**
 * The pieces of an nsqd that a program replaces; those that it does not name are the standard ones. `false` leaves a piece out.
 * They are built for this daemon alone. Their requirements, beyond what the daemon has for them, become requirements of the
 * daemon's Layer.
 *
 * @since 0.2.0
 * @category models
 */
export interface Pieces {
  /** The loggers, such as `Nsqd.pieces.logging`. Default: those of the program. */
  readonly logging?: AnyLayer<never>
  /**
   * Whether the daemon locks its data directory. Default: true, if `storage` is the standard one or the option `dataPath` is set.
   * `false` is for a `disk` that is not the machine's.
   */
  readonly lock?: boolean
  /** Provides the reference `ServerTls`, which is read by the listeners. */
  readonly tls?: AnyLayer<never> | false
  /** Provides the reference `Authorizer`. */
  readonly authorizer?: AnyLayer<never> | false
  /** Export of traces and metrics. */
  readonly otlp?: AnyLayer<Telemetry> | false
  /** Files and directories, for `storage`. */
  readonly disk?: AnyLayer<Disk>
  /** Where messages and metadata are kept. It may use `disk`. */
  readonly storage?: AnyLayer<Storage>
  /** Listens for clients, and connects to nsqlookupds. */
  readonly transport?: AnyLayer<Transport>
  /** Registration with a discovery service. It is left out without `tcp`. */
  readonly lookup?: AnyLayer<LookupRegistration> | false
  /** The path of every publish, from TCP, HTTP and the program. */
  readonly publisher?: AnyLayer<Publisher>
  /** The endpoint `/metrics` of `http`. */
  readonly prometheus?: AnyLayer<Prometheus> | false
  /** The HTTP API; `NsqdHttp.layerRoutes` adds routes. */
  readonly http?: AnyLayer<NsqdHttp> | false
  /** Pushes metrics. */
  readonly statsd?: AnyLayer<never> | false
  /** The TCP listener. `false` for a broker without it. */
  readonly tcp?: boolean
}

/**
 * What an nsqd gives out while it runs.
 *
 * @since 0.2.0
 * @category models
 */
export type Given = Broker | Policies | Clients | Publisher | Storage | RuntimeOptions

/** What the pieces above the broker have. */
type Upper = Given | DaemonState | Disk | ProcessMemory | Transport | Prometheus

/** The services that an nsqd has for a piece. */
interface Available {
  readonly storage: Disk
  readonly publisher: Exclude<Upper, Publisher | Prometheus>
  readonly prometheus: Exclude<Upper, Prometheus>
  readonly http: Upper
  readonly statsd: Upper
}

/** The requirements of `P`, without those that the daemon has for the piece. */
export type RequirementsOf<P> = Types.RequirementsOf<P, Available>

/** The errors of `P`; those of the standard pieces are reasons of an `NsqdError`. */
export type ErrorsOf<P> = Types.ErrorsOf<P, NetError | AuthError | OptionsError | TelemetryError>

/**
 * The services that an nsqd builds itself. One from outside would have no effect: not in place of a piece, nor of what the standard
 * pieces use.
 */
export type Own = Upper | NsqdHttp | Telemetry | LookupRegistration | Datagrams | HttpClient.HttpClient

/** The services of the pieces that a program may have provided by mistake, without those that programs use themselves. */
export const services = {
  otlp: Telemetry,
  disk: Disk,
  storage: Storage,
  lookup: LookupRegistration,
  publisher: Publisher,
  prometheus: Prometheus,
  http: NsqdHttp
}

/** Returns the errors of a daemon's start from messages. */
export const failure =
  (tag: Exclude<NsqdErrorReason["_tag"], "MetadataFailure">) =>
  ({ message: description }: { readonly message: string }): NsqdError =>
    new NsqdError({ reason: NsqdErrorReason[tag]({ description }) })

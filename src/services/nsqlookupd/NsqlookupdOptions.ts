/**
 * The options of nsqlookupd, in one place: the type that services read, NSQ's defaults, the table from which flags and usage
 * text are derived, and its command line.
 */
import { Context, Duration, type Effect, Layer, type Result, Struct } from "effect"
import * as NodeId from "../core/NodeId.ts"
import type { Settings } from "../options/ConfigFile.ts"
import * as DaemonCommand from "../options/DaemonCommand.ts"
import * as DaemonConfig from "../options/DaemonConfig.ts"
import type { Environment } from "../options/Environment.ts"
import * as GoFlags from "../options/GoFlags.ts"
import * as HttpOptions from "../options/HttpOptions.ts"
import * as Kind from "../options/OptionKind.ts"
import { initialValue, type OptionTable, row } from "../options/OptionTable.ts"

/** Everything that can be set about an nsqlookupd. */
export interface LookupdOptions {
  /** The least severe lines that are logged. */
  readonly logLevel: Kind.NsqLogLevel
  readonly logPrefix: string
  readonly logFormat: "nsq" | "json"
  /** `host:port` for nsqd. */
  readonly tcpAddress: string
  /** `host:port` for everybody else. */
  readonly httpAddress: string
  /** Where nsqd finds the HTTP API. */
  readonly broadcastAddress: string
  /** A producer is hidden when its last ping is older. */
  readonly inactiveProducerTimeout: Duration.Duration
  readonly tombstoneLifetime: Duration.Duration
  /** Topics and channels that one producer may register; 0 for no limit. */
  readonly maxRegistrationsPerProducer: number
  /** Registrations of all producers together, beyond which each has an equal share; 0 for no limit. */
  readonly maxRegistrations: number
  /** Topics and channels without a producer that are remembered; 0 for no limit. */
  readonly maxUnusedNames: number
  /** For how long they are remembered; 0 for ever. */
  readonly unusedNameLifetime: Duration.Duration
  /** HTTP connections at a time; 0 for no limit. */
  readonly maxHttpConnections: number
  /** Host names that browsers may use besides the daemon's own and private ones; `*` for all. */
  readonly httpAllowedHosts: ReadonlyArray<string>
}

/** Every option of nsqlookupd: flag, kind, default, help. */
export const table: OptionTable<LookupdOptions> = {
  logLevel: row(
    "log-level",
    Kind.logLevel,
    () => "info",
    "least severe lines to log: debug, info, warn, error or fatal"
  ),
  logPrefix: row("log-prefix", Kind.string, () => "[nsqlookupd] ", "text at the start of every log line"),
  logFormat: row(
    "log-format",
    Kind.oneOf(["nsq", "json"]),
    () => "nsq",
    "form of log lines: nsq, or json for one JSON object per line"
  ),
  tcpAddress: row("tcp-address", Kind.string, () => "0.0.0.0:4160", "<addr>:<port> to listen on for nsqd"),
  httpAddress: row("http-address", Kind.string, () => "0.0.0.0:4161", "<addr>:<port> to listen on for HTTP clients"),
  broadcastAddress: row("broadcast-address", Kind.string, NodeId.hostname, "address announced to nsqd"),
  inactiveProducerTimeout: row(
    "inactive-producer-timeout",
    Kind.duration,
    () => Duration.minutes(5),
    "time since its last ping after which a producer is hidden"
  ),
  tombstoneLifetime: row(
    "tombstone-lifetime",
    Kind.duration,
    () => Duration.seconds(45),
    "time for which a producer stays hidden by a tombstone"
  ),
  maxHttpConnections: HttpOptions.maxHttpConnections,
  httpAllowedHosts: HttpOptions.httpAllowedHosts,
  maxRegistrationsPerProducer: row(
    "max-registrations-per-producer",
    Kind.int,
    () => 100_000,
    "most topics and channels of one producer; 0 for no limit"
  ),
  maxRegistrations: row(
    "max-registrations",
    Kind.int,
    () => 1_000_000,
    "topics and channels of all producers together, beyond which a producer may have an equal share; 0 for no limit"
  ),
  maxUnusedNames: row(
    "max-unused-names",
    Kind.int,
    () => 100_000,
    "most topics and channels without a producer that are remembered, the latest; 0 for no limit"
  ),
  unusedNameLifetime: row(
    "unused-name-lifetime",
    Kind.duration,
    () => Duration.hours(168),
    "time after which topics and channels without a producer are forgotten; 0 for never"
  )
}

/** NSQ's defaults. */
export const defaults = (): LookupdOptions => Struct.map(initialValue)(table)

/** The options services read; NSQ's defaults unless provided. */
export const LookupdOptions: Context.Reference<LookupdOptions> = Context.Reference(
  "effect-nsq/options/LookupdOptions",
  { defaultValue: defaults }
)

/** NSQ's defaults with some options changed. */
export const layer = (changes: Partial<LookupdOptions>): Layer.Layer<never> =>
  Layer.succeed(LookupdOptions, { ...defaults(), ...changes })

// ---- the command line

export type LookupdCommand = DaemonCommand.DaemonCommand<LookupdOptions>

const former = [{ name: "verbose", use: "log-level" }]

/** The usage text. */
export const usage = (): string => GoFlags.usage("nsqlookupd", DaemonCommand.flags(table, former))

/** Reads the arguments that follow the program's name. */
export const parse = (args: ReadonlyArray<string>): Result.Result<LookupdCommand, GoFlags.FlagError> =>
  DaemonCommand.parse(table, former, args)

/** The options that are set anywhere, and what to warn of. */
export const settle = (
  command: LookupdCommand,
  environment: Environment
): Effect.Effect<Settings<LookupdOptions>, DaemonConfig.ConfigError> =>
  DaemonConfig.settle("nsqlookupd", table, new Set(["verbose"]), command, environment)

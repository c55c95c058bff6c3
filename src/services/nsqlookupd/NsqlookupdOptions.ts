/**
 * The options of nsqlookupd (docs/protocol/options.md#nsqlookupd-options): their type, NSQ's defaults, the table that defines
 * flags and usage text, and the command line.
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

/** The options of nsqlookupd. */
export interface LookupdOptions {
  /** Least severe level that is logged. */
  readonly logLevel: Kind.NsqLogLevel
  /** Start of every log line. */
  readonly logPrefix: string
  /** Form of log lines: NSQ's, or one JSON object per line. */
  readonly logFormat: "nsq" | "json"
  /** Address to listen on for nsqd, `host:port`. */
  readonly tcpAddress: string
  /** Address to listen on for HTTP, `host:port`. */
  readonly httpAddress: string
  /** Address announced to nsqd, at which it requests channels. */
  readonly broadcastAddress: string
  /** Time since its last PING after which a producer is hidden. */
  readonly inactiveProducerTimeout: Duration.Duration
  /** Time for which a tombstone hides a producer. */
  readonly tombstoneLifetime: Duration.Duration
  /** Limit for the topics and channels of one producer; 0 for no limit. */
  readonly maxRegistrationsPerProducer: number
  /** Registrations of all producers, beyond which each may have an equal share; 0 for no limit. */
  readonly maxRegistrations: number
  /** Limit for topics and channels without producers, the latest; 0 for no limit. */
  readonly maxUnusedNames: number
  /** Time after which topics and channels without producers are forgotten; 0 for no limit. */
  readonly unusedNameLifetime: Duration.Duration
  /** Limit for concurrent HTTP connections; 0 for no limit. */
  readonly maxHttpConnections: number
  /** Host names that browsers may use besides the daemon's own and private ones; `*` for all. */
  readonly httpAllowedHosts: ReadonlyArray<string>
}

/** The options of nsqlookupd: flag, kind, default, help. */
export const table: OptionTable<LookupdOptions> = {
  logLevel: row(
    "log-level",
    Kind.logLevel,
    () => "info",
    "least severe level to log: debug, info, warn, error or fatal"
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
    "maximum number of topics and channels of one producer; 0 for no limit"
  ),
  maxRegistrations: row(
    "max-registrations",
    Kind.int,
    () => 1_000_000,
    "registrations of all producers together, beyond which each may have an equal share; 0 for no limit"
  ),
  maxUnusedNames: row(
    "max-unused-names",
    Kind.int,
    () => 100_000,
    "maximum number of topics and channels without producers, the latest; 0 for no limit"
  ),
  unusedNameLifetime: row(
    "unused-name-lifetime",
    Kind.duration,
    () => Duration.hours(168),
    "time after which topics and channels without producers are forgotten; 0 for never"
  )
}

/** Returns NSQ's defaults. */
export const defaults = (): LookupdOptions => Struct.map(initialValue)(table)

/** The options that services read. Default: NSQ's defaults. */
export const LookupdOptions: Context.Reference<LookupdOptions> = Context.Reference(
  "effect-nsq/options/LookupdOptions",
  { defaultValue: defaults }
)

/** Provides NSQ's defaults with some options changed. */
export const layer = (changes: Partial<LookupdOptions>): Layer.Layer<never> =>
  Layer.succeed(LookupdOptions, { ...defaults(), ...changes })

// ---- the command line

/** The parsed command line of nsqlookupd. */
export type LookupdCommand = DaemonCommand.DaemonCommand<LookupdOptions>

const former = [{ name: "verbose", use: "log-level" }]

/** Returns the usage text. */
export const usage = (): string => GoFlags.usage("nsqlookupd", DaemonCommand.flags(table, former))

/** Parses the arguments after the program's name. */
export const parse = (args: ReadonlyArray<string>): Result.Result<LookupdCommand, GoFlags.FlagError> =>
  DaemonCommand.parse(table, former, args)

/** Combines command line, environment and config file into the options and warnings. */
export const settle = (
  command: LookupdCommand,
  environment: Environment
): Effect.Effect<Settings<LookupdOptions>, DaemonConfig.ConfigError> =>
  DaemonConfig.settle("nsqlookupd", table, new Set(["verbose"]), command, environment)

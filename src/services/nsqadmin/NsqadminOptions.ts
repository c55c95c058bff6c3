/**
 * The options of nsqadmin: their type, defaults and table, from which flags and usage text are derived, and the parser of the
 * command line (docs/protocol/options.md#nsqadmin-options).
 */
import { Context, Duration, type Effect, Layer, type Result, Struct } from "effect"
import type { Settings } from "../options/ConfigFile.ts"
import * as DaemonCommand from "../options/DaemonCommand.ts"
import * as DaemonConfig from "../options/DaemonConfig.ts"
import * as PeerOptions from "../options/DaemonPeerOptions.ts"
import type { Environment } from "../options/Environment.ts"
import * as GoFlags from "../options/GoFlags.ts"
import * as HttpOptions from "../options/HttpOptions.ts"
import * as Kind from "../options/OptionKind.ts"
import * as OptionTable from "../options/OptionTable.ts"

/** The options of nsqadmin. Defaults are in `table`. */
export interface NsqadminOptions {
  /** The least severe level that is logged. */
  readonly logLevel: Kind.NsqLogLevel
  readonly logPrefix: string
  readonly logFormat: "nsq" | "json"
  /** `host:port` of pages and API. */
  readonly httpAddress: string
  /** Path below which pages and API are served. */
  readonly basePath: string
  /** Directory of the page's files, for development; empty for the files that come with the program. */
  readonly devStaticDir: string
  readonly graphiteUrl: string
  /** Whether nsqadmin proxies Graphite's pictures at `/render`. */
  readonly proxyGraphite: boolean
  readonly statsdCounterFormat: string
  readonly statsdGaugeFormat: string
  readonly statsdPrefix: string
  readonly statsdInterval: Duration.Duration
  /** URL for notifications of administrators' actions; empty for none. */
  readonly notificationHttpEndpoint: string
  readonly httpClientConnectTimeout: Duration.Duration
  readonly httpClientRequestTimeout: Duration.Duration
  readonly httpClientTlsInsecureSkipVerify: boolean
  readonly httpClientTlsRootCaFile: string
  readonly httpClientTlsCert: string
  readonly httpClientTlsKey: string
  /** Network that may use `/config`, as CIDR; empty for all addresses. */
  readonly allowConfigFromCidr: string
  /** HTTP header with the name of the user. */
  readonly aclHttpHeader: string
  /** Names of administrators; if empty, every user is an administrator. */
  readonly adminUsers: ReadonlyArray<string>
  readonly lookupdHttpAddresses: ReadonlyArray<string>
  readonly nsqdHttpAddresses: ReadonlyArray<string>
  /** Networks of addresses that daemons may announce, as CIDR; empty for the default rule. */
  readonly allowedDaemonNetworks: ReadonlyArray<string>
  /** Limit for the response of a daemon, in bytes; 0 for no limit. */
  readonly maxDaemonResponseSize: number
  /** Limit for concurrent clients of live figures; 0 for no limit. */
  readonly maxLiveClients: number
  /** Limit for concurrent tails; 0 for no limit. */
  readonly maxTails: number
  /** Limit for concurrent HTTP connections; 0 for no limit. */
  readonly maxHttpConnections: number
  /** Additional host names that clients may use, besides the machine's own and private names; `*` for all. */
  readonly httpAllowedHosts: ReadonlyArray<string>
  /** Time between two samples of the cluster. */
  readonly sampleInterval: Duration.Duration
}

const none = (): ReadonlyArray<string> => []
const row = OptionTable.row

/** Flag, kind, default and help text of each option. */
export const table: OptionTable.OptionTable<NsqadminOptions> = {
  logLevel: row(
    "log-level",
    Kind.logLevel,
    () => "info",
    "least severe level to log: debug, info, warn, error or fatal"
  ),
  logPrefix: row("log-prefix", Kind.string, () => "[nsqadmin] ", "prefix of log lines"),
  logFormat: row(
    "log-format",
    Kind.oneOf(["nsq", "json"]),
    () => "nsq",
    "format of log lines: nsq, or json for one JSON object per line"
  ),
  httpAddress: row("http-address", Kind.string, () => "0.0.0.0:4171", "<addr>:<port> to listen on for HTTP clients"),
  basePath: row("base-path", Kind.string, () => "/", "URL path below which pages and API are served"),
  devStaticDir: row(
    "dev-static-dir",
    Kind.string,
    () => "",
    "directory of the page's files (for development)"
  ),
  graphiteUrl: row("graphite-url", Kind.string, () => "", "Graphite URL; enables graphs"),
  proxyGraphite: row("proxy-graphite", Kind.bool, () => false, "proxy requests for graphs to Graphite"),
  statsdCounterFormat: row(
    "statsd-counter-format",
    Kind.string,
    () => "stats.counters.%s.count",
    "format of counter keys in Graphite (%s is the key)"
  ),
  statsdGaugeFormat: row(
    "statsd-gauge-format",
    Kind.string,
    () => "stats.gauges.%s",
    "format of gauge keys in Graphite (%s is the key)"
  ),
  statsdPrefix: row(
    "statsd-prefix",
    Kind.string,
    () => "nsq.%s",
    "prefix of keys in Graphite (%s is the host); must match nsqd's"
  ),
  statsdInterval: row(
    "statsd-interval",
    Kind.duration,
    () => Duration.minutes(1),
    "interval of pushes to statsd; must match nsqd's"
  ),
  notificationHttpEndpoint: row(
    "notification-http-endpoint",
    Kind.string,
    () => "",
    "URL to POST administrators' actions to"
  ),
  httpClientConnectTimeout: row(
    "http-client-connect-timeout",
    Kind.duration,
    () => Duration.seconds(2),
    "timeout for HTTP connects"
  ),
  httpClientRequestTimeout: row(
    "http-client-request-timeout",
    Kind.duration,
    () => Duration.seconds(5),
    "timeout for HTTP requests and their responses"
  ),
  httpClientTlsInsecureSkipVerify: row(
    "http-client-tls-insecure-skip-verify",
    Kind.bool,
    () => false,
    "do not verify the certificates of HTTPS servers"
  ),
  httpClientTlsRootCaFile: row(
    "http-client-tls-root-ca-file",
    Kind.string,
    () => "",
    "PEM file of the CAs that verify HTTPS servers"
  ),
  httpClientTlsCert: row(
    "http-client-tls-cert",
    Kind.string,
    () => "",
    "PEM file of the client certificate for HTTPS requests"
  ),
  httpClientTlsKey: row("http-client-tls-key", Kind.string, () => "", "PEM file of the client key for HTTPS requests"),
  allowConfigFromCidr: row(
    "allow-config-from-cidr",
    Kind.string,
    () => "127.0.0.1/8",
    "CIDR of the addresses that may use /config; empty for all"
  ),
  aclHttpHeader: row(
    "acl-http-header",
    Kind.string,
    () => "X-Forwarded-User",
    "HTTP header with the name of the authenticated user"
  ),
  adminUsers: row("admin-user", Kind.strings, none, "name of an administrator (may be given several times)", {
    key: "admin_users"
  }),
  lookupdHttpAddresses: row(
    "lookupd-http-address",
    Kind.strings,
    none,
    "nsqlookupd HTTP address (may be given several times)",
    { key: "nsqlookupd_http_addresses" }
  ),
  nsqdHttpAddresses: row(
    "nsqd-http-address",
    Kind.strings,
    none,
    "nsqd HTTP address (may be given several times)",
    { key: "nsqd_http_addresses" }
  ),
  allowedDaemonNetworks: PeerOptions.allowedDaemonNetworks,
  maxDaemonResponseSize: PeerOptions.maxDaemonResponseSize,
  maxLiveClients: row(
    "max-live-clients",
    Kind.int,
    () => 200,
    "maximum number of clients of live figures; 0 for no limit"
  ),
  maxTails: row("max-tails", Kind.int, () => 20, "maximum number of message tails; 0 for no limit"),
  maxHttpConnections: HttpOptions.maxHttpConnections,
  httpAllowedHosts: HttpOptions.httpAllowedHosts,
  sampleInterval: row(
    "sample-interval",
    Kind.duration,
    () => Duration.seconds(5),
    "interval of samples of the cluster, for live figures and charts"
  )
}

/** Returns NSQ's defaults. */
export const defaults = (): NsqadminOptions => Struct.map(OptionTable.initialValue)(table)

/** The options of the running nsqadmin. Default: `defaults()`. */
export const NsqadminOptions: Context.Reference<NsqadminOptions> = Context.Reference(
  "effect-nsq/options/NsqadminOptions",
  { defaultValue: defaults }
)

/** Provides NSQ's defaults with the given changes. */
export const layer = (changes: Partial<NsqadminOptions>): Layer.Layer<never> =>
  Layer.succeed(NsqadminOptions, { ...defaults(), ...changes })

// ---- the command line

/** A parsed command line of nsqadmin. */
export type NsqadminCommand = DaemonCommand.DaemonCommand<NsqadminOptions>

const former = [{ name: "verbose", use: "log-level" }]

/** Returns the usage text. */
export const usage = (): string => GoFlags.usage("nsqadmin", DaemonCommand.flags(table, former))

/** Parses the arguments after the program name. Fails on an unknown flag or an invalid value. */
export const parse = (args: ReadonlyArray<string>): Result.Result<NsqadminCommand, GoFlags.FlagError> =>
  DaemonCommand.parse(table, former, args)

/** Combines command line, environment and config file, and returns the options together with warnings. */
export const settle = (
  command: NsqadminCommand,
  environment: Environment
): Effect.Effect<Settings<NsqadminOptions>, DaemonConfig.ConfigError> =>
  DaemonConfig.settle("nsqadmin", table, new Set(["verbose"]), command, environment)

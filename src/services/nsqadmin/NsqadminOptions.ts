/**
 * The options of nsqadmin, in one place: the type that services read, NSQ's defaults, the table from which flags and usage
 * text are derived, and its command line (section 1 of the nsqadmin notes).
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

/** Everything that can be set about an nsqadmin. */
export interface NsqadminOptions {
  /** The least severe lines that are logged. */
  readonly logLevel: Kind.NsqLogLevel
  readonly logPrefix: string
  readonly logFormat: "nsq" | "json"
  /** `host:port` of pages and API. */
  readonly httpAddress: string
  /** Where pages and API begin. */
  readonly basePath: string
  /** Directory of the browser's files, for those who work on them; empty for the ones that come with the program. */
  readonly devStaticDir: string
  readonly graphiteUrl: string
  /** Browsers ask nsqadmin for Graphite's pictures. */
  readonly proxyGraphite: boolean
  readonly statsdCounterFormat: string
  readonly statsdGaugeFormat: string
  readonly statsdPrefix: string
  readonly statsdInterval: Duration.Duration
  /** Where admins' actions are posted; empty for nowhere. */
  readonly notificationHttpEndpoint: string
  readonly httpClientConnectTimeout: Duration.Duration
  readonly httpClientRequestTimeout: Duration.Duration
  readonly httpClientTlsInsecureSkipVerify: boolean
  readonly httpClientTlsRootCaFile: string
  readonly httpClientTlsCert: string
  readonly httpClientTlsKey: string
  /** Who may use `/config`; empty for everybody. */
  readonly allowConfigFromCidr: string
  /** Names the user of a request. */
  readonly aclHttpHeader: string
  /** Empty when everybody is an admin. */
  readonly adminUsers: ReadonlyArray<string>
  readonly lookupdHttpAddresses: ReadonlyArray<string>
  readonly nsqdHttpAddresses: ReadonlyArray<string>
  /** Networks of addresses that daemons may name, as CIDR; empty for the default rule. */
  readonly allowedDaemonNetworks: ReadonlyArray<string>
  /** Bytes; 0 for no limit. */
  readonly maxDaemonResponseSize: number
  /** Browsers that follow the cluster at a time; 0 for no limit. */
  readonly maxLiveClients: number
  /** Tails at a time; 0 for no limit. */
  readonly maxTails: number
  /** HTTP connections at a time; 0 for no limit. */
  readonly maxHttpConnections: number
  /** Host names that clients may use besides the daemon's own and private ones; `*` for all. */
  readonly httpAllowedHosts: ReadonlyArray<string>
  /** Between two looks at the whole cluster. */
  readonly sampleInterval: Duration.Duration
}

const none = (): ReadonlyArray<string> => []
const row = OptionTable.row

/** Every option of nsqadmin: flag, kind, default, help. */
export const table: OptionTable.OptionTable<NsqadminOptions> = {
  logLevel: row(
    "log-level",
    Kind.logLevel,
    () => "info",
    "least severe lines to log: debug, info, warn, error or fatal"
  ),
  logPrefix: row("log-prefix", Kind.string, () => "[nsqadmin] ", "text at the start of every log line"),
  logFormat: row(
    "log-format",
    Kind.oneOf(["nsq", "json"]),
    () => "nsq",
    "form of log lines: nsq, or json for one JSON object per line"
  ),
  httpAddress: row("http-address", Kind.string, () => "0.0.0.0:4171", "<addr>:<port> to listen on for HTTP clients"),
  basePath: row("base-path", Kind.string, () => "/", "URL path under which pages and API are served"),
  devStaticDir: row(
    "dev-static-dir",
    Kind.string,
    () => "",
    "directory to serve the browser's files from (development)"
  ),
  graphiteUrl: row("graphite-url", Kind.string, () => "", "graphite HTTP address; its graphs are shown when given"),
  proxyGraphite: row("proxy-graphite", Kind.bool, () => false, "pass requests for graphs on to graphite"),
  statsdCounterFormat: row(
    "statsd-counter-format",
    Kind.string,
    () => "stats.counters.%s.count",
    "statsd's format of the keys of counters; without %s there is none"
  ),
  statsdGaugeFormat: row(
    "statsd-gauge-format",
    Kind.string,
    () => "stats.gauges.%s",
    "statsd's format of the keys of gauges; without %s there is none"
  ),
  statsdPrefix: row("statsd-prefix", Kind.string, () => "nsq.%s", "prefix of keys, as nsqd has it (%s for the host)"),
  statsdInterval: row(
    "statsd-interval",
    Kind.duration,
    () => Duration.minutes(1),
    "time between two pushes to statsd, as nsqd has it"
  ),
  notificationHttpEndpoint: row(
    "notification-http-endpoint",
    Kind.string,
    () => "",
    "HTTP address to POST admins' actions to"
  ),
  httpClientConnectTimeout: row(
    "http-client-connect-timeout",
    Kind.duration,
    () => Duration.seconds(2),
    "time limit for connecting by HTTP"
  ),
  httpClientRequestTimeout: row(
    "http-client-request-timeout",
    Kind.duration,
    () => Duration.seconds(5),
    "time limit for an HTTP request and its answer"
  ),
  httpClientTlsInsecureSkipVerify: row(
    "http-client-tls-insecure-skip-verify",
    Kind.bool,
    () => false,
    "do not check the certificates of HTTPS servers"
  ),
  httpClientTlsRootCaFile: row(
    "http-client-tls-root-ca-file",
    Kind.string,
    () => "",
    "path of the CAs that HTTPS servers' certificates are checked by"
  ),
  httpClientTlsCert: row("http-client-tls-cert", Kind.string, () => "", "path of the certificate for HTTPS requests"),
  httpClientTlsKey: row("http-client-tls-key", Kind.string, () => "", "path of the key for HTTPS requests"),
  allowConfigFromCidr: row(
    "allow-config-from-cidr",
    Kind.string,
    () => "127.0.0.1/8",
    "addresses that may use /config; empty for all"
  ),
  aclHttpHeader: row(
    "acl-http-header",
    Kind.string,
    () => "X-Forwarded-User",
    "HTTP header with the name of the authenticated user"
  ),
  adminUsers: row("admin-user", Kind.strings, none, "user who may change things (may be given several times)", {
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
    "most clients of live figures at a time; 0 for no limit"
  ),
  maxTails: row("max-tails", Kind.int, () => 20, "most tails of messages at a time; 0 for no limit"),
  maxHttpConnections: HttpOptions.maxHttpConnections,
  httpAllowedHosts: HttpOptions.httpAllowedHosts,
  sampleInterval: row(
    "sample-interval",
    Kind.duration,
    () => Duration.seconds(5),
    "time between two looks at the whole cluster, for live figures and charts"
  )
}

/** NSQ's defaults. */
export const defaults = (): NsqadminOptions => Struct.map(OptionTable.initialValue)(table)

/** The options services read; NSQ's defaults unless provided. */
export const NsqadminOptions: Context.Reference<NsqadminOptions> = Context.Reference(
  "effect-nsq/options/NsqadminOptions",
  { defaultValue: defaults }
)

/** NSQ's defaults with some options changed. */
export const layer = (changes: Partial<NsqadminOptions>): Layer.Layer<never> =>
  Layer.succeed(NsqadminOptions, { ...defaults(), ...changes })

// ---- the command line

export type NsqadminCommand = DaemonCommand.DaemonCommand<NsqadminOptions>

const former = [{ name: "verbose", use: "log-level" }]

/** The usage text. */
export const usage = (): string => GoFlags.usage("nsqadmin", DaemonCommand.flags(table, former))

/** Reads the arguments that follow the program's name. */
export const parse = (args: ReadonlyArray<string>): Result.Result<NsqadminCommand, GoFlags.FlagError> =>
  DaemonCommand.parse(table, former, args)

/** The options that are set anywhere, and what to warn of. */
export const settle = (
  command: NsqadminCommand,
  environment: Environment
): Effect.Effect<Settings<NsqadminOptions>, DaemonConfig.ConfigError> =>
  DaemonConfig.settle("nsqadmin", table, new Set(["verbose"]), command, environment)

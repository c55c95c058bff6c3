/**
 * The table of nsqadmin's options: flag, kind, default and help text of each (docs/protocol/options.md#nsqadmin-options).
 * `NsqadminOptions` derives the command line and the rest from it; `NsqadminOptionsCheck` checks the values.
 */
import * as PeerOptions from "../options/DaemonPeerOptions.ts"
import * as HttpOptions from "../options/HttpOptions.ts"
import * as LogOptions from "../options/LogOptions.ts"
import * as Kind from "../options/OptionKind.ts"
import * as Row from "../options/OptionRow.ts"
import type { OptionsOf } from "../options/OptionTable.ts"

/** Flag, kind, default and help text of every option. */
export const table = {
  ...LogOptions.rows("nsqadmin"),
  /** Where pages and API listen: `host:port`. Default: `0.0.0.0:4171`. */
  httpAddress: Row.string("http-address", "0.0.0.0:4171", "<addr>:<port> to listen on for HTTP clients"),
  /** Path below which pages and API are served. Default: `/`. */
  basePath: Row.string("base-path", "/", "URL path below which pages and API are served"),
  /** Directory of the page's files, for development; empty for the files that come with the program. Default: empty. */
  devStaticDir: Row.string("dev-static-dir", "", "directory of the page's files (for development)"),
  /** URL of Graphite, whose charts the pages show; empty for none. Default: empty. */
  graphiteUrl: Row.string("graphite-url", "", "Graphite URL; enables graphs"),
  /** Whether nsqadmin proxies Graphite's pictures at `/render`. Default: false. */
  proxyGraphite: Row.bool("proxy-graphite", false, "proxy requests for graphs to Graphite"),
  /** Form of the names of counters in Graphite; `%s` is the name. Default: `stats.counters.%s.count`. */
  statsdCounterFormat: Row.string(
    "statsd-counter-format",
    "stats.counters.%s.count",
    "format of counter keys in Graphite (%s is the key)"
  ),
  /** Form of the names of gauges in Graphite; `%s` is the name. Default: `stats.gauges.%s`. */
  statsdGaugeFormat: Row.string(
    "statsd-gauge-format",
    "stats.gauges.%s",
    "format of gauge keys in Graphite (%s is the key)"
  ),
  /**
   * Start of the names of nsqd's metrics in Graphite, the option of the same name of the nsqds; `%s` is the host.
   * Default: `nsq.%s`.
   */
  statsdPrefix: Row.string(
    "statsd-prefix",
    "nsq.%s",
    "prefix of keys in Graphite (%s is the host); must match nsqd's"
  ),
  /** Time between two pushes of the nsqds to statsd, their option of the same name. Default: 1 min. */
  statsdInterval: Row.duration("statsd-interval", "1 minute", "interval of pushes to statsd; must match nsqd's"),
  /** URL for notifications of administrators' actions; empty for none. Default: empty. */
  notificationHttpEndpoint: Row.string("notification-http-endpoint", "", "URL to POST administrators' actions to"),
  /** URLs that receive alerts when warnings begin and end. Default: none. */
  alertWebhooks: Row.row(
    "alert-webhook",
    Kind.webhooks,
    (): ReadonlyArray<string> => [],
    "URL to POST alerts to when warnings begin and end (may be given several times)"
  ),
  /** Limit for connecting to a daemon. Default: 2 s. */
  httpClientConnectTimeout: Row.duration("http-client-connect-timeout", "2 seconds", "timeout for HTTP connects"),
  /** Limit for a whole request to a daemon and its response. Default: 5 s. */
  httpClientRequestTimeout: Row.duration(
    "http-client-request-timeout",
    "5 seconds",
    "timeout for HTTP requests and their responses"
  ),
  /** Whether every certificate of an HTTPS server is accepted. Default: false. */
  httpClientTlsInsecureSkipVerify: Row.bool(
    "http-client-tls-insecure-skip-verify",
    false,
    "do not verify the certificates of HTTPS servers"
  ),
  /** Path of the certificates, in PEM, that HTTPS servers are verified with; empty for those of the system. Default: empty. */
  httpClientTlsRootCaFile: Row.string(
    "http-client-tls-root-ca-file",
    "",
    "PEM file of the CAs that verify HTTPS servers"
  ),
  /** Path of the client certificate for HTTPS requests, in PEM; empty for none. Default: empty. */
  httpClientTlsCert: Row.string("http-client-tls-cert", "", "PEM file of the client certificate for HTTPS requests"),
  /** Path of the key of `httpClientTlsCert`, in PEM. Default: empty. */
  httpClientTlsKey: Row.string("http-client-tls-key", "", "PEM file of the client key for HTTPS requests"),
  /** Network that may use `/config`, as CIDR; empty for all addresses. Default: `127.0.0.1/8`. */
  allowConfigFromCidr: Row.string(
    "allow-config-from-cidr",
    "127.0.0.1/8",
    "CIDR of the addresses that may use /config; empty for all"
  ),
  /** HTTP header with the name of the user. Default: `X-Forwarded-User`. */
  aclHttpHeader: Row.string(
    "acl-http-header",
    "X-Forwarded-User",
    "HTTP header with the name of the authenticated user"
  ),
  /** Names of administrators; if empty, every user is an administrator. Default: none. */
  adminUsers: Row.strings("admin-user", "name of an administrator", { key: "admin_users" }),
  /** The nsqlookupds of the cluster, `host:port` or URL. Either these or `nsqdHttpAddresses` are needed. Default: none. */
  lookupdHttpAddresses: Row.strings("lookupd-http-address", "nsqlookupd HTTP address", {
    key: "nsqlookupd_http_addresses"
  }),
  /** The nsqds of a cluster without nsqlookupd, `host:port` or URL. Default: none. */
  nsqdHttpAddresses: Row.strings("nsqd-http-address", "nsqd HTTP address", { key: "nsqd_http_addresses" }),
  /** Further clusters, each `NAME=` and the HTTP addresses of its nsqlookupds, separated by commas. Default: none. */
  clusters: Row.strings("cluster", "NAME=<addr>:<port>,... of a further cluster: its nsqlookupds' HTTP addresses"),
  /** Further clusters without nsqlookupds, each `NAME=` and the HTTP addresses of its nsqds. Default: none. */
  clusterNsqds: Row.strings("cluster-nsqd", "NAME=<addr>:<port>,... of a further cluster: its nsqds' HTTP addresses"),
  /** Networks of addresses that daemons may announce, as CIDR; empty for the default rule. Default: none. */
  allowedDaemonNetworks: PeerOptions.allowedDaemonNetworks,
  /** Limit for the response of a daemon, in bytes; 0 for no limit. Default: 64 MiB. */
  maxDaemonResponseSize: PeerOptions.maxDaemonResponseSize,
  /** Limit for concurrent clients of live figures; 0 for no limit. Default: 200. */
  maxLiveClients: Row.limit("max-live-clients", 200, "maximum number of clients of live figures"),
  /** Limit for concurrent tails; 0 for no limit. Default: 20. */
  maxTails: Row.limit("max-tails", 20, "maximum number of message tails"),
  /** Limit for concurrent HTTP connections; 0 for no limit. Default: 10,000. */
  maxHttpConnections: HttpOptions.maxHttpConnections,
  /** Additional host names that clients may use, besides the machine's own and private names; `*` for all. Default: none. */
  httpAllowedHosts: HttpOptions.httpAllowedHosts,
  /** Time between two samples of the cluster. Default: 5 s. */
  sampleInterval: Row.duration(
    "sample-interval",
    "5 seconds",
    "interval of samples of the cluster, for live figures and charts"
  ),
  /** Directory of the history of charts, which is then kept over restarts; empty for the past hour in memory. Default: empty. */
  historyDir: Row.string(
    "history-dir",
    "",
    "directory for the history of charts, created if missing; empty for the past hour in memory"
  ),
  /** Time for which points are kept in `historyDir`. Default: 7 days. */
  historyRetention: Row.duration("history-retention", "168 hours", "time for which points are kept in --history-dir"),
  /** Time for which an nsqd that is away is remembered, with its last figures. Default: 24 h. */
  nodeRetention: Row.duration(
    "node-retention",
    "24 hours",
    "time for which an nsqd that is away is remembered, with its last figures"
  ),
  /** Time over which rates and growth are observed before a warning. Default: 30 s. */
  warnPeriod: Row.duration("warn-period", "30 seconds", "time that a channel is observed for before a warning"),
  /** Least number of waiting or deferred messages for a warning about their growth while consumers are connected. Default: 100. */
  warnDepth: Row.count("warn-depth", 100, "least number of messages for a warning about their growth"),
  /** Age of the oldest message above which there is a warning; 0 for none. Default: 15 min. */
  warnOldest: Row.duration("warn-oldest", "15 minutes", "age of the oldest message for a warning; 0 for no warning"),
  /** Requeued messages per 100 finished ones above which there is a warning; 0 for none. Default: 100. */
  warnRequeuePercent: Row.limit(
    "warn-requeue-percent",
    100,
    "requeued messages per 100 finished ones for a warning"
  ),
  /** Ratio of the deliveries of two consumers above which there is a warning; 0 for none. Default: 10. */
  warnDeliveryRatio: Row.limit("warn-delivery-ratio", 10, "ratio of the deliveries of two consumers for a warning"),
  /** Part of an nsqd's heap limit, or of the memory of its machine, in use above which there is a warning; 0 for none. Default: 90. */
  warnMemoryPercent: Row.limit(
    "warn-memory-percent",
    90,
    "percentage of nsqd's heap limit or of its machine's memory for a warning"
  ),
  /** Part of the disk of an nsqd's data directory in use above which there is a warning; 0 for none. Default: 90. */
  warnDiskPercent: Row.limit("warn-disk-percent", 90, "percentage of the disk of nsqd's data directory for a warning")
}

/**
 * The options of an nsqadmin. The defaults are in `table`.
 *
 * @since 0.2.0
 * @category models
 */
export interface NsqadminOptions extends LogOptions.LogOptions, OptionsOf<typeof table> {}

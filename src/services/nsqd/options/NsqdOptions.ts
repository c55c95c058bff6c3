/**
 * nsqd's options: their type, their defaults, and the table from which flags, usage text and `/config` are derived.
 * Has every flag of NSQ 1.3.0 (docs/protocol/options.md#nsqd-options). `NsqdOptionsCheck` checks the values.
 */
import { Context, Duration, Layer, Struct } from "effect"
import * as NodeId from "../../core/NodeId.ts"
import * as DaemonPeerOptions from "../../options/DaemonPeerOptions.ts"
import * as HttpOptions from "../../options/HttpOptions.ts"
import * as Kind from "../../options/OptionKind.ts"
import type { OptionTable } from "../../options/OptionTable.ts"
import { initialValue, row } from "../../options/OptionTable.ts"
import * as Table from "../../options/OptionTable.ts"

/**
 * The options of an nsqd. The defaults are in `table`.
 *
 * @since 0.1.0
 * @category models
 */
export interface NsqdOptions {
  /** Minimum level of logged lines. Can be changed at run time. */
  readonly logLevel: Kind.NsqLogLevel
  readonly logPrefix: string
  readonly logFormat: "nsq" | "json"
  /** Part of message ids that is unique in the cluster, from 0 to 1023. */
  readonly nodeId: number

  /** `host:port`, or the path of a unix socket. */
  readonly tcpAddress: string
  /** `host:port`, or the path of a unix socket; empty disables HTTP. */
  readonly httpAddress: string
  /** `host:port`. Used only with a certificate. */
  readonly httpsAddress: string
  readonly broadcastAddress: string
  /** 0 for the port in use. */
  readonly broadcastTcpPort: number
  /** 0 for the port in use. */
  readonly broadcastHttpPort: number
  /** Can be changed at run time. */
  readonly lookupdTcpAddresses: ReadonlyArray<string>
  /** CIDR networks for the addresses that nsqlookupds report; empty for the default rule. */
  readonly allowedDaemonNetworks: ReadonlyArray<string>
  readonly authHttpAddresses: ReadonlyArray<string>
  readonly authHttpRequestMethod: string
  readonly httpClientConnectTimeout: Duration.Duration
  readonly httpClientRequestTimeout: Duration.Duration
  readonly topologyRegion: string
  readonly topologyZone: string

  /** An existing directory; empty for the working directory. */
  readonly dataPath: string
  /** Messages kept in memory, per topic and per channel; further messages are written to disk. */
  readonly memQueueSize: number
  readonly maxBytesPerFile: number
  /** Reads and writes of a disk queue between two syncs. */
  readonly syncEvery: number
  /** Longest time between two syncs of a disk queue. */
  readonly syncTimeout: Duration.Duration
  readonly queueScanWorkerPoolMax: number
  readonly queueScanSelectionCount: number

  /** Message timeout of consumers that do not negotiate their own. */
  readonly msgTimeout: Duration.Duration
  readonly maxMsgTimeout: Duration.Duration
  /** In bytes. */
  readonly maxMsgSize: number
  /** Largest command body in bytes, for example of a whole MPUB. */
  readonly maxBodySize: number
  readonly maxIdentifySize: number
  /** Upper limit for requeue and publish delays. */
  readonly maxReqTimeout: Duration.Duration

  /** Concurrent TCP clients; 0 for no limit. */
  readonly maxConnections: number
  /** Concurrent HTTP connections; 0 for no limit. */
  readonly maxHttpConnections: number
  /** Host names that browsers may use in addition to the daemon's own and private ones; `*` for all. */
  readonly httpAllowedHosts: ReadonlyArray<string>
  readonly maxHeartbeatInterval: Duration.Duration
  readonly maxRdyCount: number
  /** In bytes. */
  readonly maxOutputBufferSize: number
  readonly maxOutputBufferTimeout: Duration.Duration
  readonly minOutputBufferTimeout: Duration.Duration
  /** Flush interval of clients that do not negotiate their own. */
  readonly outputBufferTimeout: Duration.Duration
  /** 0 for no limit. */
  readonly maxChannelConsumers: number
  /**
   * Topics that may be created, including ephemeral ones; topics of the data directory are always opened. 0 for no
   * limit.
   */
  readonly maxTopics: number
  /** Channels per topic, including ephemeral ones; channels of the data directory are always opened. 0 for no limit. */
  readonly maxChannelsPerTopic: number
  /** How long an ephemeral topic without a channel is kept after its last message; 0 for no limit. */
  readonly ephemeralTopicLifetime: Duration.Duration
  /** Whether in-flight messages of a lost consumer are requeued at once; NSQ waits for their timeout. */
  readonly requeueOnDisconnect: boolean

  /** UDP `host:port`; empty disables statsd. */
  readonly statsdAddress: string
  readonly statsdPrefix: string
  readonly statsdInterval: Duration.Duration
  readonly statsdMemStats: boolean
  readonly statsdUdpPacketSize: number
  readonly statsdExcludeEphemeral: boolean
  /** Each in (0, 1]. */
  readonly e2eProcessingLatencyPercentiles: ReadonlyArray<number>
  readonly e2eProcessingLatencyWindowTime: Duration.Duration
  /** URL of an OpenTelemetry collector (OTLP over HTTP); empty for the value of the environment. */
  readonly otlpEndpoint: string

  /** Path of a PEM file. */
  readonly tlsCert: string
  /** Path of a PEM file. */
  readonly tlsKey: string
  readonly tlsClientAuthPolicy: string
  /** Path of a PEM file. */
  readonly tlsRootCaFile: string
  readonly tlsRequired: Kind.TlsRequired
  readonly tlsMinVersion: Kind.TlsVersion
  readonly deflate: boolean
  /** From 1 to 9. */
  readonly maxDeflateLevel: number
  readonly snappy: boolean
  readonly enableExperiment: ReadonlyArray<string>
}

const no = () => false
const yes = () => true
const none = () => []
const empty = () => ""
const int = (value: number) => () => value
const millis = (value: number) => () => Duration.millis(value)
const seconds = (value: number) => () => Duration.seconds(value)

/**
 * Flag, kind, default and help text of every option.
 *
 * @since 0.1.0
 * @category operations
 */
export const table: OptionTable<NsqdOptions> = {
  logLevel: row(
    "log-level",
    Kind.logLevel,
    () => "info",
    "least severe level to log: debug, info, warn, error or fatal"
  ),
  logPrefix: row("log-prefix", Kind.string, () => "[nsqd] ", "prefix of every log line"),
  logFormat: row(
    "log-format",
    Kind.oneOf(["nsq", "json"]),
    () => "nsq",
    "log format: nsq, or json for one JSON object per line"
  ),
  nodeId: row(
    "node-id",
    Kind.int,
    () => NodeId.fromHostname(NodeId.hostname()),
    "unique part of message ids, in [0,1024); default is derived from the hostname",
    { key: "id" }
  ),

  tcpAddress: row(
    "tcp-address",
    Kind.string,
    () => "0.0.0.0:4150",
    "<addr>:<port> or unix socket path to listen on for TCP clients"
  ),
  httpAddress: row(
    "http-address",
    Kind.string,
    () => "0.0.0.0:4151",
    "<addr>:<port> or unix socket path to listen on for HTTP clients; empty disables HTTP"
  ),
  httpsAddress: row("https-address", Kind.string, () => "0.0.0.0:4152", "<addr>:<port> to listen on for HTTPS clients"),
  broadcastAddress: row("broadcast-address", Kind.string, NodeId.hostname, "address to announce to nsqlookupd"),
  broadcastTcpPort: row(
    "broadcast-tcp-port",
    Kind.int,
    int(0),
    "TCP port to announce to nsqlookupd; 0 for the port in use"
  ),
  broadcastHttpPort: row(
    "broadcast-http-port",
    Kind.int,
    int(0),
    "HTTP port to announce to nsqlookupd; 0 for the port in use"
  ),
  lookupdTcpAddresses: row(
    "lookupd-tcp-address",
    Kind.strings,
    none,
    "TCP address of an nsqlookupd (may be given several times)",
    { key: "nsqlookupd_tcp_addresses" }
  ),
  allowedDaemonNetworks: DaemonPeerOptions.allowedDaemonNetworks,
  authHttpAddresses: row(
    "auth-http-address",
    Kind.strings,
    none,
    "<addr>:<port> or URL of an auth server (may be given several times)",
    { key: "auth_http_addresses" }
  ),
  authHttpRequestMethod: row(
    "auth-http-request-method",
    Kind.string,
    () => "get",
    "HTTP method of auth server requests: get or post"
  ),
  httpClientConnectTimeout: row(
    "http-client-connect-timeout",
    Kind.duration,
    seconds(2),
    "timeout for connecting to an HTTP server"
  ),
  httpClientRequestTimeout: row(
    "http-client-request-timeout",
    Kind.duration,
    seconds(5),
    "timeout for a complete HTTP request"
  ),
  topologyRegion: row("topology-region", Kind.string, empty, "region of this daemon"),
  topologyZone: row("topology-zone", Kind.string, empty, "zone of this daemon"),

  dataPath: row(
    "data-path",
    Kind.string,
    empty,
    "existing directory for messages and metadata; default is the working directory"
  ),
  memQueueSize: row("mem-queue-size", Kind.int, int(10_000), "messages to keep in memory, per topic and per channel"),
  maxBytesPerFile: row("max-bytes-per-file", Kind.int, int(104_857_600), "size of a disk queue file in bytes"),
  syncEvery: row("sync-every", Kind.int, int(2500), "disk queue operations between two syncs"),
  syncTimeout: row("sync-timeout", Kind.duration, seconds(2), "longest time between two syncs of a disk queue"),
  queueScanWorkerPoolMax: row(
    "queue-scan-worker-pool-max",
    Kind.int,
    int(4),
    "accepted for compatibility; has no effect"
  ),
  queueScanSelectionCount: row(
    "queue-scan-selection-count",
    Kind.int,
    int(20),
    "accepted for compatibility; has no effect"
  ),

  msgTimeout: row(
    "msg-timeout",
    Kind.duration,
    seconds(60),
    "default message timeout"
  ),
  maxMsgTimeout: row("max-msg-timeout", Kind.duration, seconds(900), "maximum message timeout, including TOUCH"),
  maxMsgSize: row("max-msg-size", Kind.int, int(1_048_576), "maximum size of a message in bytes", {
    aliases: ["max-message-size"]
  }),
  maxBodySize: row("max-body-size", Kind.int, int(5_242_880), "maximum size of a command body in bytes"),
  maxIdentifySize: row("max-identify-size", Kind.int, int(65_536), "maximum size of an IDENTIFY or AUTH body in bytes"),
  maxReqTimeout: row(
    "max-req-timeout",
    Kind.duration,
    seconds(3600),
    "maximum delay of a requeued or deferred message"
  ),

  maxConnections: row("max-connections", Kind.int, int(0), "maximum number of concurrent TCP clients; 0 for no limit"),
  maxHttpConnections: HttpOptions.maxHttpConnections,
  httpAllowedHosts: HttpOptions.httpAllowedHosts,
  maxHeartbeatInterval: row(
    "max-heartbeat-interval",
    Kind.duration,
    seconds(60),
    "maximum heartbeat interval that a client can request"
  ),
  maxRdyCount: row("max-rdy-count", Kind.int, int(2500), "maximum RDY count of a client"),
  maxOutputBufferSize: row(
    "max-output-buffer-size",
    Kind.int,
    int(65_536),
    "maximum output buffer size in bytes that a client can request"
  ),
  maxOutputBufferTimeout: row(
    "max-output-buffer-timeout",
    Kind.duration,
    seconds(30),
    "maximum flush interval that a client can request"
  ),
  minOutputBufferTimeout: row(
    "min-output-buffer-timeout",
    Kind.duration,
    millis(25),
    "minimum flush interval that a client can request"
  ),
  outputBufferTimeout: row(
    "output-buffer-timeout",
    Kind.duration,
    millis(250),
    "default flush interval"
  ),
  maxChannelConsumers: row(
    "max-channel-consumers",
    Kind.int,
    int(0),
    "maximum number of consumers per channel; 0 for no limit"
  ),
  maxTopics: row("max-topics", Kind.int, int(50_000), "maximum number of topics; 0 for no limit"),
  maxChannelsPerTopic: row(
    "max-channels-per-topic",
    Kind.int,
    int(10_000),
    "maximum number of channels per topic; 0 for no limit"
  ),
  ephemeralTopicLifetime: row(
    "ephemeral-topic-lifetime",
    Kind.duration,
    seconds(600),
    "time after its last message until an ephemeral topic without channels is deleted; 0 for never"
  ),
  requeueOnDisconnect: row(
    "requeue-on-disconnect",
    Kind.bool,
    yes,
    "requeue in-flight messages of a lost consumer at once; false waits for their timeout, as in NSQ"
  ),

  statsdAddress: row(
    "statsd-address",
    Kind.string,
    empty,
    "UDP <addr>:<port> of a statsd daemon; empty disables statsd"
  ),
  statsdPrefix: row("statsd-prefix", Kind.string, () => "nsq.%s", "prefix of statsd keys; %s is replaced by the host"),
  statsdInterval: row("statsd-interval", Kind.duration, seconds(60), "interval between pushes to statsd"),
  statsdMemStats: row("statsd-mem-stats", Kind.bool, yes, "push memory statistics to statsd"),
  statsdUdpPacketSize: row("statsd-udp-packet-size", Kind.int, int(508), "maximum size of a statsd packet in bytes"),
  statsdExcludeEphemeral: row(
    "statsd-exclude-ephemeral",
    Kind.bool,
    no,
    "do not push ephemeral topics and channels to statsd"
  ),
  e2eProcessingLatencyPercentiles: row(
    "e2e-processing-latency-percentile",
    Kind.floats,
    none,
    "processing latency percentiles to track, in (0, 1] (comma separated or given several times)",
    { key: "e2e_processing_latency_percentiles" }
  ),
  e2eProcessingLatencyWindowTime: row(
    "e2e-processing-latency-window-time",
    Kind.duration,
    seconds(600),
    "time window of latency percentiles"
  ),
  otlpEndpoint: row(
    "otlp-endpoint",
    Kind.string,
    empty,
    "URL of an OpenTelemetry collector for traces and metrics; default is OTEL_EXPORTER_OTLP_ENDPOINT"
  ),

  tlsCert: row("tls-cert", Kind.string, empty, "path of the certificate file"),
  tlsKey: row("tls-key", Kind.string, empty, "path of the key file"),
  tlsClientAuthPolicy: row(
    "tls-client-auth-policy",
    Kind.string,
    empty,
    "client certificate policy: require or require-verify"
  ),
  tlsRootCaFile: row("tls-root-ca-file", Kind.string, empty, "path of the certificate authority file"),
  tlsRequired: row(
    "tls-required",
    Kind.tlsRequired,
    (): Kind.TlsRequired => false,
    "require clients to use TLS: true, false or tcp-https"
  ),
  tlsMinVersion: row(
    "tls-min-version",
    Kind.tlsVersion,
    () => "TLSv1.2",
    "minimum TLS version: tls1.0, tls1.1, tls1.2 or tls1.3"
  ),
  deflate: row("deflate", Kind.bool, yes, "offer deflate compression to clients"),
  maxDeflateLevel: row("max-deflate-level", Kind.int, int(6), "maximum deflate level that a client can request"),
  snappy: row("snappy", Kind.bool, yes, "offer snappy compression to clients"),
  enableExperiment: row(
    "enable-experiment",
    Kind.strings,
    none,
    "experimental feature to enable: topology-aware-consumption (may be given several times)",
    { key: "enable_experiment" }
  )
}

/**
 * NSQ's defaults.
 *
 * @since 0.1.0
 * @category operations
 */
export const defaults = (): NsqdOptions => Struct.map(initialValue)(table)

/** The options that services read. Default: NSQ's defaults, so that an embedded broker needs no configuration. */
export const NsqdOptions: Context.Reference<NsqdOptions> = Context.Reference("effect-nsq/options/NsqdOptions", {
  defaultValue: defaults
})

/**
 * NSQ's defaults with the given changes.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (changes: Partial<NsqdOptions>): Layer.Layer<never> =>
  Layer.succeed(NsqdOptions, { ...defaults(), ...changes })

/**
 * Whether TCP clients must use TLS. As in NSQ, a client certificate policy implies it.
 *
 * @since 0.1.0
 * @category guards
 */
export const isTlsRequired = ({ tlsClientAuthPolicy, tlsRequired }: NsqdOptions): boolean =>
  tlsRequired !== false || tlsClientAuthPolicy !== ""

/**
 * Whether plain HTTP is refused. With `tcp-https` it stays open.
 *
 * @since 0.1.0
 * @category guards
 */
export const isPlainHttpRefused = (options: NsqdOptions): boolean =>
  isTlsRequired(options) && options.tlsRequired !== "tcp-https"

/**
 * The `GET /config/:opt` value of a config key; `undefined` for an unknown key.
 *
 * @since 0.1.0
 * @category operations
 */
export const renderConfigValue = (options: NsqdOptions, key: string): Kind.ConfigValue | undefined =>
  Table.render(table, options, key)

/**
 * The options of nsqd, in one place: the type that services read, NSQ's defaults, and the table from which flags,
 * usage text and `/config` are derived. Every flag of NSQ 1.3.0 is here. Values are not checked here: see NsqdOptionsCheck.
 */
import { Context, Duration, Layer, Struct } from "effect"
import * as NodeId from "../../core/NodeId.ts"
import * as DaemonPeerOptions from "../../options/DaemonPeerOptions.ts"
import * as HttpOptions from "../../options/HttpOptions.ts"
import * as Kind from "../../options/OptionKind.ts"
import type { OptionTable } from "../../options/OptionTable.ts"
import { initialValue, row } from "../../options/OptionTable.ts"
import * as Table from "../../options/OptionTable.ts"

/** Everything that can be set about an nsqd. */
export interface NsqdOptions {
  /** The least severe lines that are logged; can be changed while the daemon runs. */
  readonly logLevel: Kind.NsqLogLevel
  readonly logPrefix: string
  readonly logFormat: "nsq" | "json"
  /** Unique part of message ids, from 0 to 1023. */
  readonly nodeId: number

  /** `host:port`, or the path of a unix socket. */
  readonly tcpAddress: string
  /** `host:port`, the path of a unix socket, or empty for no HTTP. */
  readonly httpAddress: string
  /** `host:port`; only used with a certificate. */
  readonly httpsAddress: string
  readonly broadcastAddress: string
  /** 0 stands for the port that is listened on. */
  readonly broadcastTcpPort: number
  /** 0 stands for the port that is listened on. */
  readonly broadcastHttpPort: number
  /** Can be changed while the daemon runs. */
  readonly lookupdTcpAddresses: ReadonlyArray<string>
  /** CIDR of networks that the addresses which nsqlookupds name have to be in; empty for the default rule. */
  readonly allowedDaemonNetworks: ReadonlyArray<string>
  readonly authHttpAddresses: ReadonlyArray<string>
  readonly authHttpRequestMethod: string
  readonly httpClientConnectTimeout: Duration.Duration
  readonly httpClientRequestTimeout: Duration.Duration
  readonly topologyRegion: string
  readonly topologyZone: string

  /** An existing directory; empty for the working directory. */
  readonly dataPath: string
  /** Messages kept in memory, per topic and per channel; the rest lies on disk. */
  readonly memQueueSize: number
  readonly maxBytesPerFile: number
  /** Reads and writes of a disk queue between two syncs. */
  readonly syncEvery: number
  /** Longest time between two syncs of a disk queue. */
  readonly syncTimeout: Duration.Duration
  readonly queueScanWorkerPoolMax: number
  readonly queueScanSelectionCount: number

  /** How long a consumer may take over a message unless it asks otherwise. */
  readonly msgTimeout: Duration.Duration
  readonly maxMsgTimeout: Duration.Duration
  /** Bytes. */
  readonly maxMsgSize: number
  /** Bytes of a command's body, for example of a whole MPUB. */
  readonly maxBodySize: number
  readonly maxIdentifySize: number
  /** Ceiling of requeue and publish delays. */
  readonly maxReqTimeout: Duration.Duration

  /** TCP clients at a time; 0 for no limit. */
  readonly maxConnections: number
  /** HTTP connections at a time; 0 for no limit. */
  readonly maxHttpConnections: number
  /** Host names that browsers may use besides the daemon's own and private ones; `*` for all. */
  readonly httpAllowedHosts: ReadonlyArray<string>
  readonly maxHeartbeatInterval: Duration.Duration
  readonly maxRdyCount: number
  /** Bytes. */
  readonly maxOutputBufferSize: number
  readonly maxOutputBufferTimeout: Duration.Duration
  readonly minOutputBufferTimeout: Duration.Duration
  /** What clients get that do not ask. */
  readonly outputBufferTimeout: Duration.Duration
  /** 0 for no limit. */
  readonly maxChannelConsumers: number
  /** Topics, ephemeral ones included, that may be created; those of the data directory always exist. 0 for no limit. */
  readonly maxTopics: number
  /** Channels of one topic, ephemeral ones included; those of the data directory always exist. 0 for no limit. */
  readonly maxChannelsPerTopic: number
  /** How long an ephemeral topic without a channel is kept after its last message; 0 for ever. */
  readonly ephemeralTopicLifetime: Duration.Duration
  /** Give back at once what a lost consumer had in flight; NSQ waits for the time-out. */
  readonly requeueOnDisconnect: boolean

  /** `host:port` of UDP; empty for no statsd. */
  readonly statsdAddress: string
  readonly statsdPrefix: string
  readonly statsdInterval: Duration.Duration
  readonly statsdMemStats: boolean
  readonly statsdUdpPacketSize: number
  readonly statsdExcludeEphemeral: boolean
  /** Each above 0 and up to 1. */
  readonly e2eProcessingLatencyPercentiles: ReadonlyArray<number>
  readonly e2eProcessingLatencyWindowTime: Duration.Duration
  /** URL of an OpenTelemetry collector (OTLP over HTTP); empty for what the environment says. */
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

/** Every option of nsqd: flag, kind, default, help. */
export const table: OptionTable<NsqdOptions> = {
  logLevel: row(
    "log-level",
    Kind.logLevel,
    () => "info",
    "least severe lines to log: debug, info, warn, error or fatal"
  ),
  logPrefix: row("log-prefix", Kind.string, () => "[nsqd] ", "text at the start of every log line"),
  logFormat: row(
    "log-format",
    Kind.oneOf(["nsq", "json"]),
    () => "nsq",
    "form of log lines: nsq, or json for one JSON object per line"
  ),
  nodeId: row(
    "node-id",
    Kind.int,
    () => NodeId.fromHostname(NodeId.hostname()),
    "unique part of message ids, in [0,1024); comes from the hostname unless given",
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
    "<addr>:<port> or unix socket path to listen on for HTTP clients; empty for none"
  ),
  httpsAddress: row("https-address", Kind.string, () => "0.0.0.0:4152", "<addr>:<port> to listen on for HTTPS clients"),
  broadcastAddress: row("broadcast-address", Kind.string, NodeId.hostname, "address announced to nsqlookupd"),
  broadcastTcpPort: row(
    "broadcast-tcp-port",
    Kind.int,
    int(0),
    "TCP port announced to nsqlookupd; 0 for the one listened on"
  ),
  broadcastHttpPort: row(
    "broadcast-http-port",
    Kind.int,
    int(0),
    "HTTP port announced to nsqlookupd; 0 for the one listened on"
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
    "method of requests to the auth server: get or post"
  ),
  httpClientConnectTimeout: row(
    "http-client-connect-timeout",
    Kind.duration,
    seconds(2),
    "limit for connecting to another HTTP server"
  ),
  httpClientRequestTimeout: row(
    "http-client-request-timeout",
    Kind.duration,
    seconds(5),
    "limit for a whole request to another HTTP server"
  ),
  topologyRegion: row("topology-region", Kind.string, empty, "region of this daemon"),
  topologyZone: row("topology-zone", Kind.string, empty, "zone of this daemon"),

  dataPath: row(
    "data-path",
    Kind.string,
    empty,
    "existing directory for messages and metadata; empty for the working directory"
  ),
  memQueueSize: row("mem-queue-size", Kind.int, int(10_000), "messages to keep in memory, per topic and per channel"),
  maxBytesPerFile: row("max-bytes-per-file", Kind.int, int(104_857_600), "bytes per disk queue file"),
  syncEvery: row("sync-every", Kind.int, int(2500), "disk queue operations between two syncs"),
  syncTimeout: row("sync-timeout", Kind.duration, seconds(2), "longest time between two syncs of a disk queue"),
  queueScanWorkerPoolMax: row(
    "queue-scan-worker-pool-max",
    Kind.int,
    int(4),
    "taken for compatibility; time-outs need no workers here"
  ),
  queueScanSelectionCount: row(
    "queue-scan-selection-count",
    Kind.int,
    int(20),
    "taken for compatibility; time-outs are exact here"
  ),

  msgTimeout: row(
    "msg-timeout",
    Kind.duration,
    seconds(60),
    "time a consumer has for a message unless it asks otherwise"
  ),
  maxMsgTimeout: row("max-msg-timeout", Kind.duration, seconds(900), "longest time a consumer can get for a message"),
  maxMsgSize: row("max-msg-size", Kind.int, int(1_048_576), "bytes of the largest message", {
    aliases: ["max-message-size"]
  }),
  maxBodySize: row("max-body-size", Kind.int, int(5_242_880), "bytes of the largest command body"),
  maxIdentifySize: row("max-identify-size", Kind.int, int(65_536), "bytes of the largest body of IDENTIFY and AUTH"),
  maxReqTimeout: row(
    "max-req-timeout",
    Kind.duration,
    seconds(3600),
    "longest delay of a requeued or deferred message"
  ),

  maxConnections: row("max-connections", Kind.int, int(0), "most TCP clients at a time; 0 for no limit"),
  maxHttpConnections: HttpOptions.maxHttpConnections,
  httpAllowedHosts: HttpOptions.httpAllowedHosts,
  maxHeartbeatInterval: row(
    "max-heartbeat-interval",
    Kind.duration,
    seconds(60),
    "longest time between heartbeats a client can ask for"
  ),
  maxRdyCount: row("max-rdy-count", Kind.int, int(2500), "highest RDY count of a client"),
  maxOutputBufferSize: row(
    "max-output-buffer-size",
    Kind.int,
    int(65_536),
    "bytes of the largest output buffer a client can ask for"
  ),
  maxOutputBufferTimeout: row(
    "max-output-buffer-timeout",
    Kind.duration,
    seconds(30),
    "longest time between flushes a client can ask for"
  ),
  minOutputBufferTimeout: row(
    "min-output-buffer-timeout",
    Kind.duration,
    millis(25),
    "shortest time between flushes a client can ask for"
  ),
  outputBufferTimeout: row(
    "output-buffer-timeout",
    Kind.duration,
    millis(250),
    "longest time between flushes unless a client asks otherwise"
  ),
  maxChannelConsumers: row("max-channel-consumers", Kind.int, int(0), "most consumers of a channel; 0 for no limit"),
  maxTopics: row("max-topics", Kind.int, int(50_000), "most topics; 0 for no limit"),
  maxChannelsPerTopic: row(
    "max-channels-per-topic",
    Kind.int,
    int(10_000),
    "most channels of a topic; 0 for no limit"
  ),
  ephemeralTopicLifetime: row(
    "ephemeral-topic-lifetime",
    Kind.duration,
    seconds(600),
    "time after its last message for which an ephemeral topic without a channel is kept; 0 for ever"
  ),
  requeueOnDisconnect: row(
    "requeue-on-disconnect",
    Kind.bool,
    yes,
    "give back at once what a lost consumer had in flight; false waits for the time-out, as NSQ does"
  ),

  statsdAddress: row("statsd-address", Kind.string, empty, "UDP <addr>:<port> of a statsd; empty for none"),
  statsdPrefix: row("statsd-prefix", Kind.string, () => "nsq.%s", "prefix of statsd keys; %s becomes this host"),
  statsdInterval: row("statsd-interval", Kind.duration, seconds(60), "time between two pushes to statsd"),
  statsdMemStats: row("statsd-mem-stats", Kind.bool, yes, "push memory statistics to statsd"),
  statsdUdpPacketSize: row("statsd-udp-packet-size", Kind.int, int(508), "bytes of the largest packet sent to statsd"),
  statsdExcludeEphemeral: row(
    "statsd-exclude-ephemeral",
    Kind.bool,
    no,
    "leave ephemeral topics and channels out of statsd"
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
    "time over which latency percentiles are computed"
  ),
  otlpEndpoint: row(
    "otlp-endpoint",
    Kind.string,
    empty,
    "URL of an OpenTelemetry collector for traces and metrics; empty for OTEL_EXPORTER_OTLP_ENDPOINT"
  ),

  tlsCert: row("tls-cert", Kind.string, empty, "path of the certificate file"),
  tlsKey: row("tls-key", Kind.string, empty, "path of the key file"),
  tlsClientAuthPolicy: row(
    "tls-client-auth-policy",
    Kind.string,
    empty,
    "what is asked of client certificates: require or require-verify"
  ),
  tlsRootCaFile: row("tls-root-ca-file", Kind.string, empty, "path of the certificate authorities' file"),
  tlsRequired: row(
    "tls-required",
    Kind.tlsRequired,
    (): Kind.TlsRequired => false,
    "require TLS of clients: true, false or tcp-https"
  ),
  tlsMinVersion: row(
    "tls-min-version",
    Kind.tlsVersion,
    () => "TLSv1.2",
    "lowest TLS version: tls1.0, tls1.1, tls1.2 or tls1.3"
  ),
  deflate: row("deflate", Kind.bool, yes, "offer deflate compression to clients"),
  maxDeflateLevel: row("max-deflate-level", Kind.int, int(6), "highest deflate level a client can ask for"),
  snappy: row("snappy", Kind.bool, yes, "offer snappy compression to clients"),
  enableExperiment: row(
    "enable-experiment",
    Kind.strings,
    none,
    "experimental feature to enable: topology-aware-consumption (may be given several times)",
    { key: "enable_experiment" }
  )
}

/** NSQ's defaults. */
export const defaults = (): NsqdOptions => Struct.map(initialValue)(table)

/** The options services read. Unless provided they are NSQ's defaults, so embedding needs no configuration. */
export const NsqdOptions: Context.Reference<NsqdOptions> = Context.Reference("effect-nsq/options/NsqdOptions", {
  defaultValue: defaults
})

/** NSQ's defaults with some options changed. */
export const layer = (changes: Partial<NsqdOptions>): Layer.Layer<never> =>
  Layer.succeed(NsqdOptions, { ...defaults(), ...changes })

/** Whether TCP clients have to use TLS. As in NSQ, a policy for their certificates means that they do. */
export const isTlsRequired = ({ tlsClientAuthPolicy, tlsRequired }: NsqdOptions): boolean =>
  tlsRequired !== false || tlsClientAuthPolicy !== ""

/** Whether plain HTTP is refused; it stays open when only `tcp-https` is asked for. */
export const isPlainHttpRefused = (options: NsqdOptions): boolean =>
  isTlsRequired(options) && options.tlsRequired !== "tcp-https"

/** What `GET /config/:opt` answers for a config key; undefined when there is no such option. */
export const renderConfigValue = (options: NsqdOptions, key: string): Kind.ConfigValue | undefined =>
  Table.render(table, options, key)

/**
 * The table of nsqd's options: flag, kind, default and help text of each (docs/protocol/options.md#nsqd-options). Has every flag
 * of NSQ 1.3.0. `NsqdOptions` derives the command line and the rest from it; `NsqdOptionsCheck` checks the values.
 */
import * as NodeId from "../../core/NodeId.ts"
import * as DaemonPeerOptions from "../../options/DaemonPeerOptions.ts"
import * as HttpOptions from "../../options/HttpOptions.ts"
import * as LogOptions from "../../options/LogOptions.ts"
import * as Kind from "../../options/OptionKind.ts"
import * as Row from "../../options/OptionRow.ts"
import type { OptionsOf } from "../../options/OptionTable.ts"
import * as PolicyKind from "./PolicyKind.ts"

/**
 * Flag, kind, default and help text of every option.
 *
 * @since 0.1.0
 * @category operations
 */
export const table = {
  /** Part of message ids that is unique in the cluster, from 0 to 1023. */
  nodeId: Row.row(
    "node-id",
    Kind.int,
    () => NodeId.fromHostname(NodeId.hostname()),
    "unique part of message ids, in [0,1024); default is derived from the hostname",
    { key: "id" }
  ),
  enableExperiment: Row.strings(
    "enable-experiment",
    "experimental feature to enable: topology-aware-consumption",
    { key: "enable_experiment" }
  ),
  ...Row.group("Listeners", {
    /** `host:port`, or the path of a unix socket. */
    tcpAddress: Row.string(
      "tcp-address",
      "0.0.0.0:4150",
      "<addr>:<port> or unix socket path to listen on for TCP clients"
    ),
    /** `host:port`, or the path of a unix socket; empty disables HTTP. */
    httpAddress: Row.string(
      "http-address",
      "0.0.0.0:4151",
      "<addr>:<port> or unix socket path to listen on for HTTP clients; empty disables HTTP"
    ),
    /** `host:port`; empty disables HTTPS. Used only with a certificate. */
    httpsAddress: Row.string(
      "https-address",
      "0.0.0.0:4152",
      "<addr>:<port> to listen on for HTTPS clients, if there is a --tls-cert and a --tls-key; empty disables HTTPS"
    ),
    /** Concurrent TCP clients; 0 for no limit. */
    maxConnections: Row.limit("max-connections", 0, "maximum number of concurrent TCP clients"),
    /** Concurrent HTTP connections; 0 for no limit. */
    maxHttpConnections: HttpOptions.maxHttpConnections,
    /** Consumers over HTTP at a time; 0 for no limit. */
    maxHttpConsumers: Row.limit("max-http-consumers", 1000, "maximum number of consumers over HTTP (/sub) at a time"),
    /** Host names that browsers may use in addition to the daemon's own and private ones; `*` for all. */
    httpAllowedHosts: HttpOptions.httpAllowedHosts
  }),
  ...Row.group("TLS", {
    /** Path of a PEM file. */
    tlsCert: Row.string("tls-cert", "", "path of the certificate file"),
    /** Path of a PEM file. */
    tlsKey: Row.string("tls-key", "", "path of the key file"),
    tlsClientAuthPolicy: Row.string(
      "tls-client-auth-policy",
      "",
      "client certificate policy: require or require-verify"
    ),
    /** Path of a PEM file. */
    tlsRootCaFile: Row.string("tls-root-ca-file", "", "path of the certificate authority file"),
    tlsRequired: Row.row<Kind.TlsRequired>(
      "tls-required",
      Kind.tlsRequired,
      () => false,
      "require clients to use TLS: true, false or tcp-https"
    ),
    tlsMinVersion: Row.row<Kind.TlsVersion>(
      "tls-min-version",
      Kind.tlsVersion,
      () => "TLSv1.2",
      "minimum TLS version: tls1.0, tls1.1, tls1.2 or tls1.3"
    )
  }),
  ...Row.group("Authorization", {
    authHttpAddresses: Row.strings("auth-http-address", "<addr>:<port> or URL of an auth server", {
      key: "auth_http_addresses"
    }),
    authHttpRequestMethod: Row.string(
      "auth-http-request-method",
      "get",
      "HTTP method of auth server requests: get or post"
    ),
    httpClientConnectTimeout: Row.duration(
      "http-client-connect-timeout",
      "2 seconds",
      "timeout for connecting to an HTTP server"
    ),
    httpClientRequestTimeout: Row.duration(
      "http-client-request-timeout",
      "5 seconds",
      "timeout for a complete HTTP request"
    )
  }),
  ...Row.group("Cluster", {
    broadcastAddress: Row.row(
      "broadcast-address",
      Kind.string,
      NodeId.hostname,
      "address to announce to nsqlookupd"
    ),
    /** 0 for the port in use. */
    broadcastTcpPort: Row.count("broadcast-tcp-port", 0, "TCP port to announce to nsqlookupd; 0 for the port in use"),
    /** 0 for the port in use. */
    broadcastHttpPort: Row.count(
      "broadcast-http-port",
      0,
      "HTTP port to announce to nsqlookupd; 0 for the port in use"
    ),
    /** Can be changed at run time. */
    lookupdTcpAddresses: Row.strings("lookupd-tcp-address", "TCP address of an nsqlookupd", {
      key: "nsqlookupd_tcp_addresses"
    }),
    /** CIDR networks for the addresses that nsqlookupds report; empty for the default rule. */
    allowedDaemonNetworks: DaemonPeerOptions.allowedDaemonNetworks,
    topologyRegion: Row.string(
      "topology-region",
      "",
      "name of the region that this nsqd runs in, a group of zones; with --enable-experiment=topology-aware-consumption, " +
        "consumers in its zone receive messages first, then those in its region, then all others"
    ),
    topologyZone: Row.string("topology-zone", "", "name of the zone that this nsqd runs in; see --topology-region")
  }),
  ...Row.group("Data", {
    /** An existing directory; empty for the working directory. */
    dataPath: Row.string(
      "data-path",
      "",
      "existing directory for messages and metadata; default is the working directory"
    ),
    /** What an `OK` for published messages means. */
    durability: Row.oneOf(
      "durability",
      ["memory", "written", "synced"],
      "memory",
      "what an OK for a published message means: memory (as in NSQ), written (in the log, survives a kill) or synced (survives a loss of power)"
    ),
    /** `pattern=durability`; the first pattern that matches a topic counts. */
    topicDurability: Row.strings(
      "topic-durability",
      "<pattern>=<durability> for topics whose name matches; * and ? are wildcards, the first match wins"
    ),
    /** Size of a segment of a durable topic's log, in bytes. */
    segmentSize: Row.count("segment-size", 67_108_864, "size of a segment of a durable topic's log in bytes"),
    /** Free space of the data directory, in bytes, below which durable topics refuse messages; 0 for no limit. */
    minFreeBytes: Row.limit(
      "min-free-bytes",
      67_108_864,
      "free space of the data directory in bytes below which durable topics refuse messages"
    ),
    /** Messages kept in memory, per topic and per channel; further messages are written to disk. */
    memQueueSize: Row.count(
      "mem-queue-size",
      10_000,
      "messages to keep in memory, per topic and per channel; further ones are written to disk"
    ),
    maxBytesPerFile: Row.count("max-bytes-per-file", 104_857_600, "size of a disk queue file in bytes"),
    /** Messages written to or read from a disk queue between two syncs. */
    syncEvery: Row.count(
      "sync-every",
      2500,
      "messages written to or read from a disk queue after which it is synced (fsync); 1 syncs before the response to each publish"
    ),
    /** Longest time between two syncs of a disk queue. */
    syncTimeout: Row.duration(
      "sync-timeout",
      "2 seconds",
      "longest time after which a disk queue in use is synced (fsync)"
    ),
    queueScanWorkerPoolMax: Row.count("queue-scan-worker-pool-max", 4, "accepted for compatibility; has no effect"),
    queueScanSelectionCount: Row.count("queue-scan-selection-count", 20, "accepted for compatibility; has no effect")
  }),
  ...Row.group("Topics and channels", {
    /** Topics that may be created, including ephemeral ones; topics of the data directory are always opened. 0 for no limit. */
    maxTopics: Row.limit("max-topics", 50_000, "maximum number of topics"),
    /** Channels per topic, including ephemeral ones; channels of the data directory are always opened. 0 for no limit. */
    maxChannelsPerTopic: Row.limit(
      "max-channels-per-topic",
      10_000,
      "maximum number of channels per topic"
    ),
    /** 0 for no limit. */
    maxChannelConsumers: Row.row(
      "max-channel-consumers",
      Kind.int,
      () => 0,
      "maximum number of consumers per channel; 0 for no limit"
    ),
    /** How long an ephemeral topic without a channel is kept after its last message; 0 for no limit. */
    ephemeralTopicLifetime: Row.duration(
      "ephemeral-topic-lifetime",
      "10 minutes",
      "time after its last message until an ephemeral topic without channels is deleted; 0 for never"
    ),
    /** Limits, attempts, dead letters and other policies by patterns of topics and channels. */
    policies: Row.row(
      "policy",
      PolicyKind.policies,
      () => [],
      "<pattern>:<field>=<value>,... or JSON: a policy for topics, or topics and channels, whose names match, such as " +
        "\"orders.*:max_depth=100000,on_full=reject\" (may be given several times)",
      { key: "policies" }
    )
  }),
  ...Row.group("Drain", {
    /** Whether SIGTERM drains before it stops. */
    drainOnTerm: Row.bool(
      "drain-on-term",
      false,
      "at SIGTERM, refuse publishes and wait until the queues are empty before stopping; a second signal stops at once"
    ),
    /** Longest wait of that drain; 0 for no limit. */
    drainTimeout: Row.duration("drain-timeout", "1 minute", "longest time of the drain at SIGTERM; 0 for no limit")
  }),
  ...Row.group("Messages", {
    /** Message timeout of consumers that do not negotiate their own. */
    msgTimeout: Row.duration("msg-timeout", "1 minute", "default message timeout"),
    maxMsgTimeout: Row.duration("max-msg-timeout", "15 minutes", "maximum message timeout, including TOUCH"),
    /** Upper limit for requeue and publish delays. */
    maxReqTimeout: Row.duration("max-req-timeout", "1 hour", "maximum delay of a requeued or deferred message"),
    /** Whether in-flight messages of a lost consumer are requeued at once; NSQ waits for their timeout. */
    requeueOnDisconnect: Row.bool(
      "requeue-on-disconnect",
      true,
      "requeue in-flight messages of a lost consumer at once; false waits for their timeout, as in NSQ"
    ),
    /** In bytes. */
    maxMsgSize: Row.count("max-msg-size", 1_048_576, "maximum size of a message in bytes", {
      aliases: ["max-message-size"]
    }),
    /** Largest command body in bytes, for example of a whole MPUB. */
    maxBodySize: Row.count("max-body-size", 5_242_880, "maximum size of a command body in bytes")
  }),
  ...Row.group("Clients", {
    maxRdyCount: Row.count("max-rdy-count", 2500, "maximum RDY count of a client"),
    maxHeartbeatInterval: Row.duration(
      "max-heartbeat-interval",
      "1 minute",
      "maximum heartbeat interval that a client can request"
    ),
    /** Flush interval of clients that do not negotiate their own. */
    outputBufferTimeout: Row.duration("output-buffer-timeout", "250 millis", "default flush interval"),
    minOutputBufferTimeout: Row.duration(
      "min-output-buffer-timeout",
      "25 millis",
      "minimum flush interval that a client can request"
    ),
    maxOutputBufferTimeout: Row.duration(
      "max-output-buffer-timeout",
      "30 seconds",
      "maximum flush interval that a client can request"
    ),
    /** In bytes. */
    maxOutputBufferSize: Row.count(
      "max-output-buffer-size",
      65_536,
      "maximum output buffer size in bytes that a client can request"
    ),
    maxIdentifySize: Row.count("max-identify-size", 65_536, "maximum size of an IDENTIFY or AUTH body in bytes"),
    deflate: Row.bool("deflate", true, "offer deflate compression to clients"),
    /** From 1 to 9. */
    maxDeflateLevel: Row.row(
      "max-deflate-level",
      Kind.int,
      () => 6,
      "maximum deflate level that a client can request"
    ),
    snappy: Row.bool("snappy", true, "offer snappy compression to clients")
  }),
  ...Row.group("Metrics", {
    /** UDP `host:port`; empty disables statsd. */
    statsdAddress: Row.string("statsd-address", "", "UDP <addr>:<port> of a statsd daemon; empty disables statsd"),
    statsdPrefix: Row.string("statsd-prefix", "nsq.%s", "prefix of statsd keys; %s is replaced by the host"),
    statsdInterval: Row.duration("statsd-interval", "1 minute", "interval between pushes to statsd"),
    statsdMemStats: Row.bool("statsd-mem-stats", true, "push memory statistics to statsd"),
    statsdUdpPacketSize: Row.row(
      "statsd-udp-packet-size",
      Kind.int,
      () => 508,
      "maximum size of a statsd packet in bytes; 0 or less for 4096"
    ),
    statsdExcludeEphemeral: Row.bool(
      "statsd-exclude-ephemeral",
      false,
      "do not push ephemeral topics and channels to statsd"
    ),
    /** Each in (0, 1]. */
    e2eProcessingLatencyPercentiles: Row.row(
      "e2e-processing-latency-percentile",
      Kind.floats,
      (): ReadonlyArray<number> => [],
      "processing latency percentiles to track, in (0, 1] (comma separated or given several times)",
      { key: "e2e_processing_latency_percentiles" }
    ),
    e2eProcessingLatencyWindowTime: Row.duration(
      "e2e-processing-latency-window-time",
      "10 minutes",
      "time window of latency percentiles"
    ),
    /** URL of an OpenTelemetry collector (OTLP over HTTP); empty for the value of the environment. */
    otlpEndpoint: Row.string(
      "otlp-endpoint",
      "",
      "URL of an OpenTelemetry collector for traces and metrics; default is OTEL_EXPORTER_OTLP_ENDPOINT"
    )
  }),
  ...Row.group("Log", LogOptions.rows("nsqd"))
}

/**
 * The options of an nsqd. The defaults are in `table`.
 *
 * @since 0.1.0
 * @category models
 */
export interface NsqdOptions extends LogOptions.LogOptions, OptionsOf<typeof table> {}

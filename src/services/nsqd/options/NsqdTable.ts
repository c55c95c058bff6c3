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
  /** Part of message ids that is unique in the cluster, from 0 to 1023. Default: derived from the host name. */
  nodeId: Row.row(
    "node-id",
    Kind.int,
    () => NodeId.fromHostname(NodeId.hostname()),
    "unique part of message ids, in [0,1024); default is derived from the hostname",
    { key: "id" }
  ),
  /** Experiments to enable: `topology-aware-consumption`. Default: none. */
  enableExperiment: Row.strings(
    "enable-experiment",
    "experimental feature to enable: topology-aware-consumption",
    { key: "enable_experiment" }
  ),
  ...Row.group("Listeners", {
    /** Where clients connect: `host:port`, or the path of a unix socket. Default: `0.0.0.0:4150`. */
    tcpAddress: Row.string(
      "tcp-address",
      "0.0.0.0:4150",
      "<addr>:<port> or unix socket path to listen on for TCP clients"
    ),
    /** Where the HTTP API listens: `host:port`, or the path of a unix socket; empty disables HTTP. Default: `0.0.0.0:4151`. */
    httpAddress: Row.string(
      "http-address",
      "0.0.0.0:4151",
      "<addr>:<port> or unix socket path to listen on for HTTP clients; empty disables HTTP"
    ),
    /**
     * Where the HTTP API listens with TLS: `host:port`; empty disables HTTPS. Used only with a certificate. Default:
     * `0.0.0.0:4152`.
     */
    httpsAddress: Row.string(
      "https-address",
      "0.0.0.0:4152",
      "<addr>:<port> to listen on for HTTPS clients, if there is a --tls-cert and a --tls-key; empty disables HTTPS"
    ),
    /** Concurrent TCP clients; 0 for no limit. Default: 0. */
    maxConnections: Row.limit("max-connections", 0, "maximum number of concurrent TCP clients"),
    /** Concurrent HTTP connections; 0 for no limit. Default: 10,000. */
    maxHttpConnections: HttpOptions.maxHttpConnections,
    /** Consumers over HTTP at a time; 0 for no limit. Default: 1,000. */
    maxHttpConsumers: Row.limit("max-http-consumers", 1000, "maximum number of consumers over HTTP (/sub) at a time"),
    /** Host names that browsers may use in addition to the daemon's own and private ones; `*` for all. Default: none. */
    httpAllowedHosts: HttpOptions.httpAllowedHosts
  }),
  ...Row.group("TLS", {
    /** Path of the certificate, in PEM. TLS needs it and `tlsKey`. Default: empty. */
    tlsCert: Row.string("tls-cert", "", "path of the certificate file"),
    /** Path of the certificate's key, in PEM. Default: empty. */
    tlsKey: Row.string("tls-key", "", "path of the key file"),
    /**
     * Which certificates clients need: `require` for any, `require-verify` for one that `tlsRootCaFile` signed; empty
     * for none. Default: empty.
     */
    tlsClientAuthPolicy: Row.string(
      "tls-client-auth-policy",
      "",
      "client certificate policy: require or require-verify"
    ),
    /** Path of the certificates, in PEM, that sign those of clients; empty for those of the system. Default: empty. */
    tlsRootCaFile: Row.string("tls-root-ca-file", "", "path of the certificate authority file"),
    /** Refuses clients without TLS: true for TCP and HTTP, `tcp-https` for TCP only. Default: false. */
    tlsRequired: Row.row<Kind.TlsRequired>(
      "tls-required",
      Kind.tlsRequired,
      () => false,
      "require clients to use TLS: true, false or tcp-https"
    ),
    /** Oldest version of TLS that clients may use. Default: `TLSv1.2`. */
    tlsMinVersion: Row.row<Kind.TlsVersion>(
      "tls-min-version",
      Kind.tlsVersion,
      () => "TLSv1.2",
      "minimum TLS version: tls1.0, tls1.1, tls1.2 or tls1.3"
    )
  }),
  ...Row.group("Authorization", {
    /** Auth servers, `host:port` or URL, which decide what a client may do; without any, clients need no AUTH. Default: none. */
    authHttpAddresses: Row.strings("auth-http-address", "<addr>:<port> or URL of an auth server", {
      key: "auth_http_addresses"
    }),
    /** Method of requests to auth servers: `get` or `post`. Default: `get`. */
    authHttpRequestMethod: Row.string(
      "auth-http-request-method",
      "get",
      "HTTP method of auth server requests: get or post"
    ),
    /** Limit for connecting to an HTTP server, such as an auth server. Default: 2 s. */
    httpClientConnectTimeout: Row.duration(
      "http-client-connect-timeout",
      "2 seconds",
      "timeout for connecting to an HTTP server"
    ),
    /** Limit for a whole request to an HTTP server, such as an auth server. Default: 5 s. */
    httpClientRequestTimeout: Row.duration(
      "http-client-request-timeout",
      "5 seconds",
      "timeout for a complete HTTP request"
    )
  }),
  ...Row.group("Cluster", {
    /** Address under which nsqlookupd makes this nsqd known. Default: the host name. */
    broadcastAddress: Row.row(
      "broadcast-address",
      Kind.string,
      NodeId.hostname,
      "address to announce to nsqlookupd"
    ),
    /** TCP port to announce to nsqlookupd; 0 for the port in use. Default: 0. */
    broadcastTcpPort: Row.count("broadcast-tcp-port", 0, "TCP port to announce to nsqlookupd; 0 for the port in use"),
    /** HTTP port to announce to nsqlookupd; 0 for the port in use. Default: 0. */
    broadcastHttpPort: Row.count(
      "broadcast-http-port",
      0,
      "HTTP port to announce to nsqlookupd; 0 for the port in use"
    ),
    /** The nsqlookupds to register at, `host:port`. Can be changed at run time. Default: none. */
    lookupdTcpAddresses: Row.strings("lookupd-tcp-address", "TCP address of an nsqlookupd", {
      key: "nsqlookupd_tcp_addresses"
    }),
    /** CIDR networks for the addresses that nsqlookupds report; empty for the default rule. Default: none. */
    allowedDaemonNetworks: DaemonPeerOptions.allowedDaemonNetworks,
    /**
     * Region of this nsqd, a group of zones: with the experiment `topology-aware-consumption`, consumers in its zone
     * receive messages first, then those in its region. Default: empty.
     */
    topologyRegion: Row.string(
      "topology-region",
      "",
      "name of the region that this nsqd runs in, a group of zones; with --enable-experiment=topology-aware-consumption, " +
        "consumers in its zone receive messages first, then those in its region, then all others"
    ),
    /** Zone of this nsqd; see `topologyRegion`. Default: empty. */
    topologyZone: Row.string("topology-zone", "", "name of the zone that this nsqd runs in; see --topology-region")
  }),
  ...Row.group("Data", {
    /** Existing directory for messages and metadata; empty for the working directory. Default: empty. */
    dataPath: Row.string(
      "data-path",
      "",
      "existing directory for messages and metadata; default is the working directory"
    ),
    /**
     * What an `OK` for published messages means: `memory` as in NSQ, `written` that they survive a kill, `synced` a
     * loss of power. Default: `memory`.
     */
    durability: Row.oneOf(
      "durability",
      ["memory", "written", "synced"],
      "memory",
      "what an OK for a published message means: memory (as in NSQ), written (in the log, survives a kill) or synced (survives a loss of power)"
    ),
    /**
     * Durability of topics whose name matches, `pattern=durability` with the wildcards `*` and `?`; the first match
     * counts. Default: none.
     */
    topicDurability: Row.strings(
      "topic-durability",
      "<pattern>=<durability> for topics whose name matches; * and ? are wildcards, the first match wins"
    ),
    /** Size of a segment of a durable topic's log, in bytes. Default: 64 MiB. */
    segmentSize: Row.count("segment-size", 67_108_864, "size of a segment of a durable topic's log in bytes"),
    /** Free space of the data directory, in bytes, below which durable topics refuse messages; 0 for no limit. Default: 64 MiB. */
    minFreeBytes: Row.limit(
      "min-free-bytes",
      67_108_864,
      "free space of the data directory in bytes below which durable topics refuse messages"
    ),
    /** Messages kept in memory, per topic and per channel; further messages are written to disk. Default: 10,000. */
    memQueueSize: Row.count(
      "mem-queue-size",
      10_000,
      "messages to keep in memory, per topic and per channel; further ones are written to disk"
    ),
    /** Size in bytes after which a disk queue begins its next file. Default: 100 MiB. */
    maxBytesPerFile: Row.count("max-bytes-per-file", 104_857_600, "size of a disk queue file in bytes"),
    /** Messages written to or read from a disk queue between two syncs. Default: 2,500. */
    syncEvery: Row.count(
      "sync-every",
      2500,
      "messages written to or read from a disk queue after which it is synced (fsync); 1 syncs before the response to each publish"
    ),
    /** Longest time between two syncs of a disk queue. Default: 2 s. */
    syncTimeout: Row.duration(
      "sync-timeout",
      "2 seconds",
      "longest time after which a disk queue in use is synced (fsync)"
    ),
    /** Accepted for compatibility; has no effect. Default: 4. */
    queueScanWorkerPoolMax: Row.count("queue-scan-worker-pool-max", 4, "accepted for compatibility; has no effect"),
    /** Accepted for compatibility; has no effect. Default: 20. */
    queueScanSelectionCount: Row.count("queue-scan-selection-count", 20, "accepted for compatibility; has no effect")
  }),
  ...Row.group("Topics and channels", {
    /**
     * Topics that may be created, including ephemeral ones; topics of the data directory are always opened. 0 for no
     * limit. Default: 50,000.
     */
    maxTopics: Row.limit("max-topics", 50_000, "maximum number of topics"),
    /**
     * Channels per topic, including ephemeral ones; channels of the data directory are always opened. 0 for no limit.
     * Default: 10,000.
     */
    maxChannelsPerTopic: Row.limit(
      "max-channels-per-topic",
      10_000,
      "maximum number of channels per topic"
    ),
    /** Consumers of one channel; further ones are refused. 0 for no limit. Default: 0. */
    maxChannelConsumers: Row.row(
      "max-channel-consumers",
      Kind.int,
      () => 0,
      "maximum number of consumers per channel; 0 for no limit"
    ),
    /** How long an ephemeral topic without a channel is kept after its last message; 0 for no limit. Default: 10 min. */
    ephemeralTopicLifetime: Row.duration(
      "ephemeral-topic-lifetime",
      "10 minutes",
      "time after its last message until an ephemeral topic without channels is deleted; 0 for never"
    ),
    /** Limits, attempts, dead letters and other policies by patterns of topics and channels. Default: none. */
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
    /** Whether the program nsqd, at SIGTERM, refuses publishes and waits until the queues are empty. Default: false. */
    drainOnTerm: Row.bool(
      "drain-on-term",
      false,
      "at SIGTERM, refuse publishes and wait until the queues are empty before stopping; a second signal stops at once"
    ),
    /** Longest wait of the drain at SIGTERM; 0 for no limit. Default: 1 min. */
    drainTimeout: Row.duration("drain-timeout", "1 minute", "longest time of the drain at SIGTERM; 0 for no limit")
  }),
  ...Row.group("Messages", {
    /**
     * Time after which a message that is not acknowledged is redelivered, for consumers that do not negotiate their
     * own. Default: 1 min.
     */
    msgTimeout: Row.duration("msg-timeout", "1 minute", "default message timeout"),
    /** Longest time for one delivery: the limit of message timeouts that consumers negotiate, and of TOUCH. Default: 15 min. */
    maxMsgTimeout: Row.duration("max-msg-timeout", "15 minutes", "maximum message timeout, including TOUCH"),
    /** Longest delay of a requeued or deferred message. Default: 1 h. */
    maxReqTimeout: Row.duration("max-req-timeout", "1 hour", "maximum delay of a requeued or deferred message"),
    /** Whether in-flight messages of a lost consumer are requeued at once; NSQ waits for their timeout. Default: true. */
    requeueOnDisconnect: Row.bool(
      "requeue-on-disconnect",
      true,
      "requeue in-flight messages of a lost consumer at once; false waits for their timeout, as in NSQ"
    ),
    /** Largest message, in bytes; a larger one is refused. Default: 1 MiB. */
    maxMsgSize: Row.count("max-msg-size", 1_048_576, "maximum size of a message in bytes", {
      aliases: ["max-message-size"]
    }),
    /** Largest body of a command, in bytes, for example of a whole MPUB. Default: 5 MiB. */
    maxBodySize: Row.count("max-body-size", 5_242_880, "maximum size of a command body in bytes")
  }),
  ...Row.group("Clients", {
    /** Largest RDY count of a consumer, in messages. Default: 2,500. */
    maxRdyCount: Row.count("max-rdy-count", 2500, "maximum RDY count of a client"),
    /** Longest heartbeat interval that a client can negotiate. Default: 1 min. */
    maxHeartbeatInterval: Row.duration(
      "max-heartbeat-interval",
      "1 minute",
      "maximum heartbeat interval that a client can request"
    ),
    /** Longest time for which output is buffered, for clients that do not negotiate their own. Default: 250 ms. */
    outputBufferTimeout: Row.duration("output-buffer-timeout", "250 millis", "default flush interval"),
    /** Shortest `outputBufferTimeout` that a client can negotiate. Default: 25 ms. */
    minOutputBufferTimeout: Row.duration(
      "min-output-buffer-timeout",
      "25 millis",
      "minimum flush interval that a client can request"
    ),
    /** Longest `outputBufferTimeout` that a client can negotiate. Default: 30 s. */
    maxOutputBufferTimeout: Row.duration(
      "max-output-buffer-timeout",
      "30 seconds",
      "maximum flush interval that a client can request"
    ),
    /** Largest output buffer that a client can negotiate, in bytes. Default: 64 KiB. */
    maxOutputBufferSize: Row.count(
      "max-output-buffer-size",
      65_536,
      "maximum output buffer size in bytes that a client can request"
    ),
    /** Largest body of IDENTIFY and AUTH, in bytes. Default: 64 KiB. */
    maxIdentifySize: Row.count("max-identify-size", 65_536, "maximum size of an IDENTIFY or AUTH body in bytes"),
    /** Whether clients may negotiate deflate. Default: true. */
    deflate: Row.bool("deflate", true, "offer deflate compression to clients"),
    /** Highest level of deflate that a client can negotiate, from 1 to 9. Default: 6. */
    maxDeflateLevel: Row.row(
      "max-deflate-level",
      Kind.int,
      () => 6,
      "maximum deflate level that a client can request"
    ),
    /** Whether clients may negotiate snappy. Default: true. */
    snappy: Row.bool("snappy", true, "offer snappy compression to clients")
  }),
  ...Row.group("Metrics", {
    /** Where metrics are pushed to: UDP `host:port` of a statsd; empty disables the pushes. Default: empty. */
    statsdAddress: Row.string("statsd-address", "", "UDP <addr>:<port> of a statsd daemon; empty disables statsd"),
    /** Start of the names of metrics; `%s` is replaced by the host. Default: `nsq.%s`. */
    statsdPrefix: Row.string("statsd-prefix", "nsq.%s", "prefix of statsd keys; %s is replaced by the host"),
    /** Time between two pushes to statsd. Default: 1 min. */
    statsdInterval: Row.duration("statsd-interval", "1 minute", "interval between pushes to statsd"),
    /** Whether statsd receives figures of the process's memory. Default: true. */
    statsdMemStats: Row.bool("statsd-mem-stats", true, "push memory statistics to statsd"),
    /** Largest packet to statsd, in bytes; 0 or less for 4096. Default: 508. */
    statsdUdpPacketSize: Row.row(
      "statsd-udp-packet-size",
      Kind.int,
      () => 508,
      "maximum size of a statsd packet in bytes; 0 or less for 4096"
    ),
    /** Whether statsd receives nothing about ephemeral topics and channels. Default: false. */
    statsdExcludeEphemeral: Row.bool(
      "statsd-exclude-ephemeral",
      false,
      "do not push ephemeral topics and channels to statsd"
    ),
    /** Percentiles of the time from publish to FIN to keep for each channel, in (0, 1]. Default: none. */
    e2eProcessingLatencyPercentiles: Row.row(
      "e2e-processing-latency-percentile",
      Kind.floats,
      (): ReadonlyArray<number> => [],
      "processing latency percentiles to track, in (0, 1] (comma separated or given several times)",
      { key: "e2e_processing_latency_percentiles" }
    ),
    /** Time over which these percentiles are computed. Default: 10 min. */
    e2eProcessingLatencyWindowTime: Row.duration(
      "e2e-processing-latency-window-time",
      "10 minutes",
      "time window of latency percentiles"
    ),
    /**
     * URL of an OpenTelemetry collector (OTLP over HTTP) for traces and metrics; empty for the value of the
     * environment. Default: empty.
     */
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

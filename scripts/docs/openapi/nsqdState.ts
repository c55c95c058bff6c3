/** The endpoints of nsqd for its state, its clients and its options. */
import { Connections } from "../../../src/protocol/http/ClientsResponse.ts"
import { DrainProgress } from "../../../src/protocol/http/DrainResponse.ts"
import { Info } from "../../../src/protocol/http/InfoResponse.ts"
import { NodeStatus } from "../../../src/protocol/http/NodeResponse.ts"
import { type Latency, Stats } from "../../../src/protocol/http/StatsResponse.ts"
import { type Endpoint, failure, inPath, json, query, text, textFailure } from "./Endpoint.ts"
import { client, invalidRequest } from "./nsqdParts.ts"

const latency: Latency = { count: 0, percentiles: null }

const stats: Stats = {
  version: "1.3.0",
  health: "OK",
  start_time: 1_795_980_000,
  topics: [{
    topic_name: "orders",
    channels: [{
      channel_name: "billing",
      depth: 4,
      backend_depth: 0,
      in_flight_count: 1,
      deferred_count: 0,
      message_count: 21,
      requeue_count: 0,
      timeout_count: 0,
      client_count: 1,
      clients: [client],
      paused: false,
      e2e_processing_latency: latency
    }],
    depth: 0,
    backend_depth: 0,
    message_count: 21,
    message_bytes: 4200,
    paused: false,
    e2e_processing_latency: latency,
    durability: "synced"
  }],
  producers: null
}

const drain: DrainProgress = {
  draining: true,
  since: 1_795_989_632,
  drained: false,
  topics: [{ topic_name: "orders", depth: 4, in_flight_count: 1, deferred_count: 0, waited_for: true }]
}

const clientEndpoints: ReadonlyArray<Endpoint> = [
  {
    method: "GET",
    path: "/clients",
    tag: "Clients",
    summary: "The connections of producers and consumers",
    parameters: [
      query("topic", "only consumers and producers of this topic", "orders"),
      query("channel", "with `topic`: only consumers of this channel", "billing"),
      query("address", "only the connection with this remote address", "10.0.0.9:40112")
    ],
    response: json(Connections, "the connections, with all that they have negotiated", {
      clients: [{
        ...client,
        pub_counts: [],
        topic_name: "orders",
        channel_name: "billing",
        heartbeat_interval: 30_000,
        msg_timeout: 60_000,
        output_buffer_size: 16_384,
        output_buffer_timeout: 250,
        deflate_level: 0
      }]
    }),
    failures: [invalidRequest],
    isOwn: true
  },
  {
    method: "POST",
    path: "/client/close",
    tag: "Clients",
    summary: "Ends a connection; its messages return to the channel",
    parameters: [query("address", "remote address of the connection", "10.0.0.9:40112", { required: true })],
    failures: [
      invalidRequest,
      failure(400, "MISSING_ARG_ADDRESS", "there is no parameter `address`"),
      failure(404, "CLIENT_NOT_FOUND", "no connection has this address"),
      failure(409, "AMBIGUOUS_ADDRESS: <reason>", "several connections have this address")
    ],
    isOwn: true
  }
]

const nodeEndpoint: Endpoint = {
  method: "GET",
  path: "/node",
  tag: "State",
  summary: "Figures of the process and of its machine",
  response: json(NodeStatus, "the figures; a part is null if it is unknown", {
    version: "1.3.0",
    effect_nsq_version: "0.2.0",
    node_version: "24.21.0",
    health: "OK",
    start_time: 1_795_980_000,
    connection_count: 3,
    memory: {
      rss_bytes: 71_000_000,
      heap_used_bytes: 12_000_000,
      heap_limit_bytes: 4_345_298_944,
      external_bytes: 3_000_000,
      available_bytes: 20_000_000_000,
      total_bytes: 25_769_803_776
    },
    event_loop_delay: { p50_usec: 60, p99_usec: 590, max_usec: 2300, seconds: 10 },
    disk: { free_bytes: 80_000_000_000, used_bytes: 20_000_000_000, total_bytes: 100_000_000_000 },
    file_descriptors: { open: 31, limit: 65_536 },
    drain: null
  }),
  isOwn: true
}

const drainEndpoint = (method: Endpoint["method"], summary: string): Endpoint => ({
  method,
  path: "/drain",
  tag: "State",
  summary,
  response: json(DrainProgress, "how far the drain is", drain),
  isOwn: true
})

const configKey = inPath("name", "key of the option, as in the config file", "log_level")

const configValue = text("the value: text for strings, JSON for other types, durations in nanoseconds", "2")

/** State, clients and options. */
export const state: ReadonlyArray<Endpoint> = [
  {
    method: "GET",
    path: "/ping",
    tag: "State",
    summary: "Whether messages can be stored",
    response: text("nsqd is healthy", "OK"),
    failures: [textFailure(500, "NOK - <reason>", "the disk fails")]
  },
  {
    method: "GET",
    path: "/ready",
    tag: "State",
    summary: "Whether a load balancer should send publishes to this nsqd",
    response: text("nsqd is ready", "OK"),
    failures: [textFailure(503, "NOT READY - <reason>", "nsqd starts, stops or drains, or the disk fails")],
    isOwn: true
  },
  {
    method: "GET",
    path: "/info",
    tag: "State",
    summary: "Address, versions and limits",
    response: json(Info, "about this nsqd", {
      version: "1.3.0",
      broadcast_address: "nsqd-1.internal",
      hostname: "nsqd-1",
      http_port: 4151,
      tcp_port: 4150,
      start_time: 1_795_980_000,
      max_heartbeat_interval: 60_000_000_000,
      max_output_buffer_size: 65_536,
      max_output_buffer_timeout: 30_000_000_000,
      max_deflate_level: 6,
      topology_zone: "",
      topology_region: "",
      effect_nsq_version: "0.2.0"
    })
  },
  {
    method: "GET",
    path: "/stats",
    tag: "State",
    summary: "Topics, channels, consumers and memory",
    description: "Text for people without `format=json`.",
    parameters: [
      query("format", "`json`, or anything else for text", "json"),
      query("topic", "only this topic; `topics` is null if it does not exist", "orders"),
      query("channel", "only topics with this channel, and only this channel", "billing"),
      query("include_clients", "whether to include consumers and producers", false, {
        schema: { type: "boolean", default: true }
      }),
      query("include_mem", "whether to include memory", false, { schema: { type: "boolean", default: true } })
    ],
    response: json(Stats, "the current state", stats),
    failures: [invalidRequest]
  },
  {
    method: "GET",
    path: "/metrics",
    tag: "State",
    summary: "Metrics for Prometheus",
    parameters: [
      query("ephemeral", "whether to include ephemeral topics and channels", true, {
        schema: { type: "boolean", default: false }
      })
    ],
    response: text(
      "the text format of Prometheus",
      `# TYPE nsqd_topic_depth gauge\nnsqd_topic_depth{topic="orders"} 0\n`
    ),
    isOwn: true
  },
  nodeEndpoint,
  ...clientEndpoints,
  drainEndpoint("GET", "How far the drain is"),
  drainEndpoint("PUT", "Begins to drain: publishes are refused until the queues are empty"),
  drainEndpoint("DELETE", "Ends the drain"),
  {
    method: "GET",
    path: "/config/:name",
    tag: "Configuration",
    summary: "The value of an option",
    parameters: [configKey],
    response: configValue,
    failures: [failure(400, "INVALID_OPTION", "there is no such option")]
  },
  {
    method: "PUT",
    path: "/config/:name",
    tag: "Configuration",
    summary: "Changes `log_level` or `nsqlookupd_tcp_addresses` until nsqd stops",
    parameters: [configKey],
    body: text("the value: a level, or a JSON list of addresses", "debug"),
    response: configValue,
    failures: [
      failure(400, "INVALID_OPTION", "the option does not exist or cannot be changed"),
      failure(400, "INVALID_VALUE", "not a value of the option"),
      failure(413, "INVALID_VALUE", "the body is empty, or exceeds `--max-msg-size`")
    ]
  }
]

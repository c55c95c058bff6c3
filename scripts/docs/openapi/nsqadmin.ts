/** nsqadmin's HTTP API. Its paths are relative to `--base-path`. */
import { Schema } from "effect"
import * as AdminApi from "../../../src/protocol/http/admin/AdminApi.ts"
import { ClientsResponse } from "../../../src/protocol/http/admin/AdminClients.ts"
import { DaemonState, LiveSample, TailEvent } from "../../../src/protocol/http/admin/AdminLive.ts"
import { Node, NodeResponse, NodesResponse } from "../../../src/protocol/http/admin/AdminNodes.ts"
import * as AdminStats from "../../../src/protocol/http/admin/AdminStats.ts"
import { type Api, type Endpoint, failure, inPath, json, query, text } from "./Endpoint.ts"
import { live } from "./nsqadminLive.ts"
import { changeFailures, done, invalidJson, node, topic, upstream } from "./nsqadminParts.ts"
import { storage } from "./nsqadminStorage.ts"

const channel = inPath("channel", "name of the channel", "billing")

const client = inPath("client", "remote address of the client", "10.0.0.9:40112")

const nodeNotFound = failure(404, "NODE_NOT_FOUND", "there is no such nsqd")
const actionFailures = [invalidJson, failure(400, "INVALID_ACTION", "there is no such action"), ...changeFailures]

const latency: AdminStats.ProcessingLatency = { count: 0, percentiles: null, topic: "orders", channel: "", host: "*" }

const figures = {
  node: "*",
  hostname: "",
  topic_name: "orders",
  depth: 0,
  memory_depth: 0,
  backend_depth: 0,
  message_count: 21,
  paused: false,
  e2e_processing_latency: latency
}

const channelStats: AdminStats.ChannelStats = {
  ...figures,
  channel_name: "billing",
  in_flight_count: 1,
  deferred_count: 0,
  requeue_count: 0,
  timeout_count: 0,
  client_count: 1,
  nodes: [],
  clients: []
}

const topicStats: AdminStats.TopicStats = { ...figures, delivery_msg_count: 0, nodes: [], channels: [channelStats] }

const page = (path: string, summary: string, names: Endpoint["parameters"] = []): Endpoint => ({
  method: "GET",
  path,
  tag: "Pages",
  summary,
  parameters: names,
  response: text("the page", "<html>...</html>", "text/html")
})

const file = (path: string): Endpoint => ({
  method: "GET",
  path,
  tag: "Pages",
  summary: "A file of the pages",
  parameters: [inPath("asset", "name of the file", "index.css")],
  response: text("the file", "...", "application/octet-stream")
})

const value = text("the value: text for strings, JSON for other types, durations in nanoseconds", "2")
const option = inPath("opt", "key of the option, as in the config file", "log_level")
const outside = failure(403, "FORBIDDEN", "the client is not in `--allow-config-from-cidr`")

/** The API. */
export const nsqadmin: Api = {
  name: "nsqadmin",
  summary: "Figures of a cluster, and actions on it",
  server: "http://127.0.0.1:4171",
  schemas: {
    ChannelOnNode: AdminStats.ChannelOnNode,
    ChannelStats: AdminStats.ChannelStats,
    ClientStats: AdminStats.ClientStats,
    DaemonState,
    LatencyPercentile: AdminStats.LatencyPercentile,
    LiveSample,
    Node,
    ProcessingLatency: AdminStats.ProcessingLatency,
    TailEvent,
    TopicOnNode: AdminStats.TopicOnNode
  },
  endpoints: [
    {
      method: "GET",
      path: "/api/topics",
      tag: "Topics and channels",
      summary: "The names of all topics",
      description: "With `inactive=true`, an object of the topics that no nsqd has, with their channels.",
      parameters: [query("inactive", "`true` for the topics that no nsqd has", "true")],
      response: json(AdminApi.TopicsResponse, "the names; null without topics", { topics: ["orders"], message: "" }),
      failures: [upstream]
    },
    {
      method: "POST",
      path: "/api/topics",
      tag: "Topics and channels",
      summary: "Creates a topic, and optionally a channel",
      body: json(AdminApi.NewTopic, "the names", { topic: "orders", channel: "billing" }),
      response: done,
      failures: [
        invalidJson,
        failure(400, "INVALID_TOPIC", "not a valid name of a topic"),
        failure(400, "INVALID_CHANNEL", "not a valid name of a channel"),
        ...changeFailures
      ]
    },
    {
      method: "GET",
      path: "/api/topics/:topic",
      tag: "Topics and channels",
      summary: "The figures of a topic",
      parameters: [topic],
      response: json(AdminStats.TopicResponse, "sums, and the figures of each nsqd", { ...topicStats, message: "" }),
      failures: [upstream]
    },
    {
      method: "POST",
      path: "/api/topics/:topic",
      tag: "Topics and channels",
      summary: "Pauses, unpauses or empties a topic",
      parameters: [topic],
      body: json(AdminApi.Action, "the action", { action: "pause" }),
      response: done,
      failures: actionFailures
    },
    {
      method: "DELETE",
      path: "/api/topics/:topic",
      tag: "Topics and channels",
      summary: "Deletes a topic on all nsqds",
      parameters: [topic],
      response: done,
      failures: changeFailures
    },
    {
      method: "GET",
      path: "/api/topics/:topic/:channel",
      tag: "Topics and channels",
      summary: "The figures of a channel",
      parameters: [topic, channel],
      response: json(AdminStats.ChannelResponse, "sums, and the figures of each nsqd", {
        ...channelStats,
        message: ""
      }),
      failures: [failure(404, "CHANNEL_NOT_FOUND", "no nsqd has the channel"), upstream]
    },
    {
      method: "POST",
      path: "/api/topics/:topic/:channel",
      tag: "Topics and channels",
      summary: "Pauses, unpauses or empties a channel",
      parameters: [topic, channel],
      body: json(AdminApi.Action, "the action", { action: "pause" }),
      response: done,
      failures: actionFailures
    },
    {
      method: "DELETE",
      path: "/api/topics/:topic/:channel",
      tag: "Topics and channels",
      summary: "Deletes a channel on all nsqds",
      parameters: [topic, channel],
      response: done,
      failures: changeFailures
    },
    {
      method: "GET",
      path: "/api/nodes",
      tag: "Nodes",
      summary: "All nsqds",
      response: json(NodesResponse, "the list; null without nsqds", {
        nodes: [{
          remote_addresses: ["nsqlookupd-1:4161/10.0.0.7:51032"],
          remote_address: "10.0.0.7:51032",
          hostname: "nsqd-1",
          broadcast_address: "nsqd-1.internal",
          tcp_port: 4150,
          http_port: 4151,
          version: "1.3.0",
          topics: [{ topic: "orders", tombstoned: false }],
          out_of_date: false
        }],
        message: ""
      }),
      failures: [upstream]
    },
    {
      method: "GET",
      path: "/api/nodes/:node",
      tag: "Nodes",
      summary: "The topics and consumers of an nsqd",
      parameters: [node],
      response: json(NodeResponse, "the figures of the nsqd", {
        node: "nsqd-1.internal:4151",
        topics: [],
        total_messages: 21,
        total_clients: 1,
        message: ""
      }),
      failures: [nodeNotFound, upstream]
    },
    {
      method: "GET",
      path: "/api/nodes/:node/topics/:topic",
      tag: "Nodes",
      summary: "A topic on an nsqd, with its channels and consumers",
      parameters: [node, topic],
      response: json(
        NodeResponse,
        "the figures of the topic on the nsqd, as of all topics; no topic if it does not have it",
        {
          node: "nsqd-1.internal:4151",
          topics: [],
          total_messages: 0,
          total_clients: 0,
          message: ""
        }
      ),
      failures: [nodeNotFound, upstream],
      isOwn: true
    },
    {
      method: "DELETE",
      path: "/api/nodes/:node",
      tag: "Nodes",
      summary: "Hides a topic of an nsqd from consumers, and deletes it there",
      parameters: [node],
      body: json(AdminApi.Tombstone, "the topic", { topic: "orders" }),
      response: done,
      failures: [
        failure(400, "INVALID_BODY", "the body is not valid JSON"),
        failure(400, "INVALID_TOPIC", "not a valid name of a topic"),
        failure(400, "INVALID_NODE", "not an address of an nsqd"),
        ...changeFailures
      ]
    },
    ...(["PUT", "DELETE"] as const).map((method): Endpoint => ({
      method,
      path: "/api/nodes/:node/drain",
      tag: "Nodes",
      summary: method === "PUT" ? "Begins to drain an nsqd" : "Ends the drain of an nsqd",
      parameters: [node],
      response: done,
      failures: [nodeNotFound, ...changeFailures],
      isOwn: true
    })),
    {
      method: "GET",
      path: "/api/clients",
      tag: "Clients",
      summary: "The connections of producers and consumers",
      parameters: [
        query("node", "only those of this nsqd", "nsqd-1.internal:4151"),
        query("topic", "only consumers and producers of this topic", "orders"),
        query("channel", "only consumers of this channel", "billing"),
        query("address", "only the connection with this remote address", "10.0.0.9:40112")
      ],
      response: json(ClientsResponse, "the connections, as those of nsqd, with their `node`", {
        clients: [],
        message: ""
      }),
      failures: [nodeNotFound, upstream],
      isOwn: true
    },
    {
      method: "DELETE",
      path: "/api/nodes/:node/clients/:client",
      tag: "Clients",
      summary: "Ends the connection of a client",
      parameters: [node, client],
      response: done,
      failures: [nodeNotFound, ...changeFailures],
      isOwn: true
    },
    {
      method: "GET",
      path: "/api/counter",
      tag: "Counters",
      summary: "The message count of every channel on every nsqd",
      response: json(AdminStats.CounterResponse, "counts by `topic:channel:host:port`", {
        stats: {
          "orders:billing:nsqd-1.internal:4151": {
            node: "nsqd-1.internal:4151",
            topic_name: "orders",
            channel_name: "billing",
            message_count: 21
          }
        },
        message: ""
      }),
      failures: [upstream]
    },
    {
      method: "GET",
      path: "/api/graphite",
      tag: "Counters",
      summary: "A rate from Graphite",
      parameters: [
        query("metric", "always `rate`", "rate", { required: true }),
        query("target", "target of Graphite", "stats.counters.nsq.*.topic.orders.message_count.count", {
          required: true
        })
      ],
      response: json(Schema.Struct({ rate: Schema.String }), "per second; `N/A` if it is negative", { rate: "12.00" }),
      failures: [
        failure(400, "INVALID_ARG_METRIC", "`metric` is not `rate`"),
        failure(400, "INVALID_ARG_TARGET", "there is no parameter `target`"),
        failure(500, "INTERNAL_ERROR", "Graphite failed")
      ]
    },
    ...storage,
    ...live,
    {
      method: "GET",
      path: "/metrics",
      tag: "State",
      summary: "Metrics for Prometheus",
      response: text("the text format of Prometheus", "# TYPE process_resident_memory_bytes gauge\n"),
      isOwn: true
    },
    {
      method: "GET",
      path: "/ping",
      tag: "State",
      summary: "Whether nsqadmin runs",
      response: text("always the same", "OK")
    },
    {
      method: "GET",
      path: "/config/:opt",
      tag: "State",
      summary: "The value of an option",
      parameters: [option],
      response: value,
      failures: [outside, failure(400, "INVALID_OPTION", "there is no such option")]
    },
    {
      method: "PUT",
      path: "/config/:opt",
      tag: "State",
      summary: "Changes `log_level` or `nsqlookupd_http_addresses` until nsqadmin stops",
      parameters: [option],
      body: text("the value: a level, or a JSON list of addresses", "debug"),
      response: value,
      failures: [
        outside,
        failure(400, "INVALID_OPTION", "the option does not exist or cannot be changed"),
        failure(400, "INVALID_VALUE", "not a value of the option"),
        failure(413, "INVALID_VALUE", "the body is empty or too long")
      ]
    },
    {
      method: "GET",
      path: "/render",
      tag: "Counters",
      summary: "A picture of Graphite, with `--proxy-graphite`",
      description: "The query is that of Graphite.",
      response: text("the picture", "...", "image/png"),
      failures: [failure(502, "UPSTREAM_ERROR: <error>", "Graphite failed")]
    },
    page("/", "The list of topics"),
    page("/topics", "The list of topics"),
    page("/topics/:topic", "A topic", [topic]),
    page("/topics/:topic/:channel", "A channel", [topic, channel]),
    page("/nodes", "The list of nsqds"),
    page("/nodes/:node", "An nsqd", [node]),
    { ...page("/nodes/:node/clients/:client", "A client", [node, client]), isOwn: true },
    page("/counter", "A counter of messages"),
    page("/lookup", "Topics that no nsqd has"),
    { ...page("/messages/:topic", "The messages of a durable topic", [topic]), isOwn: true },
    { ...page("/messages/:topic/:channel", "The messages in a channel", [topic, channel]), isOwn: true },
    { ...page("/policies", "The policies"), isOwn: true },
    { ...page("/warnings", "The warnings"), isOwn: true },
    { ...page("/daemons", "The daemons"), isOwn: true },
    file("/static/:asset"),
    file("/fonts/:asset")
  ]
}

/** nsqlookupd's HTTP API. */
import { Schema } from "effect"
import { Channels, Lookup, Node, Nodes, Producer, Topics } from "../../../src/protocol/http/LookupResponse.ts"
import { profiles } from "./debug.ts"
import { type Api, type Endpoint, failure, json, query, text } from "./Endpoint.ts"

const topic = query("topic", "name of the topic", "orders", { required: true })
const anyTopic = query("topic", "name of the topic; `*` for all topics", "orders", { required: true })
const channel = query("channel", "name of the channel", "billing", { required: true })

const invalidRequest = failure(400, "INVALID_REQUEST", "the query is not valid")
const missingTopic = failure(400, "MISSING_ARG_TOPIC", "there is no parameter `topic`")
const invalidTopic = failure(400, "INVALID_ARG_TOPIC", "not a valid name of a topic")
const topicFailures = [invalidRequest, missingTopic]
const channelFailures = [
  ...topicFailures,
  invalidTopic,
  failure(400, "MISSING_ARG_CHANNEL", "there is no parameter `channel`"),
  failure(400, "INVALID_ARG_CHANNEL", "not a valid name of a channel")
]

const producer: Producer = {
  remote_address: "10.0.0.7:51032",
  hostname: "nsqd-1",
  broadcast_address: "nsqd-1.internal",
  tcp_port: 4150,
  http_port: 4151,
  version: "1.3.0",
  topology_zone: "",
  topology_region: ""
}

const lookup: Lookup = { channels: ["billing"], producers: [producer] }

const VersionInfo = Schema.Struct({ version: Schema.String, effect_nsq_version: Schema.String })

const post = (path: string, tag: string, summary: string, parts: Partial<Endpoint>): Endpoint => ({
  method: "POST",
  path,
  tag,
  summary,
  ...parts
})

/** The API. */
export const nsqlookupd: Api = {
  name: "nsqlookupd",
  summary: "The directory of topics and the nsqds that have them",
  server: "http://127.0.0.1:4161",
  schemas: { Lookup, Node, Nodes, Producer },
  endpoints: [
    {
      method: "GET",
      path: "/lookup",
      tag: "Discovery",
      summary: "The nsqds and the channels of a topic",
      description: "Inactive and tombstoned nsqds are left out, channels are not.",
      parameters: [anyTopic],
      response: json(Lookup, "the nsqds to connect to", lookup),
      failures: [...topicFailures, failure(404, "TOPIC_NOT_FOUND", "no nsqd has registered the topic")]
    },
    {
      method: "GET",
      path: "/watch",
      tag: "Discovery",
      summary: "The same as events, at once and after every change",
      parameters: [topic],
      response: text(
        "server-sent events: `producers` with the JSON of `/lookup`; a comment every 15 s",
        `event: producers\ndata: ${JSON.stringify(lookup)}\n\n`,
        "text/event-stream"
      ),
      failures: [
        ...topicFailures,
        invalidTopic,
        failure(503, "TOO_MANY_WATCHERS", "there are 10,000 watchers")
      ],
      isOwn: true
    },
    {
      method: "GET",
      path: "/topics",
      tag: "Discovery",
      summary: "The names of all topics",
      response: json(Topics, "also topics that no nsqd has any more", { topics: ["orders"] })
    },
    {
      method: "GET",
      path: "/channels",
      tag: "Discovery",
      summary: "The names of a topic's channels",
      parameters: [anyTopic],
      response: json(Channels, "empty for an unknown topic", { channels: ["billing"] }),
      failures: topicFailures
    },
    {
      method: "GET",
      path: "/nodes",
      tag: "Discovery",
      summary: "All nsqds with their topics",
      response: json(Nodes, "inactive nsqds are left out, tombstoned ones are not", {
        producers: [{ ...producer, tombstones: [false], topics: ["orders"] }]
      })
    },
    post("/topic/create", "Topics and channels", "Makes a topic known", {
      parameters: [topic],
      failures: [...topicFailures, invalidTopic]
    }),
    post("/topic/delete", "Topics and channels", "Forgets a topic, its channels and their nsqds", {
      description: "Does nothing for an unknown topic; forgets everything for `*`.",
      parameters: [anyTopic],
      failures: topicFailures
    }),
    post("/topic/tombstone", "Topics and channels", "Hides an nsqd from the consumers of a topic", {
      parameters: [
        anyTopic,
        query("node", "`<broadcast address>:<HTTP port>` of the nsqd", "nsqd-1.internal:4151", { required: true })
      ],
      failures: [...topicFailures, failure(400, "MISSING_ARG_NODE", "there is no parameter `node`")]
    }),
    post("/channel/create", "Topics and channels", "Makes a channel and its topic known", {
      parameters: [topic, channel],
      failures: channelFailures
    }),
    post("/channel/delete", "Topics and channels", "Forgets a channel", {
      parameters: [topic, channel],
      failures: [...channelFailures, failure(404, "CHANNEL_NOT_FOUND", "no nsqd has registered the channel")]
    }),
    {
      method: "GET",
      path: "/ping",
      tag: "State",
      summary: "Whether nsqlookupd runs",
      response: text("always the same", "OK")
    },
    {
      method: "GET",
      path: "/info",
      tag: "State",
      summary: "Versions",
      response: json(VersionInfo, "the versions", { version: "1.3.0", effect_nsq_version: "0.2.0" })
    },
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
      path: "/debug",
      tag: "State",
      summary: "All registrations",
      response: {
        type: "application/json",
        description: "lists of nsqds by `client::`, `topic:<topic>:` and `channel:<topic>:<channel>`",
        schema: { type: "object", additionalProperties: { type: "array", items: { type: "object" } } },
        example: {
          "topic:orders:": [{
            broadcast_address: "nsqd-1.internal",
            hostname: "nsqd-1",
            http_port: 4151,
            id: "10.0.0.7:51032",
            last_update: 1_795_989_632_000_000_000,
            tcp_port: 4150,
            tombstoned: false,
            tombstoned_at: -6_795_364_578_871_345_152,
            topology_region: "",
            topology_zone: "",
            version: "1.3.0"
          }]
        },
        isValid: () => true
      }
    },
    ...profiles("/debug/pprof")
  ]
}

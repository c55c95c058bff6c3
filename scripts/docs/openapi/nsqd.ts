/** nsqd's HTTP API. */
import { Schema } from "effect"
import { Connection, Connections } from "../../../src/protocol/http/ClientsResponse.ts"
import { DrainedTopic, DrainProgress } from "../../../src/protocol/http/DrainResponse.ts"
import { Info } from "../../../src/protocol/http/InfoResponse.ts"
import { BrowsedMessage, MessagesPage } from "../../../src/protocol/http/MessagesResponse.ts"
import { NodeStatus } from "../../../src/protocol/http/NodeResponse.ts"
import { ListedPolicy, Policy, PolicyInForce, PolicyList } from "../../../src/protocol/http/PoliciesResponse.ts"
import { SeekResponse } from "../../../src/protocol/http/SeekResponse.ts"
import { Channel, Client, Latency, Memory, Stats, Topic } from "../../../src/protocol/http/StatsResponse.ts"
import { profiles } from "./debug.ts"
import {
  type Api,
  bytes,
  type Endpoint,
  type Failure,
  failure,
  header,
  inPath,
  json,
  type Parameter,
  query,
  text,
  textFailure
} from "./Endpoint.ts"

const topic = query("topic", "name of the topic; `#ephemeral` at its end makes it ephemeral", "orders", {
  required: true
})
const channel = query("channel", "name of the channel; `#ephemeral` at its end makes it ephemeral", "billing", {
  required: true
})

const invalidRequest = failure(400, "INVALID_REQUEST", "the query is not valid")
const missingTopic = failure(400, "MISSING_ARG_TOPIC", "there is no parameter `topic`")
const invalidTopic = failure(400, "INVALID_TOPIC", "not a valid name of a topic")
const anyTopicFailures = [invalidRequest, missingTopic]
const topicFailures = [...anyTopicFailures, invalidTopic]
const topicNotFound = failure(404, "TOPIC_NOT_FOUND", "the topic does not exist")
const channelNotFound = failure(404, "CHANNEL_NOT_FOUND", "the channel does not exist")
const internalError = failure(500, "INTERNAL_ERROR", "the change cannot be stored")
const tooManyTopics = failure(403, "TOO_MANY_TOPICS: <reason>", "there are `--max-topics`")
const tooManyChannels = failure(403, "TOO_MANY_CHANNELS: <reason>", "there are `--max-channels-per-topic`")
const exiting = failure(503, "EXITING", "nsqd stops, or the topic is being deleted")
const newChannelFailures = [
  ...anyTopicFailures,
  failure(400, "INVALID_ARG_TOPIC", "not a valid name of a topic"),
  failure(400, "MISSING_ARG_CHANNEL", "there is no parameter `channel`"),
  failure(400, "INVALID_ARG_CHANNEL", "not a valid name of a channel")
]
const channelFailures = [...newChannelFailures, topicNotFound]

/** The headers of a request that become headers of its messages. */
const messageHeaders = [
  header("Nsq-Header-{name}", "a header of the messages; repeatable with other names", "eu"),
  header(
    "traceparent",
    "W3C trace context; a header of the messages",
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
  ),
  header("tracestate", "W3C trace context; a header of the messages", "vendor=value")
]

const publishFailures = [
  ...topicFailures,
  failure(400, "INVALID_HEADERS: <reason>", "the headers of the messages are not valid or too large"),
  tooManyTopics,
  failure(429, "RATE_LIMITED: <reason>", "messages arrive faster than a policy permits"),
  failure(503, "TOPIC_FULL: <reason>", "a limit of a policy has no room for the message"),
  exiting,
  failure(503, "DRAINING: draining, publish to another nsqd", "nsqd drains"),
  failure(503, "<error of the disk>", "the message cannot be stored")
]

const latency: Latency = { count: 0, percentiles: null }

const client: Client = {
  client_id: "worker-1",
  hostname: "worker-1.internal",
  version: "V2",
  remote_address: "10.0.0.9:40112",
  state: 3,
  ready_count: 10,
  in_flight_count: 1,
  message_count: 17,
  finish_count: 16,
  requeue_count: 0,
  connect_ts: 1_795_989_632,
  sample_rate: 0,
  deflate: false,
  snappy: false,
  user_agent: "effect-nsq/0.2.0",
  topology_zone: "",
  topology_region: "",
  tls: false,
  tls_cipher_suite: "",
  tls_version: "",
  tls_negotiated_protocol: "",
  tls_negotiated_protocol_is_mutual: false
}

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

/** Two endpoints from before NSQ 1.0 for a current one. */
const formerly = (path: string, former: string, parts: Partial<Endpoint>): ReadonlyArray<Endpoint> =>
  (["GET", "POST"] as const).map((method) => ({
    ...parts,
    method,
    path: former,
    tag: "Paths from before NSQ 1.0",
    summary: `The same as POST ${path}`,
    isDeprecated: true
  }))

/** An action on a topic or a channel, with its names from before NSQ 1.0. */
const action = (
  noun: "topic" | "channel",
  verb: string,
  summary: string,
  failures: ReadonlyArray<Failure>,
  more: ReadonlyArray<Parameter> = []
): ReadonlyArray<Endpoint> => {
  const parts = { summary, parameters: [...noun === "topic" ? [topic] : [topic, channel], ...more], failures }
  const path = `/${noun}/${verb}`
  return [
    { method: "POST", path, tag: "Topics and channels", ...parts },
    ...formerly(path, `/${verb}_${noun}`, parts)
  ]
}

const Durability = Schema.Struct({ durability: Schema.Literals(["memory", "written", "synced"]) })

const durability: Omit<Endpoint, "method"> = {
  path: "/topic/durability",
  tag: "Topics and channels",
  summary: "Changes the durability of a topic",
  description: "Moves the messages of the topic. The setting survives restarts and counts before the options of nsqd.",
  parameters: [
    topic,
    query("durability", "`default` for that of the options", "synced", {
      required: true,
      schema: { type: "string", enum: ["memory", "written", "synced", "default"] }
    })
  ],
  response: json(Durability, "the durability from then on", { durability: "synced" }),
  failures: [
    ...topicFailures,
    failure(400, "MISSING_ARG_DURABILITY", "there is no parameter `durability`"),
    failure(400, "INVALID_ARG_DURABILITY", "not a durability, or not possible for an ephemeral topic"),
    topicNotFound,
    internalError
  ],
  isOwn: true
}

const subscription = query(
  "subscription",
  "id of the subscription, from its event `subscribed`",
  "5f1c0b9e7d3a48c2a6e4f09b1d7c3e58",
  {
    required: true
  }
)
const messageId = query("id", "id of the message", "19d3a5c2f0401000", { required: true })
const milliseconds = (minimum: number) => ({ schema: { type: "integer", minimum } })

const subFailures = [
  invalidRequest,
  failure(400, "MISSING_ARG_SUBSCRIPTION", "there is no parameter `subscription`"),
  failure(404, "SUBSCRIPTION_NOT_FOUND", "there is no such subscription, or its connection has ended")
]
const messageFailures = [
  ...subFailures,
  failure(400, "MISSING_ARG_ID", "there is no parameter `id`"),
  failure(400, "INVALID_ARG_ID", "not the id of a message"),
  failure(403, "MESSAGE_NOT_OWNED", "the message is in flight to another consumer"),
  failure(404, "MESSAGE_NOT_IN_FLIGHT", "the message timed out, or is finished")
]

const consuming = (path: string, summary: string, parts: Partial<Endpoint>): Endpoint => ({
  method: "POST",
  path,
  tag: "Consuming",
  summary,
  failures: messageFailures,
  isOwn: true,
  ...parts
})

/** The errors of a place in a channel's log. */
const notDurable = failure(400, "NOT_DURABLE: <reason>", "the topic has no log")

const place = "`beginning`, `end`, a time as in RFC 3339, or the sequence of a message"

const policies = "Policies"
const invalidPolicyName = failure(400, "INVALID_ARG_TOPIC", "not a valid name of a topic")
const policyFailures = [failure(500, "INTERNAL_ERROR", "the policies cannot be stored, and have not changed")]

const policy: Policy = { match: "orders.*", max_depth: 100_000, on_full: "reject" }

const policyEndpoints: ReadonlyArray<Endpoint> = [
  {
    method: "GET",
    path: "/policies",
    tag: policies,
    summary: "All policies, or those in force",
    description: "With `topic`, the fields in force for a topic or a channel, and the policy that each comes from.",
    parameters: [
      query("topic", "name of a topic, which need not exist", "orders.new"),
      query("channel", "name of a channel, which need not exist", "billing")
    ],
    response: json(
      Schema.Union([PolicyList, PolicyInForce]),
      "the policies, the one with the highest precedence first; or what is in force",
      { policies: [{ ...policy, source: "api" }] }
    ),
    failures: [
      invalidRequest,
      failure(400, "MISSING_ARG_TOPIC", "there is `channel`, and no `topic`"),
      invalidPolicyName,
      failure(400, "INVALID_ARG_CHANNEL", "not a valid name of a channel")
    ],
    isOwn: true
  },
  {
    method: "PUT",
    path: "/policies",
    tag: policies,
    summary: "Sets a policy, in place of an earlier one with the same `match`",
    body: json(Policy, "the policy, at most 64 KiB", policy),
    response: json(ListedPolicy, "the policy, which is stored and in force", { ...policy, source: "api" }),
    failures: [
      failure(400, "INVALID_POLICY: <reason>", "not a valid policy"),
      failure(413, "BODY_TOO_BIG", "the body has more than 64 KiB"),
      failure(403, "TOO_MANY_POLICIES: <reason>", "the API has set 1000 policies"),
      failure(409, "POLICY_OF_CONFIG: <reason>", "the policy is one of the options"),
      ...policyFailures
    ],
    isOwn: true
  },
  {
    method: "DELETE",
    path: "/policies",
    tag: policies,
    summary: "Deletes a policy of the API",
    parameters: [query("match", "the pattern of the policy", "orders.*", { required: true })],
    failures: [
      failure(400, "MISSING_ARG_MATCH", "there is no parameter `match`"),
      failure(404, "POLICY_NOT_FOUND", "no policy of the API has this pattern"),
      failure(409, "POLICY_OF_CONFIG: <reason>", "the policy is one of the options"),
      ...policyFailures
    ],
    isOwn: true
  }
]

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

const seek: Endpoint = {
  method: "POST",
  path: "/channel/seek",
  tag: "Topics and channels",
  summary: "Moves a channel of a durable topic to another place of the log",
  parameters: [
    topic,
    channel,
    query("to", place, "2026-11-29T08:00:00Z", { required: true }),
    query("preview", "whether the channel stays where it is", true, { schema: { type: "boolean", default: false } })
  ],
  response: json(SeekResponse, "where the channel is, and how many messages wait from there on", {
    sequence: 41,
    messages: 60,
    moved: true
  }),
  failures: [
    ...channelFailures,
    channelNotFound,
    notDurable,
    failure(400, "MISSING_ARG_TO", "there is no parameter `to`"),
    failure(400, "INVALID_ARG_TO", "not a place of a log"),
    failure(400, "INVALID_ARG_PREVIEW", "not a boolean"),
    internalError
  ],
  isOwn: true
}

const invalidArgument = (name: string): Failure =>
  failure(400, `INVALID_ARG_${name.toUpperCase()}`, `\`${name}\` is not valid`)

const sequence = query("sequence", "number of the message in its topic", 41, {
  required: true,
  schema: { type: "integer", minimum: 1 }
})

const oneMessage: Omit<Endpoint, "method" | "path" | "summary"> = {
  tag: "Messages",
  parameters: [topic, channel, sequence],
  failures: [
    ...channelFailures,
    channelNotFound,
    notDurable,
    invalidArgument("sequence"),
    failure(404, "MESSAGE_NOT_FOUND", "the channel has no such message")
  ],
  isOwn: true
}

const messageEndpoints: ReadonlyArray<Endpoint> = [
  {
    method: "GET",
    path: "/messages",
    tag: "Messages",
    summary: "Messages of a durable topic, without consuming them",
    parameters: [
      topic,
      query("channel", "the channel whose states count", "billing"),
      query("state", "only messages in this state", "in_flight", {
        schema: { type: "string", enum: ["waiting", "in_flight", "deferred", "retained"] }
      }),
      query("from", `where to start: ${place}`, "beginning"),
      query("limit", "messages of a page", 100, {
        schema: { type: "integer", minimum: 1, maximum: 1000, default: 100 }
      }),
      query("contains", "only bodies with this text", "tea"),
      query("json", "`<path>=<value>`: only JSON with this value at the path", "user.id=42"),
      query("regex", "only bodies in which this regular expression (RE2) is found", "t[ea]+"),
      query("body_bytes", "most bytes of a body", 4096, { schema: { type: "integer", minimum: 0, default: 4096 } }),
      query("budget", "time for the page in ms", 5000, {
        schema: { type: "integer", maximum: 30_000, default: 5000 }
      })
    ],
    response: json(MessagesPage, "a page of messages; `next` is the `from` of the next one, or null", {
      messages: [{
        sequence: 41,
        id: "0d9a3b6e5f4c8001",
        timestamp: "1796000000000000000",
        attempts: 2,
        state: "in_flight",
        client: "10.0.0.7:51234",
        body_size: 3,
        body: "tea"
      }],
      next: 42,
      scanned: 512
    }),
    failures: [
      ...topicFailures,
      topicNotFound,
      channelNotFound,
      notDurable,
      ...["from", "state", "limit", "json", "regex", "body_bytes", "budget"].map(invalidArgument)
    ],
    isOwn: true
  },
  {
    method: "POST",
    path: "/message/reject",
    tag: "Messages",
    summary: "Moves a message in flight to the dead-letter topic",
    parameters: [topic, channel, messageId, query("reason", "why, for the header of the dead letter", "not an order")],
    failures: [
      ...channelFailures,
      channelNotFound,
      failure(400, "MISSING_ARG_ID", "there is no parameter `id`"),
      failure(400, "INVALID_ARG_ID", "not the id of a message"),
      failure(404, "MESSAGE_NOT_IN_FLIGHT", "the message is not in flight"),
      internalError
    ],
    isOwn: true
  },
  { ...oneMessage, method: "DELETE", path: "/messages", summary: "Finishes a message in a channel" },
  {
    ...oneMessage,
    method: "POST",
    path: "/messages/requeue",
    summary: "Takes a message out of flight, or ends its delay"
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

/** The API. */
export const nsqd: Api = {
  name: "nsqd",
  summary: "Publishing, consuming, topics and channels, and the state of an nsqd",
  server: "http://127.0.0.1:4151",
  schemas: {
    BrowsedMessage,
    Channel,
    Client,
    Connection,
    DrainProgress,
    DrainedTopic,
    Info,
    Latency,
    ListedPolicy,
    Memory,
    NodeStatus,
    Policy,
    PolicyInForce,
    Stats,
    Topic
  },
  endpoints: [
    {
      method: "POST",
      path: "/pub",
      tag: "Publishing",
      summary: "Publishes a message",
      parameters: [
        topic,
        query("defer", "delay until the first delivery, in ms, at most `--max-req-timeout`", 5000, milliseconds(0)),
        ...messageHeaders
      ],
      body: bytes("the message, at most `--max-msg-size`", "hello"),
      response: text("nsqd has the message", "OK"),
      failures: [
        failure(413, "MSG_TOO_BIG", "the body exceeds `--max-msg-size`"),
        failure(400, "MSG_EMPTY", "the body is empty"),
        failure(400, "INVALID_DEFER", "`defer` is out of range"),
        failure(400, "REJECTED <reason>", "a check of an embedding program refuses the message"),
        ...publishFailures
      ]
    },
    {
      method: "POST",
      path: "/mpub",
      tag: "Publishing",
      summary: "Publishes several messages",
      parameters: [
        topic,
        query(
          "binary",
          "whether the body is a count, then a size and the bytes of each message (big-endian, 4 bytes)",
          true,
          {
            schema: { type: "boolean", default: false }
          }
        ),
        ...messageHeaders
      ],
      body: bytes("a message in each line, at most `--max-body-size`", "one\ntwo\nthree"),
      response: text("nsqd has all messages", "OK"),
      failures: [
        failure(413, "BODY_TOO_BIG", "the body exceeds `--max-body-size`"),
        failure(413, "MSG_TOO_BIG", "a line exceeds `--max-msg-size`"),
        failure(413, "BAD_BODY", "binary: not a valid count"),
        failure(
          413,
          "BAD_MESSAGE",
          "binary: the size of a message is missing, 0 or too large, or its bytes are missing"
        ),
        failure(400, "REJECTED <reason>", "a check of an embedding program refuses the messages"),
        ...publishFailures
      ]
    },
    {
      method: "GET",
      path: "/sub",
      tag: "Consuming",
      summary: "Subscribes to a channel",
      description:
        "The topic and the channel are created if they do not exist. With an auth server, `Authorization: Bearer <secret>` is required.",
      parameters: [
        topic,
        channel,
        query("rdy", "messages in flight at a time, at most `--max-rdy-count`", 10, {
          schema: { type: "integer", minimum: 1, default: 1 }
        }),
        query("msg_timeout", "message timeout in ms, at most `--max-msg-timeout`", 60_000, milliseconds(1)),
        query("heartbeat", "time without a message after which a comment follows, in ms", 30_000, milliseconds(1000)),
        query("client_id", "name in `/stats`, at most 256 characters", "worker-1")
      ],
      response: text(
        "server-sent events: `subscribed`, then `message` for each message",
        `event: subscribed\ndata: {"subscription":"5f1c0b9e7d3a48c2a6e4f09b1d7c3e58","rdy":10,"msg_timeout":60000,"heartbeat":30000}\n\n` +
          `id: 19d3a5c2f0401000\nevent: message\ndata: {"id":"19d3a5c2f0401000","timestamp":1795989632123456789,"attempts":1,"body":"tea"}\n\n`,
        "text/event-stream"
      ),
      failures: [
        ...newChannelFailures,
        failure(400, "INVALID_ARG_RDY", "`rdy` is out of range"),
        failure(400, "INVALID_ARG_MSG_TIMEOUT", "`msg_timeout` is out of range"),
        failure(400, "INVALID_ARG_HEARTBEAT", "`heartbeat` is out of range"),
        failure(400, "INVALID_ARG_CLIENT_ID", "`client_id` is too long"),
        failure(401, "AUTH_REQUIRED", "there is no secret"),
        failure(401, "AUTH_FAILED", "the auth server does not accept the secret"),
        failure(403, "UNAUTHORIZED", "the secret does not permit the channel"),
        failure(403, "TOO_MANY_CONSUMERS: <reason>", "the channel has `--max-channel-consumers`"),
        tooManyTopics,
        tooManyChannels,
        failure(503, "TOO_MANY_CONSUMERS", "there are `--max-http-consumers`"),
        exiting
      ],
      isOwn: true
    },
    consuming("/sub/finish", "Finishes a message (FIN)", { parameters: [subscription, messageId] }),
    consuming("/sub/requeue", "Requeues a message (REQ)", {
      parameters: [
        subscription,
        messageId,
        query("defer", "delay in ms, at most `--max-req-timeout`", 1000, milliseconds(0))
      ],
      failures: [...messageFailures, failure(400, "INVALID_DEFER", "`defer` is out of range")]
    }),
    consuming("/sub/touch", "Restarts the timeout of a message (TOUCH)", { parameters: [subscription, messageId] }),
    consuming("/sub/ready", "Changes the messages in flight at a time (RDY)", {
      parameters: [
        subscription,
        query("rdy", "0 pauses; at most `--max-rdy-count`", 10, {
          required: true,
          schema: { type: "integer", minimum: 0 }
        })
      ],
      failures: [
        ...subFailures,
        failure(400, "MISSING_ARG_RDY", "there is no parameter `rdy`"),
        failure(400, "INVALID_ARG_RDY", "`rdy` is out of range")
      ]
    }),
    ...action("topic", "create", "Creates a topic", [...topicFailures, tooManyTopics, internalError]),
    ...action("topic", "delete", "Deletes a topic with its channels and messages", [
      ...anyTopicFailures,
      topicNotFound,
      internalError
    ]),
    ...action("topic", "empty", "Drops the messages that wait in a topic, not those in its channels", [
      ...topicFailures,
      topicNotFound,
      internalError
    ]),
    ...action("topic", "pause", "Keeps new messages in the topic", [...anyTopicFailures, topicNotFound, internalError]),
    ...action("topic", "unpause", "Hands messages over to the channels again", [
      ...anyTopicFailures,
      topicNotFound,
      internalError
    ]),
    ...action("channel", "create", "Creates a channel", [
      ...channelFailures,
      tooManyChannels,
      notDurable,
      failure(400, "INVALID_ARG_FROM", "not a place of a log"),
      internalError
    ], [query("from", `for durable topics, where the channel begins: ${place}`, "beginning")]),
    ...action("channel", "delete", "Deletes a channel and disconnects its consumers", [
      ...channelFailures,
      channelNotFound,
      internalError
    ]),
    ...action("channel", "empty", "Drops all messages of a channel", [
      ...channelFailures,
      channelNotFound,
      internalError
    ]),
    ...action("channel", "pause", "Stops deliveries", [...channelFailures, channelNotFound, internalError]),
    ...action("channel", "unpause", "Continues deliveries", [...channelFailures, channelNotFound, internalError]),
    seek,
    { ...durability, method: "PUT" },
    { ...durability, method: "POST" },
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
    ...policyEndpoints,
    ...messageEndpoints,
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
    },
    ...profiles("/debug/pprof/"),
    {
      method: "PUT",
      path: "/debug/setblockrate",
      tag: "Profiles",
      summary: "For Go's pprof; has no effect",
      parameters: [query("rate", "an integer", 1, { required: true, schema: { type: "integer" } })],
      response: text("always the same", "OK")
    },
    {
      method: "POST",
      path: "/debug/freememory",
      tag: "Profiles",
      summary: "Collects garbage",
      response: text("afterwards", "OK")
    }
  ]
}

/** The endpoints of nsqd for messages: publishing, consuming, and browsing. */
import { MessagesPage } from "../../../src/protocol/http/MessagesResponse.ts"
import { bytes, type Endpoint, type Failure, failure, header, json, query, text } from "./Endpoint.ts"
import {
  channel,
  channelFailures,
  channelNotFound,
  exiting,
  internalError,
  invalidRequest,
  milliseconds,
  newChannelFailures,
  notDurable,
  place,
  tooManyChannels,
  tooManyTopics,
  topic,
  topicFailures,
  topicNotFound
} from "./nsqdParts.ts"

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
  failure(400, "INVALID_TTL", "the time-to-live of the messages is not valid"),
  failure(
    400,
    "INVALID_HEADERS: <reason>",
    "the headers of the messages are not valid, too large, or ones that only nsqd sets"
  ),
  tooManyTopics,
  failure(429, "RATE_LIMITED: <reason>", "messages arrive faster than a policy permits"),
  failure(503, "TOPIC_FULL: <reason>", "a limit of a policy has no room for the message"),
  exiting,
  failure(503, "DRAINING: draining, publish to another nsqd", "nsqd drains"),
  failure(503, "<error of the disk>", "the message cannot be stored")
]

const subscription = query(
  "subscription",
  "id of the subscription, from its event `subscribed`",
  "5f1c0b9e7d3a48c2a6e4f09b1d7c3e58",
  {
    required: true
  }
)

const messageId = query("id", "id of the message", "19d3a5c2f0401000", { required: true })

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

const invalidArgument = (name: string): Failure =>
  failure(400, `INVALID_ARG_${name.toUpperCase()}: <reason>`, `\`${name}\` is not valid`)

const tooManyReaders = failure(503, "TOO_MANY_READERS", "nsqd already sends 16 such responses")

const sequence = query("sequence", "number of the message in its durable topic, required for one", 41, {
  schema: { type: "integer", minimum: 1 }
})
const idOfOne = query("id", "id of the message, required for a topic that is not durable", "0d9a3b6e5f4c8001")

const oneMessage: Omit<Endpoint, "method" | "path" | "summary"> = {
  tag: "Messages",
  parameters: [topic, channel, sequence, idOfOne],
  failures: [
    ...channelFailures,
    channelNotFound,
    failure(400, "MISSING_ARG_SEQUENCE", "the topic is durable, and there is no parameter `sequence`"),
    invalidArgument("sequence"),
    failure(400, "MISSING_ARG_ID", "the topic is not durable, and there is no parameter `id`"),
    failure(400, "INVALID_ARG_ID", "not the id of a message"),
    failure(404, "MESSAGE_NOT_FOUND", "the channel has no such message")
  ],
  isOwn: true
}

const messageEndpoints: ReadonlyArray<Endpoint> = [
  {
    method: "GET",
    path: "/messages",
    tag: "Messages",
    summary: "Messages of a topic or a channel, without consuming them",
    parameters: [
      topic,
      query("channel", "the channel whose states count", "billing"),
      query("state", "only messages in this state, or in one of several, with commas; `dead` alone", "in_flight", {
        schema: { type: "string", enum: ["waiting", "in_flight", "deferred", "retained", "dead"] }
      }),
      query("from", `where to start: \`next\` of the page before, or for a durable topic ${place}`, "beginning"),
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
      failure(400, "NOT_DURABLE: <reason>", "the state is `retained`, and the topic has no log"),
      failure(400, "MISSING_ARG_CHANNEL", "the dead letters of each channel are in a topic of their own"),
      ...["from", "state", "limit", "json", "regex", "body_bytes", "budget"].map(invalidArgument),
      tooManyReaders
    ],
    isOwn: true
  },
  {
    method: "GET",
    path: "/messages/stream",
    tag: "Messages",
    summary: "A range of a durable topic's messages with whole bodies, without a channel",
    description:
      "With `Accept: text/event-stream`: a server-sent event `message` for each, with its sequence as id, and an event `end` at last.",
    parameters: [
      topic,
      query("from", `where to start: ${place}`, "2026-11-29T00:00:00Z"),
      query("to", `where to end, without the message there: ${place}`, "end"),
      query("contains", "only bodies with this text", "tea"),
      query("json", "`<path>=<value>`: only JSON with this value at the path", "user.id=42"),
      query("regex", "only bodies in which this regular expression (RE2) is found", "t[ea]+")
    ],
    response: text(
      "a line of JSON for each message",
      `{"sequence":41,"id":"0d9a3b6e5f4c8001","timestamp":"1796000000000000000","attempts":0,"state":"retained","body_size":3,"body":"tea"}\n`,
      "application/x-ndjson"
    ),
    failures: [
      ...topicFailures,
      topicNotFound,
      notDurable,
      ...["from", "to", "json", "regex"].map(invalidArgument),
      tooManyReaders
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
  {
    ...oneMessage,
    method: "DELETE",
    path: "/messages",
    summary: "Finishes a message in a channel",
    failures: [
      ...oneMessage.failures ?? [],
      failure(409, "MESSAGE_ON_DISK: <reason>", "the message is in the files of the disk queue")
    ]
  },
  {
    ...oneMessage,
    method: "POST",
    path: "/messages/requeue",
    summary: "Takes a message out of flight, or ends its delay"
  }
]

/** Publishing and consuming. */
export const messages: ReadonlyArray<Endpoint> = [
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
      "The topic and the channel are created if they do not exist. With an auth server, `Authorization: Bearer <secret>` is required. With `Upgrade: websocket` the response is a WebSocket with the messages and acknowledgements as JSON.",
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
      failure(426, "UPGRADE_REQUIRED", "the version of the WebSocket is not 13"),
      failure(501, "WEBSOCKET_NOT_SUPPORTED: <reason>", "the version of Node.js cannot upgrade single requests"),
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
  consuming("/sub/reject", "Makes a message a dead letter (REQ with a reason)", {
    parameters: [
      subscription,
      messageId,
      query("reason", "why, at most 256 characters; default `rejected`", "not JSON")
    ]
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
  ...messageEndpoints
]

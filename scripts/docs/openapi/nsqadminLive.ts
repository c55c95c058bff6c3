/** The endpoints of nsqadmin for live figures, alerts and messages, which NSQ's nsqadmin does not have. */
import { Schema } from "effect"
import { NewMessage } from "../../../src/protocol/http/admin/AdminApi.ts"
import { HistoryResponse, LiveSample, Mute, TailEvent } from "../../../src/protocol/http/admin/AdminLive.ts"
import { type Content, type Endpoint, failure, json, query, text } from "./Endpoint.ts"
import { changeFailures, done, forbidden, invalidJson, topic } from "./nsqadminParts.ts"

/** Server-sent events whose data is JSON of a Schema. */
const events = <S extends Schema.Top>(schema: S, description: string, example: S["Type"]): Content => ({
  ...text(
    description,
    `data: ${JSON.stringify(example)}

`,
    "text/event-stream"
  ),
  isValid: () => Schema.is(Schema.toType(schema))(example)
})

/** The endpoints. */
export const live: ReadonlyArray<Endpoint> = [
  {
    method: "GET",
    path: "/api/live",
    tag: "Live figures",
    summary: "The state of the cluster, then its changes",
    parameters: [
      query("topic", "adds all series of the topic", "orders"),
      query("node", "adds all series of the nsqd", "nsqd-1.internal:4151")
    ],
    response: events(LiveSample, "server-sent events with `LiveSample` as JSON", {
      at: 1_795_989_632_000,
      full: true,
      more: false,
      topics: [],
      gone: [],
      points: [],
      daemons: [],
      nodes: [],
      warnings: [],
      message: ""
    }),
    failures: [failure(503, "<reason>", "there are `--max-live-clients`")],
    isOwn: true
  },
  {
    method: "GET",
    path: "/api/history",
    tag: "Live figures",
    summary: "The past hour of topics",
    parameters: [
      query("topics", "names, separated by commas; at most 200", "orders,invoices"),
      query("detail", "whether to add the channels and nsqds of the topics", "true", {
        schema: { type: "string", enum: ["true", "false"] }
      })
    ],
    response: json(HistoryResponse, "points 20 seconds apart, oldest first; null where no value is known", {
      times: [1_795_989_620_000, 1_795_989_640_000],
      series: [{
        topic: "orders",
        channel: "",
        node: "",
        backlog: [4, 0],
        rate: [null, 12.5],
        finish_rate: [null, 12.7],
        requeue_rate: [null, 0],
        timeout_rate: [null, 0]
      }]
    }),
    failures: [failure(400, "<reason>", "too many topics")],
    isOwn: true
  },
  {
    method: "POST",
    path: "/api/mutes",
    tag: "Live figures",
    summary: "Mutes a warning for all users",
    body: json(Mute, "the warning, and the minutes: from 1 to 43,200; 0 ends the mute", {
      kind: "paused_channel",
      topic: "orders",
      channel: "billing",
      node: "",
      minutes: 60
    }),
    response: done,
    failures: [invalidJson, forbidden],
    isOwn: true
  },
  {
    method: "POST",
    path: "/api/alerts/test",
    tag: "Live figures",
    summary: "Sends a test alert to every webhook",
    response: done,
    failures: [
      failure(400, "<reason>", "no webhook is configured"),
      forbidden,
      failure(502, "WEBHOOK_FAILED: <names>", "webhooks that failed")
    ],
    isOwn: true
  },
  {
    method: "POST",
    path: "/api/messages/:topic",
    tag: "Messages",
    summary: "Publishes a message",
    parameters: [topic],
    body: json(NewMessage, "the message; `node` and `defer` (ms) are optional", {
      body: "tea",
      encoding: "text"
    }),
    response: done,
    failures: [invalidJson, failure(400, "INVALID_TOPIC", "not a valid name of a topic"), ...changeFailures],
    isOwn: true
  },
  {
    method: "GET",
    path: "/api/messages/:topic",
    tag: "Messages",
    summary: "Messages as they are published",
    description: "They are read from an ephemeral channel that is deleted when the request ends.",
    parameters: [
      topic,
      query("sample", "percentage of the messages", 100, {
        schema: { type: "number", minimum: 1, maximum: 100, default: 100 }
      })
    ],
    response: events(TailEvent, "server-sent events with `TailEvent` as JSON", {
      _tag: "Message",
      id: "19d3a5c2f0401000",
      at: 1_795_989_632_000,
      attempts: 1,
      node: "nsqd-1.internal:4150",
      body: "dGVh",
      size: 3
    }),
    failures: [...changeFailures, failure(503, "<reason>", "there are `--max-tails`")],
    isOwn: true
  }
]

/** The endpoints of nsqd that publish dead letters again. */
import { RedriveProgress } from "../../../src/protocol/http/RedriveResponse.ts"
import { type Endpoint, failure, json, query } from "./Endpoint.ts"
import { notDurable, topic, topicFailures, topicNotFound } from "./nsqdParts.ts"

const progress = json(RedriveProgress, "how far the redrive is", {
  topic: "orders.dlq",
  channel: "redrive",
  to: "",
  state: "running",
  scanned: 41,
  moved: 40,
  skipped: 1,
  started_at: 1_795_989_632,
  ended_at: 0
})

const common: Omit<Endpoint, "method" | "summary"> = {
  path: "/topic/redrive",
  tag: "Dead letters",
  parameters: [topic],
  response: progress,
  failures: [
    ...topicFailures,
    topicNotFound,
    failure(404, "REDRIVE_NOT_FOUND", "the topic has had no redrive since the start of nsqd")
  ],
  isOwn: true
}

/** Begins, shows and cancels a redrive. */
export const redrives: ReadonlyArray<Endpoint> = [
  {
    ...common,
    method: "POST",
    summary: "Begins to publish the dead letters of a topic again",
    parameters: [
      topic,
      query("channel", "the channel whose messages are meant; default: the only one, or `redrive`", "redrive"),
      query("id", "a single message: its id, or the one that it had before", "0d9a3b6e5f4c8001"),
      query("contains", "only bodies with this text", "tea"),
      query("json", "`<path>=<value>`: only JSON with this value at the path", "user.id=42"),
      query("regex", "only bodies in which this regular expression (RE2) is found", "t[ea]+"),
      query("to", "the topic to publish to; default: the one that each message came from", "orders"),
      query("rate", "messages per second; 0 for no limit", 100, {
        schema: { type: "integer", minimum: 0, default: 0 }
      })
    ],
    failures: [
      ...topicFailures,
      topicNotFound,
      failure(400, "INVALID_ARG_CHANNEL", "not a valid name of a channel"),
      failure(400, "MISSING_ARG_CHANNEL", "the topic has several channels"),
      failure(400, "INVALID_ARG_ID: <reason>", "not the id of a message"),
      failure(400, "INVALID_ARG_TO: <reason>", "not a valid name of a topic, or the topic itself"),
      failure(400, "INVALID_ARG_RATE: <reason>", "not a number of messages"),
      failure(400, "INVALID_ARG_JSON: <reason>", "not a path and a value"),
      failure(400, "INVALID_ARG_REGEX: <reason>", "not a regular expression"),
      notDurable,
      failure(409, "REDRIVE_RUNNING", "a redrive of the topic runs")
    ]
  },
  { ...common, method: "GET", summary: "How far a redrive is" },
  { ...common, method: "DELETE", summary: "Cancels a redrive" }
]

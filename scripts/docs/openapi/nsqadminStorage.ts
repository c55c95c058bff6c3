/** The endpoints of nsqadmin for stored messages, moves of channels, and policies. */
import {
  AnyPolicy,
  InForceResponse,
  PoliciesResponse,
  PolicyChangeResponse,
  Redrive,
  RedriveResponse,
  Rewind,
  RewindResponse,
  StoredMessagesResponse
} from "../../../src/protocol/http/admin/AdminStorage.ts"
import { type Endpoint, failure, inPath, json, query } from "./Endpoint.ts"
import { changeFailures, done, invalidJson, node, topic, upstream } from "./nsqadminParts.ts"

const channel = inPath("channel", "name of the channel", "billing")
const sequence = inPath("sequence", "number of the message in its durable topic; its id in another one", "41")
const ofChannel = [
  query("topic", "name of the topic", "orders", { required: true }),
  query("channel", "name of the channel", "billing", { required: true })
]
const place = "`beginning`, `end`, a time as in RFC 3339, or the sequence of a message"
const notFound = failure(404, "NOT_FOUND", "there is no such nsqd, topic, channel or message")
const page = "nsqd-1.internal:4151"

const moved = json(RewindResponse, "how many messages the channel gets on each nsqd", {
  nodes: [{ node: page, messages: 60, error: "" }],
  message: ""
})

const redrive = json(RedriveResponse, "how far the last redrive of the topic is; null before the first", {
  redrive: {
    topic: "orders.dlq",
    channel: "redrive",
    to: "",
    state: "running",
    scanned: 512,
    moved: 40,
    skipped: 0,
    started_at: 1785499200,
    ended_at: 0
  },
  message: ""
})

const onNode = { path: "/api/nodes/:node/redrive", tag: "Stored messages", response: redrive, isOwn: true } as const
const deadLetterTopic = query("topic", "name of the dead-letter topic", "orders.dlq", { required: true })

const changed = json(PolicyChangeResponse, "the error of each nsqd; empty after success", {
  nodes: [{ node: page, error: "" }],
  message: ""
})

const single = (method: "DELETE" | "POST", path: string, summary: string): Endpoint => ({
  method,
  path,
  tag: "Stored messages",
  summary,
  parameters: [node, sequence, ...ofChannel],
  response: done,
  failures: [notFound, ...changeFailures],
  isOwn: true
})

/** The endpoints. */
export const storage: ReadonlyArray<Endpoint> = [
  {
    method: "GET",
    path: "/api/nodes/:node/messages",
    tag: "Stored messages",
    summary: "A page of the messages of a topic on one nsqd, for administrators",
    parameters: [
      node,
      query("topic", "name of the topic", "orders", { required: true }),
      query("channel", "the channel whose states count", "billing"),
      query("state", "`waiting`, `in_flight`, `deferred`, `retained` or `dead`", "waiting"),
      query("from", `\`next\` of the page before, or for a durable topic ${place}`, "beginning"),
      query("limit", "most messages of the page", "100"),
      query("contains", "only bodies with this text", "tea"),
      query("json", "only JSON with a value at a path", "user.id=42"),
      query("regex", "only bodies in which this regular expression is found", "n1[57]")
    ],
    response: json(StoredMessagesResponse, "a page; `next` is the `from` of the next one, or null", {
      messages: [],
      next: null,
      scanned: 512,
      message: ""
    }),
    failures: [notFound, ...changeFailures],
    isOwn: true
  },
  single("DELETE", "/api/nodes/:node/messages/:sequence", "Finishes a single message in a channel"),
  single(
    "POST",
    "/api/nodes/:node/messages/:sequence/requeue",
    "Takes a message out of flight, or ends the delay of a deferred one"
  ),
  {
    ...onNode,
    method: "GET",
    summary: "How far the last redrive of a dead-letter topic is on one nsqd",
    parameters: [node, deadLetterTopic],
    failures: [notFound, ...changeFailures]
  },
  {
    ...onNode,
    method: "POST",
    summary: "Begins to publish the dead letters of one nsqd again",
    parameters: [node],
    body: json(Redrive, "which messages, and where to", { topic: "orders.dlq", contains: "tea", rate: 100 }),
    failures: [invalidJson, notFound, ...changeFailures]
  },
  {
    ...onNode,
    method: "DELETE",
    summary: "Cancels the redrive of a dead-letter topic on one nsqd",
    parameters: [node, deadLetterTopic],
    failures: [notFound, ...changeFailures]
  },
  {
    method: "GET",
    path: "/api/topics/:topic/:channel/rewind",
    tag: "Topics and channels",
    summary: "How many messages a channel would get from a place of its topic's log on",
    parameters: [topic, channel, query("to", place, "beginning", { required: true })],
    response: moved,
    failures: [notFound, ...changeFailures],
    isOwn: true
  },
  {
    method: "POST",
    path: "/api/topics/:topic/:channel/rewind",
    tag: "Topics and channels",
    summary: "Moves a channel to another place of its topic's log on each nsqd",
    parameters: [topic, channel],
    body: json(Rewind, "the place", { to: "2026-11-29T08:00:00Z" }),
    response: moved,
    failures: [invalidJson, notFound, ...changeFailures],
    isOwn: true
  },
  {
    method: "GET",
    path: "/api/policies",
    tag: "Policies",
    summary: "The policies of each nsqd",
    response: json(PoliciesResponse, "the policies", {
      nodes: [{ node: page, policies: [], error: "" }],
      message: ""
    }),
    failures: [upstream],
    isOwn: true
  },
  {
    method: "GET",
    path: "/api/policies/:topic",
    tag: "Policies",
    summary: "What applies to a topic, or to a channel of it, on each nsqd",
    parameters: [topic, query("channel", "name of the channel", "billing")],
    response: json(InForceResponse, "the fields in force", {
      nodes: [{ node: page, fields: null, error: "" }],
      message: ""
    }),
    failures: [upstream],
    isOwn: true
  },
  {
    method: "PUT",
    path: "/api/policies",
    tag: "Policies",
    summary: "Sets a policy on each nsqd",
    body: json(AnyPolicy, "the policy", { match: "orders.*", max_attempts: 5 }),
    response: changed,
    failures: [invalidJson, ...changeFailures],
    isOwn: true
  },
  {
    method: "DELETE",
    path: "/api/policies",
    tag: "Policies",
    summary: "Deletes a policy from each nsqd",
    parameters: [query("match", "pattern of the policy", "orders.*", { required: true })],
    response: changed,
    failures: [notFound, ...changeFailures],
    isOwn: true
  }
]

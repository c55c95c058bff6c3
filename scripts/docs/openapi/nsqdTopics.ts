/** The endpoints of nsqd for topics and channels, and for their policies. */
import { Schema } from "effect"
import { ListedPolicy, Policy, PolicyInForce, PolicyList } from "../../../src/protocol/http/PoliciesResponse.ts"
import { SeekResponse } from "../../../src/protocol/http/SeekResponse.ts"
import { type Endpoint, type Failure, failure, json, type Parameter, query } from "./Endpoint.ts"
import {
  anyTopicFailures,
  channel,
  channelFailures,
  channelNotFound,
  internalError,
  invalidRequest,
  notDurable,
  place,
  tooManyChannels,
  tooManyTopics,
  topic,
  topicFailures,
  topicNotFound
} from "./nsqdParts.ts"

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
    failure(400, "INVALID_ARG_TO: <reason>", "not a place of a log"),
    failure(400, "INVALID_ARG_PREVIEW", "not a boolean"),
    internalError
  ],
  isOwn: true
}

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

/** Topics, channels and policies. */
export const topics: ReadonlyArray<Endpoint> = [
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
    failure(400, "INVALID_ARG_FROM: <reason>", "not a place of a log"),
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
  ...policyEndpoints
]

/**
 * nsqadmin's API, from which its server, the browser's client and tests have their types. Paths and shapes are NSQ's (section 3
 * of the nsqadmin notes); `live`, `history`, `messages` and `tail` are ours. All paths lie below `--base-path`.
 */
import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { BadRequest, Forbidden, InternalError, NotFound, Unavailable, UpstreamError } from "./AdminFailure.ts"
import { HistoryAnswer, LiveSample, TailEvent } from "./AdminLive.ts"
import { NodeAnswer, NodesAnswer } from "./AdminNodes.ts"
import { ChannelAnswer, CounterAnswer, TopicAnswer } from "./AdminStats.ts"

/** What an action answers: empty, or a warning of what could not be reached. */
export const ActionAnswer = Schema.Struct({ message: Schema.String })
export type ActionAnswer = typeof ActionAnswer.Type

/** Names; with `inactive=true` topics without producers, each with its channels. */
export const TopicsAnswer = Schema.Struct({
  topics: Schema.NullOr(Schema.Union([
    Schema.Array(Schema.String),
    Schema.Record(Schema.String, Schema.NullOr(Schema.Array(Schema.String)))
  ])),
  message: Schema.String
})
export type TopicsAnswer = typeof TopicsAnswer.Type

export const NewTopic = Schema.Struct({ topic: Schema.String, channel: Schema.optionalKey(Schema.String) })
export const Action = Schema.Struct({ action: Schema.Literals(["pause", "unpause", "empty"]) })
export type Action = typeof Action.Type["action"]
export const Tombstone = Schema.Struct({ topic: Schema.String })

/** A message to publish to the topic, on the named nsqd or on any that has it. */
export const NewMessage = Schema.Struct({
  body: Schema.String,
  /** How `body` is written. */
  encoding: Schema.Literals(["text", "base64"]),
  /** `host:port` of the HTTP API of an nsqd. */
  node: Schema.optionalKey(Schema.String),
  /** Milliseconds. */
  defer: Schema.optionalKey(Schema.Finite)
})
export type NewMessage = typeof NewMessage.Type

const readFailures = [UpstreamError, InternalError] as const
const actionFailures = [BadRequest, Forbidden, UpstreamError, InternalError] as const

const topicParams = { topic: Schema.String }
const channelParams = { topic: Schema.String, channel: Schema.String }

export class TopicsGroup extends HttpApiGroup.make("topics").add(
  HttpApiEndpoint.get("list", "/api/topics", {
    query: { inactive: Schema.optionalKey(Schema.String) },
    success: TopicsAnswer,
    error: [BadRequest, ...readFailures]
  }),
  HttpApiEndpoint.post("create", "/api/topics", {
    payload: NewTopic,
    success: ActionAnswer,
    error: actionFailures
  }),
  HttpApiEndpoint.get("get", "/api/topics/:topic", {
    params: topicParams,
    success: TopicAnswer,
    error: readFailures
  }),
  HttpApiEndpoint.post("act", "/api/topics/:topic", {
    params: topicParams,
    payload: Action,
    success: ActionAnswer,
    error: actionFailures
  }),
  HttpApiEndpoint.delete("delete", "/api/topics/:topic", {
    params: topicParams,
    success: ActionAnswer,
    error: actionFailures
  }),
  HttpApiEndpoint.get("getChannel", "/api/topics/:topic/:channel", {
    params: channelParams,
    success: ChannelAnswer,
    error: [NotFound, ...readFailures]
  }),
  HttpApiEndpoint.post("actOnChannel", "/api/topics/:topic/:channel", {
    params: channelParams,
    payload: Action,
    success: ActionAnswer,
    error: actionFailures
  }),
  HttpApiEndpoint.delete("deleteChannel", "/api/topics/:topic/:channel", {
    params: channelParams,
    success: ActionAnswer,
    error: actionFailures
  })
) {}

export class NodesGroup extends HttpApiGroup.make("nodes").add(
  HttpApiEndpoint.get("list", "/api/nodes", { success: NodesAnswer, error: readFailures }),
  HttpApiEndpoint.get("get", "/api/nodes/:node", {
    params: { node: Schema.String },
    success: NodeAnswer,
    error: [NotFound, ...readFailures]
  }),
  HttpApiEndpoint.delete("tombstone", "/api/nodes/:node", {
    params: { node: Schema.String },
    payload: Tombstone,
    success: ActionAnswer,
    error: actionFailures
  })
) {}

export class CountersGroup extends HttpApiGroup.make("counters").add(
  HttpApiEndpoint.get("counter", "/api/counter", { success: CounterAnswer, error: readFailures }),
  HttpApiEndpoint.get("graphite", "/api/graphite", {
    query: { metric: Schema.optionalKey(Schema.String), target: Schema.optionalKey(Schema.String) },
    success: Schema.Struct({ rate: Schema.String }),
    error: [BadRequest, InternalError]
  })
) {}

/** Ours: the cluster as it changes. */
export class LiveGroup extends HttpApiGroup.make("live").add(
  /** The state of the cluster, and what changes in it. With `topic` also the series of that topic. */
  HttpApiEndpoint.get("samples", "/api/live", {
    query: { topic: Schema.optionalKey(Schema.String) },
    success: HttpApiSchema.StreamSse({ data: LiveSample }),
    error: [Unavailable]
  }),
  /** The past hour: of the topics named (up to 200), or with `detail` of all series of the one topic. */
  HttpApiEndpoint.get("history", "/api/history", {
    query: {
      /** Names separated by commas. */
      topics: Schema.optionalKey(Schema.String),
      detail: Schema.optionalKey(Schema.Literals(["true", "false"]))
    },
    success: HistoryAnswer,
    error: [BadRequest]
  })
) {}

/** Ours: messages of a topic. */
export class MessagesGroup extends HttpApiGroup.make("messages").add(
  HttpApiEndpoint.post("publish", "/api/messages/:topic", {
    params: topicParams,
    payload: NewMessage,
    success: ActionAnswer,
    error: actionFailures
  }),
  /** Messages as they are published, by a channel that disappears with the request. `sample` is a percentage, 1 to 100. */
  HttpApiEndpoint.get("tail", "/api/messages/:topic", {
    params: topicParams,
    query: { sample: Schema.optionalKey(Schema.FiniteFromString) },
    success: HttpApiSchema.StreamSse({ data: TailEvent }),
    error: [...actionFailures, Unavailable]
  })
) {}

export class AdminApi
  extends HttpApi.make("nsqadmin").add(TopicsGroup, NodesGroup, CountersGroup, LiveGroup, MessagesGroup)
{}

/**
 * nsqadmin's HTTP API as an Effect `HttpApi`. The server, the browser's client and the tests derive their types from it. Paths
 * and shapes are NSQ's (docs/protocol/http.md#nsqadmin-endpoints); the groups `clients`, `live`, `messages`, `storage`
 * and `policies` are not in NSQ
 * (docs/nsqadmin.md#the-api). All paths are relative to `--base-path`.
 */
import { Schema } from "effect"
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema } from "effect/http-api"
import { Text } from "../Lenient.ts"
import { ClientsResponse } from "./AdminClients.ts"
import { BadRequest, Forbidden, InternalError, NotFound, Unavailable, UpstreamError } from "./AdminFailure.ts"
import { HistoryResponse, LiveSample, Mute, TailEvent } from "./AdminLive.ts"
import { NodeResponse, NodesResponse } from "./AdminNodes.ts"
import { ChannelResponse, CounterResponse, TopicResponse } from "./AdminStats.ts"
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
} from "./AdminStorage.ts"

/** The response to an action. `message` is empty, or a warning that lists the daemons that failed. */
export const ActionResponse = Schema.Struct({ message: Schema.String })
export type ActionResponse = typeof ActionResponse.Type

/** `GET /api/topics`. A list of names, or with `inactive=true` the topics without producers and the channels of each. */
export const TopicsResponse = Schema.Struct({
  topics: Schema.NullOr(Schema.Union([
    Schema.Array(Schema.String),
    Schema.Record(Schema.String, Schema.NullOr(Schema.Array(Schema.String)))
  ])),
  message: Schema.String
})
export type TopicsResponse = typeof TopicsResponse.Type

/*
 * As in NSQ, a missing name is empty. The server checks names after it has decoded them, because an invalid one has an error code
 * of its own.
 */

/** The body of `POST /api/topics`: a topic to create, and optionally a channel. An empty channel counts as none. */
export const NewTopic = Schema.Struct({ topic: Text, channel: Schema.optionalKey(Schema.String) })
/** The body of a `POST` to a topic or a channel. */
export const Action = Schema.Struct({ action: Schema.Literals(["pause", "unpause", "empty"]) })
export type Action = typeof Action.Type["action"]
/** The same with any name. The server decodes this, and refuses a name that is not an action with `INVALID_ACTION`. */
export const AnyAction = Schema.Struct({ action: Text })
/** The body of `DELETE /api/nodes/:node`: the topic to hide and delete on that nsqd. */
export const Tombstone = Schema.Struct({ topic: Text })

/** The body of `POST /api/messages/:topic`: a message to publish. */
export const NewMessage = Schema.Struct({
  body: Schema.String,
  /** The encoding of `body`. */
  encoding: Schema.Literals(["text", "base64"]),
  /** `host:port` of the HTTP API of an nsqd. Default: the first nsqd with the topic that accepts the message. */
  node: Schema.optionalKey(Schema.String),
  /** Milliseconds until the first delivery. Default 0. */
  defer: Schema.optionalKey(Schema.Finite)
})
export type NewMessage = typeof NewMessage.Type

const readFailures = [UpstreamError, InternalError] as const
const actionFailures = [BadRequest, Forbidden, UpstreamError, InternalError] as const

const topicParams = { topic: Schema.String }
const channelParams = { topic: Schema.String, channel: Schema.String }

/** Topics and channels: lists, figures and actions. */
export class TopicsGroup extends HttpApiGroup.make("topics").add(
  HttpApiEndpoint.get("list", "/api/topics", {
    query: { inactive: Schema.optionalKey(Schema.String) },
    success: TopicsResponse,
    error: [BadRequest, ...readFailures]
  }),
  HttpApiEndpoint.post("create", "/api/topics", {
    payload: NewTopic,
    success: ActionResponse,
    error: actionFailures
  }),
  HttpApiEndpoint.get("get", "/api/topics/:topic", {
    params: topicParams,
    success: TopicResponse,
    error: readFailures
  }),
  HttpApiEndpoint.post("act", "/api/topics/:topic", {
    params: topicParams,
    payload: Action,
    success: ActionResponse,
    error: actionFailures
  }),
  HttpApiEndpoint.delete("delete", "/api/topics/:topic", {
    params: topicParams,
    success: ActionResponse,
    error: actionFailures
  }),
  HttpApiEndpoint.get("getChannel", "/api/topics/:topic/:channel", {
    params: channelParams,
    success: ChannelResponse,
    error: [NotFound, ...readFailures]
  }),
  HttpApiEndpoint.post("actOnChannel", "/api/topics/:topic/:channel", {
    params: channelParams,
    payload: Action,
    success: ActionResponse,
    error: actionFailures
  }),
  HttpApiEndpoint.delete("deleteChannel", "/api/topics/:topic/:channel", {
    params: channelParams,
    success: ActionResponse,
    error: actionFailures
  })
) {}

/** The nsqds of the cluster: list, figures and tombstones. */
export class NodesGroup extends HttpApiGroup.make("nodes").add(
  HttpApiEndpoint.get("list", "/api/nodes", { success: NodesResponse, error: readFailures }),
  HttpApiEndpoint.get("get", "/api/nodes/:node", {
    params: { node: Schema.String },
    success: NodeResponse,
    error: [NotFound, ...readFailures]
  }),
  /** The same with only one topic; none if the nsqd does not have it. Not in NSQ. */
  HttpApiEndpoint.get("getTopic", "/api/nodes/:node/topics/:topic", {
    params: { node: Schema.String, topic: Schema.String },
    success: NodeResponse,
    error: [NotFound, ...readFailures]
  }),
  HttpApiEndpoint.delete("tombstone", "/api/nodes/:node", {
    params: { node: Schema.String },
    payload: Tombstone,
    success: ActionResponse,
    error: actionFailures
  }),
  /** Begins the drain of an nsqd. Not in NSQ, as the next. */
  HttpApiEndpoint.put("drain", "/api/nodes/:node/drain", {
    params: { node: Schema.String },
    success: ActionResponse,
    error: [NotFound, ...actionFailures]
  }),
  /** Ends the drain of an nsqd. */
  HttpApiEndpoint.delete("undrain", "/api/nodes/:node/drain", {
    params: { node: Schema.String },
    success: ActionResponse,
    error: [NotFound, ...actionFailures]
  })
) {}

/** The connections of clients. Not in NSQ. */
export class ClientsGroup extends HttpApiGroup.make("clients").add(
  /**
   * The connections to all nsqds or to `node`: with `topic` those that consume the topic or have published to it, with `channel` those that
   * consume it, with `address` the one with that remote address.
   */
  HttpApiEndpoint.get("list", "/api/clients", {
    query: {
      topic: Schema.optionalKey(Schema.String),
      channel: Schema.optionalKey(Schema.String),
      node: Schema.optionalKey(Schema.String),
      address: Schema.optionalKey(Schema.String)
    },
    success: ClientsResponse,
    error: [NotFound, ...readFailures]
  }),
  /** Ends the connection of the client with this remote address. For administrators only. */
  HttpApiEndpoint.delete("close", "/api/nodes/:node/clients/:client", {
    params: { node: Schema.String, client: Schema.String },
    success: ActionResponse,
    error: [NotFound, ...actionFailures]
  })
) {}

/** Plain numbers: the message count of every channel, and a rate from Graphite. */
export class CountersGroup extends HttpApiGroup.make("counters").add(
  HttpApiEndpoint.get("counter", "/api/counter", { success: CounterResponse, error: readFailures }),
  HttpApiEndpoint.get("graphite", "/api/graphite", {
    query: { metric: Schema.optionalKey(Schema.String), target: Schema.optionalKey(Schema.String) },
    success: Schema.Struct({ rate: Schema.String }),
    error: [BadRequest, InternalError]
  })
) {}

/** Live figures and their history. Not in NSQ. */
export class LiveGroup extends HttpApiGroup.make("live").add(
  /**
   * The state of the cluster, then its changes, as server-sent events. `topic` adds all series of that topic, `node` those of an nsqd.
   */
  HttpApiEndpoint.get("samples", "/api/live", {
    query: { topic: Schema.optionalKey(Schema.String), node: Schema.optionalKey(Schema.String) },
    success: HttpApiSchema.StreamSse({ data: LiveSample }),
    error: [Unavailable]
  }),
  /**
   * The past hour of the given topics (at most 200); with `detail=true` also of their channels and nodes. With `span` a longer or
   * shorter time of one topic or channel over all nsqds.
   */
  HttpApiEndpoint.get("history", "/api/history", {
    query: {
      /** Comma-separated names. */
      topics: Schema.optionalKey(Schema.String),
      detail: Schema.optionalKey(Schema.Literals(["true", "false"])),
      /** Milliseconds, from a minute to a year. */
      span: Schema.optionalKey(Schema.FiniteFromString),
      /** With `span`: a channel of the topic. Default: the topic itself. */
      channel: Schema.optionalKey(Schema.String),
      /** With `span`: its end in Unix milliseconds. Default: now. */
      to: Schema.optionalKey(Schema.FiniteFromString),
      /** With `span`: how many milliseconds earlier, as 86400000 for the day before. Default 0. */
      before: Schema.optionalKey(Schema.FiniteFromString)
    },
    success: HistoryResponse,
    error: [BadRequest]
  }),
  /** Mutes a warning for all users. For administrators only. */
  HttpApiEndpoint.post("mute", "/api/mutes", {
    payload: Mute,
    success: ActionResponse,
    error: [BadRequest, Forbidden, InternalError]
  }),
  /** Sends a test alert to each webhook. Fails with those that failed. For administrators only. */
  HttpApiEndpoint.post("testAlert", "/api/alerts/test", {
    success: ActionResponse,
    error: [BadRequest, Forbidden, UpstreamError]
  })
) {}

/** Publishing a test message and tailing a topic. Not in NSQ; for administrators only. */
export class MessagesGroup extends HttpApiGroup.make("messages").add(
  HttpApiEndpoint.post("publish", "/api/messages/:topic", {
    params: topicParams,
    payload: NewMessage,
    success: ActionResponse,
    error: actionFailures
  }),
  /**
   * Messages as they are published, read from an ephemeral channel that is deleted when the request ends. `sample` is a
   * percentage from 1 to 100, default 100.
   */
  HttpApiEndpoint.get("tail", "/api/messages/:topic", {
    params: topicParams,
    query: { sample: Schema.optionalKey(Schema.FiniteFromString) },
    success: HttpApiSchema.StreamSse({ data: TailEvent }),
    error: [...actionFailures, Unavailable]
  })
) {}

/** The messages of topics on their nsqds. Not in NSQ; changes and bodies are for administrators only. */
export class StorageGroup extends HttpApiGroup.make("storage").add(
  /** A page of the messages of a topic on one nsqd, as nsqd's `GET /messages`. For administrators only. */
  HttpApiEndpoint.get("browse", "/api/nodes/:node/messages", {
    params: { node: Schema.String },
    query: {
      topic: Schema.String,
      channel: Schema.optionalKey(Schema.String),
      state: Schema.optionalKey(Schema.String),
      from: Schema.optionalKey(Schema.String),
      limit: Schema.optionalKey(Schema.String),
      contains: Schema.optionalKey(Schema.String),
      json: Schema.optionalKey(Schema.String),
      regex: Schema.optionalKey(Schema.String)
    },
    success: StoredMessagesResponse,
    error: [NotFound, ...actionFailures]
  }),
  /** Finishes the message with this sequence, or with this id if its topic is not durable, in a channel. */
  HttpApiEndpoint.delete("remove", "/api/nodes/:node/messages/:sequence", {
    params: { node: Schema.String, sequence: Schema.String },
    query: channelParams,
    success: ActionResponse,
    error: [NotFound, ...actionFailures]
  }),
  /** Takes the message with this sequence or id out of flight, or ends its delay. */
  HttpApiEndpoint.post("requeue", "/api/nodes/:node/messages/:sequence/requeue", {
    params: { node: Schema.String, sequence: Schema.String },
    query: channelParams,
    success: ActionResponse,
    error: [NotFound, ...actionFailures]
  }),
  /** How far the last redrive of a topic is on one nsqd. */
  HttpApiEndpoint.get("redriveProgress", "/api/nodes/:node/redrive", {
    params: { node: Schema.String },
    query: topicParams,
    success: RedriveResponse,
    error: [NotFound, ...actionFailures]
  }),
  /** Begins to publish dead letters of one nsqd again. */
  HttpApiEndpoint.post("redrive", "/api/nodes/:node/redrive", {
    params: { node: Schema.String },
    payload: Redrive,
    success: RedriveResponse,
    error: [NotFound, ...actionFailures]
  }),
  /** Cancels the redrive of a topic on one nsqd. */
  HttpApiEndpoint.delete("cancelRedrive", "/api/nodes/:node/redrive", {
    params: { node: Schema.String },
    query: topicParams,
    success: RedriveResponse,
    error: [NotFound, ...actionFailures]
  }),
  /** How many messages a channel would get again on each nsqd. */
  HttpApiEndpoint.get("preview", "/api/topics/:topic/:channel/rewind", {
    params: channelParams,
    query: { to: Schema.String },
    success: RewindResponse,
    error: [NotFound, ...actionFailures]
  }),
  /** Moves a channel to another place on each nsqd that has its topic. */
  HttpApiEndpoint.post("rewind", "/api/topics/:topic/:channel/rewind", {
    params: channelParams,
    payload: Rewind,
    success: RewindResponse,
    error: [NotFound, ...actionFailures]
  })
) {}

/**
 * The policies of the nsqds. Not in NSQ; changes are for administrators only. `timeout` limits the wait for a daemon, in ms: those that
 * do not reply within it have failed. Default: `--http-client-request-timeout`, which is also the longest.
 */
export class PoliciesGroup extends HttpApiGroup.make("policies").add(
  HttpApiEndpoint.get("list", "/api/policies", {
    query: { timeout: Schema.optionalKey(Schema.String) },
    success: PoliciesResponse,
    error: [BadRequest, ...readFailures]
  }),
  /** What applies to a topic, or to a channel of it, on each nsqd that has the topic. */
  HttpApiEndpoint.get("inForce", "/api/policies/:topic", {
    params: topicParams,
    query: { channel: Schema.optionalKey(Schema.String), timeout: Schema.optionalKey(Schema.String) },
    success: InForceResponse,
    error: [BadRequest, ...readFailures]
  }),
  /** Sets a policy on each nsqd. */
  HttpApiEndpoint.put("set", "/api/policies", {
    payload: AnyPolicy,
    success: PolicyChangeResponse,
    error: actionFailures
  }),
  /** Deletes a policy from each nsqd. */
  HttpApiEndpoint.delete("remove", "/api/policies", {
    query: { match: Schema.optionalKey(Schema.String) },
    success: PolicyChangeResponse,
    error: [NotFound, ...actionFailures]
  })
) {}

/** The whole API. `HttpApiClient.make(AdminApi)` is a typed client for programs. */
export class AdminApi extends HttpApi.make("nsqadmin").add(
  TopicsGroup,
  NodesGroup,
  ClientsGroup,
  CountersGroup,
  LiveGroup,
  MessagesGroup,
  StorageGroup,
  PoliciesGroup
) {}

/**
 * Stored messages, redrives, moves of channels and policies in nsqadmin's API (docs/nsqadmin.md#the-api). Not in NSQ.
 */
import { Schema } from "effect"
import { BrowsedMessage, NextPage } from "../MessagesResponse.ts"
import { FieldsInForce, ListedPolicy } from "../PoliciesResponse.ts"
import { RedriveProgress } from "../RedriveResponse.ts"

/** `GET /api/nodes/:node/messages`: a page of messages of one nsqd. */
export const StoredMessagesResponse = Schema.Struct({
  messages: Schema.Array(BrowsedMessage),
  /** The `from` of the next page; null after the last message. */
  next: Schema.NullOr(NextPage),
  /** How many messages were looked at. */
  scanned: Schema.Finite,
  /** The dead-letter topic that has the messages; only of a request for the state `dead`. */
  topic: Schema.optionalKey(Schema.String),
  /** Always empty. */
  message: Schema.String
})
export type StoredMessagesResponse = typeof StoredMessagesResponse.Type

/** The body of `POST /api/nodes/:node/redrive`: which dead letters are published again, and where. */
export const Redrive = Schema.Struct({
  /** The dead-letter topic. */
  topic: Schema.String,
  /** Default: the only channel of the topic, or a new one if it has none. */
  channel: Schema.optionalKey(Schema.String),
  /** The id of a single message. */
  id: Schema.optionalKey(Schema.String),
  /** A text in the body. */
  contains: Schema.optionalKey(Schema.String),
  /** `<path>=<value>` in a body of JSON. */
  json: Schema.optionalKey(Schema.String),
  /** A regular expression that is found in the body. */
  regex: Schema.optionalKey(Schema.String),
  /** Default: the topic that each message came from. */
  to: Schema.optionalKey(Schema.String),
  /** Messages per second. Default 0, no limit. */
  rate: Schema.optionalKey(Schema.Finite)
})
export type Redrive = typeof Redrive.Type

/** `/api/nodes/:node/redrive`: the last redrive of a topic on one nsqd; null before the first. */
export const RedriveResponse = Schema.Struct({ redrive: Schema.NullOr(RedriveProgress), message: Schema.String })
export type RedriveResponse = typeof RedriveResponse.Type

/** The result of a move of a channel, or of its preview, on one nsqd. */
export const RewindOnNode = Schema.Struct({
  node: Schema.String,
  /** How many messages the channel gets from there on; null if the nsqd failed. */
  messages: Schema.NullOr(Schema.Finite),
  /** The error of the nsqd: its code, or the text of a failed request. Empty after success. */
  error: Schema.String
})
export type RewindOnNode = typeof RewindOnNode.Type

/** The response to a move of a channel, and to its preview. */
export const RewindResponse = Schema.Struct({ nodes: Schema.Array(RewindOnNode), message: Schema.String })
export type RewindResponse = typeof RewindResponse.Type

/** The body of `POST /api/topics/:topic/:channel/rewind`. */
export const Rewind = Schema.Struct({
  /** `beginning`, `end`, a time as in RFC 3339, or a sequence. */
  to: Schema.String
})

/** The policies of one nsqd. */
export const PoliciesOnNode = Schema.Struct({
  node: Schema.String,
  /** The one with the highest precedence first. Null for NSQ's nsqd, and if the nsqd failed. */
  policies: Schema.NullOr(Schema.Array(ListedPolicy)),
  /** Empty unless the nsqd failed. */
  error: Schema.String
})
export type PoliciesOnNode = typeof PoliciesOnNode.Type

/** `GET /api/policies`. */
export const PoliciesResponse = Schema.Struct({ nodes: Schema.Array(PoliciesOnNode), message: Schema.String })
export type PoliciesResponse = typeof PoliciesResponse.Type

/** What applies to a topic or a channel on one nsqd. */
export const InForceOnNode = Schema.Struct({
  node: Schema.String,
  /** Null for NSQ's nsqd, and if the nsqd failed. */
  fields: Schema.NullOr(FieldsInForce),
  /** Empty unless the nsqd failed. */
  error: Schema.String
})
export type InForceOnNode = typeof InForceOnNode.Type

/** `GET /api/policies/:topic`. */
export const InForceResponse = Schema.Struct({ nodes: Schema.Array(InForceOnNode), message: Schema.String })
export type InForceResponse = typeof InForceResponse.Type

/** The response to a change of a policy on all nsqds. */
export const PolicyChangeResponse = Schema.Struct({
  /** The error of each nsqd; empty after success. */
  nodes: Schema.Array(Schema.Struct({ node: Schema.String, error: Schema.String })),
  /** Empty, or a warning that lists the nsqds that failed. */
  message: Schema.String
})
export type PolicyChangeResponse = typeof PolicyChangeResponse.Type

/** Any JSON object: nsqd checks the fields, and its errors name them. */
export const AnyPolicy = Schema.Record(Schema.String, Schema.Json)
export type AnyPolicy = typeof AnyPolicy.Type

/** Schemas of the nsqds of a cluster in nsqadmin's API (docs/protocol/http.md#nsqadmin-objects). */
import { Schema } from "effect"
import { TopicOnNode } from "./AdminStats.ts"

/** A topic of an nsqd. nsqlookupd hides a tombstoned topic of that nsqd from consumers. */
export const NodeTopic = Schema.Struct({ topic: Schema.String, tombstoned: Schema.Boolean })

/** An nsqd, from its registration with nsqlookupd or from its own `/info`. */
export const Node = Schema.Struct({
  /** `<nsqlookupd>/<remote address>` for each nsqlookupd that lists the nsqd; null without nsqlookupd. */
  remote_addresses: Schema.NullOr(Schema.Array(Schema.String)),
  remote_address: Schema.String,
  hostname: Schema.String,
  broadcast_address: Schema.String,
  tcp_port: Schema.Finite,
  http_port: Schema.Finite,
  version: Schema.String,
  topology_zone: Schema.optionalKey(Schema.String),
  topology_region: Schema.optionalKey(Schema.String),
  topics: Schema.NullOr(Schema.Array(NodeTopic)),
  /** Another nsqd has a later version. */
  out_of_date: Schema.Boolean
})
export type Node = typeof Node.Type

/** `GET /api/nodes`. `nodes` is null when empty. */
export const NodesResponse = Schema.Struct({ nodes: Schema.NullOr(Schema.Array(Node)), message: Schema.String })
export type NodesResponse = typeof NodesResponse.Type

/** `GET /api/nodes/:node`: the topics of one nsqd. */
export const NodeResponse = Schema.Struct({
  node: Schema.String,
  topics: Schema.Array(TopicOnNode),
  total_messages: Schema.Finite,
  total_clients: Schema.Finite,
  message: Schema.String
})
export type NodeResponse = typeof NodeResponse.Type

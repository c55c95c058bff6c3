/** What nsqadmin's API says of the nsqds of a cluster (section 3 of the nsqadmin notes). */
import { Schema } from "effect"
import { TopicOnNode } from "./AdminStats.ts"

/** A topic that an nsqd has, and whether an nsqlookupd hides it there for a while. */
export const NodeTopic = Schema.Struct({ topic: Schema.String, tombstoned: Schema.Boolean })

/** An nsqd as the nsqlookupds know it, or as it describes itself. */
export const Node = Schema.Struct({
  /** `<nsqlookupd>/<remote address>` for every nsqlookupd that knows it; null where there is none to ask. */
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

/** `GET /api/nodes`; `nodes` is null when there are none. */
export const NodesAnswer = Schema.Struct({ nodes: Schema.NullOr(Schema.Array(Node)), message: Schema.String })
export type NodesAnswer = typeof NodesAnswer.Type

/** `GET /api/nodes/:node`. */
export const NodeAnswer = Schema.Struct({
  node: Schema.String,
  topics: Schema.Array(TopicOnNode),
  total_messages: Schema.Finite,
  total_clients: Schema.Finite,
  message: Schema.String
})
export type NodeAnswer = typeof NodeAnswer.Type

/** Schemas of the connections of clients in nsqadmin's API. NSQ has no counterpart (docs/nsqadmin.md#producers-and-connections). */
import { Schema } from "effect"
import { Connection } from "../ClientsResponse.ts"

/** What only effect-nsq's nsqd reports: null for NSQ's nsqd. */
const own = Schema.NullOr(Schema.Finite)

/** A connection of a client to an nsqd: a producer, a consumer, both, or neither yet. */
export const ConnectionOnNode = Schema.Struct({
  /** `host:port` of the nsqd's HTTP API. */
  node: Schema.String,
  ...Connection.fields,
  /** NSQ's nsqd reports one topic of each producer only. */
  pub_counts: Schema.Array(Schema.Struct({ topic: Schema.String, count: Schema.Finite })),
  /** Milliseconds. */
  heartbeat_interval: own,
  /** Milliseconds. */
  msg_timeout: own,
  /** Bytes. */
  output_buffer_size: own,
  /** Milliseconds. */
  output_buffer_timeout: own,
  deflate_level: own
})
export type ConnectionOnNode = typeof ConnectionOnNode.Type

/** `GET /api/clients`. `message` lists the daemons that failed. */
export const ClientsResponse = Schema.Struct({
  /** Sorted by nsqd and remote address. */
  clients: Schema.Array(ConnectionOnNode),
  message: Schema.String
})
export type ClientsResponse = typeof ClientsResponse.Type

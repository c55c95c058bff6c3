/**
 * Schemas of the figures of topics, channels and clients in nsqadmin's API, with NSQ's keys in NSQ's order
 * (docs/protocol/http.md#nsqadmin-objects). Sums over the cluster have the node `*`.
 */
import { Schema } from "effect"

const Count = Schema.Finite

/** A count that is omitted when 0. */
const whenCounted = Schema.optionalKey(Count)

/** One percentile of a latency. Times are nanoseconds. */
export const LatencyPercentile = Schema.Struct({
  average: Schema.optionalKey(Count),
  count: Schema.optionalKey(Count),
  max: Schema.optionalKey(Count),
  min: Schema.optionalKey(Count),
  quantile: Schema.Finite,
  /** The value on one node; sums omit it. */
  value: Schema.optionalKey(Count)
})
export type LatencyPercentile = typeof LatencyPercentile.Type

/** The time from publication to FIN. `percentiles` is null if nsqd does not measure it. */
export const ProcessingLatency = Schema.Struct({
  count: Count,
  percentiles: Schema.NullOr(Schema.Array(LatencyPercentile)),
  topic: Schema.String,
  channel: Schema.String,
  host: Schema.String
})
export type ProcessingLatency = typeof ProcessingLatency.Type

/** A consumer's connection and its negotiated features. */
export const ClientStats = Schema.Struct({
  node: Schema.String,
  remote_address: Schema.String,
  version: Schema.String,
  client_id: Schema.String,
  hostname: Schema.String,
  user_agent: Schema.String,
  /** Unix seconds. */
  connect_ts: Schema.Finite,
  /** Nanoseconds since `connect_ts`. */
  connected: Schema.Finite,
  in_flight_count: Count,
  ready_count: Count,
  finish_count: Count,
  requeue_count: Count,
  message_count: Count,
  /** Percentage of the messages; 0 for all. */
  sample_rate: Schema.Finite,
  deflate: Schema.Boolean,
  snappy: Schema.Boolean,
  authed: Schema.Boolean,
  auth_identity: Schema.String,
  auth_identity_url: Schema.String,
  node_topology_region: Schema.optionalKey(Schema.String),
  node_topology_zone: Schema.optionalKey(Schema.String),
  topology_region: Schema.optionalKey(Schema.String),
  topology_zone: Schema.optionalKey(Schema.String),
  tls: Schema.Boolean,
  tls_cipher_suite: Schema.String,
  tls_version: Schema.String,
  tls_negotiated_protocol: Schema.String,
  tls_negotiated_protocol_is_mutual: Schema.Boolean
})
export type ClientStats = typeof ClientStats.Type

/** Deliveries by the distance between client and nsqd. */
const topologyCounts = {
  zone_local_msg_count: whenCounted,
  region_local_msg_count: whenCounted,
  global_msg_count: whenCounted
}

const channelFields = <Nodes extends Schema.Top>(nodes: Nodes) => ({
  node: Schema.String,
  hostname: Schema.String,
  topic_name: Schema.String,
  channel_name: Schema.String,
  depth: Count,
  memory_depth: Count,
  backend_depth: Count,
  in_flight_count: Count,
  deferred_count: Count,
  requeue_count: Count,
  timeout_count: Count,
  message_count: Count,
  delivery_msg_count: whenCounted,
  ...topologyCounts,
  client_count: Count,
  nodes,
  clients: Schema.NullOr(Schema.Array(ClientStats)),
  paused: Schema.Boolean,
  e2e_processing_latency: ProcessingLatency,
  /** Messages that the dead-letter topic has got (docs/policies.md#dead-letters). Omitted if it is 0. Not in NSQ. */
  dead_letter_count: whenCounted
})

/** A channel on one nsqd. */
export const ChannelOnNode = Schema.Struct(channelFields(Schema.Null))
export type ChannelOnNode = typeof ChannelOnNode.Type

/** A channel over the cluster, with its figures on each nsqd in `nodes`. */
export const ChannelStats = Schema.Struct(channelFields(Schema.NullOr(Schema.Array(ChannelOnNode))))
export type ChannelStats = typeof ChannelStats.Type

const topicFields = <Nodes extends Schema.Top, Channel extends Schema.Top>(nodes: Nodes, channel: Channel) => ({
  node: Schema.String,
  hostname: Schema.String,
  topic_name: Schema.String,
  depth: Count,
  memory_depth: Count,
  backend_depth: Count,
  message_count: Count,
  delivery_msg_count: Count,
  ...topologyCounts,
  nodes,
  channels: Schema.Array(channel),
  paused: Schema.Boolean,
  e2e_processing_latency: ProcessingLatency,
  /** `written` or `synced`; `mixed` in sums of nsqds that differ. Omitted for topics as in NSQ. */
  durability: Schema.optionalKey(Schema.String)
})

/** A topic on one nsqd. */
export const TopicOnNode = Schema.Struct(topicFields(Schema.Null, ChannelOnNode))
export type TopicOnNode = typeof TopicOnNode.Type

/** A topic over the cluster, with its figures on each nsqd in `nodes`. */
export const TopicStats = Schema.Struct(topicFields(Schema.Array(TopicOnNode), ChannelStats))
export type TopicStats = typeof TopicStats.Type

/** `GET /api/topics/:topic`. `message` lists the daemons that failed. */
export const TopicResponse = Schema.Struct({ ...TopicStats.fields, message: Schema.String })
export type TopicResponse = typeof TopicResponse.Type

/** `GET /api/topics/:topic/:channel`. */
export const ChannelResponse = Schema.Struct({ ...ChannelStats.fields, message: Schema.String })
export type ChannelResponse = typeof ChannelResponse.Type

/** The number of messages that a channel of one nsqd has received since the nsqd started. */
export const ChannelCount = Schema.Struct({
  node: Schema.String,
  topic_name: Schema.String,
  channel_name: Schema.String,
  message_count: Count
})

/** `GET /api/counter`; the keys are `topic:channel:host:port`. */
export const CounterResponse = Schema.Struct({
  stats: Schema.Record(Schema.String, ChannelCount),
  message: Schema.String
})
export type CounterResponse = typeof CounterResponse.Type

/**
 * The figures that nsqadmin's API gives of topics, channels and clients (section 3 of the nsqadmin notes): key for key and in
 * the order in which NSQ sends them. Sums over the cluster have the node `*`.
 */
import { Schema } from "effect"

const Count = Schema.Finite

/** Present only when it is not 0. */
const whenCounted = Schema.optionalKey(Count)

/** One percentile; times are nanoseconds. */
export const LatencyPercentile = Schema.Struct({
  average: Schema.optionalKey(Count),
  count: Schema.optionalKey(Count),
  max: Schema.optionalKey(Count),
  min: Schema.optionalKey(Count),
  quantile: Schema.Finite,
  /** Of one node; sums have none. */
  value: Schema.optionalKey(Count)
})
export type LatencyPercentile = typeof LatencyPercentile.Type

/** How long messages take from their publication to their end. `percentiles` is null where nsqd does not measure. */
export const ProcessingLatency = Schema.Struct({
  count: Count,
  percentiles: Schema.NullOr(Schema.Array(LatencyPercentile)),
  topic: Schema.String,
  channel: Schema.String,
  host: Schema.String
})
export type ProcessingLatency = typeof ProcessingLatency.Type

/** A connection that consumes a channel, with what it has negotiated. */
export const ClientStats = Schema.Struct({
  node: Schema.String,
  remote_address: Schema.String,
  version: Schema.String,
  client_id: Schema.String,
  hostname: Schema.String,
  user_agent: Schema.String,
  /** Unix seconds. */
  connect_ts: Schema.Finite,
  /** Nanoseconds since then. */
  connected: Schema.Finite,
  in_flight_count: Count,
  ready_count: Count,
  finish_count: Count,
  requeue_count: Count,
  message_count: Count,
  /** Percent of the messages; 0 for all. */
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

/** Deliveries by how near the client was to its nsqd. */
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
  e2e_processing_latency: ProcessingLatency
})

/** A channel on one nsqd. */
export const ChannelOnNode = Schema.Struct(channelFields(Schema.Null))
export type ChannelOnNode = typeof ChannelOnNode.Type

/** A channel of the cluster, and of each of its nsqds. */
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
  e2e_processing_latency: ProcessingLatency
})

/** A topic on one nsqd. */
export const TopicOnNode = Schema.Struct(topicFields(Schema.Null, ChannelOnNode))
export type TopicOnNode = typeof TopicOnNode.Type

/** A topic of the cluster, and of each of its nsqds. */
export const TopicStats = Schema.Struct(topicFields(Schema.Array(TopicOnNode), ChannelStats))
export type TopicStats = typeof TopicStats.Type

/** `GET /api/topics/:topic`. `message` warns of what could not be asked. */
export const TopicAnswer = Schema.Struct({ ...TopicStats.fields, message: Schema.String })
export type TopicAnswer = typeof TopicAnswer.Type

/** `GET /api/topics/:topic/:channel`. */
export const ChannelAnswer = Schema.Struct({ ...ChannelStats.fields, message: Schema.String })
export type ChannelAnswer = typeof ChannelAnswer.Type

/** How many messages a channel of one nsqd has received. */
export const ChannelCount = Schema.Struct({
  node: Schema.String,
  topic_name: Schema.String,
  channel_name: Schema.String,
  message_count: Count
})

/** `GET /api/counter`; the keys are `topic:channel:host:port`. */
export const CounterAnswer = Schema.Struct({
  stats: Schema.Record(Schema.String, ChannelCount),
  message: Schema.String
})
export type CounterAnswer = typeof CounterAnswer.Type

/**
 * Schemas of the responses of nsqd's and nsqlookupd's HTTP APIs, limited to the keys that nsqadmin and the tools read
 * (docs/protocol/http.md#stats, docs/protocol/http.md#nsqlookupd-endpoints). Older daemons omit some keys and Go writes null
 * for empty lists: missing keys decode to 0, `false`, `""` or null, as in NSQ's own tools.
 */
import { Effect, Schema } from "effect"

const orElse = <S extends Schema.Top>(schema: S, value: S["Type"]) =>
  schema.pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(value)))

const Count = orElse(Schema.Finite, 0)
const Text = orElse(Schema.String, "")
const Flag = orElse(Schema.Boolean, false)

const list = <S extends Schema.Top>(item: S) =>
  Schema.NullOr(Schema.Array(item)).pipe(Schema.withDecodingDefaultTypeKey(Effect.succeed(null)))

/** `e2e_processing_latency` of a topic or a channel. Times are nanoseconds; empty by default. */
export const Latency = orElse(
  Schema.Struct({ count: Count, percentiles: list(Schema.Struct({ quantile: Count, value: Count })) }),
  { count: 0, percentiles: null }
)

/** A consumer's connection, listed in its channel. */
export const Client = Schema.Struct({
  client_id: Text,
  hostname: Text,
  version: Text,
  remote_address: Text,
  ready_count: Count,
  in_flight_count: Count,
  message_count: Count,
  finish_count: Count,
  requeue_count: Count,
  connect_ts: Count,
  sample_rate: Count,
  deflate: Flag,
  snappy: Flag,
  user_agent: Text,
  authed: Flag,
  auth_identity: Text,
  auth_identity_url: Text,
  topology_zone: Text,
  topology_region: Text,
  tls: Flag,
  tls_cipher_suite: Text,
  tls_version: Text,
  tls_negotiated_protocol: Text,
  tls_negotiated_protocol_is_mutual: Flag
})
export type Client = typeof Client.Type

/** A channel in nsqd's `/stats`. `clients` is null with `include_clients=false`. */
export const Channel = Schema.Struct({
  channel_name: Schema.String,
  depth: Count,
  backend_depth: Count,
  in_flight_count: Count,
  deferred_count: Count,
  requeue_count: Count,
  timeout_count: Count,
  message_count: Count,
  zone_local_msg_count: Count,
  region_local_msg_count: Count,
  global_msg_count: Count,
  client_count: Count,
  clients: list(Client),
  paused: Flag,
  e2e_processing_latency: Latency
})
export type Channel = typeof Channel.Type

/** A topic in nsqd's `/stats`. */
export const Topic = Schema.Struct({
  topic_name: Schema.String,
  channels: list(Channel),
  depth: Count,
  backend_depth: Count,
  message_count: Count,
  paused: Flag,
  e2e_processing_latency: Latency
})
export type Topic = typeof Topic.Type

/** `GET /stats?format=json` of nsqd, with all figures. */
export const Stats = Schema.Struct({ version: Text, health: Text, topics: Schema.NullOr(Schema.Array(Topic)) })
export type Stats = typeof Stats.Type

/** A list of topics, each of which is decoded for itself because there may be very many. */
const anyTopics = Schema.NullOr(Schema.Array(Schema.Unknown))

/** `Stats` topic by topic. */
export const StatsByTopic = {
  head: Schema.Struct({ version: Text, health: Text, topics: anyTopics }),
  topic: Topic
}

/** The same, reduced to the names of the topics. */
export const TopicNames = {
  head: Schema.Struct({ topics: list(Schema.Unknown) }),
  topic: Schema.Struct({ topic_name: Schema.String })
}

/*
 * The figures that nsqadmin samples every few seconds. Their keys are optional rather than defaulted, because optional keys
 * decode several times as fast.
 */
const SampledCount = Schema.optionalKey(Schema.Finite)
const sampled = {
  depth: SampledCount,
  message_count: SampledCount,
  paused: Schema.optionalKey(Schema.Boolean)
}

/** The sampled figures of a channel. A missing count is 0. */
export const SampledChannel = Schema.Struct({
  channel_name: Schema.String,
  ...sampled,
  in_flight_count: SampledCount,
  deferred_count: SampledCount,
  client_count: SampledCount
})
export type SampledChannel = typeof SampledChannel.Type

/** The sampled figures of a topic and its channels. A missing count is 0. */
export const SampledTopic = Schema.Struct({
  topic_name: Schema.String,
  ...sampled,
  channels: Schema.optionalKey(Schema.NullOr(Schema.Array(SampledChannel)))
})
export type SampledTopic = typeof SampledTopic.Type

/** `GET /stats?format=json` of nsqd topic by topic, reduced to depths and counters. */
export const SampledStats = {
  head: Schema.Struct({ version: Text, health: Text, topics: list(Schema.Unknown) }),
  topic: SampledTopic
}

/** `GET /info` of nsqd. */
export const Info = Schema.Struct({
  version: Text,
  broadcast_address: Text,
  hostname: Text,
  http_port: Count,
  tcp_port: Count,
  topology_zone: Text,
  topology_region: Text
})
export type Info = typeof Info.Type

/** An nsqd that is registered with nsqlookupd. `tombstones` has one entry per entry of `topics`. */
export const Producer = Schema.Struct({
  remote_address: Text,
  hostname: Text,
  broadcast_address: Schema.String,
  tcp_port: Count,
  http_port: Count,
  version: Text,
  topology_zone: Text,
  topology_region: Text,
  topics: list(Schema.String),
  tombstones: list(Schema.Boolean)
})
export type Producer = typeof Producer.Type

/** `GET /nodes` and `GET /lookup` of nsqlookupd. */
export const Producers = Schema.Struct({ producers: Schema.NullOr(Schema.Array(Producer)) })

/** `GET /topics` of nsqlookupd. */
export const Topics = Schema.Struct({ topics: Schema.NullOr(Schema.Array(Schema.String)) })

/** `GET /channels` of nsqlookupd. */
export const Channels = Schema.Struct({ channels: Schema.NullOr(Schema.Array(Schema.String)) })

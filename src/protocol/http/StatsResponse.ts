/**
 * The response of nsqd's `/stats?format=json` (docs/protocol/http.md#stats), with keys in the order in which nsqd writes them.
 * nsqd encodes values of these types; nsqadmin, the tools and the tests decode them. Older daemons omit some keys, which decode
 * to 0, `false`, `""` or null, as in NSQ's own tools.
 */
import { Predicate, Schema } from "effect"
import { Count, Flag, listOrNull, optionalList, orElse, Text } from "./Lenient.ts"
import { FieldsInForce } from "./PoliciesResponse.ts"

/** A number that NSQ omits if it is 0. */
const CountUnlessZero = Schema.optionalKey(Schema.Finite)

/** `e2e_processing_latency` of a topic or a channel: the time from publication to FIN. */
export const Latency = Schema.Struct({
  /** Messages in the window. */
  count: Count,
  /** Values in ns, 0 without messages; null if no percentiles are configured. */
  percentiles: listOrNull(Schema.Struct({ quantile: Count, value: Count }))
})
export type Latency = typeof Latency.Type

const LatencyOrNone = orElse(Latency, {})

/** A connection: a consumer, listed in its channel, or a producer. */
export const Client = Schema.Struct({
  client_id: Text,
  hostname: Text,
  /** Of the TCP protocol: `V2`. */
  version: Text,
  remote_address: Text,
  state: Count,
  ready_count: Count,
  in_flight_count: Count,
  message_count: Count,
  finish_count: Count,
  requeue_count: Count,
  /** Unix seconds. */
  connect_ts: Count,
  /** Percentage of the messages; 0 for all. */
  sample_rate: Count,
  deflate: Flag,
  snappy: Flag,
  user_agent: Text,
  /** Omitted if the client has not authenticated, like the two below if they are empty. */
  authed: Schema.optionalKey(Schema.Boolean),
  auth_identity: Schema.optionalKey(Schema.String),
  auth_identity_url: Schema.optionalKey(Schema.String),
  topology_zone: Text,
  topology_region: Text,
  /** The messages that the client has published; omitted if it has published none. */
  pub_counts: Schema.optionalKey(Schema.Array(Schema.Struct({ topic: Text, count: Count }))),
  tls: Flag,
  tls_cipher_suite: Text,
  tls_version: Text,
  tls_negotiated_protocol: Text,
  tls_negotiated_protocol_is_mutual: Flag
})
export type Client = typeof Client.Type

/** A channel. */
export const Channel = Schema.Struct({
  channel_name: Schema.String,
  depth: Count,
  backend_depth: Count,
  in_flight_count: Count,
  deferred_count: Count,
  message_count: Count,
  zone_local_msg_count: CountUnlessZero,
  region_local_msg_count: CountUnlessZero,
  global_msg_count: CountUnlessZero,
  requeue_count: Count,
  timeout_count: Count,
  client_count: Count,
  /** Null with `include_clients=false`. */
  clients: listOrNull(Client),
  paused: Flag,
  e2e_processing_latency: LatencyOrNone,
  /** The fields of policies in force (docs/policies.md); omitted without any. */
  policy: Schema.optionalKey(FieldsInForce),
  /** Messages that a limit has dropped, and those that the dead-letter topic has got; each omitted if it is 0. */
  dropped_count: CountUnlessZero,
  dead_letter_count: CountUnlessZero,
  /** Messages dropped after their time-to-live; omitted if it is 0. */
  expired_count: CountUnlessZero
})
export type Channel = typeof Channel.Type

/** A topic. */
export const Topic = Schema.Struct({
  topic_name: Schema.String,
  channels: optionalList(Channel),
  depth: Count,
  backend_depth: Count,
  message_count: Count,
  message_bytes: Count,
  paused: Flag,
  e2e_processing_latency: LatencyOrNone,
  /** `written` or `synced` (docs/durability.md); omitted for topics as in NSQ. Any string decodes, for later versions. */
  durability: Schema.optionalKey(Schema.String),
  /** As in a channel. */
  policy: Schema.optionalKey(FieldsInForce),
  /** Published messages that a limit or a rate has refused; omitted if it is 0. */
  rejected_count: CountUnlessZero,
  /** Messages that were not stored again because of their key (docs/headers.md#de-duplication); omitted if it is 0. */
  duplicate_count: Schema.optionalKey(Schema.Int)
})
export type Topic = typeof Topic.Type

/**
 * The memory of the nsqd's process; all are integers. The names are those of Go's runtime, the comments state what effect-nsq's
 * nsqd reports.
 */
export const Memory = Schema.Struct({
  /** Always 0: V8 does not count objects. */
  heap_objects: Count,
  /** Unused bytes of the V8 heap. */
  heap_idle_bytes: Count,
  /** Bytes in use: V8 objects, and the buffers outside the heap that hold messages. */
  heap_in_use_bytes: Count,
  /** Bytes of the V8 heap that are not backed by physical memory. */
  heap_released_bytes: Count,
  /** Longest of the last 256 garbage collection pauses. */
  gc_pause_usec_100: Count,
  gc_pause_usec_99: Count,
  gc_pause_usec_95: Count,
  /** Maximum size of the V8 heap; V8 has no other target that is known in advance. */
  next_gc_bytes: Count,
  /** Garbage collections of any kind since the start. */
  gc_total_runs: Count
})
export type Memory = typeof Memory.Type

/**
 * The whole response.
 *
 * @since 0.2.0
 * @category schemas
 */
export const Stats = Schema.Struct({
  version: Text,
  /** `OK`, or `NOK - ` and the reason why messages cannot be written. */
  health: Text,
  /** Unix seconds. */
  start_time: Count,
  /** Null if the requested topic does not exist. */
  topics: Schema.NullOr(Schema.Array(Topic)),
  /** Omitted with `include_mem=false`. */
  memory: Schema.optionalKey(Memory),
  /** Null if no client has published, and with `include_clients=false`. */
  producers: listOrNull(Client)
})
export type Stats = typeof Stats.Type

const { health, start_time, version } = Stats.fields

/** A list of topics, each of which is decoded for itself because there may be very many. */
const topics = Schema.NullOr(Schema.Array(Schema.Unknown))

/** The response topic by topic, without memory and producers. */
export const StatsByTopic = { head: Schema.Struct({ version, health, topics }), topic: Topic }

/** The same, reduced to the names of the topics. */
export const TopicNames = {
  head: Schema.Struct({ topics: listOrNull(Schema.Unknown) }),
  topic: Schema.Struct({ topic_name: Topic.fields.topic_name })
}

/*
 * The figures that nsqadmin samples every few seconds. They are checked and not copied, which takes a tenth of the time that decoding
 * them takes: a sample of a large cluster has half a million.
 */
const queueCounts = ["depth", "backend_depth", "message_count"] as const
const channelCounts = [
  ...queueCounts,
  "in_flight_count",
  "deferred_count",
  "requeue_count",
  "timeout_count",
  "client_count",
  "dropped_count",
  "dead_letter_count",
  "expired_count"
] as const satisfies ReadonlyArray<keyof Channel>

type Counts<Name extends string> = { readonly [N in Name]?: number }

/** The sampled figures of a channel. A missing count is 0. */
export interface SampledChannel extends Counts<(typeof channelCounts)[number]> {
  readonly channel_name: string
  readonly paused?: boolean
}

/** The sampled figures of a topic and its channels. A missing count is 0. */
export interface SampledTopic extends Counts<(typeof queueCounts)[number]> {
  readonly topic_name: string
  readonly paused?: boolean
  readonly channels?: ReadonlyArray<SampledChannel> | null
}

/** Whether all counts that are there are numbers, and `paused` is a boolean. */
const hasFigures = (value: { readonly [key: string]: unknown }, counts: ReadonlyArray<string>): boolean => {
  for (const name of counts) if (value[name] !== undefined && !Number.isFinite(value[name])) return false
  return value["paused"] === undefined || typeof value["paused"] === "boolean"
}

const isSampledChannel = (value: unknown): value is SampledChannel =>
  Predicate.isObject(value) && typeof value["channel_name"] === "string" && hasFigures(value, channelCounts)

const isSampledTopic = (value: unknown): value is SampledTopic => {
  if (!Predicate.isObject(value) || typeof value["topic_name"] !== "string") return false
  const { channels = null } = value
  return hasFigures(value, queueCounts) &&
    (channels === null || (Array.isArray(channels) && channels.every(isSampledChannel)))
}

/** The response topic by topic, reduced to depths and counters, and the memory of the process. */
export const SampledStats = {
  head: Schema.Struct({ version, health, start_time, memory: Stats.fields.memory, topics: listOrNull(Schema.Unknown) }),
  topic: Schema.declare(isSampledTopic)
}

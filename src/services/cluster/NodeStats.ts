/** Converts the figures of one nsqd to the form of nsqadmin's API (docs/protocol/http.md#nsqadmin-objects). */
import type {
  ChannelOnNode,
  ClientStats,
  ProcessingLatency,
  TopicOnNode
} from "../../protocol/http/admin/AdminStats.ts"
import type * as StatsResponse from "../../protocol/http/StatsResponse.ts"
import * as Sums from "./Sums.ts"

/** The properties of an nsqd that its figures include. */
export interface NodeIdentity {
  /** `host:port` of its HTTP API. */
  readonly address: string
  readonly hostname: string
  readonly region: string
  readonly zone: string
}

/** On one node, average, maximum and minimum of a percentile are its value. */
const latency = (
  { count, percentiles }: StatsResponse.Latency
): ProcessingLatency => ({
  count,
  percentiles: percentiles?.map(({ quantile, value }) => ({
    average: value,
    count,
    max: value,
    min: value,
    quantile,
    value
  })) ?? null,
  topic: "",
  channel: "",
  host: ""
})

const nanosPerSecond = 1e9

const clientStats = (
  client: StatsResponse.Client,
  { address, region, zone }: NodeIdentity,
  nowSeconds: number
): ClientStats => ({
  node: address,
  remote_address: client.remote_address,
  version: client.version,
  client_id: client.client_id,
  hostname: client.hostname,
  user_agent: client.user_agent,
  connect_ts: client.connect_ts,
  connected: (nowSeconds - client.connect_ts) * nanosPerSecond,
  in_flight_count: client.in_flight_count,
  ready_count: client.ready_count,
  finish_count: client.finish_count,
  requeue_count: client.requeue_count,
  message_count: client.message_count,
  sample_rate: client.sample_rate,
  deflate: client.deflate,
  snappy: client.snappy,
  authed: client.authed ?? false,
  auth_identity: client.auth_identity ?? "",
  auth_identity_url: client.auth_identity_url ?? "",
  ...(region === "" ? {} : { node_topology_region: region }),
  ...(zone === "" ? {} : { node_topology_zone: zone }),
  ...(client.topology_region === "" ? {} : { topology_region: client.topology_region }),
  ...(client.topology_zone === "" ? {} : { topology_zone: client.topology_zone }),
  tls: client.tls,
  tls_cipher_suite: client.tls_cipher_suite,
  tls_version: client.tls_version,
  tls_negotiated_protocol: client.tls_negotiated_protocol,
  tls_negotiated_protocol_is_mutual: client.tls_negotiated_protocol_is_mutual
})

const channelOnNode = (
  channel: StatsResponse.Channel,
  topic: string,
  node: NodeIdentity,
  nowSeconds: number
): ChannelOnNode => {
  const { global_msg_count: global = 0, region_local_msg_count: region = 0, zone_local_msg_count: zone = 0 } = channel
  const delivered = zone + region + global
  return {
    node: node.address,
    hostname: node.hostname,
    topic_name: topic,
    channel_name: channel.channel_name,
    depth: channel.depth,
    memory_depth: channel.depth - channel.backend_depth,
    backend_depth: channel.backend_depth,
    in_flight_count: channel.in_flight_count,
    deferred_count: channel.deferred_count,
    requeue_count: channel.requeue_count,
    timeout_count: channel.timeout_count,
    message_count: channel.message_count,
    ...(delivered === 0 ? {} : { delivery_msg_count: delivered }),
    ...Sums.localities([channel]),
    client_count: channel.client_count,
    nodes: null,
    clients: channel.clients?.map((client) => clientStats(client, node, nowSeconds)) ?? null,
    paused: channel.paused,
    e2e_processing_latency: latency(channel.e2e_processing_latency),
    ...(channel.dead_letter_count ? { dead_letter_count: channel.dead_letter_count } : {})
  }
}

/** Converts a topic of `node`. `nowSeconds` is the Unix time from which the age of connections is computed. */
export const topicOnNode = (topic: StatsResponse.Topic, node: NodeIdentity, nowSeconds: number): TopicOnNode => ({
  node: node.address,
  hostname: node.hostname,
  topic_name: topic.topic_name,
  depth: topic.depth,
  memory_depth: topic.depth - topic.backend_depth,
  backend_depth: topic.backend_depth,
  message_count: topic.message_count,
  // nsqd counts deliveries per channel only.
  delivery_msg_count: 0,
  nodes: null,
  channels: topic.channels.map((channel) => channelOnNode(channel, topic.topic_name, node, nowSeconds)),
  paused: topic.paused,
  e2e_processing_latency: latency(topic.e2e_processing_latency),
  ...(topic.durability === undefined ? {} : { durability: topic.durability })
})

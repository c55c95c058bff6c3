/**
 * The JSON document of `/stats` (docs/protocol/http.md#stats): its keys, their order, and which are omitted when.
 * `StatsText` prints the same document as text.
 *
 * The broker is read topic by topic while the document is written, because a large one takes long. All figures of a
 * topic, its channels and their clients are from one moment; figures of different topics may not be.
 */
import * as ByName from "../../core/ByName.ts"
import { version } from "../../core/Version.ts"
import { encodeJson } from "../../http/HttpResponse.ts"
import type { Broker } from "../broker/Broker.ts"
import type { Channel } from "../broker/Channel.ts"
import type { Client, Clients, ClientStats } from "../broker/Clients.ts"
import type { LatencySummary } from "../broker/LatencyQuantiles.ts"
import { ProcessingLatency } from "../broker/ProcessingLatency.ts"
import type { Topic } from "../broker/Topic.ts"
import type { MemoryStats } from "./ProcessMemory.ts"

/** A client in `/stats`. */
export interface ClientJson {
  readonly client_id: string
  readonly hostname: string
  readonly version: string
  readonly remote_address: string
  readonly state: number
  readonly ready_count: number
  readonly in_flight_count: number
  readonly message_count: number
  readonly finish_count: number
  readonly requeue_count: number
  readonly connect_ts: number
  readonly sample_rate: number
  readonly deflate: boolean
  readonly snappy: boolean
  readonly user_agent: string
  readonly authed?: true
  readonly auth_identity?: string
  readonly auth_identity_url?: string
  readonly topology_zone: string
  readonly topology_region: string
  readonly pub_counts?: ReadonlyArray<{ readonly topic: string; readonly count: number }>
  readonly tls: boolean
  readonly tls_cipher_suite: string
  readonly tls_version: string
  readonly tls_negotiated_protocol: string
  readonly tls_negotiated_protocol_is_mutual: boolean
}

/** A channel in `/stats`. */
export interface ChannelJson {
  readonly channel_name: string
  readonly depth: number
  readonly backend_depth: number
  readonly in_flight_count: number
  readonly deferred_count: number
  readonly message_count: number
  readonly zone_local_msg_count?: number
  readonly region_local_msg_count?: number
  readonly global_msg_count?: number
  readonly requeue_count: number
  readonly timeout_count: number
  readonly client_count: number
  readonly clients: ReadonlyArray<ClientJson> | null
  readonly paused: boolean
  readonly e2e_processing_latency: LatencySummary
}

/** A topic in `/stats`. */
export interface TopicJson {
  readonly topic_name: string
  readonly channels: ReadonlyArray<ChannelJson>
  readonly depth: number
  readonly backend_depth: number
  readonly message_count: number
  readonly message_bytes: number
  readonly paused: boolean
  readonly e2e_processing_latency: LatencySummary
}

/** The document of `/stats`. */
export interface StatsJson {
  readonly version: string
  /** `OK`, or `NOK - ` and the reason why messages cannot be written. */
  readonly health: string
  /** Unix seconds. */
  readonly start_time: number
  readonly topics: ReadonlyArray<TopicJson> | null
  readonly memory?: MemoryStats
  readonly producers: ReadonlyArray<ClientJson> | null
}

/** The document before it is written: topics and producers are read as they are iterated. */
export interface Stats extends Omit<StatsJson, "topics" | "producers"> {
  readonly topics: Iterable<TopicJson> | null
  readonly producers: Iterable<ClientJson>
}

/** The requested part of the document. */
export interface StatsFilter {
  /** Empty for all. */
  readonly topic: string
  /** Empty for all. */
  readonly channel: string
  readonly includeClients: boolean
}

/** As in NSQ, zeros are omitted. */
const localities = ({ delivered: { global, region, zone } }: Channel) => ({
  ...(zone === 0 ? {} : { zone_local_msg_count: zone }),
  ...(region === 0 ? {} : { region_local_msg_count: region }),
  ...(global === 0 ? {} : { global_msg_count: global })
})

/** NSQ reports at most one topic that a client has published to: the requested one, or any. */
const pubCounts = ({ published }: ClientStats, topic: string): Pick<ClientJson, "pub_counts"> => {
  for (const [name, count] of published) {
    if (topic === "" || name === topic) return { pub_counts: [{ topic: name, count }] }
  }
  return {}
}

/** As in NSQ, empty fields are omitted. */
const authentication = (
  { identity }: ClientStats
): Pick<ClientJson, "authed" | "auth_identity" | "auth_identity_url"> => {
  if (identity === undefined) return {}
  return {
    authed: true,
    ...(identity.identity === "" ? {} : { auth_identity: identity.identity }),
    ...(identity.identityUrl === "" ? {} : { auth_identity_url: identity.identityUrl })
  }
}

const clientJson = (client: Client, topic: string): ClientJson => {
  const stats = client.stats()
  return {
    client_id: stats.clientId,
    hostname: stats.hostname,
    version: stats.version,
    remote_address: stats.remoteAddress,
    state: stats.state,
    ready_count: stats.readyCount,
    in_flight_count: stats.inFlightCount,
    message_count: stats.messageCount,
    finish_count: stats.finishCount,
    requeue_count: stats.requeueCount,
    connect_ts: stats.connectTime,
    sample_rate: stats.sampleRate,
    deflate: stats.deflate,
    snappy: stats.snappy,
    user_agent: stats.userAgent,
    ...authentication(stats),
    topology_zone: stats.topologyZone,
    topology_region: stats.topologyRegion,
    ...pubCounts(stats, topic),
    tls: stats.tls !== undefined,
    tls_cipher_suite: stats.tls?.cipherSuite ?? "",
    tls_version: stats.tls?.version ?? "",
    // nsqd offers no ALPN protocols on TCP.
    tls_negotiated_protocol: "",
    tls_negotiated_protocol_is_mutual: stats.tls !== undefined
  }
}

const channelJson = (
  channel: Channel,
  filter: StatsFilter,
  clients: Clients["Service"]
): ChannelJson => {
  const connected = filter.includeClients
    ? channel.subscriptions.flatMap(({ consumer }) => clients.find(consumer) ?? [])
    : []
  return {
    channel_name: channel.name,
    depth: channel.depth,
    backend_depth: channel.backendDepth,
    in_flight_count: channel.inFlightCount,
    deferred_count: channel.deferredCount,
    message_count: channel.messageCount,
    ...localities(channel),
    requeue_count: channel.requeueCount,
    timeout_count: channel.timeoutCount,
    client_count: channel.subscriptions.length,
    clients: filter.includeClients ? connected.map((client) => clientJson(client, filter.topic)) : null,
    paused: channel.paused,
    e2e_processing_latency: ProcessingLatency.summary([channel.latency])
  }
}

const topicJson = (topic: Topic, channels: ReadonlyArray<ChannelJson>): TopicJson => ({
  topic_name: topic.name,
  channels,
  depth: topic.depth,
  backend_depth: topic.backendDepth,
  message_count: topic.messageCount,
  message_bytes: topic.messageBytes,
  paused: topic.paused,
  // Over all channels, regardless of the filter.
  e2e_processing_latency: ProcessingLatency.summary(topic.channels.map(({ latency }) => latency))
})

function* topicsJson(
  topics: ReadonlyArray<Topic>,
  filter: StatsFilter,
  clients: Clients["Service"]
): Generator<TopicJson, void> {
  for (const topic of topics) {
    const channels = ByName.sorted(
      topic.channels.filter(({ name }) => filter.channel === "" || name === filter.channel)
    )
    if (channels.length === 0 && filter.channel !== "") continue
    yield topicJson(topic, channels.map((channel) => channelJson(channel, filter, clients)))
  }
}

function* producersJson(clients: Clients["Service"], topic: string): Generator<ClientJson, void> {
  for (const client of Array.from(clients.all())) {
    if (client.stats().published.size > 0) yield clientJson(client, topic)
  }
}

/** Reads the part selected by `filter`, in steps. `health` is the reason why messages cannot be written, if any. */
export function* read(
  broker: Broker["Service"],
  clients: Clients["Service"],
  health: string | undefined,
  memory: MemoryStats | undefined,
  filter: StatsFilter
): Generator<void, Stats, void> {
  const topics = yield* ByName.sortedInSteps(
    broker.topics().filter(({ name }) => filter.topic === "" || name === filter.topic)
  )
  return {
    version,
    health: health === undefined ? "OK" : `NOK - ${health}`,
    start_time: broker.startTime,
    topics: topics.length === 0 && filter.topic !== "" ? null : topicsJson(topics, filter, clients),
    ...(memory === undefined ? {} : { memory }),
    producers: filter.includeClients ? producersJson(clients, filter.topic) : []
  }
}

// ---- the document

/** A topic with more channels is written one channel at a time. */
const channelsPerPiece = 64

function* topicPieces(topic: TopicJson): Generator<string, void> {
  if (topic.channels.length <= channelsPerPiece) {
    yield encodeJson(topic)
    return
  }
  const { channels, topic_name, ...figures } = topic
  yield `{"topic_name":${encodeJson(topic_name)},"channels":[`
  yield* list(channels, encodePiece)
  yield `],${encodeJson(figures).slice(1)}`
}

function* encodePiece(value: unknown): Generator<string, void> {
  yield encodeJson(value)
}

/** Items separated by commas. */
function* list<A>(items: Iterable<A>, piecesOf: (item: A) => Iterable<string>): Generator<string, void> {
  let isFirst = true
  for (const item of items) {
    if (!isFirst) yield ","
    isFirst = false
    yield* piecesOf(item)
  }
}

function* producersPieces(producers: Iterable<ClientJson>): Generator<string, void> {
  let open = "["
  for (const producer of producers) {
    yield open + encodeJson(producer)
    open = ","
  }
  yield open === "[" ? "null" : "]"
}

/** The document in pieces. */
export function* pieces({ health, memory, producers, start_time, topics, version }: Stats): Generator<string, void> {
  const head = encodeJson({ version, health, start_time }).slice(0, -1)
  yield `${head},"topics":${topics === null ? "null" : "["}`
  if (topics !== null) {
    yield* list(topics, topicPieces)
    yield "]"
  }
  if (memory !== undefined) yield `,"memory":${encodeJson(memory)}`
  yield `,"producers":`
  yield* producersPieces(producers)
  yield "}"
}

/**
 * Encodes `/stats` (docs/protocol/http.md#stats) as values of the types of `StatsResponse`, whose keys are in NSQ's order here
 * as well. `StatsText` prints the same values as text.
 *
 * The broker is read topic by topic while the document is written, because a large one takes long. All figures of a
 * topic, its channels and their clients are from one moment; figures of different topics may not be.
 */
import type * as StatsResponse from "../../../protocol/http/StatsResponse.ts"
import * as ByName from "../../core/ByName.ts"
import { version } from "../../core/Version.ts"
import { encodeJson } from "../../http/HttpResponse.ts"
import type { Broker } from "../broker/Broker.ts"
import type { Channel } from "../broker/Channel.ts"
import type { Client, Clients, ClientStats } from "../broker/Clients.ts"
import { ProcessingLatency } from "../broker/ProcessingLatency.ts"
import type { Topic } from "../broker/Topic.ts"

/** The response before it is written: topics and producers are read as they are iterated. */
export interface Stats extends Omit<StatsResponse.Stats, "topics" | "producers"> {
  readonly topics: Iterable<StatsResponse.Topic> | null
  readonly producers: Iterable<StatsResponse.Client>
}

/** The requested part of the document. */
export interface StatsFilter {
  /** Empty for all. */
  readonly topic: string
  /** Empty for all. */
  readonly channel: string
  readonly includeClients: boolean
}

type ChannelPart = Partial<StatsResponse.Channel>
type ClientPart = Partial<StatsResponse.Client>

/** As in NSQ, zeros are omitted. */
const localities = ({ delivered: { global, region, zone } }: Channel) => ({
  ...(zone === 0 ? {} : { zone_local_msg_count: zone } satisfies ChannelPart),
  ...(region === 0 ? {} : { region_local_msg_count: region } satisfies ChannelPart),
  ...(global === 0 ? {} : { global_msg_count: global } satisfies ChannelPart)
})

/** NSQ reports at most one topic that a client has published to: the requested one, or any. */
const pubCounts = ({ published }: ClientStats, topic: string): Pick<StatsResponse.Client, "pub_counts"> => {
  for (const [name, count] of published) {
    if (topic === "" || name === topic) return { pub_counts: [{ topic: name, count }] }
  }
  return {}
}

/** As in NSQ, empty fields are omitted. */
const authentication = (
  { identity }: ClientStats
): Pick<StatsResponse.Client, "authed" | "auth_identity" | "auth_identity_url"> => {
  if (identity === undefined) return {}
  return {
    authed: true,
    ...(identity.identity === "" ? {} : { auth_identity: identity.identity } satisfies ClientPart),
    ...(identity.identityUrl === "" ? {} : { auth_identity_url: identity.identityUrl } satisfies ClientPart)
  }
}

/** A connection; of the topics that it has published to, the requested one. */
export const clientJson = (client: Client, topic: string): StatsResponse.Client => {
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

/** Omitted without policies, so that objects have NSQ's keys only. */
const policyOf = ({ policy: { inForce } }: Channel | Topic): Pick<StatsResponse.Channel, "policy"> => {
  const fields = Object.entries(inForce)
  return fields.length === 0 ? {} : { policy: Object.fromEntries(fields) }
}

const channelJson = (
  channel: Channel,
  filter: StatsFilter,
  clients: Clients["Service"]
): StatsResponse.Channel => {
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
    e2e_processing_latency: ProcessingLatency.summary([channel.latency]),
    ...policyOf(channel),
    ...(channel.droppedCount === 0 ? {} : { dropped_count: channel.droppedCount } satisfies ChannelPart),
    ...(channel.deadLetterCount === 0 ? {} : { dead_letter_count: channel.deadLetterCount } satisfies ChannelPart),
    ...(channel.expiredCount === 0 ? {} : { expired_count: channel.expiredCount } satisfies ChannelPart)
  }
}

/** Omitted for topics as in NSQ, whose objects have NSQ's keys only. */
const durabilityOf = ({ durability }: Topic): Pick<StatsResponse.Topic, "durability"> =>
  durability === "memory" ? {} : { durability }

const topicJson = (topic: Topic, channels: ReadonlyArray<StatsResponse.Channel>): StatsResponse.Topic => ({
  topic_name: topic.name,
  channels,
  depth: topic.depth,
  backend_depth: topic.backendDepth,
  message_count: topic.messageCount,
  message_bytes: topic.messageBytes,
  paused: topic.paused,
  // Over all channels, regardless of the filter.
  e2e_processing_latency: ProcessingLatency.summary(topic.channels.map(({ latency }) => latency)),
  ...durabilityOf(topic),
  ...policyOf(topic),
  ...(topic.rejectedCount === 0 ? {} : { rejected_count: topic.rejectedCount }),
  ...(topic.duplicateCount > 0 ? { duplicate_count: topic.duplicateCount } : {})
})

function* topicsJson(
  topics: ReadonlyArray<Topic>,
  filter: StatsFilter,
  clients: Clients["Service"]
): Generator<StatsResponse.Topic, void> {
  for (const topic of topics) {
    const channels = ByName.sorted(
      topic.channels.filter(({ name }) => filter.channel === "" || name === filter.channel)
    )
    if (channels.length === 0 && filter.channel !== "") continue
    yield topicJson(topic, channels.map((channel) => channelJson(channel, filter, clients)))
  }
}

function* producersJson(clients: Clients["Service"], topic: string): Generator<StatsResponse.Client, void> {
  for (const client of Array.from(clients.all())) {
    if (client.stats().published.size > 0) yield clientJson(client, topic)
  }
}

/** Reads the part selected by `filter`, in steps. `health` is the reason why messages cannot be written, if any. */
export function* read(
  broker: Broker["Service"],
  clients: Clients["Service"],
  health: string | undefined,
  memory: StatsResponse.Memory | undefined,
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

function* topicPieces(topic: StatsResponse.Topic): Generator<string, void> {
  if (topic.channels.length <= channelsPerPiece) {
    yield encodeJson(topic)
    return
  }
  const { channels, topic_name, ...figures } = topic
  yield `{"topic_name":${encodeJson(topic_name)},"channels":[`
  yield* list(channels, channelPieces)
  yield `],${encodeJson(figures).slice(1)}`
}

function* channelPieces(channel: StatsResponse.Channel): Generator<string, void> {
  yield encodeJson(channel)
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

function* producersPieces(producers: Iterable<StatsResponse.Client>): Generator<string, void> {
  let open = "["
  for (const producer of producers) {
    yield open + encodeJson(producer)
    open = ","
  }
  yield open === "[" ? "null" : "]"
}

/** The document in pieces. */
export function* pieces(stats: Stats): Generator<string, void> {
  const { health, memory, producers, start_time, topics, version, ...unwritten } = stats
  // Fails to compile if `StatsResponse` gets a key that is not written here.
  unwritten satisfies Record<string, never>
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

/**
 * The rows of tables of topics and channels: the figures of nsqd's statistics, completed by the live figures, which have rates and the
 * last known figures of nsqds that are away. Pure.
 */
import type { LivePoint } from "../../protocol/http/admin/AdminLive.ts"
import type {
  ChannelOnNode,
  ChannelStats,
  ProcessingLatency,
  TopicOnNode,
  TopicStats
} from "../../protocol/http/admin/AdminStats.ts"

type Counts = Pick<
  LivePoint,
  | "depth"
  | "backend_depth"
  | "in_flight_count"
  | "deferred_count"
  | "message_count"
  | "requeue_count"
  | "timeout_count"
  | "client_count"
>

type Rates = Pick<LivePoint, "rate" | "finish_rate" | "requeue_rate" | "timeout_rate" | "oldest" | "away">

/** Deliveries by the distance between consumer and nsqd. */
export interface Delivery {
  readonly zone: number
  readonly region: number
  readonly global: number
}

/** A topic or a channel, on one nsqd or over all. */
export interface FlowRow extends Counts, Rates {
  readonly topic: string
  /** Empty for a topic. */
  readonly channel: string
  /** `host:port` of the nsqd; empty for all. */
  readonly node: string
  readonly hostname: string
  readonly paused: boolean
  /** Of a topic the messages that wait in it and in its channel with most messages; of a channel its depth. */
  readonly backlog: number
  /** The number of channels of a topic. */
  readonly channels: number
  /** Undefined for an nsqd that is away. */
  readonly latency: ProcessingLatency | undefined
  readonly delivery: Delivery | undefined
  readonly durability: string | undefined
}

const unknownRates: Rates = {
  rate: null,
  finish_rate: null,
  requeue_rate: null,
  timeout_rate: null,
  oldest: null,
  away: null
}

const countNames = [
  "depth",
  "backend_depth",
  "in_flight_count",
  "deferred_count",
  "message_count",
  "requeue_count",
  "timeout_count",
  "client_count"
] as const

const pick = (counts: Counts): Counts => ({
  depth: counts.depth,
  backend_depth: counts.backend_depth,
  in_flight_count: counts.in_flight_count,
  deferred_count: counts.deferred_count,
  message_count: counts.message_count,
  requeue_count: counts.requeue_count,
  timeout_count: counts.timeout_count,
  client_count: counts.client_count
})

const ratesOf = (point: LivePoint | undefined): Rates =>
  point === undefined ? unknownRates : {
    rate: point.rate,
    finish_rate: point.finish_rate,
    requeue_rate: point.requeue_rate,
    timeout_rate: point.timeout_rate,
    oldest: point.oldest,
    away: point.away
  }

const nodeOf = (node: string): string => node === "*" ? "" : node

const deliveryOf = (
  { delivery_msg_count = 0, global_msg_count = 0, region_local_msg_count = 0, zone_local_msg_count = 0 }:
    | ChannelOnNode
    | ChannelStats
): Delivery | undefined =>
  delivery_msg_count === 0
    ? undefined
    : { zone: zone_local_msg_count, region: region_local_msg_count, global: global_msg_count }

/** Sums counts of rows. */
export const total = (rows: ReadonlyArray<Counts>): Counts => {
  const sum = { ...pick(emptyCounts) }
  for (const row of rows) for (const name of countNames) sum[name] += row[name]
  return sum
}

const emptyCounts: Counts = {
  depth: 0,
  backend_depth: 0,
  in_flight_count: 0,
  deferred_count: 0,
  message_count: 0,
  requeue_count: 0,
  timeout_count: 0,
  client_count: 0
}

/** Returns the row of a channel. The live figures replace the statistics if they include nsqds that are away. */
export const ofChannel = (channel: ChannelOnNode | ChannelStats, point: LivePoint | undefined): FlowRow => ({
  ...pick(point !== undefined && point.away !== null ? point : channel),
  ...ratesOf(point),
  topic: channel.topic_name,
  channel: channel.channel_name,
  node: nodeOf(channel.node),
  hostname: channel.hostname,
  paused: channel.paused,
  backlog: point !== undefined && point.away !== null ? point.backlog : channel.depth,
  channels: 0,
  latency: channel.e2e_processing_latency,
  delivery: deliveryOf(channel),
  durability: undefined
})

/** Returns the row of a topic: its own queue, and sums over its channels. */
export const ofTopic = (topic: TopicOnNode | TopicStats, point: LivePoint | undefined): FlowRow => {
  const { backend_depth, channels, depth, durability, message_count } = topic
  const counts = { ...total(channels), depth, backend_depth, message_count }
  const backlog = depth + Math.max(0, ...channels.map((channel) => channel.depth))
  return {
    ...pick(point !== undefined && point.away !== null ? point : counts),
    ...ratesOf(point),
    topic: topic.topic_name,
    channel: "",
    node: nodeOf(topic.node),
    hostname: topic.hostname,
    paused: topic.paused,
    backlog: point !== undefined && point.away !== null ? point.backlog : backlog,
    channels: channels.length,
    latency: topic.e2e_processing_latency,
    delivery: undefined,
    durability
  }
}

/** Returns the row of live figures without statistics, as of an nsqd that is away. */
export const ofPoint = (point: LivePoint, hostname: string, channels: number): FlowRow => ({
  ...pick(point),
  ...ratesOf(point),
  topic: point.topic,
  channel: point.channel,
  node: point.node,
  hostname,
  paused: point.paused,
  backlog: point.backlog,
  channels,
  latency: undefined,
  delivery: undefined,
  durability: undefined
})

/** The live figures of a topic, by channel and node. */
export class Points {
  private readonly byName = new Map<string, LivePoint>()
  readonly all: ReadonlyArray<LivePoint>

  constructor(topic: string, points: ReadonlyArray<LivePoint>) {
    this.all = points.filter((point) => point.topic === topic)
    for (const point of this.all) this.byName.set(`${point.channel} ${point.node}`, point)
  }

  /** Returns the figures of a channel, or of the topic for an empty name; on one nsqd, or over all for an empty address. */
  of(channel: string, node: string): LivePoint | undefined {
    return this.byName.get(`${channel} ${node}`)
  }

  /** The figures of the channel on each nsqd, or of the topic for an empty name. */
  on(channel: string): ReadonlyArray<LivePoint> {
    return this.all.filter((point) => point.channel === channel && point.node !== "")
  }

  /** The nsqds that are away, with the last known figures of the channel there, or of the topic. */
  away(channel: string): ReadonlyArray<LivePoint> {
    return this.all.filter((point) => point.channel === channel && point.node !== "" && point.away !== null)
  }

  /** The number of channels on an nsqd. */
  channelsOn(node: string): number {
    return this.all.filter((point) => point.node === node && point.channel !== "").length
  }
}

/**
 * The figures of a cluster at one time: depths and rates of each topic and channel, over all nsqds and on each nsqd. Rates are
 * differences to the previous counters. Unlike `Sums`, this runs every few seconds over the whole cluster, so it makes one pass
 * over the responses and omits clients and latencies. Pure.
 */
import type { LivePoint, TopicSummary } from "../../protocol/http/admin/AdminLive.ts"
import type { SampledChannel, SampledTopic } from "../../protocol/http/StatsResponse.ts"
import { type FiguresOfNode, nodeAddress } from "../cluster/Cluster.ts"

/** The charted figures of a topic or a channel. */
export interface Figures {
  readonly depth: number
  /** Messages per second; null without a previous counter. */
  readonly rate: number | null
}

/** A topic or a channel on one nsqd. */
export interface FiguresOnNode extends Figures {
  /** Messages received since the nsqd started. */
  readonly count: number
}

/** A topic and its channels on one nsqd. */
export interface TopicOnNodeFigures extends FiguresOnNode {
  readonly paused: boolean
  readonly channels: ReadonlyMap<string, FiguresOnNode>
}

/** A channel over all nsqds. */
export interface ChannelFigures extends Figures {
  readonly clients: number
  /** The number of nsqds that have it, and the number of those on which it is paused. */
  readonly nodes: number
  readonly pausedNodes: number
}

/** A topic over all nsqds, and on each of them. */
export interface TopicFigures {
  readonly summary: TopicSummary
  readonly channels: ReadonlyMap<string, ChannelFigures>
  /** By the address of the nsqd. */
  readonly nodes: ReadonlyMap<string, TopicOnNodeFigures>
}

/** All topics of a cluster. */
export interface ClusterFigures {
  /** Monotonic milliseconds. */
  readonly at: number
  readonly topics: ReadonlyMap<string, TopicFigures>
  /** Addresses of the nsqds that responded. */
  readonly nodes: ReadonlySet<string>
  /** Topics that nsqlookupds list and no nsqd has. */
  readonly orphans: ReadonlySet<string>
}

/** The topics that nsqlookupds list. Topics of an unresponsive nsqd have no figures, but are not orphans. */
export interface KnownTopics {
  readonly names: ReadonlyArray<string>
  readonly orphans: ReadonlySet<string>
}

/** The figures before the first sample. */
export const none: ClusterFigures = { at: 0, topics: new Map(), nodes: new Set(), orphans: new Set() }

/** More digits would show the jitter of sampling. */
const rounded = (rate: number): number => Math.round(rate * 1000) / 1000

/** A counter that decreased restarted from 0. */
const rateOf = (count: number, before: number, seconds: number): number =>
  rounded((count >= before ? count - before : count) / seconds)

const plus = (sum: number | null, rate: number | null): number | null =>
  rate === null ? sum : rounded((sum ?? 0) + rate)

type Mutable<A> = { -readonly [K in keyof A]: A[K] }

interface Summing {
  readonly summary: Mutable<TopicSummary>
  readonly channels: Map<string, Mutable<ChannelFigures>>
  readonly nodes: Map<string, TopicOnNodeFigures>
}

const nothing = (topic: string): Summing => ({
  summary: {
    topic,
    depth: 0,
    channel_depth: 0,
    in_flight_count: 0,
    deferred_count: 0,
    message_count: 0,
    rate: null,
    channel_count: 0,
    client_count: 0,
    paused: false
  },
  channels: new Map(),
  nodes: new Map()
})

const addChannel = (
  { channels, summary }: Summing,
  { channel_name: name, client_count = 0, deferred_count = 0, depth = 0, in_flight_count = 0, paused }: SampledChannel,
  rate: number | null
): void => {
  let sum = channels.get(name)
  if (sum === undefined) {
    sum = { depth: 0, rate: null, clients: 0, nodes: 0, pausedNodes: 0 }
    channels.set(name, sum)
    summary.channel_count++
  }
  sum.depth += depth
  sum.rate = plus(sum.rate, rate)
  sum.clients += client_count
  sum.nodes++
  if (paused === true) sum.pausedNodes++
  summary.channel_depth += depth
  summary.in_flight_count += in_flight_count
  summary.deferred_count += deferred_count
  summary.client_count += client_count
}

const addTopic = (
  { summary }: Summing,
  { depth = 0, message_count = 0, paused }: SampledTopic,
  rate: number | null
): void => {
  summary.depth += depth
  summary.message_count += message_count
  summary.rate = plus(summary.rate, rate)
  if (paused === true) summary.paused = true
}

const isSame = (a: TopicSummary, b: TopicSummary): boolean =>
  a.depth === b.depth && a.channel_depth === b.channel_depth && a.in_flight_count === b.in_flight_count &&
  a.deferred_count === b.deferred_count && a.message_count === b.message_count && a.rate === b.rate &&
  a.channel_count === b.channel_count && a.client_count === b.client_count && a.paused === b.paused

/** Whether both summaries have the same figures. */
export const isUnchanged = (a: TopicSummary | undefined, b: TopicSummary): boolean =>
  a === b || (a !== undefined && isSame(a, b))

/**
 * Sums the responses of nsqds. The rate of a new topic or channel starts from 0 if the previous figures include its nsqd; it is
 * null if they do not. One step for each topic of each nsqd, because there may be very many.
 */
export function* fromResponses(
  responses: ReadonlyArray<FiguresOfNode>,
  { names, orphans }: KnownTopics,
  at: number,
  before: ClusterFigures
): Generator<void, ClusterFigures, void> {
  const topics = new Map<string, Summing>()
  const nodes = new Set<string>()
  const seconds = (at - before.at) / 1000
  for (const response of responses) {
    const address = nodeAddress(response.node)
    nodes.add(address)
    const isRated = seconds > 0 && before.nodes.has(address)
    for (const topic of response.topics) {
      let sum = topics.get(topic.topic_name)
      if (sum === undefined) topics.set(topic.topic_name, sum = nothing(topic.topic_name))
      const { depth = 0, message_count: count = 0, paused = false } = topic
      const known = before.topics.get(topic.topic_name)?.nodes.get(address)
      const rate = isRated ? rateOf(count, known?.count ?? 0, seconds) : null
      addTopic(sum, topic, rate)
      const channels = new Map<string, FiguresOnNode>()
      for (const channel of topic.channels ?? []) {
        const { channel_name: name, depth = 0, message_count: count = 0 } = channel
        const channelRate = isRated ? rateOf(count, known?.channels.get(name)?.count ?? 0, seconds) : null
        channels.set(name, { depth, rate: channelRate, count })
        addChannel(sum, channel, channelRate)
      }
      sum.nodes.set(address, { depth, rate, count, paused, channels })
      yield
    }
  }
  for (const name of names) {
    if (!topics.has(name)) topics.set(name, nothing(name))
  }
  return { at, topics, nodes, orphans }
}

/** Returns all series of a topic: the topic, its channels, and both on each nsqd. */
export const points = (topic: string, { channels, nodes, summary }: TopicFigures): ReadonlyArray<LivePoint> => {
  const point = (channel: string, node: string, { depth, rate }: Figures): LivePoint => ({
    topic,
    channel,
    node,
    depth,
    rate
  })
  return [
    point("", "", summary),
    ...Array.from(channels, ([channel, figures]) => point(channel, "", figures)),
    ...Array.from(nodes).flatMap(([node, figures]) => [
      point("", node, figures),
      ...Array.from(figures.channels, ([channel, onNode]) => point(channel, node, onNode))
    ])
  ]
}

/**
 * The figures of a cluster at one time: depths and rates of each topic and channel, over all nsqds and on each nsqd. Rates are
 * differences to the previous counters. nsqds that are away keep their last known figures. Unlike `Sums`, this runs every few seconds
 * over the whole cluster, so it makes one pass over the responses and omits clients and latencies. Pure.
 */
import { Struct } from "effect"
import { type LivePoint, TopicSummary } from "../../protocol/http/admin/AdminLive.ts"
import type { FiguresOfNode } from "../cluster/Cluster.ts"
import { nodeAddress } from "../cluster/KnownNode.ts"
import * as Flow from "./Flow.ts"

/** A topic and its channels on one nsqd. */
export interface TopicOnNodeFigures extends Flow.FlowOnNode {
  /** Messages that wait in the topic, and those in its channel with most messages. */
  readonly backlog: number
  readonly channels: ReadonlyMap<string, Flow.FlowOnNode>
}

/** A channel over all nsqds. */
export interface ChannelFigures extends Flow.Flow {
  /** The number of nsqds that have it, and the number of those on which it is paused. */
  readonly nodes: number
  readonly pausedNodes: number
  /** See `FlowOnNode`. */
  readonly removed: number
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
  /** Unix milliseconds. */
  readonly unixMillis: number
  readonly topics: ReadonlyMap<string, TopicFigures>
  /** Addresses of the nsqds that responded. */
  readonly nodes: ReadonlySet<string>
  /** The last response of each nsqd with figures, also of those that are away. */
  readonly seen: ReadonlyMap<string, SampleOfNode>
  /** Topics that nsqlookupds list and no nsqd has. */
  readonly orphans: ReadonlySet<string>
}

/** The topics that nsqlookupds list, and the nsqds that may be away. */
export interface Known {
  readonly names: ReadonlyArray<string>
  readonly orphans: ReadonlySet<string>
  /** Addresses of the nsqds whose last figures are kept if they do not respond. */
  readonly remembered: ReadonlySet<string>
}

/** The time of a sample. */
export interface SampleTime {
  /** Monotonic milliseconds. */
  readonly at: number
  readonly unixMillis: number
}

/** The time of the last response of an nsqd. */
export interface SampleOfNode extends SampleTime {
  /** When the nsqd was started, in Unix seconds. */
  readonly started: number
}

/** The figures before the first sample. */
export const none: ClusterFigures = {
  at: 0,
  unixMillis: 0,
  topics: new Map(),
  nodes: new Set(),
  seen: new Map(),
  orphans: new Set()
}

type Mutable<A> = { -readonly [K in keyof A]: A[K] }

interface Summing {
  readonly summary: Mutable<TopicSummary>
  readonly channels: Map<string, Mutable<ChannelFigures>>
  readonly nodes: Map<string, TopicOnNodeFigures>
}

const nothing = (topic: string): Summing => ({
  summary: { topic, ...Flow.none, channel_depth: 0, backlog: 0, channel_count: 0, channels: [] },
  channels: new Map(),
  nodes: new Map()
})

const addNode = ({ channels, nodes, summary }: Summing, address: string, onNode: TopicOnNodeFigures): void => {
  nodes.set(address, onNode)
  Flow.add(summary, onNode)
  for (const [name, flow] of onNode.channels) {
    let sum = channels.get(name)
    if (sum === undefined) channels.set(name, sum = { ...Flow.none, nodes: 0, pausedNodes: 0, removed: 0 })
    Flow.add(sum, flow)
    sum.removed += flow.removed
    sum.nodes++
    if (flow.paused) sum.pausedNodes++
  }
}

/** Completes the summary, after all nsqds have been added. */
const complete = ({ channels, summary }: Summing): void => {
  for (const { depth } of channels.values()) summary.channel_depth += depth
  summary.channel_count = channels.size
  summary.channels = [...channels.keys()].sort()
  summary.backlog = backlogOf(summary, channels)
}

const backlogOf = ({ depth }: Flow.Flow, channels: ReadonlyMap<string, Flow.Flow>): number => {
  let largest = 0
  for (const channel of channels.values()) largest = Math.max(largest, channel.depth)
  return depth + largest
}

/** Sums the flows of a topic's channels on one nsqd into the flow of the topic there. */
const onNode = (own: Flow.FlowOnNode, channels: ReadonlyMap<string, Flow.FlowOnNode>): TopicOnNodeFigures => {
  const sum = { ...own, channels, backlog: backlogOf(own, channels) }
  for (const flow of channels.values()) Flow.addToTopic(sum, flow)
  return sum
}

const awaySince = ({ backlog, channels, ...own }: TopicOnNodeFigures, since: number): TopicOnNodeFigures => ({
  ...Flow.awaySince(own, since),
  backlog,
  channels: new Map(Array.from(channels, ([name, flow]) => [name, Flow.awaySince(flow, since)]))
})

const figureNames = Struct.keys(TopicSummary.fields).filter((name) => name !== "channels")

const sameNames = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): boolean =>
  a.length === b.length && a.every((name, i) => name === b[i])

/** Whether both summaries have the same figures. */
export const isUnchanged = (a: TopicSummary | undefined, b: TopicSummary): boolean =>
  a === b || (a !== undefined && figureNames.every((name) => a[name] === b[name]) && sameNames(a.channels, b.channels))

/**
 * Sums the responses of nsqds, and the last figures of those that are away. The rate of a new topic or channel starts from 0 if the
 * previous figures include its nsqd; it is null if they do not. One step for each topic of each nsqd, because there may be very many.
 */
export function* fromResponses(
  responses: ReadonlyArray<FiguresOfNode>,
  { names, orphans, remembered }: Known,
  { at, unixMillis }: SampleTime,
  before: ClusterFigures
): Generator<void, ClusterFigures, void> {
  const topics = new Map<string, Summing>()
  const nodes = new Set<string>()
  const seen = new Map<string, SampleOfNode>()
  const sumOf = (name: string): Summing => {
    let sum = topics.get(name)
    if (sum === undefined) topics.set(name, sum = nothing(name))
    return sum
  }
  for (const response of responses) {
    const address = nodeAddress(response.node)
    nodes.add(address)
    const last = before.seen.get(address)
    seen.set(address, { at, unixMillis, started: response.started })
    const seconds = last === undefined ? 0 : (at - last.at) / 1000
    const interval = { at: unixMillis, seconds, isRestarted: last !== undefined && last.started !== response.started }
    for (const topic of response.topics) {
      const known = before.topics.get(topic.topic_name)?.nodes.get(address)
      const channels = new Map<string, Flow.FlowOnNode>()
      for (const channel of topic.channels ?? []) {
        const { channel_name: name } = channel
        channels.set(name, Flow.ofChannel(channel, known?.channels.get(name), interval))
      }
      addNode(sumOf(topic.topic_name), address, onNode(Flow.ofTopic(topic, known, interval), channels))
      yield
    }
  }
  for (const [address, last] of before.seen) {
    if (!nodes.has(address) && remembered.has(address)) seen.set(address, last)
  }
  if (seen.size > nodes.size) {
    for (const [name, topic] of before.topics) {
      for (const [address, last] of topic.nodes) {
        const since = nodes.has(address) ? undefined : seen.get(address)
        if (since !== undefined) addNode(sumOf(name), address, awaySince(last, since.unixMillis))
      }
      yield
    }
  }
  for (const name of names) sumOf(name)
  const known = new Set(orphans)
  for (const [name, sum] of topics) {
    complete(sum)
    if (sum.nodes.size > 0) known.delete(name)
  }
  return { at, unixMillis, topics, nodes, seen, orphans: known }
}

const point = (
  topic: string,
  channel: string,
  node: string,
  flow: Flow.Flow,
  backlog = flow.depth,
  channels = 0
): LivePoint => ({
  topic,
  channel,
  node,
  backlog,
  channel_count: channels,
  depth: flow.depth,
  backend_depth: flow.backend_depth,
  in_flight_count: flow.in_flight_count,
  deferred_count: flow.deferred_count,
  message_count: flow.message_count,
  requeue_count: flow.requeue_count,
  timeout_count: flow.timeout_count,
  client_count: flow.client_count,
  rate: flow.rate,
  finish_rate: flow.finish_rate,
  requeue_rate: flow.requeue_rate,
  timeout_rate: flow.timeout_rate,
  oldest: flow.oldest,
  paused: flow.paused,
  away: flow.away
})

const pointOnNode = (topic: string, node: string, figures: TopicOnNodeFigures): LivePoint =>
  point(topic, "", node, figures, figures.backlog, figures.channels.size)

const channelsOnNode = (topic: string, node: string, { channels }: TopicOnNodeFigures): ReadonlyArray<LivePoint> =>
  Array.from(channels, ([channel, flow]) => point(topic, channel, node, flow))

/** Returns all series of a topic: the topic, its channels, and both on each nsqd. */
export const pointsOfTopic = (topic: string, { channels, nodes, summary }: TopicFigures): ReadonlyArray<LivePoint> => [
  point(topic, "", "", summary, summary.backlog, channels.size),
  ...Array.from(channels, ([channel, figures]) => point(topic, channel, "", figures)),
  ...Array.from(nodes).flatMap(([node, figures]) => [
    pointOnNode(topic, node, figures),
    ...channelsOnNode(topic, node, figures)
  ])
]

/** Limits for the series of an nsqd. */
export interface NodeLimits {
  readonly topics: number
  readonly channels: number
}

/**
 * Returns the series on one nsqd, those with the largest backlogs first: topics up to a limit, then the channels of the first of these up
 * to another.
 */
export const pointsOfNode = (
  node: string,
  { topics }: Pick<ClusterFigures, "topics">,
  limits: NodeLimits
): ReadonlyArray<LivePoint> => {
  const found: Array<readonly [topic: string, figures: TopicOnNodeFigures]> = []
  for (const [topic, { nodes }] of topics) {
    const figures = nodes.get(node)
    if (figures !== undefined) found.push([topic, figures])
  }
  const wanted = found
    .sort(([a, { backlog: first }], [b, { backlog: second }]) => second - first || (a < b ? -1 : 1))
    .slice(0, limits.topics)
  const points = wanted.map(([topic, figures]) => pointOnNode(topic, node, figures))
  let left = limits.channels
  for (const [topic, figures] of wanted) {
    if (left <= 0) break
    points.push(...channelsOnNode(topic, node, figures).slice(0, left))
    left -= figures.channels.size
  }
  return points
}

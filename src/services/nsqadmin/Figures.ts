/**
 * The figures of a cluster at one time: depths and rates of each topic and channel, over all nsqds and on each nsqd. Rates are
 * differences to the previous counters. nsqds that are away keep their last known figures. Unlike `Sums`, this runs every few seconds
 * over the whole cluster, so it makes one pass over the responses and omits clients and latencies. Pure.
 */
import { Struct } from "effect"
import { type LivePoint, TopicSummary } from "../../protocol/http/admin/AdminLive.ts"
import type { SampledTopic } from "../../protocol/http/StatsResponse.ts"
import type { FiguresOfNode } from "../cluster/Cluster.ts"
import { type KnownNode, nodeAddress } from "../cluster/KnownNode.ts"
import * as Flow from "./Flow.ts"
import { NodeFlows, type TopicOnNode } from "./NodeFlows.ts"

/** A channel over all nsqds. */
export interface ChannelFigures extends Flow.Flow {
  /** The number of nsqds that have it, and the number of those on which it is paused. */
  readonly nodes: number
  readonly pausedNodes: number
  /** See `FlowOnNode`. */
  readonly removed: number
}

/** A topic over all nsqds. */
export interface TopicFigures {
  readonly summary: TopicSummary
  readonly channels: ReadonlyMap<string, ChannelFigures>
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

/** The last response of an nsqd, and the time of its request. */
export interface SampleOfNode extends SampleTime {
  /** When the nsqd was started, in Unix seconds. */
  readonly started: number
  readonly flows: NodeFlows
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
}

const nothing = (topic: string): Summing => ({
  summary: { topic, ...Flow.none, channel_depth: 0, backlog: 0, channel_count: 0, channels: [] },
  channels: new Map()
})

const addNode = ({ channels, summary }: Summing, onNode: TopicOnNode): void => {
  Flow.add(summary, onNode.flow)
  for (const [name, flow] of onNode.channels()) {
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
  let largest = 0
  for (const { depth } of channels.values()) {
    summary.channel_depth += depth
    largest = Math.max(largest, depth)
  }
  summary.channel_count = channels.size
  summary.channels = [...channels.keys()].sort()
  summary.backlog = summary.depth + largest
}

const figureNames = Struct.keys(TopicSummary.fields).filter((name) => name !== "channels")

const sameNames = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): boolean =>
  a.length === b.length && a.every((name, i) => name === b[i])

/** Whether both summaries have the same figures. */
export const isUnchanged = (a: TopicSummary | undefined, b: TopicSummary): boolean =>
  a === b || (a !== undefined && figureNames.every((name) => a[name] === b[name]) && sameNames(a.channels, b.channels))

/** Collects the topics of an nsqd as they are decoded. */
export interface NodeCollection {
  readonly add: (topic: SampledTopic) => void
  readonly result: SampleOfNode
}

/**
 * Begins to collect the topics of an nsqd that was requested at `time`. The rate of a new topic or channel starts from 0 if the previous
 * figures include its nsqd; it is null if they do not.
 */
export const collect = (
  node: KnownNode,
  started: number,
  time: SampleTime,
  before: ClusterFigures
): NodeCollection => {
  const last = before.seen.get(nodeAddress(node))
  const interval: Flow.Interval = {
    at: time.unixMillis,
    seconds: last === undefined ? 0 : (time.at - last.at) / 1000,
    isRestarted: last !== undefined && last.started !== started
  }
  const flows = NodeFlows.after(last?.flows)
  return {
    add: (topic) => flows.add(topic, last?.flows, interval),
    result: { ...time, started, flows }
  }
}

/** Returns the topic on each nsqd that has it, by address. */
export const onNodes = (
  { nodes, seen }: Pick<ClusterFigures, "nodes" | "seen">,
  topic: string
): ReadonlyMap<string, TopicOnNode> => {
  const found = new Map<string, TopicOnNode>()
  for (const [address, { flows, unixMillis }] of seen) {
    const onNode = flows.topic(topic, nodes.has(address) ? undefined : unixMillis)
    if (onNode !== undefined) found.set(address, onNode)
  }
  return found
}

/** Whether only nsqds that are away have the topic, so that its figures are the last known ones. */
export const isAway = ({ nodes, seen }: Pick<ClusterFigures, "nodes" | "seen">, topic: string): boolean => {
  if (seen.size === nodes.size) return false
  const having = Array.from(seen.keys()).filter((address) => seen.get(address)?.flows.has(topic))
  return having.length > 0 && !having.some((address) => nodes.has(address))
}

/**
 * Sums what nsqds have responded, and the last figures of those that are away. One step for each topic, because there may be very many.
 */
export function* fromResponses(
  responses: ReadonlyArray<Pick<FiguresOfNode<SampleOfNode>, "node" | "collected">>,
  { names, orphans, remembered }: Known,
  { at, unixMillis }: SampleTime,
  before: ClusterFigures
): Generator<void, ClusterFigures, void> {
  const seen = new Map(responses.map(({ collected, node }) => [nodeAddress(node), collected]))
  const nodes = new Set(seen.keys())
  for (const [address, last] of before.seen) {
    if (!nodes.has(address) && remembered.has(address)) seen.set(address, last)
  }
  const known = new Set(orphans)
  const topics = new Map<string, Summing>()
  const sumUp = function*(all: Iterable<string>): Generator<void, void, void> {
    for (const name of all) {
      if (topics.has(name)) continue
      const sum = nothing(name)
      for (const onNode of onNodes({ nodes, seen }, name).values()) {
        addNode(sum, onNode)
        known.delete(name)
      }
      complete(sum)
      topics.set(name, sum)
      yield
    }
  }
  for (const { flows } of seen.values()) yield* sumUp(flows.names())
  yield* sumUp(names)
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

const pointOnNode = (topic: string, node: string, { channelCount, flow }: TopicOnNode): LivePoint =>
  point(topic, "", node, flow, flow.backlog, channelCount)

const channelsOnNode = (topic: string, node: string, { channels }: TopicOnNode): ReadonlyArray<LivePoint> =>
  Array.from(channels(), ([channel, flow]) => point(topic, channel, node, flow))

/** Returns all series of a topic: the topic, its channels, and both on each nsqd; none if the topic is unknown. */
export const pointsOfTopic = (topic: string, figures: ClusterFigures): ReadonlyArray<LivePoint> => {
  const found = figures.topics.get(topic)
  if (found === undefined) return []
  const { channels, summary } = found
  return [
    point(topic, "", "", summary, summary.backlog, channels.size),
    ...Array.from(channels, ([channel, flow]) => point(topic, channel, "", flow)),
    ...Array.from(onNodes(figures, topic)).flatMap(([node, onNode]) => [
      pointOnNode(topic, node, onNode),
      ...channelsOnNode(topic, node, onNode)
    ])
  ]
}

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
  { nodes, seen }: Pick<ClusterFigures, "nodes" | "seen">,
  limits: NodeLimits
): ReadonlyArray<LivePoint> => {
  const sample = seen.get(node)
  if (sample === undefined) return []
  const away = nodes.has(node) ? undefined : sample.unixMillis
  const found: Array<readonly [topic: string, onNode: TopicOnNode]> = []
  for (const topic of sample.flows.names()) {
    const onNode = sample.flows.topic(topic, away)
    if (onNode !== undefined) found.push([topic, onNode])
  }
  const wanted = found
    .sort(([a, { flow: first }], [b, { flow: second }]) => second.backlog - first.backlog || (a < b ? -1 : 1))
    .slice(0, limits.topics)
  const points = wanted.map(([topic, onNode]) => pointOnNode(topic, node, onNode))
  let left = limits.channels
  for (const [topic, onNode] of wanted) {
    if (left <= 0) break
    points.push(...channelsOnNode(topic, node, onNode).slice(0, left))
    left -= onNode.channelCount
  }
  return points
}

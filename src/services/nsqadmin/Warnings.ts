/**
 * Warnings about the cluster: abandoned or paused topics and channels, and unreachable or degraded daemons. A pure function of
 * the current sample and the previous warnings (docs/nsqadmin.md#live-figures-charts-and-warnings).
 */
import type { DaemonState, Warning, warningKinds } from "../../protocol/http/admin/AdminLive.ts"
import type { ChannelFigures, ClusterFigures, TopicFigures } from "./Figures.ts"

/** The input of a check. */
export interface Watched {
  /** Unix milliseconds. */
  readonly at: number
  readonly figures: ClusterFigures
  readonly daemons: ReadonlyArray<DaemonState>
}

type Kind = (typeof warningKinds)[number]

/** The depths of a channel without clients, oldest first. Depths too old to be compared with are dropped. */
interface Growth {
  readonly depths: ReadonlyArray<Depth>
  /** The depth from which the channel grew; undefined before it has grown, and after it shrinks. */
  readonly from: number | undefined
}

interface Depth {
  /** Monotonic milliseconds. */
  readonly at: number
  readonly depth: number
}

/** The current warnings and the state for the next check. */
export interface WarningState {
  readonly warnings: ReadonlyMap<string, Warning>
  /** Channels without clients, by topic and channel. */
  readonly growths: ReadonlyMap<string, Growth>
  readonly figures: ClusterFigures | undefined
}

/** The state before the first check. */
export const none: WarningState = { warnings: new Map(), growths: new Map(), figures: undefined }

/** Minimum age of the depth to compare with, in milliseconds ... */
const comparedMillis = 30_000
/** ... and in samples. */
const comparedSamples = 3
/** Limit for warnings of a kind; one more states the number of the others. */
const maxPerKind = 100
/** Limit for daemons listed in a sentence. */
const maxNamed = 5

const amount = (count: number, noun: string): string =>
  `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`

const waiting = (messages: number): string => `${amount(messages, "message")} ${messages === 1 ? "waits" : "wait"}`

/** Returns where a topic or channel is paused; empty if on all its nsqds. */
const pausedOn = (paused: number, nodes: number): string =>
  paused === nodes ? "" : ` on ${paused} of ${amount(nodes, "nsqd")}`

interface Subject {
  readonly topic?: string
  readonly channel?: string
  readonly node?: string
}

type Notice = Omit<Warning, "since">

const notice = (kind: Kind, { channel = "", node = "", topic = "" }: Subject, text: string): Notice => ({
  kind,
  topic,
  channel,
  node,
  text
})

const keyOf = ({ channel, kind, node, topic }: Notice): string => `${kind} ${topic} ${channel} ${node}`

const sameNodes = (a: ClusterFigures, b: ClusterFigures): boolean =>
  a.nodes.size === b.nodes.size && [...a.nodes].every((node) => b.nodes.has(node))

const watchGrowth = (before: Growth | undefined, now: Depth): Growth => {
  if (before === undefined) return { depths: [now], from: undefined }
  const depths = [...before.depths, now]
  // Keeps the newest depth that is old enough to compare with, and all later ones.
  while (depths.length > comparedSamples + 1 && now.at - (depths[1]?.at ?? now.at) >= comparedMillis) depths.shift()
  const last = before.depths.at(-1) ?? now
  const [oldest = now] = depths
  const isOldEnough = depths.length > comparedSamples && now.at - oldest.at >= comparedMillis
  const hasShrunk = now.depth < last.depth
  const from = hasShrunk
    ? undefined
    : before.from ?? (isOldEnough && now.depth > oldest.depth ? oldest.depth : undefined)
  return { depths, from }
}

/** Drops the depths when the set of nsqds changes, because sums over other nsqds are not comparable. Keeps known growth. */
const forgetDepths = (growths: WarningState["growths"]): WarningState["growths"] =>
  new Map(
    Array.from(growths).flatMap(([key, growth]) =>
      growth.from === undefined ? [] : [[key, { depths: [], from: growth.from }]]
    )
  )

const growthKey = (topic: string, channel: string): string => `${topic} ${channel}`

/** One step for each topic. */
function* watchGrowths(
  { figures: before, growths }: WarningState,
  figures: ClusterFigures
): Generator<void, WarningState["growths"], void> {
  // Sampling timed out.
  if (figures === before) return growths
  const comparable = before !== undefined && sameNodes(before, figures) ? growths : forgetDepths(growths)
  const watched = new Map<string, Growth>()
  for (const [topic, { channels }] of figures.topics) {
    for (const [channel, { client_count, depth }] of channels) {
      if (client_count > 0) continue
      const key = growthKey(topic, channel)
      watched.set(key, watchGrowth(comparable.get(key), { at: figures.at, depth }))
    }
    yield
  }
  return watched
}

const ofTopic = function*(topic: string, { channels, nodes, summary: { depth } }: TopicFigures): Generator<Notice> {
  // The topic is on unresponsive nsqds only, or on none.
  if (nodes.size === 0) return
  if (channels.size === 0) {
    const what = depth === 0 ? "new messages will wait" : waiting(depth)
    yield notice("topic_without_channels", { topic }, `Topic ${topic} has no channels: ${what} for the first channel.`)
  }
  let paused = 0
  for (const [node, onNode] of nodes) {
    if (onNode.paused) paused++
    if (channels.size > 0 && onNode.channels.size === 0 && onNode.depth > 0) {
      const text = `Topic ${topic} has no channels on ${node}: ${waiting(onNode.depth)} there.`
      yield notice("topic_without_channels", { topic, node }, text)
    }
  }
  if (paused > 0) {
    const text = `Topic ${topic} is paused${pausedOn(paused, nodes.size)}: ${waiting(depth)}.`
    yield notice("paused_topic", { topic }, text)
  }
}

const ofChannel = function*(
  topic: string,
  channel: string,
  { depth, nodes, pausedNodes }: ChannelFigures,
  growth: Growth | undefined
): Generator<Notice> {
  const subject = { topic, channel }
  if (pausedNodes > 0) {
    const text = `Channel ${channel} of topic ${topic} is paused${pausedOn(pausedNodes, nodes)}: ${waiting(depth)}.`
    yield notice("paused_channel", subject, text)
  }
  if (growth?.from !== undefined) {
    const more = (depth - growth.from).toLocaleString("en-US")
    const text = `Channel ${channel} of topic ${topic} has no consumers: ${waiting(depth)}, ${more} more than before.`
    yield notice("unconsumed_channel", subject, text)
  }
}

const ofDaemon = function*({ address, error, kind, reachable }: DaemonState): Generator<Notice> {
  if (!reachable) yield notice("daemon_gone", { node: address }, `${kind} ${address} is unreachable: ${error}`)
  else if (error !== "") {
    yield notice("daemon_unhealthy", { node: address }, `${kind} ${address} is degraded: ${error}`)
  }
}

const ofVersions = function*(daemons: ReadonlyArray<DaemonState>): Generator<Notice> {
  const versions = new Map<string, Array<string>>()
  for (const { address, kind, reachable, version } of daemons) {
    if (kind !== "nsqd" || !reachable || version === "") continue
    const same = versions.get(version)
    if (same === undefined) versions.set(version, [address])
    else same.push(address)
  }
  if (versions.size < 2) return
  const each = Array.from(versions, ([version, addresses]) => {
    const more = addresses.length - maxNamed
    const named = addresses.slice(0, maxNamed).join(", ")
    return `${version} on ${named}${more > 0 ? ` and ${more} more` : ""}`
  })
  yield notice("versions_differ", {}, `nsqd versions differ: ${each.sort().join("; ")}.`)
}

/** The notices, and nothing after each topic, where others may have their turn. */
const notices = function*(
  { daemons, figures }: Watched,
  growths: WarningState["growths"]
): Generator<Notice | undefined> {
  for (const daemon of daemons) yield* ofDaemon(daemon)
  yield* ofVersions(daemons)
  for (const topic of figures.orphans) {
    yield notice(
      "topic_without_producers",
      { topic },
      `Topic ${topic} has no producers: it is registered with nsqlookupd, but no nsqd has it.`
    )
  }
  for (const [topic, topicFigures] of figures.topics) {
    yield* ofTopic(topic, topicFigures)
    for (const [channel, channelFigures] of topicFigures.channels) {
      yield* ofChannel(topic, channel, channelFigures, growths.get(growthKey(topic, channel)))
    }
    yield undefined
  }
}

/**
 * Returns the state after a check. A warning keeps its `since` while its cause persists. A step or two for each topic, because
 * there may be very many.
 */
export function* observe(before: WarningState, watched: Watched): Generator<void, WarningState, void> {
  const growths = yield* watchGrowths(before, watched.figures)
  const warnings = new Map<string, Warning>()
  for (const found of notices(watched, growths)) {
    if (found === undefined) {
      yield
      continue
    }
    const key = keyOf(found)
    warnings.set(key, { ...found, since: before.warnings.get(key)?.since ?? watched.at })
  }
  return { warnings, growths, figures: watched.figures }
}

/** Returns the warnings for browsers, the newest of each kind first, limited per kind. */
export const list = ({ warnings }: WarningState): ReadonlyArray<Warning> => {
  const kinds = new Map<Kind, Array<Warning>>()
  for (const warning of warnings.values()) {
    const same = kinds.get(warning.kind)
    if (same === undefined) kinds.set(warning.kind, [warning])
    else same.push(warning)
  }
  return Array.from(kinds.values()).flatMap((same) => {
    same.sort((a, b) => b.since - a.since)
    const [first] = same
    if (same.length <= maxPerKind || first === undefined) return same
    const text = `${amount(same.length - maxPerKind, "more warning")} of this kind.`
    return [...same.slice(0, maxPerKind), { ...first, topic: "", channel: "", node: "", text }]
  })
}

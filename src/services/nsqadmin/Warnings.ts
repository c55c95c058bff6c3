/**
 * Warnings about the cluster: channels that are stuck, abandoned or paused topics and channels, and daemons in trouble. A pure function
 * of the current sample and the previous warnings (docs/nsqadmin.md#warnings).
 */
import type { DaemonState, LiveNode, Warning } from "../../protocol/http/admin/AdminLive.ts"
import type { Memory } from "../../protocol/http/StatsResponse.ts"
import * as ChannelNotices from "./ChannelNotices.ts"
import * as ChannelWindow from "./ChannelWindow.ts"
import * as ConsumerFlows from "./ConsumerFlows.ts"
import * as Figures from "./Figures.ts"
import type { TopicOnNode } from "./NodeFlows.ts"
import { amount, keyOf, type Kind, type Notice, notice, type Thresholds, waiting } from "./Notices.ts"

/** The input of a check. */
export interface Watched {
  /** Unix milliseconds. */
  readonly at: number
  readonly figures: Figures.ClusterFigures
  readonly daemons: ReadonlyArray<DaemonState>
  readonly consumers: ConsumerFlows.ConsumerFlows
  /** The memory of nsqds that report it, by address. */
  readonly memories: ReadonlyMap<string, Memory>
  readonly nodes: ReadonlyArray<LiveNode>
}

/** What is remembered of a channel for the next check. */
interface Channel {
  readonly window: ChannelWindow.Window
  /** Whether the window began anew because the nsqds of the channel changed, and is too short to judge since. */
  readonly isUnjudged: boolean
  /** Since when every consumer of an nsqd has RDY 0 while messages wait there, by the address of the nsqd. */
  readonly unready: ReadonlyMap<string, number>
}

type Found = Omit<Warning, "muted_until">

/** The current warnings and the state for the next check. */
export interface WarningState {
  readonly warnings: ReadonlyMap<string, Found>
  /** The warnings for browsers: of each kind those about most messages and the newest first, limited per kind. */
  readonly listed: ReadonlyArray<Found>
  /** By topic and channel. */
  readonly channels: ReadonlyMap<string, Channel>
  readonly figures: Figures.ClusterFigures | undefined
}

/** The state before the first check. */
export const none: WarningState = { warnings: new Map(), listed: [], channels: new Map(), figures: undefined }

/** Limit for warnings of a kind; one more states the number of the others. */
const maxPerKind = 100
/** Limit for daemons listed in a sentence. */
const maxNamed = 5

/** The causes that are judged by a window. Their warnings hold while the window of the channel is too short again. */
const judgedKinds = ["stuck_channel", "requeueing_channel", "growing_channel", "growing_deferred"] as const

/**
 * Returns the nsqds with which sums over nsqds jump: those that have come, or have come back with the figures of a time without samples,
 * and those that are forgotten. One that is away is not among them, because its last figures remain in the sums.
 */
const changedNodes = (
  before: Figures.ClusterFigures,
  { nodes, seen }: Figures.ClusterFigures
): ReadonlyArray<string> => [
  ...[...nodes].filter((node) => !before.nodes.has(node)),
  ...[...before.seen.keys()].filter((node) => !seen.has(node))
]

const hasChannel = ({ seen }: Figures.ClusterFigures, topic: string, channel: string, node: string): boolean =>
  seen.get(node)?.flows.hasChannel(topic, channel) === true

const channelKey = (topic: string, channel: string): string => `${topic} ${channel}`

const noneUnready: ReadonlyMap<string, number> = new Map()

/** Returns the nsqds on which every consumer has RDY 0 while messages wait, and since when. */
const unreadyOf = (
  before: ReadonlyMap<string, number>,
  consumers: ReadonlyArray<ConsumerFlows.Consumer>,
  topic: string,
  channel: string,
  figures: Figures.ClusterFigures,
  at: number
): ReadonlyMap<string, number> => {
  if (consumers.length === 0) return noneUnready
  const found = new Map<string, number>()
  for (const [node, { channels }] of Figures.onNodes(figures, topic)) {
    const here = consumers.filter((consumer) => consumer.node === node)
    const isStopped = here.length > 0 && here.every(({ inFlight, ready }) => ready === 0 && inFlight === 0)
    if (isStopped && (channels().get(channel)?.depth ?? 0) > 0) found.set(node, before.get(node) ?? at)
  }
  return found
}

/** Returns the state of each channel, one step for each topic. */
function* watchChannels(
  before: WarningState,
  { at, consumers, figures }: Watched,
  period: number
): Generator<void, WarningState["channels"], void> {
  // Sampling timed out.
  if (figures === before.figures) return before.channels
  const last = before.figures ?? figures
  const changed = changedNodes(last, figures)
  const channels = new Map<string, Channel>()
  for (const [topic, topicFigures] of figures.topics) {
    for (const [name, channel] of topicFigures.channels) {
      const key = channelKey(topic, name)
      const known = before.channels.get(key)
      const now = ChannelWindow.snapshotOf(channel, figures.at, at)
      const isComparable = !changed.some((node) =>
        hasChannel(figures, topic, name, node) || hasChannel(last, topic, name, node)
      )
      const window = ChannelWindow.observe(isComparable ? known?.window : undefined, now, period)
      const isNew = known !== undefined && (known.isUnjudged || !isComparable)
      channels.set(key, {
        window,
        isUnjudged: isNew && now.depth + now.deferred > 0 && ChannelWindow.changesOf(window, period) === undefined,
        unready: unreadyOf(
          known?.unready ?? noneUnready,
          ConsumerFlows.consumersOf(consumers, topic, name),
          topic,
          name,
          figures,
          at
        )
      })
    }
    yield
  }
  return channels
}

const ofTopic = function*(
  topic: string,
  { channels, summary: { depth } }: Figures.TopicFigures,
  nodes: ReadonlyMap<string, TopicOnNode>
): Generator<Notice> {
  // The topic is on no nsqd that is known.
  if (nodes.size === 0) return
  if (channels.size === 0) {
    const what = depth === 0 ? "new messages will wait" : waiting(depth)
    yield notice("topic_without_channels", { topic }, `Topic ${topic} has no channels: ${what} for the first channel`)
  }
  let paused = 0
  for (const [node, { channelCount, flow }] of nodes) {
    if (flow.paused) paused++
    if (channels.size > 0 && channelCount === 0 && flow.depth > 0) {
      const text = `Topic ${topic} has no channels on ${node}: ${waiting(flow.depth)} there`
      yield notice("topic_without_channels", { topic, node }, text)
    }
  }
  if (paused > 0) {
    const where = ChannelNotices.pausedOn(paused, nodes.size)
    yield notice("paused_topic", { topic }, `Topic ${topic} is paused${where}: ${waiting(depth)}`)
  }
}

const ofDaemon = function*(daemon: DaemonState): Generator<Notice> {
  const { address, error, has_replied, kind, reachable, since } = daemon
  const subject = { node: address }
  // The raw error is shown with the state of the daemon.
  if (!reachable) {
    const detail = has_replied ? "" : "it has never replied to this nsqadmin"
    yield notice("daemon_gone", subject, `${kind} ${address} is unreachable and has not replied`, {
      detail,
      began: since
    })
  } else if (error !== "") {
    yield notice("daemon_unhealthy", subject, `${kind} ${address} is degraded: ${error}`, { began: since })
  }
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 1e9 ? 2 : 1)} GB`

/** Only this nsqd reports its heap limit: the counterpart of Go's is a target near the memory in use. It never reports objects. */
const ofMemory = function*(
  node: string,
  { heap_in_use_bytes: used, heap_objects, next_gc_bytes: limit }: Memory,
  { memoryPercent }: Thresholds
): Generator<Notice> {
  if (memoryPercent === 0 || heap_objects > 0 || limit === 0 || used * 100 < limit * memoryPercent) return
  const percent = Math.floor((used * 100) / limit)
  const text = `nsqd ${node} uses ${percent} % of its heap limit: ${gigabytes(used)} of ${gigabytes(limit)}`
  yield notice("memory_pressure", { node }, text)
}

/** A heap near its limit ends the process first, so that the machine is not named as well. */
const ofMachine = function*(
  { away, node, status }: LiveNode,
  isHeapFull: boolean,
  { diskPercent, memoryPercent }: Thresholds
): Generator<Notice> {
  if (status === null || away !== null) return
  const { disk, memory: { available_bytes: available, total_bytes: total } } = status
  const taken = total - available
  if (!isHeapFull && memoryPercent > 0 && total > 0 && taken * 100 >= total * memoryPercent) {
    const text = `The machine of nsqd ${node} has ${gigabytes(available)} of ${gigabytes(total)} memory left`
    yield notice("memory_pressure", { node }, text)
  }
  if (disk !== null && diskPercent > 0 && disk.used_bytes * 100 >= disk.total_bytes * diskPercent) {
    const percent = Math.floor((disk.used_bytes * 100) / disk.total_bytes)
    const text = `The disk of nsqd ${node} is ${percent} % full: ${gigabytes(disk.free_bytes)} of ${
      gigabytes(disk.total_bytes)
    } are free`
    yield notice("disk_pressure", { node }, text)
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
  yield notice("versions_differ", {}, `nsqd versions differ: ${each.sort().join("; ")}`)
}

/** Returns the warnings about a channel that its window has caused. */
const heldOf = ({ warnings }: WarningState, topic: string, channel: string): ReadonlyArray<Notice> =>
  judgedKinds.flatMap((kind) => {
    const held = warnings.get(keyOf({ kind, topic, channel, node: "" }))
    return held === undefined ? [] : [held]
  })

/** The notices, and nothing after each topic, where others may have their turn. */
const notices = function*(
  before: WarningState,
  channels: WarningState["channels"],
  { at, consumers, daemons, figures, memories, nodes }: Watched,
  thresholds: Thresholds
): Generator<Notice | undefined> {
  for (const daemon of daemons) yield* ofDaemon(daemon)
  yield* ofVersions(daemons)
  const full = new Set<string>()
  for (const [node, memory] of memories) {
    for (const found of ofMemory(node, memory, thresholds)) {
      full.add(node)
      yield found
    }
  }
  for (const node of nodes) yield* ofMachine(node, full.has(node.node), thresholds)
  for (const topic of figures.orphans) {
    yield notice(
      "topic_without_producers",
      { topic },
      `Topic ${topic} has no producers: it is registered with nsqlookupd, but no nsqd has it`
    )
  }
  for (const [topic, topicFigures] of figures.topics) {
    yield* ofTopic(topic, topicFigures, Figures.onNodes(figures, topic))
    for (const [channel, channelFigures] of topicFigures.channels) {
      const known = channels.get(channelKey(topic, channel))
      if (known === undefined) continue
      const unconsumed = keyOf({ kind: "unconsumed_channel", topic, channel, node: "" })
      yield* ChannelNotices.of({
        topic,
        channel,
        figures: channelFigures,
        window: known.window,
        held: known.isUnjudged ? heldOf(before, topic, channel) : [],
        unready: known.unready,
        consumers: ConsumerFlows.consumersOf(consumers, topic, channel),
        wasUnconsumed: before.warnings.has(unconsumed),
        now: at
      }, thresholds)
    }
    yield undefined
  }
}

/** Returns the order of magnitude of the messages that a warning is about, so that warnings rarely change their places. */
const magnitudeOf = ({ channel, kind, topic }: Found, { topics }: Figures.ClusterFigures): number => {
  const found = topics.get(topic)
  const flow = channel === "" ? found?.summary : found?.channels.get(channel)
  const messages = kind === "growing_deferred" ? flow?.deferred_count : flow?.depth
  return Math.floor(Math.log2(1 + (messages ?? 0)))
}

/** Returns the first warnings of a kind, and one that states the number of the others. */
const limited = (warnings: ReadonlyArray<Found>): ReadonlyArray<Found> => {
  const [first] = warnings
  if (warnings.length <= maxPerKind || first === undefined) return warnings
  const text = `${amount(warnings.length - maxPerKind, "more warning")} of this kind`
  return [...warnings.slice(0, maxPerKind), { ...first, topic: "", channel: "", node: "", text, detail: "" }]
}

/** Returns the warnings for browsers, one step for each. */
function* listOf(
  warnings: ReadonlyMap<string, Found>,
  figures: Figures.ClusterFigures
): Generator<void, WarningState["listed"], void> {
  const kinds = new Map<Kind, Array<readonly [magnitude: number, warning: Found]>>()
  for (const warning of warnings.values()) {
    const same = kinds.get(warning.kind)
    const entry = [magnitudeOf(warning, figures), warning] as const
    if (same === undefined) kinds.set(warning.kind, [entry])
    else same.push(entry)
    yield
  }
  const listed: Array<Found> = []
  for (const entries of kinds.values()) {
    entries.sort(([most, a], [least, b]) => least - most || b.since - a.since)
    listed.push(...limited(entries.map(([, warning]) => warning)))
    yield
  }
  return listed
}

/**
 * Returns the state after a check. A warning keeps its `since` while its cause persists. A few steps for each topic and a step for each
 * warning, because there may be very many.
 */
export function* observe(
  before: WarningState,
  watched: Watched,
  thresholds: Thresholds
): Generator<void, WarningState, void> {
  const channels = yield* watchChannels(before, watched, thresholds.period)
  const warnings = new Map<string, Found>()
  for (const found of notices(before, channels, watched, thresholds)) {
    if (found === undefined) {
      yield
      continue
    }
    const key = keyOf(found)
    const { began = watched.at, ...warning } = found
    warnings.set(key, { ...warning, since: before.warnings.get(key)?.since ?? began })
  }
  const listed = yield* listOf(warnings, watched.figures)
  return { warnings, listed, channels, figures: watched.figures }
}

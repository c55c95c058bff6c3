/** Schemas of nsqadmin's live figures, history and message tails. NSQ has no counterpart (docs/nsqadmin.md). */
import { Schema } from "effect"
import { NodeStatus } from "../NodeResponse.ts"

/** Unix milliseconds. */
const Time = Schema.Finite

/** Events per second, from the difference of two counters; null before the second sample. */
const Rate = Schema.NullOr(Schema.Finite)

/**
 * The figures of a topic or a channel, summed over all nsqds or on one nsqd. Of a topic, `depth`, `backend_depth`, `message_count`
 * and `rate` are those of its own queue, the others are sums over its channels. nsqds that are away count with their last known
 * figures, and not in the rates.
 */
const flow = {
  /** Messages that wait. */
  depth: Schema.Finite,
  /** Those of them that are on disk. */
  backend_depth: Schema.Finite,
  in_flight_count: Schema.Finite,
  deferred_count: Schema.Finite,
  /** Messages received since the nsqds started, like the two counters below. */
  message_count: Schema.Finite,
  requeue_count: Schema.Finite,
  timeout_count: Schema.Finite,
  client_count: Schema.Finite,
  /** Messages received per second. */
  rate: Rate,
  /** Messages finished per second: those received that are not in the channel any more. An emptied channel counts once. */
  finish_rate: Rate,
  requeue_rate: Rate,
  timeout_rate: Rate,
  /** The latest time at which the oldest waiting message can have been published; null if no message waits. */
  oldest: Schema.NullOr(Time),
  paused: Schema.Boolean,
  /** The time of the oldest figures of an nsqd that is away; null if all figures are current. */
  away: Schema.NullOr(Time)
}

/** A row of the list of topics: figures summed over all nsqds. */
export const TopicSummary = Schema.Struct({
  topic: Schema.String,
  ...flow,
  /** Sum of the depths of its channels. */
  channel_depth: Schema.Finite,
  /** Messages that wait in the topic, and those in its channel with most messages. */
  backlog: Schema.Finite,
  channel_count: Schema.Finite,
  /** The names of its channels, sorted. */
  channels: Schema.Array(Schema.String)
})
export type TopicSummary = typeof TopicSummary.Type

/**
 * The current value of a series. A series belongs to a topic (`channel` and `node` are empty), to a channel (`node` is empty),
 * or to either of them on one nsqd (`node` is `host:port`).
 */
export const LivePoint = Schema.Struct({
  topic: Schema.String,
  channel: Schema.String,
  node: Schema.String,
  ...flow,
  /** Of a topic the messages that wait in it and in its channel with most messages; of a channel its `depth`. */
  backlog: Schema.Finite,
  /** The number of channels of a topic; 0 for a channel. */
  channel_count: Schema.Finite
})
export type LivePoint = typeof LivePoint.Type

/** The state of a daemon. */
export const DaemonState = Schema.Struct({
  kind: Schema.Literals(["nsqd", "nsqlookupd"]),
  /** `host:port` of its HTTP API. */
  address: Schema.String,
  /** Empty if unknown. */
  hostname: Schema.String,
  version: Schema.String,
  reachable: Schema.Boolean,
  /** Why the daemon is unreachable or degraded; empty if it is healthy. */
  error: Schema.String,
  /** Whether a request of nsqadmin to it has succeeded since the start of nsqadmin. */
  has_replied: Schema.Boolean,
  /**
   * Of an unreachable daemon the time of its last successful reply; if it never replied, of nsqadmin's first request to it. Of others the
   * time of the last change between healthy, degraded and unreachable.
   */
  since: Time
})
export type DaemonState = typeof DaemonState.Type

/** An nsqd: sums over all of its topics and channels, and its process. One that is away has its last known figures. */
export const LiveNode = Schema.Struct({
  /** `host:port` of its HTTP API. */
  node: Schema.String,
  topic_count: Schema.Finite,
  /** Messages that wait in all topics and channels. */
  depth: Schema.Finite,
  in_flight_count: Schema.Finite,
  deferred_count: Schema.Finite,
  /** Consumers. */
  client_count: Schema.Finite,
  /** Messages that its topics have received since its start. */
  message_count: Schema.Finite,
  /** The same of its channels: each message counts once for each channel that has received it. */
  channel_message_count: Schema.Finite,
  /** Messages received by its topics per second. */
  rate: Rate,
  /** Messages that left its channels per second. */
  finish_rate: Rate,
  requeue_rate: Rate,
  timeout_rate: Rate,
  /** The time of the figures of an nsqd that is away; null if they are current. */
  away: Schema.NullOr(Time),
  /** What the nsqd reports of its process; null for NSQ's nsqd, which has no such report. */
  status: Schema.NullOr(NodeStatus)
})
export type LiveNode = typeof LiveNode.Type

/** Limits for the series of an nsqd, of which a page shows 100 topics at first. */
export const maxTopicsOfNode = 2000
export const maxChannelsOfNode = 500

/** The kinds of warnings, each with a trigger of its own (docs/nsqadmin.md#warnings). */
export const warningKinds = [
  "stuck_channel",
  "growing_channel",
  "requeueing_channel",
  "idle_consumers",
  "uneven_consumers",
  "growing_deferred",
  "old_messages",
  "memory_pressure",
  "disk_pressure",
  "unconsumed_channel",
  "topic_without_channels",
  "topic_without_producers",
  "paused_channel",
  "paused_topic",
  "daemon_gone",
  "daemon_unhealthy",
  "versions_differ"
] as const

const warningSubject = {
  kind: Schema.Literals(warningKinds),
  /** The subject of the warning; names that do not apply are empty. */
  topic: Schema.String,
  channel: Schema.String,
  /** `host:port` of an nsqd's HTTP API. */
  node: Schema.String
}

/** A problem of the cluster for an operator to examine. Its sentence is `text`, `since` and, after a semicolon, `detail`. */
export const Warning = Schema.Struct({
  ...warningSubject,
  /** What is wrong, with figures, without a full stop. */
  text: Schema.String,
  /** The consumer that causes it, with figures; empty if unknown. */
  detail: Schema.String,
  since: Time,
  /** The end of the time for which an administrator has muted it; null if it is not muted. */
  muted_until: Schema.NullOr(Time)
})
export type Warning = typeof Warning.Type

/** The body of `POST /api/mutes`: mutes a warning, also if it ends and begins again meanwhile. */
export const Mute = Schema.Struct({
  ...warningSubject,
  /** From 1 minute to 30 days; 0 ends the mute. */
  minutes: Schema.Finite
})
export type Mute = typeof Mute.Type

/** The longest mute, in minutes. */
export const maxMuteMinutes = 30 * 24 * 60

/**
 * An event of `GET /api/live`. The first sample of a connection is `full`; later ones hold the changes since the previous one. A large
 * sample has several events, so that neither server nor browser is busy for long with one of them.
 */
export const LiveSample = Schema.Struct({
  at: Time,
  full: Schema.Boolean,
  /** Whether the next event has more topics and points of this sample. Only the last one has what is not a topic or a point. */
  more: Schema.Boolean,
  /** All topics if `full`, otherwise the changed topics. */
  topics: Schema.Array(TopicSummary),
  /** Names of the topics that disappeared. */
  gone: Schema.Array(Schema.String),
  /**
   * The series of the requested topic or nsqd, in every event; empty without either. Of a topic all; of an nsqd those of the topics with
   * the largest backlogs (`maxTopicsOfNode`), and the channels of the first of these (`maxChannelsOfNode`).
   */
  points: Schema.Array(LivePoint),
  daemons: Schema.Array(DaemonState),
  /** All nsqds with figures, in every event. */
  nodes: Schema.Array(LiveNode),
  warnings: Schema.Array(Warning),
  /** The errors of this sample, one per line; empty if all daemons responded. */
  message: Schema.String
})
export type LiveSample = typeof LiveSample.Type

/** The past of one series. The values correspond to `times` of the response; null where no value is known. */
export const HistorySeries = Schema.Struct({
  topic: Schema.String,
  channel: Schema.String,
  node: Schema.String,
  backlog: Schema.Array(Schema.NullOr(Schema.Finite)),
  rate: Schema.Array(Schema.NullOr(Schema.Finite)),
  finish_rate: Schema.Array(Schema.NullOr(Schema.Finite)),
  requeue_rate: Schema.Array(Schema.NullOr(Schema.Finite)),
  timeout_rate: Schema.Array(Schema.NullOr(Schema.Finite))
})
export type HistorySeries = typeof HistorySeries.Type

/** `GET /api/history`: points oldest first, 20 seconds apart in memory, and a minute or more before that. */
export const HistoryResponse = Schema.Struct({
  times: Schema.Array(Time),
  series: Schema.Array(HistorySeries)
})
export type HistoryResponse = typeof HistoryResponse.Type

/** A message that a tail received. */
export const TailMessage = Schema.TaggedStruct("Message", {
  /** 16 hexadecimal digits. */
  id: Schema.String,
  /** The time of publication. */
  at: Time,
  attempts: Schema.Finite,
  /** `host:port` of the nsqd's TCP listener. */
  node: Schema.String,
  /** The first `maxTailedBytes` of the body, in base64. */
  body: Schema.String,
  /** Size of the whole body in bytes. */
  size: Schema.Finite
})
export type TailMessage = typeof TailMessage.Type

/** An event of `GET /api/messages/:topic`. */
export const TailEvent = Schema.Union([
  /** The channel exists on these nsqds: the tail receives messages published from now on. */
  Schema.TaggedStruct("Tailing", { channel: Schema.String, nodes: Schema.Array(Schema.String) }),
  TailMessage,
  /** Number of messages left out because they arrived too fast. */
  Schema.TaggedStruct("Skipped", { count: Schema.Finite }),
  /** No message for a while; keeps the connection alive. */
  Schema.TaggedStruct("Idle", {})
])
export type TailEvent = typeof TailEvent.Type

/** The longest part of a body that a tail sends to the browser, in bytes. */
export const maxTailedBytes = 64 * 1024

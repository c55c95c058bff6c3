/**
 * What nsqadmin streams to browsers as the cluster changes, keeps for charts, and shows of messages. NSQ has none of this.
 */
import { Schema } from "effect"

/** Unix milliseconds. */
const Time = Schema.Finite

/** A topic as the list of topics shows it, over all nsqds. */
export const TopicSummary = Schema.Struct({
  topic: Schema.String,
  /** Of the topic itself; those of its channels are in `channel_depth`. */
  depth: Schema.Finite,
  /** Of all its channels together. */
  channel_depth: Schema.Finite,
  in_flight_count: Schema.Finite,
  deferred_count: Schema.Finite,
  message_count: Schema.Finite,
  /** Messages published per second; null before the second sample. */
  rate: Schema.NullOr(Schema.Finite),
  channel_count: Schema.Finite,
  client_count: Schema.Finite,
  paused: Schema.Boolean
})
export type TopicSummary = typeof TopicSummary.Type

/**
 * One value of a series. A series is a topic (`channel` and `node` are empty), one of its channels (`node` is empty), or either
 * of them on one nsqd (`host:port`).
 */
export const LivePoint = Schema.Struct({
  topic: Schema.String,
  channel: Schema.String,
  node: Schema.String,
  depth: Schema.Finite,
  /** Messages per second; null before the second sample. */
  rate: Schema.NullOr(Schema.Finite)
})
export type LivePoint = typeof LivePoint.Type

/** A daemon and whether it answers. */
export const DaemonState = Schema.Struct({
  kind: Schema.Literals(["nsqd", "nsqlookupd"]),
  /** `host:port` of its HTTP API. */
  address: Schema.String,
  /** Empty where it is not known. */
  hostname: Schema.String,
  version: Schema.String,
  reachable: Schema.Boolean,
  /** Why it is not, or why it cannot write; empty otherwise. */
  error: Schema.String,
  /** Since when it is as it is. */
  since: Time
})
export type DaemonState = typeof DaemonState.Type

export const warningKinds = [
  "unconsumed_channel",
  "topic_without_channels",
  "topic_without_producers",
  "paused_channel",
  "paused_topic",
  "daemon_gone",
  "daemon_unhealthy",
  "versions_differ"
] as const

/** Something about the cluster that somebody should look at. */
export const Warning = Schema.Struct({
  kind: Schema.Literals(warningKinds),
  /** What it is about, as far as it applies; empty otherwise. */
  topic: Schema.String,
  channel: Schema.String,
  /** `host:port` of an nsqd's HTTP API. */
  node: Schema.String,
  /** A sentence for people. */
  text: Schema.String,
  since: Time
})
export type Warning = typeof Warning.Type

/** An event of `GET /api/live`. The first of a connection is `full`; those after it hold what has changed since. */
export const LiveSample = Schema.Struct({
  at: Time,
  full: Schema.Boolean,
  /** All topics, or those that differ from the sample before. */
  topics: Schema.Array(TopicSummary),
  /** Topics that are no more. */
  gone: Schema.Array(Schema.String),
  /** The series of the topic that was asked for, all of them each time; empty when none was. */
  points: Schema.Array(LivePoint),
  daemons: Schema.Array(DaemonState),
  warnings: Schema.Array(Warning),
  /** What could not be found out in this sample; empty when all could. */
  message: Schema.String
})
export type LiveSample = typeof LiveSample.Type

/** The past hour of one series; the values belong to the answer's times, null where there was none. */
export const HistorySeries = Schema.Struct({
  topic: Schema.String,
  channel: Schema.String,
  node: Schema.String,
  depth: Schema.Array(Schema.NullOr(Schema.Finite)),
  rate: Schema.Array(Schema.NullOr(Schema.Finite))
})
export type HistorySeries = typeof HistorySeries.Type

/** `GET /api/history`. */
export const HistoryAnswer = Schema.Struct({
  times: Schema.Array(Time),
  series: Schema.Array(HistorySeries)
})
export type HistoryAnswer = typeof HistoryAnswer.Type

/** A message seen by a tail. */
export const TailMessage = Schema.TaggedStruct("Message", {
  /** 16 hexadecimal digits. */
  id: Schema.String,
  /** When it was published. */
  at: Time,
  attempts: Schema.Finite,
  /** `host:port` of the nsqd's TCP listener. */
  node: Schema.String,
  /** Base64, at most `maxTailedBytes` of it. */
  body: Schema.String,
  /** Size of the whole body, in bytes. */
  size: Schema.Finite
})
export type TailMessage = typeof TailMessage.Type

/** An event of `GET /api/messages/:topic`. */
export const TailEvent = Schema.Union([
  /** It has begun: messages that are published from now on are seen. */
  Schema.TaggedStruct("Tailing", { channel: Schema.String, nodes: Schema.Array(Schema.String) }),
  TailMessage,
  /** Messages that were not shown, because they came too fast. */
  Schema.TaggedStruct("Skipped", { count: Schema.Finite }),
  /** Nothing happens; keeps the connection alive. */
  Schema.TaggedStruct("Idle", {})
])
export type TailEvent = typeof TailEvent.Type

/** How much of a message's body a tail shows. */
export const maxTailedBytes = 64 * 1024

/**
 * nsqd's metrics as entries of Effect's metric registry. They are read from the broker and the process on request, so
 * that unused metrics cost nothing. `Prometheus` prints them, `Telemetry` exports them.
 *
 * The number of series is bounded: topics and channels above a limit are omitted and counted. Ephemeral ones, whose
 * names are often new for every consumer, are included only on request.
 */
import type { Metric } from "effect"
import process from "node:process"
import { isEphemeral } from "../../../protocol/client/Names.ts"
import * as ByName from "../../core/ByName.ts"
import { packageVersion, version } from "../../core/Version.ts"
import { addProcess, type Labels, MetricCollection, switched } from "../../http/MetricCollection.ts"
import type { Broker } from "../broker/Broker.ts"
import type { Channel } from "../broker/Channel.ts"
import type { Clients } from "../broker/Clients.ts"
import { bounds, type LatencyHistogram } from "../broker/LatencyHistogram.ts"
import type { Topic } from "../broker/Topic.ts"
import type { ProcessMemory } from "../stats/ProcessMemory.ts"

/**
 * The services that the metrics are read from.
 *
 * @since 0.1.0
 * @category models
 */
export interface Sources {
  readonly broker: Broker["Service"]
  readonly clients: Clients["Service"]
  readonly memory: ProcessMemory["Service"]
  /** The reason why messages cannot be written; `undefined` if they can. */
  readonly health: string | undefined
}

/**
 * Most topics, and most channels, with series of their own: about 30,000 lines of text.
 *
 * @since 0.1.0
 * @category constants
 */
export const describedMax = 1000

/**
 * Which topics and channels have metrics of their own.
 *
 * @since 0.1.0
 * @category models
 */
export interface Choice {
  readonly includeEphemeral: boolean
  readonly describedMax: number
}

/**
 * The default: at most 1,000 topics and 1,000 channels, none of them ephemeral.
 *
 * @since 0.1.0
 * @category operations
 */
export const usualChoice: Choice = { includeEphemeral: false, describedMax }

/** The metrics, and histograms of latencies. */
class Collection extends MetricCollection {
  histogram(id: string, description: string, histogram: LatencyHistogram, attributes: Labels): void {
    const { counts, max, min, sum } = histogram
    let count = 0
    const buckets = bounds.map((bound, i): [number, number] => [bound, count += counts[i] ?? 0])
    count += counts[bounds.length] ?? 0
    this.add({ id, type: "Histogram", description, attributes }, { buckets, count, min, max, sum })
  }
}

const addTopic = (to: Collection, topic: Topic): void => {
  const labels = { topic: topic.name }
  to.counter("nsqd_topic_messages_total", "Messages published.", topic.messageCount, labels)
  to.counter("nsqd_topic_message_bytes_total", "Bytes of the bodies published.", topic.messageBytes, labels)
  if (topic.duplicateCount > 0) {
    const description = "Messages that were not stored again because of their key."
    to.counter("nsqd_topic_duplicates_total", description, topic.duplicateCount, labels)
  }
  to.gauge("nsqd_topic_depth", "Messages waiting at the topic, in memory and on disk.", topic.depth, labels)
  to.gauge("nsqd_topic_backend_depth", "Messages waiting at the topic on disk.", topic.backendDepth, labels)
  to.gauge("nsqd_topic_channels", "Channels of the topic.", topic.channels.length, labels)
  to.gauge("nsqd_topic_paused", "Whether the topic is paused.", switched(topic.paused), labels)
  if (topic.rejectedCount > 0) {
    to.counter("nsqd_topic_rejected_total", "Messages refused by a limit or a rate.", topic.rejectedCount, labels)
  }
}

const addChannel = (to: Collection, channel: Channel): void => {
  const labels = { topic: channel.topic, channel: channel.name }
  to.counter("nsqd_channel_messages_total", "Messages received from the topic.", channel.messageCount, labels)
  to.counter("nsqd_channel_requeues_total", "Messages requeued by consumers.", channel.requeueCount, labels)
  to.counter("nsqd_channel_timeouts_total", "Messages that timed out.", channel.timeoutCount, labels)
  to.gauge("nsqd_channel_depth", "Messages waiting, in memory and on disk.", channel.depth, labels)
  to.gauge("nsqd_channel_backend_depth", "Messages waiting on disk.", channel.backendDepth, labels)
  to.gauge("nsqd_channel_in_flight_messages", "Messages in flight to consumers.", channel.inFlightCount, labels)
  to.gauge("nsqd_channel_deferred_messages", "Deferred messages.", channel.deferredCount, labels)
  to.gauge("nsqd_channel_clients", "Consumers.", channel.subscriptions.length, labels)
  to.gauge("nsqd_channel_paused", "Whether the channel is paused.", switched(channel.paused), labels)
  if (channel.droppedCount > 0) {
    to.counter("nsqd_channel_dropped_total", "Messages dropped by a limit.", channel.droppedCount, labels)
  }
  if (channel.expiredCount > 0) {
    to.counter("nsqd_channel_expired_total", "Messages dropped after their time-to-live.", channel.expiredCount, labels)
  }
  if (channel.deadLetterCount > 0) {
    to.counter(
      "nsqd_channel_dead_letters_total",
      "Messages moved to the dead-letter topic.",
      channel.deadLetterCount,
      labels
    )
  }
  const { global, region, zone } = channel.delivered
  if (zone + region > 0) {
    for (const [locality, count] of [["zone", zone], ["region", region], ["global", global]] as const) {
      const of = { ...labels, locality }
      to.counter(
        "nsqd_channel_delivered_total",
        "Messages delivered from memory, by the consumer's locality.",
        count,
        of
      )
    }
  }
  const { histogram } = channel.latency
  if (histogram === undefined) return
  to.histogram(
    "nsqd_channel_message_latency_seconds",
    "Time from publishing to FIN of messages finished since the first request for metrics.",
    histogram,
    labels
  )
}

function* addBroker(
  to: Collection,
  { broker, clients, health }: Sources,
  choice: Choice
): Generator<void, void, void> {
  const isShown = ({ name }: { readonly name: string }): boolean => choice.includeEphemeral || !isEphemeral(name)
  const all = yield* ByName.sortedInSteps(broker.topics())
  const topics = all.filter(isShown)
  const channels: Array<Channel> = []
  let channelCount = 0
  let shownChannels = 0
  for (const topic of all) {
    channelCount += topic.channels.length
    if (!isShown(topic)) continue
    const shown = topic.channels.filter(isShown)
    shownChannels += shown.length
    if (channels.length < choice.describedMax) channels.push(...ByName.sorted(shown))
    yield
  }
  to.gauge("nsqd_info", "Versions of NSQ's protocol and behaviour, and of Node.", 1, {
    version,
    effect_nsq_version: packageVersion,
    node: process.versions.node
  })
  to.gauge("nsqd_healthy", "Whether messages can be written to disk.", switched(health === undefined))
  to.gauge("nsqd_topics", "Topics.", all.length)
  to.gauge("nsqd_channels", "Channels.", channelCount)
  const connected = Array.from(clients.all())
  to.gauge("nsqd_clients", "Connected clients.", connected.length)
  to.gauge(
    "nsqd_clients_unfinished_bytes",
    "Buffered bytes of incomplete commands.",
    connected.reduce((sum, client) => sum + client.stats().unfinishedBytes, 0)
  )
  const omitted = (count: number): number => Math.max(0, count - choice.describedMax)
  const description = "Topics and channels omitted because of the limit on series."
  to.gauge("nsqd_metrics_omitted", description, omitted(topics.length), { kind: "topic" })
  to.gauge("nsqd_metrics_omitted", description, omitted(shownChannels), { kind: "channel" })
  for (const topic of topics.slice(0, choice.describedMax)) {
    addTopic(to, topic)
    yield
  }
  for (const channel of channels.slice(0, choice.describedMax)) {
    addChannel(to, channel)
    yield
  }
}

const addMemory = (to: Collection, { broker, memory }: Sources): void => {
  addProcess(to, broker.startTime)
  const { gc_pause_usec_100: longestPause, gc_total_runs } = memory.read()
  to.counter("nodejs_gc_runs_total", "Garbage collections.", gc_total_runs)
  to.gauge("nodejs_gc_pause_max_seconds", "Longest of the last 256 garbage collection pauses.", longestPause / 1e6)
}

/** Collects all series, in steps. The first call makes channels keep histograms of their latencies. */
export function* collectInSteps(sources: Sources, choice: Choice): Generator<void, Metric.MetricRegistry, void> {
  sources.broker.keepLatencyHistograms()
  const collection = new Collection()
  yield* addBroker(collection, sources, choice)
  addMemory(collection, sources)
  return collection.registry
}

/**
 * Collects all series at once.
 *
 * @since 0.1.0
 * @category operations
 */
export const collect = (sources: Sources, choice: Choice): Metric.MetricRegistry => {
  const steps = collectInSteps(sources, choice)
  let step = steps.next()
  while (step.done !== true) step = steps.next()
  return step.value
}

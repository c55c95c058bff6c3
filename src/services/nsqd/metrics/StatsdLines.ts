/**
 * What goes to statsd, as text: NSQ's names in NSQ's order (section 18 of the nsqd notes), and how lines are packed into
 * datagrams. Pure; `Statsd` says when and where to.
 */
import { isEphemeral } from "../../../protocol/client/Names.ts"
import type { LatencySummary } from "../broker/LatencyQuantiles.ts"
import type { MemoryStats } from "../stats/ProcessMemory.ts"
import type { ChannelJson, TopicJson } from "../stats/StatsJson.ts"

/** The numbers of one moment. */
export interface Snapshot {
  readonly topics: ReadonlyArray<TopicJson>
  /** Undefined where memory is not to be sent. */
  readonly memory: MemoryStats | undefined
}

/** Before anything was sent. */
export const nothing: Snapshot = { topics: [], memory: undefined }

const gauge = (name: string, value: number): string => `${name}:${Math.trunc(value)}|g`

/** What has been added since; a counter that starts anew with its topic or channel counts from there. */
const counter = (name: string, value: number, before = 0): string =>
  `${name}:${value < before ? value : value - before}|c`

/** As Go prints `%.0f`: half to even. */
export const wholePercent = (quantile: number): number => {
  const percent = quantile * 100
  const floor = Math.floor(percent)
  const rest = percent - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
}

const latencyLines = (name: string, { percentiles }: LatencySummary): ReadonlyArray<string> =>
  (percentiles ?? []).map(({ quantile, value }) =>
    gauge(`${name}.e2e_processing_latency_${wholePercent(quantile)}`, value)
  )

const channelLines = (name: string, now: ChannelJson, before: ChannelJson | undefined): ReadonlyArray<string> => [
  counter(`${name}.message_count`, now.message_count, before?.message_count),
  gauge(`${name}.depth`, now.depth),
  gauge(`${name}.backend_depth`, now.backend_depth),
  gauge(`${name}.in_flight_count`, now.in_flight_count),
  gauge(`${name}.deferred_count`, now.deferred_count),
  counter(`${name}.requeue_count`, now.requeue_count, before?.requeue_count),
  counter(`${name}.timeout_count`, now.timeout_count, before?.timeout_count),
  gauge(`${name}.clients`, now.client_count),
  ...latencyLines(name, now.e2e_processing_latency)
]

const topicLines = (now: TopicJson, before: TopicJson | undefined): ReadonlyArray<string> => {
  const name = `topic.${now.topic_name}`
  const channelsBefore = new Map(before?.channels.map((channel) => [channel.channel_name, channel]))
  return [
    counter(`${name}.message_count`, now.message_count, before?.message_count),
    counter(`${name}.message_bytes`, now.message_bytes, before?.message_bytes),
    gauge(`${name}.depth`, now.depth),
    gauge(`${name}.backend_depth`, now.backend_depth),
    ...latencyLines(name, now.e2e_processing_latency),
    ...now.channels.flatMap((channel) =>
      channelLines(`${name}.channel.${channel.channel_name}`, channel, channelsBefore.get(channel.channel_name))
    )
  ]
}

const memoryLines = (now: MemoryStats, before: MemoryStats | undefined): ReadonlyArray<string> => {
  const { gc_total_runs: runs, ...gauges } = now
  return [
    ...Object.entries(gauges).map(([name, value]) => gauge(`mem.${name}`, value)),
    counter("mem.gc_runs", runs, before?.gc_total_runs)
  ]
}

/**
 * The lines of one push, without line ends, those of a topic together: counters since `before`, gauges as they are. `prefix` ends
 * with its dot.
 */
export function* lines(prefix: string, now: Snapshot, before: Snapshot): Generator<ReadonlyArray<string>, void> {
  const topicsBefore = new Map(before.topics.map((topic) => [topic.topic_name, topic]))
  const prefixed = (line: string): string => prefix + line
  for (const topic of now.topics) yield topicLines(topic, topicsBefore.get(topic.topic_name)).map(prefixed)
  if (now.memory !== undefined) yield memoryLines(now.memory, before.memory).map(prefixed)
}

/** The snapshot without ephemeral topics and channels. */
export const withoutEphemeral = ({ memory, topics }: Snapshot): Snapshot => ({
  memory,
  topics: topics.filter(({ topic_name }) => !isEphemeral(topic_name)).map((topic) => ({
    ...topic,
    channels: topic.channels.filter(({ channel_name }) => !isEphemeral(channel_name))
  }))
})

/** Go's default where the size is 0 or less. */
const defaultPacketSize = 4096

/** Packs whole lines in datagrams of at most `maxBytes`, each line ended; one that is longer gets a datagram of its own. */
export class Packets {
  private readonly maxBytes: number
  private readonly packed: Array<Buffer> = []
  private text = ""

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes > 0 ? maxBytes : defaultPacketSize
  }

  add(lines: ReadonlyArray<string>): void {
    for (const line of lines) {
      // Names are ASCII: as many bytes as characters.
      if (this.text !== "" && this.text.length + line.length + 1 > this.maxBytes) this.pack()
      this.text += `${line}\n`
    }
  }

  /** All datagrams. */
  end(): ReadonlyArray<Buffer> {
    if (this.text !== "") this.pack()
    return this.packed
  }

  private pack(): void {
    this.packed.push(Buffer.from(this.text))
    this.text = ""
  }
}

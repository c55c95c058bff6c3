/**
 * The lines for statsd, with NSQ's names in NSQ's order (docs/protocol/metrics.md#statsd-names), and their packing
 * into datagrams. Pure; `Statsd` sends them.
 */
import { isEphemeral } from "../../../protocol/client/Names.ts"
import type { Channel, Latency, Memory, Topic } from "../../../protocol/http/StatsResponse.ts"

/** The statistics at one moment. */
export interface Snapshot {
  readonly topics: ReadonlyArray<Topic>
  /** `undefined` without `--statsd-mem-stats`. */
  readonly memory: Memory | undefined
}

/** The snapshot before the first push. */
export const nothing: Snapshot = { topics: [], memory: undefined }

const gauge = (name: string, value: number): string => `${name}:${Math.trunc(value)}|g`

/** The increase since the last push. A lower value means a recreated topic or channel, which counts from 0. */
const counter = (name: string, value: number, before = 0): string =>
  `${name}:${value < before ? value : value - before}|c`

/** Rounds half to even, as Go's `%.0f`. */
export const wholePercent = (quantile: number): number => {
  const percent = quantile * 100
  const floor = Math.floor(percent)
  const rest = percent - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
}

const latencyLines = (name: string, { percentiles }: Latency): ReadonlyArray<string> =>
  (percentiles ?? []).map(({ quantile, value }) =>
    gauge(`${name}.e2e_processing_latency_${wholePercent(quantile)}`, value)
  )

const channelLines = (name: string, now: Channel, before: Channel | undefined): ReadonlyArray<string> => [
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

const topicLines = (now: Topic, before: Topic | undefined): ReadonlyArray<string> => {
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

const memoryLines = (now: Memory, before: Memory | undefined): ReadonlyArray<string> => {
  const { gc_total_runs: runs, ...gauges } = now
  return [
    ...Object.entries(gauges).map(([name, value]) => gauge(`mem.${name}`, value)),
    counter("mem.gc_runs", runs, before?.gc_total_runs)
  ]
}

/**
 * The lines of one push without line ends, those of one topic together: counters since `before`, gauges with their
 * current value. `prefix` ends with a dot.
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

/** Go's default buffer size, for sizes <= 0. */
const defaultPacketSize = 4096

/**
 * Packs whole lines, each with its line end, into datagrams of at most `maxBytes`. A longer line gets its own
 * datagram.
 */
export class Packets {
  private readonly maxBytes: number
  private readonly packed: Array<Buffer> = []
  private text = ""

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes > 0 ? maxBytes : defaultPacketSize
  }

  add(lines: ReadonlyArray<string>): void {
    for (const line of lines) {
      // Names are ASCII: one byte per character.
      if (this.text !== "" && this.text.length + line.length + 1 > this.maxBytes) this.pack()
      this.text += `${line}\n`
    }
  }

  /** Returns all datagrams. */
  end(): ReadonlyArray<Buffer> {
    if (this.text !== "") this.pack()
    return this.packed
  }

  private pack(): void {
    this.packed.push(Buffer.from(this.text))
    this.text = ""
  }
}

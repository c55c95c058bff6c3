/**
 * The flows of all topics and channels on one nsqd at one time: a row of numbers for each, in one typed array. A large cluster has tens of
 * thousands of them in a sample. As objects they would live just long enough for the garbage collector to copy them all, in long pauses;
 * so objects are made from the rows when they are read.
 */
import type { SampledTopic } from "../../protocol/http/StatsResponse.ts"
import * as Flow from "./Flow.ts"

/** A topic or a channel on one nsqd. */
export interface FlowWithBacklog extends Flow.FlowOnNode {
  /** Messages that wait: in a channel, or in the queue of a topic and in its channel with most. */
  readonly backlog: number
}

/** A topic and its channels on one nsqd. */
export interface TopicOnNode {
  readonly flow: FlowWithBacklog
  readonly channelCount: number
  readonly channels: () => ReadonlyMap<string, FlowWithBacklog>
}

/** The first row of a topic, which is its own; those of its channels follow. */
interface Rows {
  readonly topic: string
  readonly first: number
  readonly channels: ReadonlyArray<string>
}

/** Numbers in a row. */
const width = 18
/** Rows for which there is room at first. */
const initialRows = 256

/** An unknown number is NaN in a row. */
const orNull = (value: number): number | null => Number.isNaN(value) ? null : value

/** The topics and channels of one nsqd. */
export class NodeFlows {
  private readonly topics = new Map<string, Rows>()
  private values: Float64Array
  private readonly checkpoints: Array<Flow.FlowOnNode["checkpoints"]> = []

  private constructor(rows: number) {
    this.values = new Float64Array(rows * width)
  }

  /** Returns flows without topics, with room for as many as there were `before`. */
  static after(before: NodeFlows | undefined): NodeFlows {
    return new NodeFlows(Math.max(initialRows, before?.checkpoints.length ?? 0))
  }

  /** Adds a topic, whose figures were those in `before` at the begin of the interval. */
  add(topic: SampledTopic, before: NodeFlows | undefined, interval: Flow.Interval): void {
    const known = before?.topics.get(topic.topic_name)
    const first = this.checkpoints.length
    const own = Flow.ofTopic(topic, known === undefined ? undefined : before?.read(known.first), interval)
    const sum = { ...own }
    this.write(first, sum, own.depth)
    let largest = 0
    const channels = (topic.channels ?? []).map((channel, i) => {
      const index = known?.channels[i] === channel.channel_name
        ? i
        : known?.channels.indexOf(channel.channel_name) ?? -1
      const previous = known === undefined || index < 0 ? undefined : before?.read(known.first + 1 + index)
      const flow = Flow.ofChannel(channel, previous, interval)
      this.write(first + 1 + i, flow, flow.depth)
      Flow.addToTopic(sum, flow)
      largest = Math.max(largest, flow.depth)
      return channel.channel_name
    })
    this.write(first, sum, own.depth + largest)
    const isSame = known?.first === first && known.channels.length === channels.length &&
      known.channels.every((name, i) => name === channels[i])
    const rows = isSame ? known : { topic: known?.topic ?? topic.topic_name, first, channels }
    this.topics.set(rows.topic, rows)
  }

  /** The names of the topics. */
  names(): Iterable<string> {
    return this.topics.keys()
  }

  /** Whether the topic is on the nsqd. */
  has(topic: string): boolean {
    return this.topics.has(topic)
  }

  /** Whether the channel is on the nsqd. */
  hasChannel(topic: string, channel: string): boolean {
    return this.topics.get(topic)?.channels.includes(channel) === true
  }

  /** Returns the topic; undefined if it is not on the nsqd. `away`: since when the nsqd is away, in Unix milliseconds. */
  topic(name: string, away: number | undefined): TopicOnNode | undefined {
    const rows = this.topics.get(name)
    if (rows === undefined) return undefined
    const { channels, first } = rows
    const flowOf = (row: number): FlowWithBacklog => {
      const flow = this.read(row)
      return away === undefined ? flow : Flow.awaySince(flow, away)
    }
    return {
      flow: flowOf(first),
      channelCount: channels.length,
      channels: () => new Map(channels.map((channel, i) => [channel, flowOf(first + 1 + i)]))
    }
  }

  private write(row: number, flow: Flow.FlowOnNode, backlog: number): void {
    const start = row * width
    if (start >= this.values.length) {
      const larger = new Float64Array(2 * this.values.length)
      larger.set(this.values)
      this.values = larger
    }
    this.checkpoints[row] = flow.checkpoints
    this.values.set([
      backlog,
      flow.depth,
      flow.backend_depth,
      flow.in_flight_count,
      flow.deferred_count,
      flow.message_count,
      flow.requeue_count,
      flow.timeout_count,
      flow.client_count,
      flow.rate ?? NaN,
      flow.finish_rate ?? NaN,
      flow.requeue_rate ?? NaN,
      flow.timeout_rate ?? NaN,
      flow.oldest ?? NaN,
      flow.paused ? 1 : 0,
      flow.removed,
      flow.finished,
      flow.finishedLevel
    ], start)
  }

  private read(row: number): FlowWithBacklog {
    const start = row * width
    const value = (column: number): number => this.values[start + column] ?? NaN
    return {
      backlog: value(0),
      depth: value(1),
      backend_depth: value(2),
      in_flight_count: value(3),
      deferred_count: value(4),
      message_count: value(5),
      requeue_count: value(6),
      timeout_count: value(7),
      client_count: value(8),
      rate: orNull(value(9)),
      finish_rate: orNull(value(10)),
      requeue_rate: orNull(value(11)),
      timeout_rate: orNull(value(12)),
      oldest: orNull(value(13)),
      paused: value(14) === 1,
      removed: value(15),
      finished: value(16),
      finishedLevel: value(17),
      checkpoints: this.checkpoints[row] ?? [],
      away: null
    }
  }
}

/**
 * `/stats` as text (docs/protocol/http.md#stats-as-text): the response of `StatsJson` in NSQ's columns, which scripts
 * parse too.
 */
import { Duration } from "effect"
import type { Channel, Client, Latency, Topic } from "../../../protocol/http/StatsResponse.ts"
import * as GoDuration from "../../core/GoDuration.ts"
import { banner } from "../../core/Version.ts"
import type { Stats } from "./StatsJson.ts"

/** The time of the statistics. */
export interface Moment {
  /** Unix seconds. */
  readonly now: number
  readonly uptime: Duration.Duration
}

const column = (value: string | number, width: number): string => String(value).padEnd(width)

const two = (value: number): string => String(value).padStart(2, "0")

/** RFC 3339 in local time. */
export const formatTime = (unixSeconds: number): string => {
  const date = new Date(unixSeconds * 1000)
  const offset = -date.getTimezoneOffset()
  const zone = offset === 0
    ? "Z"
    : `${offset < 0 ? "-" : "+"}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`
  return `${day}T${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}${zone}`
}

const formatNanos = (nanos: number): string => {
  if (nanos > 1e9) return `${(nanos / 1e9).toFixed(1)}s`
  if (nanos > 1e6) return `${(nanos / 1e6).toFixed(1)}ms`
  return nanos > 1e3 ? `${(nanos / 1e3).toFixed(1)}us` : `${nanos.toFixed(1)}ns`
}

const latencyText = ({ percentiles }: Latency): string =>
  (percentiles ?? []).map(({ value }) => formatNanos(value)).join(", ")

const clientText = (client: Client, now: number): string => {
  const port = client.remote_address.slice(client.remote_address.lastIndexOf(":") + 1)
  const id = `[${client.version} ${column(`${client.hostname}:${port} ${client.user_agent}`, 21)}]`
  const connected = `connected: ${GoDuration.format(Duration.seconds(Math.max(0, now - client.connect_ts)))}`
  if (client.pub_counts !== undefined) {
    const total = client.pub_counts.reduce((sum, { count }) => sum + count, 0)
    const topics = client.pub_counts.map(({ count, topic }) => `${topic}=${count}`).join(",")
    return `${id} msgs: ${column(total, 8)} topics: ${topics} ${connected}`
  }
  const { finish_count, in_flight_count, message_count, ready_count, requeue_count, state } = client
  return `${id} state: ${state} inflt: ${column(in_flight_count, 4)} rdy: ${column(ready_count, 4)} ` +
    `fin: ${column(finish_count, 8)} re-q: ${column(requeue_count, 8)} msgs: ${column(message_count, 8)} ${connected}`
}

const channelLine = (channel: Channel): string => {
  const { backend_depth, deferred_count, depth, in_flight_count, message_count, requeue_count, timeout_count } = channel
  return `${channel.paused ? "   *P " : "      "}[${column(channel.channel_name, 25)}] ` +
    `depth: ${column(depth, 5)} be-depth: ${column(backend_depth, 5)} ` +
    `inflt: ${column(in_flight_count, 4)} def: ${column(deferred_count, 4)} re-q: ${column(requeue_count, 5)} ` +
    `timeout: ${column(timeout_count, 5)} msgs: ${column(message_count, 8)} ` +
    `e2e%: ${latencyText(channel.e2e_processing_latency)}\n`
}

const topicLine = (topic: Topic): string =>
  `\n${topic.paused ? "*P " : "   "}[${column(topic.topic_name, 15)}] ` +
  `depth: ${column(topic.depth, 5)} be-depth: ${column(topic.backend_depth, 5)} ` +
  `msgs: ${column(topic.message_count, 8)} e2e%: ${latencyText(topic.e2e_processing_latency)}` +
  `${topic.durability === undefined ? "" : ` durability: ${topic.durability}`}\n`

function* topicsPieces(topics: Iterable<Topic>, now: number): Generator<string, void> {
  let isFirst = true
  for (const topic of topics) {
    if (isFirst) yield "\nTopics:"
    isFirst = false
    yield topicLine(topic)
    for (const channel of topic.channels) {
      yield channelLine(channel)
      for (const client of channel.clients ?? []) yield `        ${clientText(client, now)}\n`
    }
  }
  if (isFirst) yield "\nTopics: None\n"
}

function* producersPieces(producers: Iterable<Client>, now: number): Generator<string, void> {
  let isFirst = true
  for (const client of producers) {
    if (isFirst) yield "\nProducers:\n"
    isFirst = false
    yield `   ${clientText(client, now)}\n`
  }
  if (isFirst) yield "\nProducers: None\n"
}

/** The text in pieces. */
export function* pieces(stats: Stats, { now, uptime }: Moment): Generator<string, void> {
  const { health, memory, producers, start_time, topics } = stats
  yield `${banner("nsqd")}\nstart_time ${formatTime(start_time)}\nuptime ${GoDuration.format(uptime)}\n` +
    `\nHealth: ${health}\n`
  if (memory !== undefined) {
    const lines = Object.entries(memory).map(([name, value]) => `   ${column(name, 25)}\t${value}\n`)
    yield `\nMemory:\n${lines.join("")}`
  }
  yield* topicsPieces(topics ?? [], now)
  yield* producersPieces(producers, now)
}

/**
 * The queues of the daemon as it reports them: created, counted and drained over HTTP.
 */
import type { Ledger, TopicShape } from "./Ledger.ts"
import { delay } from "./load.ts"
import * as Wire from "./wire.ts"

interface ChannelStats {
  readonly channel_name: string
  readonly depth: number
  readonly in_flight_count: number
  readonly deferred_count: number
}

interface TopicStats {
  readonly topic_name: string
  readonly depth: number
  readonly channels: ReadonlyArray<ChannelStats>
}

/** The topics of `/stats`. */
const stats = async (httpPort: number): Promise<ReadonlyArray<TopicStats>> =>
  JSON.parse((await Wire.http(httpPort, "/stats?format=json")).body).topics

/** Creates topics and channels. Rejects if the daemon refuses one. */
export const createQueues = async (httpPort: number, topics: ReadonlyArray<TopicShape>): Promise<void> => {
  for (const { channels, name } of topics) {
    for (
      const path of [
        `/topic/create?topic=${name}`,
        ...channels.map((c) => `/channel/create?topic=${name}&channel=${c}`)
      ]
    ) {
      const reply = await Wire.http(httpPort, path, "")
      if (reply.status !== 200) throw new Error(`${path}: ${reply.status} ${reply.body}`)
    }
  }
}

/** The names of channels that the daemon does not have. */
export const missingQueues = async (
  httpPort: number,
  topics: ReadonlyArray<TopicShape>
): Promise<ReadonlyArray<string>> => {
  const found = new Set(
    (await stats(httpPort)).flatMap((topic) => topic.channels.map((c) => `${topic.topic_name}/${c.channel_name}`))
  )
  return topics.flatMap(({ channels, name }) => channels.map((c) => `${name}/${c}`)).filter((name) => !found.has(name))
}

/** Messages on channels that are due after the end of a run. */
export interface Later {
  /** Number that the channels must have. */
  readonly expected: number
  /** Number of those whose publish has no reply: the channels may have them. */
  readonly uncertain: number
  readonly found: number
  /** Sums over all channels: too few on one channel and too many on another one do not cancel each other out. */
  readonly missing: number
  readonly unexpected: number
}

export interface Left {
  /** Number of messages that wait or are in flight. */
  readonly waiting: number
  readonly later: Later
}

/** Compares the messages that the daemon has with those of the ledger. */
const left = async (httpPort: number, ledger: Ledger): Promise<Left> => {
  const topics = await stats(httpPort)
  const later = { expected: 0, uncertain: 0, found: 0, missing: 0, unexpected: 0 }
  for (const [topic, shape] of ledger.topics.entries()) {
    const channels = topics.find(({ topic_name }) => topic_name === shape.name)?.channels ?? []
    for (const [channel, name] of shape.channels.entries()) {
      const found = channels.find(({ channel_name }) => channel_name === name)?.deferred_count ?? 0
      const { certain, uncertain } = ledger.laterOn(topic, channel)
      later.expected += certain
      later.uncertain += uncertain
      later.found += found
      later.missing += Math.max(0, certain - found)
      later.unexpected += Math.max(0, found - certain - uncertain)
    }
  }
  const waiting = topics.reduce(
    (sum, { channels, depth }) =>
      channels.reduce((sum, channel) => sum + channel.depth + channel.in_flight_count, sum + depth),
    0
  )
  return { waiting, later }
}

const stuckMillis = 20_000

/**
 * Waits until all deferred messages of the run are due, no topic and no channel has a message for now, durable channels have delivered
 * all that the ledger expects and nothing has changed for a moment, or until nothing has changed for long. Returns the messages that
 * the daemon still reports.
 */
export const drained = async (httpPort: number, ledger: Ledger): Promise<Left> => {
  let moved = performance.now()
  let last = ledger.deliveryCount + ledger.finishedCount
  while (true) {
    await delay(100)
    const now = ledger.deliveryCount + ledger.finishedCount
    if (now !== last || ledger.untilLastDue > 0) moved = performance.now()
    last = now
    const quiet = performance.now() - moved
    if (quiet < 600) continue
    const result = await left(httpPort, ledger)
    const done = result.waiting === 0 && result.later.unexpected === 0 && (!ledger.durable || ledger.open === 0)
    if (done || quiet > stuckMillis) return result
  }
}

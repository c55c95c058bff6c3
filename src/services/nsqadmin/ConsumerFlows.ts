/**
 * The consumers of the channels that may be stuck. `/stats` of a whole nsqd is sampled without clients, of which there may be very many:
 * only those of a few channels are requested, and compared with their counters of a while ago. Pure.
 */
import type { ClientStats } from "../../protocol/http/admin/AdminStats.ts"
import type { ClusterFigures } from "./Figures.ts"

/** A channel whose consumers are inspected. */
export interface Suspect {
  readonly topic: string
  readonly channel: string
  /** Addresses of the nsqds that have it and responded. */
  readonly nodes: ReadonlyArray<string>
}

/** A consumer's connection. */
export interface Consumer {
  readonly name: string
  /** `host:port` of the nsqd's HTTP API. */
  readonly node: string
  readonly ready: number
  readonly inFlight: number
  readonly finished: number
  readonly timedOut: number
  /** Messages received per second over the last while; undefined for a connection that is too new. */
  readonly rate: number | undefined
  /** Messages received in that while. */
  readonly received: number
}

interface Counted {
  readonly at: number
  readonly received: ReadonlyMap<string, number>
}

interface Inspected {
  readonly base: Counted
  readonly next: Counted
  readonly consumers: ReadonlyArray<Consumer>
}

/** The inspected channels, by topic and channel. */
export type ConsumerFlows = ReadonlyMap<string, Inspected>

/** The state before the first inspection. */
export const none: ConsumerFlows = new Map()

/** Limit for channels inspected in one sample. */
const maxSuspects = 16

const keyOf = (topic: string, channel: string): string => `${topic} ${channel}`

/** Returns the channels with consumers and messages that wait, those with most messages first. */
export const suspectsOf = ({ nodes, seen, topics }: ClusterFigures): ReadonlyArray<Suspect> => {
  const found: Array<Omit<Suspect, "nodes"> & { readonly depth: number }> = []
  for (const [topic, { channels }] of topics) {
    for (const [channel, { client_count, depth }] of channels) {
      if (client_count > 0 && depth > 0) found.push({ topic, channel, depth })
    }
  }
  return found.sort((a, b) => b.depth - a.depth).slice(0, maxSuspects).map(({ channel, topic }) => {
    const having = [...nodes].filter((node) => seen.get(node)?.flows.hasChannel(topic, channel))
    return { topic, channel, nodes: having }
  })
}

const connectionOf = ({ node, remote_address }: ClientStats): string => `${node} ${remote_address}`

const nameOf = ({ client_id, hostname, remote_address }: ClientStats): string =>
  client_id !== "" ? client_id : hostname !== "" ? hostname : remote_address

const consumerOf = (client: ClientStats, base: Counted, now: number, period: number): Consumer => {
  const { finish_count, in_flight_count, message_count, node, ready_count, requeue_count } = client
  const before = base.received.get(connectionOf(client))
  const seconds = (now - base.at) / 1000
  const received = before === undefined ? 0 : Math.max(0, message_count - before)
  return {
    name: nameOf(client),
    node,
    ready: ready_count,
    inFlight: in_flight_count,
    finished: finish_count,
    timedOut: Math.max(0, message_count - finish_count - requeue_count - in_flight_count),
    rate: before === undefined || now - base.at < period || seconds === 0 ? undefined : received / seconds,
    received
  }
}

/** Returns the state after an inspection at `now` (monotonic milliseconds). Channels that are not suspect any more are forgotten. */
export const observe = (
  before: ConsumerFlows,
  found: ReadonlyArray<readonly [Suspect, ReadonlyArray<ClientStats>]>,
  now: number,
  period: number
): ConsumerFlows =>
  new Map(found.map(([{ channel, topic }, clients]) => {
    const key = keyOf(topic, channel)
    const received = new Map(clients.map((client) => [connectionOf(client), client.message_count]))
    const current = { at: now, received }
    const known = before.get(key)
    const base = known?.base ?? current
    const next = known?.next ?? current
    const isOver = now - next.at >= period
    const consumers = clients.map((client) => consumerOf(client, base, now, period))
    return [key, { base: isOver ? next : base, next: isOver ? current : next, consumers }]
  }))

/** Returns the consumers of a channel; empty if it was not inspected. */
export const consumersOf = (flows: ConsumerFlows, topic: string, channel: string): ReadonlyArray<Consumer> =>
  flows.get(keyOf(topic, channel))?.consumers ?? []

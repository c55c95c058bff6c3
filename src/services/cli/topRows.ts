/** The rows of `nsq top`: topics, the channels of a topic, the clients of a channel, summed over nsqds, with rates. */
import type { Stats } from "../admin/index.ts"
import * as figures from "./figures.ts"
import type { Sample } from "./TopSample.ts"

/** A row. */
export interface Row {
  readonly name: string
  /** The cells after the name, in the order of the columns. */
  readonly cells: ReadonlyArray<number | string>
  readonly paused: boolean
}

/** The columns after the name, with their widths. */
export type Columns = ReadonlyArray<{ readonly heading: string; readonly width: number }>

/** A table. */
export interface Table {
  /** The heading of the names. */
  readonly name: string
  readonly columns: Columns
  /** The column by which it is sorted at first: 0 is the name. */
  readonly sort: number
  readonly rows: (now: Sample, before: Sample | undefined) => ReadonlyArray<Row>
}

const statsOf = ({ nodes }: Sample): ReadonlyArray<Stats> => nodes.map(({ stats }) => stats)

/** Returns the change per second of a counter; 0 without an earlier value, or after a restart. */
const rate = (now: number, before: number | undefined, seconds: number): number =>
  before === undefined || seconds <= 0 ? 0 : Math.max(0, (now - before) / seconds)

const secondsBetween = (now: Sample, before: Sample | undefined): number =>
  before === undefined ? 0 : (now.millis - before.millis) / 1000

const key = (topic: string, channel: string): string => `${topic}\n${channel}`

const byKey = (sample: Sample | undefined): ReadonlyMap<string, figures.Figures> =>
  new Map(
    (sample === undefined ? [] : figures.sum(statsOf(sample))).map((each) => [key(each.topic, each.channel), each])
  )

/** All topics. The backlog is that of the topic and of its longest channel. */
export const topics: Table = {
  name: "TOPIC",
  columns: [
    { heading: "BACKLOG", width: 11 },
    { heading: "IN FLIGHT", width: 9 },
    { heading: "IN/S", width: 9 },
    { heading: "CHANNELS", width: 8 },
    { heading: "CLIENTS", width: 8 }
  ],
  sort: 1,
  rows: (now, before) => {
    const all = figures.sum(statsOf(now))
    const earlier = byKey(before)
    const seconds = secondsBetween(now, before)
    const channels = Map.groupBy(all.filter(({ channel }) => channel !== ""), ({ topic }) => topic)
    return all.filter(({ channel }) => channel === "").map(({ depth, messages, paused, topic }) => {
      const own = channels.get(topic) ?? []
      const sum = (of: (channel: figures.Figures) => number): number => own.reduce((total, each) => total + of(each), 0)
      return {
        name: topic,
        paused,
        cells: [
          depth + Math.max(0, ...own.map((channel) => channel.depth)),
          sum(({ inFlight }) => inFlight),
          rate(messages, earlier.get(key(topic, ""))?.messages, seconds),
          own.length,
          sum(({ clients }) => clients)
        ]
      }
    })
  }
}

const waiting = ({ deferred, depth, inFlight }: figures.Figures): number => depth + inFlight + deferred

/** The channels of a topic. */
export const channelsOf = (topic: string): Table => ({
  name: "CHANNEL",
  columns: [
    { heading: "DEPTH", width: 11 },
    { heading: "IN FLIGHT", width: 9 },
    { heading: "DEFERRED", width: 8 },
    { heading: "OUT/S", width: 9 },
    { heading: "REQUEUED", width: 8 },
    { heading: "CLIENTS", width: 7 }
  ],
  sort: 1,
  rows: (now, before) => {
    const earlier = byKey(before)
    const seconds = secondsBetween(now, before)
    return figures.sum(statsOf(now)).filter((each) => each.topic === topic && each.channel !== "").map((each) => {
      const last = earlier.get(key(topic, each.channel))
      const left = last === undefined ? undefined : last.messages - waiting(last)
      return {
        name: each.channel,
        paused: each.paused,
        cells: [
          each.depth,
          each.inFlight,
          each.deferred,
          rate(each.messages - waiting(each), left, seconds),
          each.requeues,
          each.clients
        ]
      }
    })
  }
})

const clientsOf = (sample: Sample | undefined, topic: string, channel: string) =>
  (sample?.nodes ?? []).flatMap(({ address, stats }) =>
    (stats.topics ?? [])
      .filter(({ topic_name: name }) => name === topic)
      .flatMap(({ channels }) => channels)
      .filter(({ channel_name: name }) => name === channel)
      .flatMap(({ clients }) => clients ?? [])
      .map((client) => ({ id: `${address} ${client.remote_address}`, address, client }))
  )

/** The clients of a channel. */
export const clients = (topic: string, channel: string): Table => ({
  name: "CLIENT",
  columns: [
    { heading: "NSQD", width: 21 },
    { heading: "READY", width: 6 },
    { heading: "IN FLIGHT", width: 9 },
    { heading: "FIN/S", width: 8 },
    { heading: "REQUEUED", width: 8 }
  ],
  sort: 3,
  rows: (now, before) => {
    const earlier = new Map(clientsOf(before, topic, channel).map(({ client, id }) => [id, client]))
    const seconds = secondsBetween(now, before)
    return clientsOf(now, topic, channel).map(({ address, client, id }) => ({
      name: `${client.client_id} ${client.remote_address}`,
      paused: false,
      cells: [
        address,
        client.ready_count,
        client.in_flight_count,
        rate(client.finish_count, earlier.get(id)?.finish_count, seconds),
        client.requeue_count
      ]
    }))
  }
})

/** The sums over all topics, for the first line. */
export const totals = (now: Sample, before: Sample | undefined) => {
  const rows = topics.rows(now, before)
  const sum = (column: number): number => rows.reduce((total, { cells }) => total + Number(cells[column] ?? 0), 0)
  return { topics: rows.length, backlog: sum(0), perSecond: sum(2) }
}

import type { ReactNode } from "react"
import { BacklogChart, RateChart } from "../charts/Spark.tsx"
import type { FlowRow } from "../core/flowRows.ts"
import * as Format from "../core/format.ts"
import * as Route from "../core/route.ts"
import type { Subject } from "../graphite/keys.ts"
import { Picture } from "../graphite/Picture.tsx"
import { Away, Paused } from "./Badge.tsx"
import { Link } from "./Link.tsx"
import type { Column } from "./Table.tsx"

/** The subject of a row in Graphite. */
const subjectOf = ({ channel, node, topic }: FlowRow): Subject =>
  channel === ""
    ? { _tag: "Topic", topic, node: node === "" ? "*" : node }
    : { _tag: "Channel", topic, channel, node: node === "" ? "*" : node }

interface Options {
  readonly group: string
  readonly title?: string
  readonly cardName?: string
  readonly isOptional?: boolean
}

const column = (
  name: string,
  cell: (row: FlowRow) => ReactNode,
  total: FlowRow | undefined,
  options: Options
): Column<FlowRow> => ({
  name,
  numeric: true,
  cell,
  ...options,
  ...(total === undefined ? {} : { total: cell(total) })
})

/** The nsqd of a row, and whether it is away. The row of totals, `total`, says whether it includes figures of nsqds that are away. */
export const hostColumn = (now: number, total?: FlowRow): Column<FlowRow> => ({
  name: "nsqd",
  ...(total === undefined ? {} : {
    total: (
      <>
        Total <Away since={total.away} now={now} isSum />
      </>
    )
  }),
  cell: ({ away, hostname, node, paused }) => (
    <>
      <Link to={Route.node(node)}>{hostname === "" ? node : `${hostname} (${node})`}</Link> <Paused paused={paused} />
      {" "}
      <Away since={away} now={now} />
    </>
  )
})

/** The name of the column with a small chart. */
export const pastHour = "Past hour"

const messages = { group: "Messages" }
const perSecond = { group: "Per second" }
const sinceStart = (name: string): Options => ({
  group: "Since start",
  isOptional: true,
  cardName: `${name} since start`
})

/**
 * The columns of topics or channels. `now` is the time of the last sample. `total` is the sum of the rows, if they are one topic or
 * channel on several nsqds.
 */
const columns = (kind: "topic" | "channel", now: number, total?: FlowRow): ReadonlyArray<Column<FlowRow>> => {
  const counted = (
    name: string,
    metric: string,
    count: (row: FlowRow) => number,
    options: Options
  ): Column<FlowRow> =>
    column(
      name,
      (row) => (
        <>
          {Format.count(count(row))}
          <Picture metric={metric} of={subjectOf(row)} />
        </>
      ),
      total,
      options
    )
  const rated = (name: string, rate: (row: FlowRow) => number | null, title: string): Column<FlowRow> =>
    column(name, (row) => Format.rate(rate(row)), total, { ...perSecond, title, cardName: `${name} /s` })
  return [
    kind === "channel"
      ? counted("Waiting", "depth", ({ depth }) => depth, { ...messages, title: "Messages that wait for a consumer" })
      : counted("Backlog", "depth", ({ backlog }) => backlog, {
        ...messages,
        title: "Messages that wait in the topic, and in its channel with most messages"
      }),
    {
      ...column(
        pastHour,
        ({ channel, node, topic }) => <BacklogChart topic={topic} channel={channel} node={node} />,
        total,
        { ...messages, title: "Waiting messages in the past hour; of a topic those of its largest channel, too" }
      ),
      numeric: false
    },
    ...(kind === "channel" ? [] : [
      column("In the topic", ({ depth }) => Format.count(depth), total, {
        ...messages,
        isOptional: true,
        title: "Messages that wait in the topic itself, before its channels have received them"
      })
    ]),
    counted("In flight", "in_flight_count", (row) => row.in_flight_count, {
      ...messages,
      title: "Messages that consumers have received and not yet finished"
    }),
    counted("Deferred", "deferred_count", (row) => row.deferred_count, {
      ...messages,
      title: "Messages that wait for a later time"
    }),
    column("Oldest", ({ oldest }) => Format.age(oldest, now), total, {
      ...messages,
      title: "The least age of the oldest message that waits or is in flight, estimated from nsqd's counters"
    }),
    rated("In", ({ rate }) => rate, "Messages received per second"),
    {
      ...column(
        "Rate, past hour",
        ({ channel, node, topic }) => <RateChart topic={topic} channel={channel} node={node} />,
        total,
        { ...perSecond, isOptional: true }
      ),
      numeric: false
    },
    rated("Finished", (row) => row.finish_rate, "Messages finished per second, from the difference of nsqd's counters"),
    rated("Requeued", (row) => row.requeue_rate, "Messages that consumers requeued per second"),
    rated("Timed out", (row) => row.timeout_rate, "Messages that consumers did not finish in time, per second"),
    counted("Connections", "clients", (row) => row.client_count, { group: "Consumers" }),
    column(
      "Memory + disk",
      ({ backend_depth, depth }) => `${Format.count(depth - backend_depth)} + ${Format.count(backend_depth)}`,
      total,
      { group: "Messages", isOptional: true, title: "Where the waiting messages are" }
    ),
    counted("Messages", "message_count", (row) => row.message_count, sinceStart("Messages")),
    counted("Requeued", "requeue_count", (row) => row.requeue_count, sinceStart("Requeued")),
    counted("Timed out", "timeout_count", (row) => row.timeout_count, sinceStart("Timed out"))
  ]
}

/** The columns of a topic with a row per nsqd. */
export const topicColumns = (now: number, total?: FlowRow): ReadonlyArray<Column<FlowRow>> =>
  columns("topic", now, total)

/** The columns of channels. */
export const channelColumns = (now: number, total?: FlowRow): ReadonlyArray<Column<FlowRow>> =>
  columns("channel", now, total)

/** A column for the name of a channel. */
export const channelColumn = (now: number): Column<FlowRow> => ({
  name: "Channel",
  cell: ({ away, channel, node, paused, topic }) => (
    <>
      <Link to={Route.channel(topic, channel)}>{channel}</Link> <Paused paused={paused} />{" "}
      {node === "" && <Away since={away} now={now} />}
    </>
  )
})

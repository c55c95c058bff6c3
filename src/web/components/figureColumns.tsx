import type { ReactNode } from "react"
import { DepthChart, Rate } from "../charts/Spark.tsx"
import * as Format from "../core/format.ts"
import * as Route from "../core/route.ts"
import type { Subject } from "../graphite/keys.ts"
import { Picture } from "../graphite/Picture.tsx"
import { Paused } from "./Badge.tsx"
import { Link } from "./Link.tsx"
import type { Column } from "./Table.tsx"

/** The common figures of topics and channels. */
interface Figures {
  readonly node: string
  readonly topic_name: string
  readonly depth: number
  readonly memory_depth: number
  readonly backend_depth: number
  readonly message_count: number
}

interface ChannelFigures extends Figures {
  readonly channel_name: string
  readonly in_flight_count: number
  readonly deferred_count: number
  readonly requeue_count: number
  readonly timeout_count: number
  readonly client_count: number
}

/** The subject of a row in Graphite. */
const topicSubject = ({ node, topic_name }: Figures): Subject => ({ _tag: "Topic", topic: topic_name, node })
const channelSubject = ({ channel_name, node, topic_name }: ChannelFigures): Subject => ({
  _tag: "Channel",
  topic: topic_name,
  channel: channel_name,
  node
})

/** A column of numbers, with pictures if Graphite is configured. */
const counted = <A extends Figures>(
  name: string,
  metric: string,
  subject: (row: A) => Subject,
  count: (row: A) => number,
  total: A | undefined
): Column<A> => {
  const cell = (row: A): ReactNode => (
    <>
      {Format.count(count(row))}
      <Picture metric={metric} of={subject(row)} />
    </>
  )
  return { name, numeric: true, cell, ...(total === undefined ? {} : { total: cell(total) }) }
}

const plain = <A extends Figures>(
  name: string,
  numeric: boolean,
  cell: (row: A) => ReactNode,
  total: A | undefined
): Column<A> => ({ name, numeric, cell, ...(total === undefined ? {} : { total: cell(total) }) })

/** The numbers of messages in memory and on disk. */
const queue = <A extends Figures>(total: A | undefined): Column<A> =>
  plain(
    "Memory + disk",
    true,
    ({ backend_depth, memory_depth }) => `${Format.count(memory_depth)} + ${Format.count(backend_depth)}`,
    total
  )

/** Returns the node of a series; empty for sums over all nodes. */
const nodeOf = ({ node }: Figures): string => node === "*" ? "" : node

const chart = <A extends Figures>(
  name: string,
  Chart: typeof DepthChart | typeof Rate,
  channelOf: (row: A) => string,
  total: A | undefined
): Column<A> =>
  plain(
    name,
    false,
    (row) => <Chart topic={row.topic_name} channel={channelOf(row)} node={nodeOf(row)} />,
    total
  )

/** The nsqd of a row. */
export const hostColumn: Column<{ readonly hostname: string; readonly node: string; readonly paused: boolean }> = {
  name: "nsqd host",
  cell: ({ hostname, node, paused }) => (
    <>
      <Link to={Route.node(node)}>{hostname === "" ? node : `${hostname} (${node})`}</Link> <Paused paused={paused} />
    </>
  )
}

/** The columns of a topic with a row per nsqd. `total` is the sum of the rows. */
export const topicColumns = <A extends Figures>(total: A): ReadonlyArray<Column<A>> => [
  counted("Depth", "depth", topicSubject, ({ depth }) => depth, total),
  chart("Past hour", DepthChart, () => "", total),
  queue(total),
  counted("Messages", "message_count", topicSubject, ({ message_count }) => message_count, total),
  chart("Rate", Rate, () => "", total)
]

/** The columns of channels. `total` is the sum of the rows if they are one channel on several nsqds. */
export const channelColumns = <A extends ChannelFigures>(total?: A): ReadonlyArray<Column<A>> => {
  const channelOf = ({ channel_name }: A): string => channel_name
  const figure = (name: string, metric: string, count: (row: A) => number): Column<A> =>
    counted(name, metric, channelSubject, count, total)
  return [
    figure("Depth", "depth", ({ depth }) => depth),
    chart("Past hour", DepthChart, channelOf, total),
    queue(total),
    figure("In flight", "in_flight_count", ({ in_flight_count }) => in_flight_count),
    figure("Deferred", "deferred_count", ({ deferred_count }) => deferred_count),
    figure("Requeued", "requeue_count", ({ requeue_count }) => requeue_count),
    figure("Timed out", "timeout_count", ({ timeout_count }) => timeout_count),
    figure("Messages", "message_count", ({ message_count }) => message_count),
    chart("Rate", Rate, channelOf, total),
    figure("Connections", "clients", ({ client_count }) => client_count)
  ]
}

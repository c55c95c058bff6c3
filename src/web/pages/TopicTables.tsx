import { useAtomValue } from "@effect/atom-react"
import type { TopicResponse } from "../../protocol/http/admin/AdminStats.ts"
import { channelColumn, channelColumns, hostColumn, topicColumns } from "../components/figureColumns.tsx"
import { latencyColumns } from "../components/latency.tsx"
import { type Column, Table } from "../components/Table.tsx"
import { TombstoneTopic } from "../components/TombstoneTopic.tsx"
import * as FlowRows from "../core/flowRows.ts"
import * as Format from "../core/format.ts"
import { settings } from "../core/settings.ts"
import * as Stakes from "../core/stakes.ts"
import { liveAtom } from "../live/live.ts"

interface Shown {
  readonly name: string
  /** Undefined before all nsqds have responded: the live figures are complete but for latencies. */
  readonly response: TopicResponse | undefined
  readonly points: FlowRows.Points
  readonly refresh: () => void
}

/** The rows of the nsqds: those that responded, and the last known figures of the others. */
const hostRows = (
  { points, response }: Shown,
  hostname: (node: string) => string
): ReadonlyArray<FlowRows.FlowRow> => {
  const others = response === undefined
    ? points.all.filter(({ channel, node }) => channel === "" && node !== "")
    : points.away("")
  return [
    ...(response?.nodes ?? []).map((node) => FlowRows.ofTopic(node, points.of("", node.node))),
    ...others.map((point) => FlowRows.ofPoint(point, hostname(point.node), points.channelsOn(point.node)))
  ]
}

const Hosts = (shown: Shown) => {
  const { at, daemons } = useAtomValue(liveAtom)
  const { name, points, refresh, response } = shown
  const rows = hostRows(shown, (node) => daemons.find(({ address }) => address === node)?.hostname ?? "")
  const sum = points.of("", "")
  const total = response !== undefined ? FlowRows.ofTopic(response, sum) : sum && FlowRows.ofPoint(sum, "", 0)
  const stakes = response === undefined ? [] : Stakes.ofTopic(response, points)
  const channels: Column<FlowRows.FlowRow> = {
    name: "Channels",
    group: "Consumers",
    numeric: true,
    isOptional: true,
    cell: ({ channels }) => Format.count(channels)
  }
  return (
    <Table<FlowRows.FlowRow>
      caption="Topic on its nsqds"
      rows={rows.map((row) => [row.node, row, row.away === null ? undefined : "away"])}
      totalClass={(total?.away ?? null) === null ? undefined : "away"}
      columns={[
        hostColumn(at, total),
        ...topicColumns(at, total),
        channels,
        response?.durability === undefined
          ? undefined
          : { name: "Durability", cell: ({ durability = "memory" }) => durability, total: response.durability },
        ...(response === undefined ? [] : latencyColumns(response.e2e_processing_latency, total)),
        settings.isAdmin && response !== undefined
          ? {
            name: "Action",
            wide: true,
            cell: ({ node }) => (
              <TombstoneTopic
                compact
                label={node}
                topic={name}
                node={node}
                stakes={stakes.filter((stake) => stake.node === node).slice(0, 1)}
                refresh={refresh}
              />
            )
          }
          : undefined
      ]}
    />
  )
}

const Channels = ({ points, response }: Shown) => {
  const { at } = useAtomValue(liveAtom)
  const known = new Set(response?.channels.map(({ channel_name }) => channel_name))
  const rows = [
    ...(response?.channels ?? []).map((channel) => FlowRows.ofChannel(channel, points.of(channel.channel_name, ""))),
    ...points.all
      .filter(({ away, channel, node }) =>
        channel !== "" && node === "" && !known.has(channel) && (response === undefined || away !== null)
      )
      .map((point) => FlowRows.ofPoint(point, "", 0))
  ]
  return (
    <Table<FlowRows.FlowRow>
      caption="Channels"
      empty="No channels: messages wait in the topic for the first channel. A consumer creates it when it subscribes."
      rows={rows.toSorted((a, b) => b.depth - a.depth || (a.channel < b.channel ? -1 : 1)).map((row) => [
        row.channel,
        row,
        row.away === null ? undefined : "away"
      ])}
      columns={[
        channelColumn(at),
        ...channelColumns(at),
        ...(response === undefined ? [] : latencyColumns(response.e2e_processing_latency))
      ]}
    />
  )
}

/** The channels of a topic, those with most messages first, and its queue on each nsqd. */
export const TopicTables = (shown: Shown) => (
  <>
    <Channels {...shown} />
    <Hosts {...shown} />
  </>
)

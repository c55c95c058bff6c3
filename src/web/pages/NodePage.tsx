import { useAtomRefresh, useAtomValue } from "@effect/atom-react"
import { useMemo } from "react"
import {
  type LiveNode,
  type LivePoint,
  maxChannelsOfNode,
  maxTopicsOfNode
} from "../../protocol/http/admin/AdminLive.ts"
import type { TopicOnNode } from "../../protocol/http/admin/AdminStats.ts"
import { Away, Paused } from "../components/Badge.tsx"
import { Breadcrumb } from "../components/Breadcrumb.tsx"
import { ClientTable } from "../components/ClientTable.tsx"
import { ConnectionTable } from "../components/ConnectionTable.tsx"
import { channelColumn, channelColumns, pastHour, topicColumns } from "../components/figureColumns.tsx"
import { Filter } from "../components/Filter.tsx"
import { Link } from "../components/Link.tsx"
import { Notice } from "../components/Notice.tsx"
import { QueryResponse } from "../components/QueryResponse.tsx"
import { Section } from "../components/Section.tsx"
import { type Column, Table, useFirstRows } from "../components/Table.tsx"
import { TombstoneTopic } from "../components/TombstoneTopic.tsx"
import { Waiting } from "../components/Waiting.tsx"
import { AdminClient } from "../core/api.ts"
import * as FlowRows from "../core/flowRows.ts"
import * as Format from "../core/format.ts"
import * as Route from "../core/route.ts"
import { useSearch } from "../core/search.ts"
import * as Stakes from "../core/stakes.ts"
import * as TopicList from "../core/topicList.ts"
import { LargePicture } from "../graphite/Picture.tsx"
import { liveAtom } from "../live/live.ts"
import { DrainSwitch, NodeProcess } from "./NodeProcess.tsx"

/** The live figures of a node, by topic and channel. */
class NodePoints {
  private readonly byName = new Map<string, LivePoint>()
  /** Those of the topics. */
  readonly topics: ReadonlyArray<LivePoint>
  /** Those of the channels. */
  readonly channels: ReadonlyArray<LivePoint>

  constructor(node: string, points: ReadonlyArray<LivePoint>) {
    const own = points.filter((point) => point.node === node)
    for (const point of own) this.byName.set(`${point.topic} ${point.channel}`, point)
    this.topics = own.filter(({ channel }) => channel === "")
    this.channels = own.filter(({ channel }) => channel !== "")
  }

  of(topic: string, channel: string): LivePoint | undefined {
    return this.byName.get(`${topic} ${channel}`)
  }
}

/** States that a node has more topics or channels than have live figures. Nothing while it has not. */
const Unlisted = ({ all, points }: { readonly points: NodePoints; readonly all: number }) => {
  const listed = points.topics.length
  return listed < maxTopicsOfNode || all <= listed ? null : (
    <Notice kind="info">
      {Format.count(listed)} of the {Format.quantity(all, "topic")}{" "}
      of this node are listed and searched here: those with the largest backlogs there. The others are in the list of
      {" "}
      <Link to={Route.topics}>all topics</Link>.
    </Notice>
  )
}

/** Metrics of nsqd's process in Graphite. */
const graphs = [
  ["GC pressure", "*_bytes"],
  ["GC pause percentiles", "gc_pause_*"],
  ["GC runs", "gc_runs"],
  ["Heap objects in use", "heap_objects"]
] as const

const Channels = ({ points, topic }: { readonly topic: TopicOnNode; readonly points: NodePoints }) => {
  const { at } = useAtomValue(liveAtom)
  const rows = topic.channels.map((channel) =>
    FlowRows.ofChannel(channel, points.of(topic.topic_name, channel.channel_name))
  )
  return (
    <>
      {rows.some(({ rate }) => rate === null) && points.channels.length >= maxChannelsOfNode && (
        <Notice kind="info">
          Rates are shown for {Format.count(maxChannelsOfNode)}{" "}
          channels of a node, those of the topics with the largest backlogs. The page of the topic has the rates of
          these channels.
        </Notice>
      )}
      <Table<FlowRows.FlowRow>
        caption={`Channels of ${topic.topic_name}`}
        kind="Channels"
        empty="No channels: messages wait in the topic for the first channel."
        rows={rows.map((row) => [row.channel, row])}
        columns={[channelColumn(at), ...channelColumns(at)]}
      />
      {topic.channels.filter(({ clients }) => (clients?.length ?? 0) > 0).map(({ channel_name, clients }) => (
        <ClientTable
          key={channel_name}
          caption={`Clients of ${topic.topic_name} / ${channel_name}`}
          clients={clients ?? []}
          withNode={false}
        />
      ))}
    </>
  )
}

/** A topic on a node that responds, with its actions. */
const OpenedTopic = ({ node, points, refresh, topic }: {
  readonly node: string
  readonly topic: TopicOnNode
  readonly points: NodePoints
  readonly refresh: () => void
}) => {
  const { at } = useAtomValue(liveAtom)
  const name = topic.topic_name
  return (
    <>
      <Channels topic={topic} points={points} />
      <Table<FlowRows.FlowRow>
        caption={`Topic ${name}`}
        kind="Topic on its nsqds"
        rows={[[name, FlowRows.ofTopic(topic, points.of(name, ""))]]}
        columns={[{ name: "Topic", cell: ({ topic }) => topic }, ...topicColumns(at)]}
      />
      <TombstoneTopic
        label={`Actions on topic ${name} on this node`}
        topic={name}
        node={node}
        stakes={Stakes.ofTopic({ nodes: [topic] }, new FlowRows.Points(name, []))}
        refresh={refresh}
      />
    </>
  )
}

/** The channels, clients and actions of a topic on a node, which are requested while its section is open. */
const TopicDetails = ({ node, points, topic }: {
  readonly node: string
  readonly topic: string
  readonly points: NodePoints
}) => {
  const query = AdminClient.query("nodes", "getTopic", { params: { node, topic } })
  const refresh = useAtomRefresh(query)
  return (
    <>
      <p>
        <Link to={Route.topic(topic)}>Topic {topic} on all nodes</Link>
      </p>
      <QueryResponse of={query} live>
        {({ topics: [found] }) =>
          found === undefined
            ? <Notice kind="info">The node does not have this topic any more.</Notice>
            : <OpenedTopic node={node} topic={found} points={points} refresh={refresh} />}
      </QueryResponse>
    </>
  )
}

const TopicSection = ({ point, points }: { readonly point: LivePoint; readonly points: NodePoints }) => {
  const { channel_count, node, topic } = point
  return (
    <Section
      summary={
        <>
          <span className="title">
            <span className="name">{topic}</span> <Paused paused={point.paused} />
          </span>
          <span className="figures">
            <span>{Format.count(point.backlog)} waiting</span>
            <span>{Format.perSecond(point.rate)} in</span>
            <span>{Format.perSecond(point.finish_rate)} finished</span>
            <span>{Format.quantity(channel_count, "channel")}</span>
          </span>
        </>
      }
    >
      <TopicDetails node={node} topic={topic} points={points} />
    </Section>
  )
}

/** The largest number of topics without a filter. */
const fewTopics = 20

/** The topics of a node, those with the largest backlogs first. Their figures are live; what is in a section is requested. */
const Topics = ({ all, node }: { readonly node: string; readonly all: number }) => {
  const { points: live, topics } = useAtomValue(liveAtom)
  const points = useMemo(() => new NodePoints(node, live), [node, live])
  const [filter, setFilter] = useSearch("filter")
  const wanted = points.topics.filter(({ topic }) =>
    TopicList.isWanted(topic, filter) ||
    topics.get(topic)?.channels.some((name) => TopicList.isWanted(name, filter)) === true
  )
  const { more, shown } = useFirstRows(wanted, "topics")
  return (
    <>
      <Unlisted all={all} points={points} />
      {all > fewTopics && <Filter value={filter} onChange={setFilter} shown={wanted.length} all={all} />}
      {shown.length > 0 && (
        <div className="sections">
          {shown.map((point) => <TopicSection key={point.topic} point={point} points={points} />)}
        </div>
      )}
      {more}
    </>
  )
}

/** All connections to a node, which are requested when the section is open. */
const Connections = ({ node }: { readonly node: string }) => {
  const { nodes } = useAtomValue(liveAtom)
  const status = nodes.find((one) => one.node === node)?.status ?? null
  return (
    <Section
      summary={
        <>
          Connections{" "}
          <span className="figures">
            {status === null ? "" : `${Format.quantity(status.connection_count, "client")}: `}producers and consumers
          </span>
        </>
      }
    >
      <QueryResponse of={AdminClient.query("clients", "list", { query: { node } })} live>
        {({ clients }) => <ConnectionTable clients={clients} />}
      </QueryResponse>
    </Section>
  )
}

const Shown = ({ node: { node, topic_count } }: { readonly node: LiveNode }) => (
  <>
    <div className="graphite">
      {graphs.map(([title, metric]) => (
        <LargePicture key={metric} title={title} metric={metric} of={{ _tag: "Process", node }} />
      ))}
    </div>
    {topic_count === 0 && (
      <Notice kind="info">
        This node has no topics. A topic is created on it with the first message that a producer publishes there.
      </Notice>
    )}
    <Connections node={node} />
    <Topics node={node} all={topic_count} />
  </>
)

/** Columns without the charts: the past of an nsqd that is away is on the pages of its topics. */
const withoutCharts = (columns: ReadonlyArray<Column<FlowRows.FlowRow>>) =>
  columns.filter(({ name }) => name !== pastHour)

/** The last known figures of an nsqd that does not respond. */
const LastKnown = ({ all, node }: { readonly node: string; readonly all: number }) => {
  const { at, points: live } = useAtomValue(liveAtom)
  const points = useMemo(() => new NodePoints(node, live), [node, live])
  const rows = points.topics.map((point) => FlowRows.ofPoint(point, "", 0))
  const channels = points.channels.map((point) => FlowRows.ofPoint(point, "", 0))
  const classOf = ({ away }: FlowRows.FlowRow) => away === null ? undefined : "away"
  return (
    <>
      <Unlisted all={all} points={points} />
      {channels.length >= maxChannelsOfNode && (
        <Notice kind="info">
          The first {Format.count(maxChannelsOfNode)}{" "}
          channels are listed: those of the topics with the largest backlogs.
        </Notice>
      )}
      <Table<FlowRows.FlowRow>
        caption="Channels on this node"
        kind="Channels"
        rows={channels.toSorted((a, b) => b.depth - a.depth).map((row) => [
          `${row.topic} ${row.channel}`,
          row,
          classOf(row)
        ])}
        columns={[
          {
            name: "Topic / channel",
            cell: ({ channel, topic }) => <Link to={Route.channel(topic, channel)}>{topic} / {channel}</Link>
          },
          ...withoutCharts(channelColumns(at))
        ]}
      />
      <Table<FlowRows.FlowRow>
        caption="Topics on this node"
        kind="Topic on its nsqds"
        rows={rows.map((row) => [row.topic, row, classOf(row)])}
        columns={[
          {
            name: "Topic",
            cell: ({ topic }) => <Link to={Route.topic(topic)}>{topic}</Link>
          },
          ...withoutCharts(topicColumns(at))
        ]}
      />
    </>
  )
}

/** An address without figures: of an nsqd that has not responded yet, or of none that is known. */
const Without = ({ node }: { readonly node: string }) => {
  const { at, daemons } = useAtomValue(liveAtom)
  if (at === 0) return <Waiting />
  return daemons.some(({ address, kind }) => kind === "nsqd" && address === node)
    ? <Notice kind="error">The node does not respond, and nsqadmin has no figures of it yet.</Notice>
    : (
      <Notice kind="warning">
        No nsqd with the address {node} is known. See all <Link to={Route.nodes}>nodes</Link>.
      </Notice>
    )
}

/** The page of an nsqd: its process, topics, channels and clients. */
export const NodePage = ({ node }: { readonly node: string }) => {
  const { at, nodes } = useAtomValue(liveAtom)
  const live = nodes.find((one) => one.node === node)
  return (
    <>
      <Breadcrumb way={[["Nodes", Route.nodes]]} here={node} />
      <h1>
        Node <span className="name">{node}</span> <Away since={live?.away ?? null} now={at} />
      </h1>
      {live === undefined
        ? <Without node={node} />
        : live.away !== null
        ? (
          <>
            <NodeProcess node={live} now={live.away} />
            <LastKnown node={node} all={live.topic_count} />
          </>
        )
        : (
          <>
            <DrainSwitch node={live} now={at} />
            <NodeProcess node={live} now={at} />
            <Shown node={live} />
          </>
        )}
    </>
  )
}

import { useAtomRefresh, useAtomValue } from "@effect/atom-react"
import { useMemo, useState } from "react"
import type { LivePoint } from "../../protocol/http/admin/AdminLive.ts"
import type { NodeResponse } from "../../protocol/http/admin/AdminNodes.ts"
import type { TopicOnNode } from "../../protocol/http/admin/AdminStats.ts"
import { Actions } from "../components/Actions.tsx"
import { Away, Paused } from "../components/Badge.tsx"
import { Breadcrumb } from "../components/Breadcrumb.tsx"
import { ClientTable } from "../components/ClientTable.tsx"
import { ConnectionTable } from "../components/ConnectionTable.tsx"
import { channelColumn, channelColumns, topicColumns } from "../components/figureColumns.tsx"
import { Filter } from "../components/Filter.tsx"
import { Link } from "../components/Link.tsx"
import { Notice } from "../components/Notice.tsx"
import { QueryResponse } from "../components/QueryResponse.tsx"
import { Section } from "../components/Section.tsx"
import { StakeList } from "../components/StakeList.tsx"
import { Table } from "../components/Table.tsx"
import { useTombstone } from "../core/act.ts"
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

  constructor(node: string, points: ReadonlyArray<LivePoint>) {
    for (const point of points) if (point.node === node) this.byName.set(`${point.topic} ${point.channel}`, point)
  }

  of(topic: string, channel: string): LivePoint | undefined {
    return this.byName.get(`${topic} ${channel}`)
  }
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

const TopicSection = ({ node, points, refresh, topic }: {
  readonly node: string
  readonly topic: TopicOnNode
  readonly points: NodePoints
  readonly refresh: () => void
}) => {
  const { at } = useAtomValue(liveAtom)
  const tombstone = useTombstone()
  const name = topic.topic_name
  const stakes = Stakes.ofTopic({ nodes: [topic] }, new FlowRows.Points(name, []))
  const row = FlowRows.ofTopic(topic, points.of(name, ""))
  return (
    <Section
      summary={
        <>
          <span className="name">{name}</span> <Paused paused={topic.paused} />
          <span className="figures">
            {Format.quantity(Stakes.sumOf(stakes).waiting, "message")} waiting, {Format.rate(row.rate)}/s in,{" "}
            {Format.rate(row.finish_rate)}/s finished, {Format.quantity(topic.channels.length, "channel")}
          </span>
        </>
      }
    >
      <p>
        <Link to={Route.topic(name)}>Topic {name} on all nodes</Link>
      </p>
      <Channels topic={topic} points={points} />
      <Table<FlowRows.FlowRow>
        caption={`Topic ${name}`}
        kind="Topic on its nsqds"
        rows={[[name, row]]}
        columns={[{ name: "Topic", cell: ({ topic }) => topic }, ...topicColumns(at)]}
      />
      <Actions
        label={`Actions on topic ${name} on this node`}
        actions={[{
          key: "tombstone",
          label: "Tombstone topic",
          question: `Tombstone topic ${name} on ${node}?`,
          detail: (
            <>
              <p>Consumers will no longer discover the topic on this node, and it will be deleted there.</p>
              <StakeList name={`Topic ${name}`} stakes={stakes} />
            </>
          ),
          danger: true,
          ...(Stakes.countOf(stakes) > Stakes.manyMessages ? { typed: name } : {}),
          run: () => tombstone({ params: { node }, payload: { topic: name } }),
          done: `Topic ${name} has been tombstoned on ${node}.`,
          after: refresh
        }]}
      />
    </Section>
  )
}

/** The largest number of topics without a filter. */
const fewTopics = 20
/** The number of topics rendered at first. */
const manyTopics = 100

/** Messages that wait in a topic and in its channel with most messages. */
const waitingIn = ({ channels, depth }: TopicOnNode): number =>
  depth + Math.max(0, ...channels.map((channel) => channel.depth))

const Topics = ({ node: { node, topics }, refresh }: { readonly node: NodeResponse; readonly refresh: () => void }) => {
  const { points: live } = useAtomValue(liveAtom)
  const points = useMemo(() => new NodePoints(node, live), [node, live])
  const [filter, setFilter] = useSearch("filter")
  const [isAll, setAll] = useState(false)
  const wanted = topics
    .filter(({ channels, topic_name }) =>
      TopicList.isWanted(topic_name, filter) || channels.some((one) => TopicList.isWanted(one.channel_name, filter))
    )
    .toSorted((a, b) => waitingIn(b) - waitingIn(a) || (a.topic_name < b.topic_name ? -1 : 1))
  const shown = isAll ? wanted : wanted.slice(0, manyTopics)
  return (
    <>
      {topics.length > fewTopics && (
        <Filter value={filter} onChange={setFilter} shown={wanted.length} all={topics.length} />
      )}
      {shown.map((topic) => (
        <TopicSection key={topic.topic_name} node={node} topic={topic} points={points} refresh={refresh} />
      ))}
      {shown.length < wanted.length && (
        <button type="button" onClick={() => setAll(true)}>Show all {Format.count(wanted.length)} topics</button>
      )}
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

const Shown = ({ node, refresh }: { readonly node: NodeResponse; readonly refresh: () => void }) => (
  <>
    <dl className="totals">
      <div>
        <dt>Topics</dt>
        <dd>{Format.count(node.topics.length)}</dd>
      </div>
      <div>
        <dt>Messages</dt>
        <dd>{Format.count(node.total_messages)}</dd>
      </div>
      <div>
        <dt>Consumers</dt>
        <dd>{Format.count(node.total_clients)}</dd>
      </div>
    </dl>
    <div className="graphite">
      {graphs.map(([title, metric]) => (
        <LargePicture key={metric} title={title} metric={metric} of={{ _tag: "Process", node: node.node }} />
      ))}
    </div>
    {node.topics.length === 0 && (
      <Notice kind="info">
        This node has no topics. A topic is created on it with the first message that a producer publishes there.
      </Notice>
    )}
    <Connections node={node.node} />
    <Topics node={node} refresh={refresh} />
  </>
)

/** The last known figures of an nsqd that does not respond, or the live ones before it has responded. */
const LastKnown = ({ node }: { readonly node: string }) => {
  const { at, points } = useAtomValue(liveAtom)
  const onNode = points.filter((point) => point.node === node)
  const rows = onNode.filter(({ channel }) => channel === "").map((point) => FlowRows.ofPoint(point, "", 0))
  const channels = onNode.filter(({ channel }) => channel !== "").map((point) => FlowRows.ofPoint(point, "", 0))
  const classOf = ({ away }: FlowRows.FlowRow) => away === null ? undefined : "away"
  return (
    <>
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
            cell: ({ away, channel, topic }) => (
              <>
                <Link to={Route.channel(topic, channel)}>{topic} / {channel}</Link> <Away since={away} now={at} />
              </>
            )
          },
          ...channelColumns(at)
        ]}
      />
      <Table<FlowRows.FlowRow>
        caption="Topics on this node"
        kind="Topic on its nsqds"
        rows={rows.map((row) => [row.topic, row, classOf(row)])}
        columns={[
          {
            name: "Topic",
            cell: ({ away, topic }) => (
              <>
                <Link to={Route.topic(topic)}>{topic}</Link> <Away since={away} now={at} />
              </>
            )
          },
          ...topicColumns(at)
        ]}
      />
    </>
  )
}

/** The page of an nsqd: its topics, channels and clients. */
export const NodePage = ({ node }: { readonly node: string }) => {
  const query = AdminClient.query("nodes", "get", { params: { node } })
  const refresh = useAtomRefresh(query)
  const { at, nodes, points } = useAtomValue(liveAtom)
  const live = nodes.find((one) => one.node === node)
  const isHere = live !== undefined && live.away === null
  const early = points.some((point) => point.node === node) ? <LastKnown node={node} /> : undefined
  const missing = early ?? (
    <Notice kind="warning">
      No nsqd with the address {node} is known. See all <Link to={Route.nodes}>nodes</Link>.
    </Notice>
  )
  return (
    <>
      <Breadcrumb way={[["Nodes", Route.nodes]]} here={node} />
      <h1>
        Node <span className="name">{node}</span> <Away since={live?.away ?? null} now={at} />
      </h1>
      {isHere && <DrainSwitch node={live} now={at} />}
      {live !== undefined && <NodeProcess node={live} now={at} />}
      <QueryResponse of={query} live early={early} whenMissing={missing}>
        {(response) => <Shown node={response} refresh={refresh} />}
      </QueryResponse>
    </>
  )
}

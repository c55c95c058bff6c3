import { useAtomRefresh } from "@effect/atom-react"
import { useState } from "react"
import type { NodeResponse } from "../../protocol/http/admin/AdminNodes.ts"
import type { ChannelOnNode, TopicOnNode } from "../../protocol/http/admin/AdminStats.ts"
import { Actions } from "../components/Actions.tsx"
import { Paused } from "../components/Badge.tsx"
import { Breadcrumb } from "../components/Breadcrumb.tsx"
import { ClientTable } from "../components/ClientTable.tsx"
import { channelColumns, topicColumns } from "../components/figureColumns.tsx"
import { Filter } from "../components/Filter.tsx"
import { Link } from "../components/Link.tsx"
import { Notice } from "../components/Notice.tsx"
import { QueryResponse } from "../components/QueryResponse.tsx"
import { Section } from "../components/Section.tsx"
import { Table } from "../components/Table.tsx"
import { useTombstone } from "../core/act.ts"
import { AdminClient } from "../core/api.ts"
import * as Format from "../core/format.ts"
import * as Route from "../core/route.ts"
import * as TopicList from "../core/topicList.ts"
import { LargePicture } from "../graphite/Picture.tsx"

/** Metrics of nsqd's process in Graphite. */
const graphs = [
  ["GC pressure", "*_bytes"],
  ["GC pause percentiles", "gc_pause_*"],
  ["GC runs", "gc_runs"],
  ["Heap objects in use", "heap_objects"]
] as const

const Channels = ({ topic }: { readonly topic: TopicOnNode }) => (
  <>
    <Table<ChannelOnNode>
      caption={`Channels of ${topic.topic_name}`}
      empty="No channels"
      rows={topic.channels.map((channel) => [channel.channel_name, channel])}
      columns={[
        {
          name: "Channel",
          cell: ({ channel_name, paused }) => (
            <>
              <Link to={Route.channel(topic.topic_name, channel_name)}>{channel_name}</Link> <Paused paused={paused} />
            </>
          )
        },
        ...channelColumns<ChannelOnNode>()
      ]}
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

const TopicSection = ({ node, refresh, topic }: {
  readonly node: string
  readonly topic: TopicOnNode
  readonly refresh: () => void
}) => {
  const tombstone = useTombstone()
  const name = topic.topic_name
  const waiting = topic.channels.reduce((sum, { depth }) => sum + depth, topic.depth)
  return (
    <Section
      summary={
        <>
          <span className="name">{name}</span> <Paused paused={topic.paused} />
          <span className="figures">
            depth {Format.count(topic.depth)}, {Format.quantity(topic.message_count, "message")},{" "}
            {Format.quantity(topic.channels.length, "channel")}
          </span>
        </>
      }
    >
      <p>
        <Link to={Route.topic(name)}>Topic {name} on all nodes</Link>
      </p>
      <Actions
        label={`Actions on topic ${name} on this node`}
        actions={[{
          key: "tombstone",
          label: "Tombstone topic",
          question: `Tombstone topic ${name} on ${node}?`,
          detail: `Consumers will no longer discover the topic on this node, it will be deleted there, and ${
            Format.quantity(waiting, "waiting message")
          } will be lost.`,
          danger: true,
          run: () => tombstone({ params: { node }, payload: { topic: name } }),
          done: `Topic ${name} has been tombstoned on ${node}.`,
          after: refresh
        }]}
      />
      <Table<TopicOnNode>
        caption={`Topic ${name}`}
        rows={[[name, topic]]}
        columns={[{ name: "Topic", cell: ({ topic_name }) => topic_name }, ...topicColumns<TopicOnNode>(topic)]}
      />
      <Channels topic={topic} />
    </Section>
  )
}

/** The largest number of topics without a filter. */
const fewTopics = 20
/** The number of topics rendered at first. */
const manyTopics = 100

const Topics = ({ node: { node, topics }, refresh }: { readonly node: NodeResponse; readonly refresh: () => void }) => {
  const [filter, setFilter] = useState("")
  const [isAll, setAll] = useState(false)
  const wanted = topics.filter(({ topic_name }) => TopicList.isWanted(topic_name, filter))
  const shown = isAll ? wanted : wanted.slice(0, manyTopics)
  return (
    <>
      {topics.length > fewTopics && (
        <Filter value={filter} onChange={setFilter} shown={wanted.length} all={topics.length} />
      )}
      {shown.map((topic) => <TopicSection key={topic.topic_name} node={node} topic={topic} refresh={refresh} />)}
      {shown.length < wanted.length && (
        <button type="button" onClick={() => setAll(true)}>Show all {Format.count(wanted.length)} topics</button>
      )}
    </>
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
        <dt>Clients</dt>
        <dd>{Format.count(node.total_clients)}</dd>
      </div>
    </dl>
    <div className="graphite">
      {graphs.map(([title, metric]) => (
        <LargePicture key={metric} title={title} metric={metric} of={{ _tag: "Process", node: node.node }} />
      ))}
    </div>
    {node.topics.length === 0 && <Notice kind="info">This node has no topics.</Notice>}
    <Topics node={node} refresh={refresh} />
  </>
)

/** The page of an nsqd: its topics, channels and clients. */
export const NodePage = ({ node }: { readonly node: string }) => {
  const query = AdminClient.query("nodes", "get", { params: { node } })
  const refresh = useAtomRefresh(query)
  return (
    <>
      <Breadcrumb way={[["Nodes", Route.nodes]]} here={node} />
      <h1>
        Node <span className="name">{node}</span>
      </h1>
      <QueryResponse of={query} live>{(response) => <Shown node={response} refresh={refresh} />}</QueryResponse>
    </>
  )
}

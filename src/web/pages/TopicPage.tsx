import { useAtomRefresh } from "@effect/atom-react"
import type { ChannelStats, TopicAnswer, TopicOnNode } from "../../protocol/admin/AdminStats.ts"
import { useActions, useTombstone } from "../act.ts"
import { AdminClient } from "../api.ts"
import { Spark } from "../charts/Spark.tsx"
import { Actions } from "../components/Actions.tsx"
import { Answer } from "../components/Answer.tsx"
import { Paused } from "../components/Badge.tsx"
import { Breadcrumb } from "../components/Breadcrumb.tsx"
import { latencyColumns } from "../components/latency.tsx"
import { Link } from "../components/Link.tsx"
import { Notice } from "../components/Notice.tsx"
import { standardActions } from "../components/standardActions.ts"
import { Table } from "../components/Table.tsx"
import * as Format from "../format.ts"
import { GraphiteRow } from "../graphite/GraphiteRow.tsx"
import { PublishForm } from "../messages/PublishForm.tsx"
import { Tail } from "../messages/Tail.tsx"
import { goTo } from "../navigation.ts"
import * as Route from "../route.ts"

const queueOf = ({ backend_depth, memory_depth }: { readonly memory_depth: number; readonly backend_depth: number }) =>
  `${Format.count(memory_depth)} + ${Format.count(backend_depth)}`

/** Takes the topic off one nsqd. */
const Tombstone = ({ node, refresh, topic }: {
  readonly topic: string
  readonly node: string
  readonly refresh: () => void
}) => {
  const tombstone = useTombstone()
  return (
    <Actions
      compact
      label={node}
      actions={[{
        label: "Tombstone",
        question: `Tombstone topic ${topic} on ${node}?`,
        detail: "Consumers will not find it there any more, and it will be deleted on that node.",
        danger: true,
        run: () => tombstone({ params: { node }, payload: { topic } }),
        done: `Tombstoned on ${node}.`,
        after: refresh
      }]}
    />
  )
}

const Hosts = ({ refresh, topic }: { readonly topic: TopicAnswer; readonly refresh: () => void }) => {
  const name = topic.topic_name
  return (
    <Table<TopicOnNode>
      caption="Topic message queue"
      rows={topic.nodes.map((node) => [node.node, node])}
      columns={[
        {
          name: "NSQd host",
          cell: ({ hostname, node, paused }) => (
            <>
              <Link to={Route.node(node)}>{hostname === "" ? node : `${hostname} (${node})`}</Link>{" "}
              <Paused paused={paused} />
            </>
          )
        },
        { name: "Depth", numeric: true, cell: ({ depth }) => Format.count(depth), total: Format.count(topic.depth) },
        {
          name: "Past hour",
          cell: ({ node }) => <Spark topic={name} node={node} metric="depth" />,
          total: <Spark topic={name} metric="depth" />
        },
        { name: "Memory + disk", numeric: true, cell: queueOf, total: queueOf(topic) },
        {
          name: "Messages",
          numeric: true,
          cell: ({ message_count }) => Format.count(message_count),
          total: Format.count(topic.message_count)
        },
        {
          name: "Rate",
          cell: ({ node }) => <Spark topic={name} node={node} metric="rate" />,
          total: <Spark topic={name} metric="rate" />
        },
        {
          name: "Channels",
          numeric: true,
          cell: ({ channels }) => Format.count(channels.length),
          total: Format.count(topic.channels.length)
        },
        ...latencyColumns<TopicOnNode>(topic.e2e_processing_latency, (row) => row.e2e_processing_latency),
        { name: "Tombstone", cell: ({ node }) => <Tombstone topic={name} node={node} refresh={refresh} /> }
      ]}
    />
  )
}

const Channels = ({ topic }: { readonly topic: TopicAnswer }) => (
  <Table<ChannelStats>
    caption="Channel message queues"
    empty="No channels: messages wait in the topic until there is one."
    rows={topic.channels.toSorted((a, b) => a.channel_name < b.channel_name ? -1 : 1).map((row) => [
      row.channel_name,
      row
    ])}
    columns={[
      {
        name: "Channel",
        cell: ({ channel_name, paused }) => (
          <>
            <Link to={Route.channel(topic.topic_name, channel_name)}>{channel_name}</Link> <Paused paused={paused} />
          </>
        )
      },
      { name: "Depth", numeric: true, cell: ({ depth }) => Format.count(depth) },
      {
        name: "Past hour",
        cell: ({ channel_name }) => <Spark topic={topic.topic_name} channel={channel_name} metric="depth" />
      },
      { name: "Memory + disk", numeric: true, cell: queueOf },
      { name: "In-flight", numeric: true, cell: ({ in_flight_count }) => Format.count(in_flight_count) },
      { name: "Deferred", numeric: true, cell: ({ deferred_count }) => Format.count(deferred_count) },
      { name: "Requeued", numeric: true, cell: ({ requeue_count }) => Format.count(requeue_count) },
      { name: "Timed out", numeric: true, cell: ({ timeout_count }) => Format.count(timeout_count) },
      { name: "Messages", numeric: true, cell: ({ message_count }) => Format.count(message_count) },
      {
        name: "Rate",
        cell: ({ channel_name }) => <Spark topic={topic.topic_name} channel={channel_name} metric="rate" />
      },
      { name: "Connections", numeric: true, cell: ({ client_count }) => Format.count(client_count) },
      ...latencyColumns<ChannelStats>(topic.e2e_processing_latency, (row) => row.e2e_processing_latency, false)
    ]}
  />
)

const Shown = ({ refresh, topic }: { readonly topic: TopicAnswer; readonly refresh: () => void }) => {
  const name = topic.topic_name
  const actions = standardActions("topic", name, topic, useActions(name), refresh, () => goTo(Route.topics))
  return (
    <>
      <Actions label={`Actions on topic ${name}`} actions={actions} />
      {topic.nodes.length === 0 && (
        <Notice kind="warning">
          No nsqd has this topic any more. <Link to={Route.lookup}>Lookup</Link> shows what nsqlookupd knows of it.
        </Notice>
      )}
      <div className="charts">
        <figure>
          <figcaption>Depth, past hour</figcaption>
          <Spark topic={name} metric="depth" size="large" />
        </figure>
        <figure>
          <figcaption>Messages per second, past hour</figcaption>
          <Spark topic={name} metric="rate" size="large" />
        </figure>
      </div>
      <GraphiteRow topic={name} metrics={["depth", "message_count"]} />
      <Hosts topic={topic} refresh={refresh} />
      <Channels topic={topic} />
      <PublishForm topic={name} nodes={topic.nodes.map(({ node }) => node)} onPublished={refresh} />
      <Tail topic={name} />
    </>
  )
}

export const TopicPage = ({ topic }: { readonly topic: string }) => {
  const query = AdminClient.query("topics", "get", { params: { topic } })
  const refresh = useAtomRefresh(query)
  return (
    <>
      <Breadcrumb way={[["Topics", Route.topics]]} here={topic} />
      <h1>
        Topic <span className="name">{topic}</span>
      </h1>
      <Answer of={query} live>{(answer) => <Shown topic={answer} refresh={refresh} />}</Answer>
    </>
  )
}

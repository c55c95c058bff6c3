import { useAtomRefresh } from "@effect/atom-react"
import type { ChannelStats, TopicOnNode, TopicResponse } from "../../protocol/http/admin/AdminStats.ts"
import { Spark } from "../charts/Spark.tsx"
import { Actions } from "../components/Actions.tsx"
import { Badge, Paused } from "../components/Badge.tsx"
import { Breadcrumb } from "../components/Breadcrumb.tsx"
import { CreateChannel } from "../components/CreateChannel.tsx"
import { channelColumns, hostColumn, topicColumns } from "../components/figureColumns.tsx"
import { latencyColumns } from "../components/latency.tsx"
import { Link } from "../components/Link.tsx"
import { Notice } from "../components/Notice.tsx"
import { QueryResponse } from "../components/QueryResponse.tsx"
import { standardActions } from "../components/standardActions.ts"
import { Table } from "../components/Table.tsx"
import { useActions, useTombstone } from "../core/act.ts"
import { AdminClient } from "../core/api.ts"
import * as Format from "../core/format.ts"
import { goTo } from "../core/navigation.ts"
import * as Route from "../core/route.ts"
import { settings } from "../core/settings.ts"
import { PublishForm } from "../messages/PublishForm.tsx"
import { Tail } from "../messages/Tail.tsx"

/** A button that tombstones the topic on one nsqd. */
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
        key: "tombstone",
        label: "Tombstone topic",
        question: `Tombstone topic ${topic} on ${node}?`,
        detail: "Consumers will no longer discover the topic on this node, and it will be deleted there.",
        danger: true,
        run: () => tombstone({ params: { node }, payload: { topic } }),
        done: `Topic ${topic} has been tombstoned on ${node}.`,
        after: refresh
      }]}
    />
  )
}

const Hosts = ({ refresh, topic }: { readonly topic: TopicResponse; readonly refresh: () => void }) => {
  const name = topic.topic_name
  return (
    <Table<TopicOnNode | TopicResponse>
      caption="Topic message queue"
      rows={topic.nodes.map((node) => [node.node, node])}
      columns={[
        hostColumn,
        ...topicColumns<TopicOnNode | TopicResponse>(topic),
        {
          name: "Channels",
          numeric: true,
          cell: ({ channels }) => Format.count(channels.length),
          total: Format.count(topic.channels.length)
        },
        topic.durability === undefined
          ? undefined
          : { name: "Durability", cell: ({ durability = "memory" }) => durability, total: topic.durability },
        ...latencyColumns<TopicOnNode | TopicResponse>(topic.e2e_processing_latency, topic),
        settings.isAdmin
          ? { name: "Tombstone", cell: ({ node }) => <Tombstone topic={name} node={node} refresh={refresh} /> }
          : undefined
      ]}
    />
  )
}

/** The durability of a topic with a log; nothing for topics as in NSQ. */
const Durability = ({ durability }: { readonly durability: string | undefined }) =>
  durability === undefined ? null : (
    <p>
      <Badge title="What a publisher's OK means: see the documentation of durable topics">
        Durability: {durability}
      </Badge>
    </p>
  )

const Channels = ({ topic }: { readonly topic: TopicResponse }) => (
  <Table<ChannelStats>
    caption="Channel message queues"
    empty="No channels: messages wait in the topic for the first channel."
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
      ...channelColumns<ChannelStats>(),
      ...latencyColumns<ChannelStats>(topic.e2e_processing_latency)
    ]}
  />
)

const Figures = ({ refresh, topic }: { readonly topic: TopicResponse; readonly refresh: () => void }) => {
  const name = topic.topic_name
  return (
    <>
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
      <Hosts topic={topic} refresh={refresh} />
      <Channels topic={topic} />
      <CreateChannel topic={name} onCreated={refresh} />
      <PublishForm topic={name} nodes={topic.nodes.map(({ node }) => node)} onPublished={refresh} />
      <Tail topic={name} />
    </>
  )
}

const Shown = ({ refresh, topic }: { readonly topic: TopicResponse; readonly refresh: () => void }) => {
  const name = topic.topic_name
  const actions = standardActions("topic", name, topic, useActions(name), refresh, () => goTo(Route.topics))
  const isAnywhere = topic.nodes.length > 0
  return (
    <>
      <Durability durability={topic.durability} />
      <Actions
        label={`Actions on topic ${name}`}
        actions={isAnywhere ? actions : actions.filter(({ key }) => key === "delete")}
      />
      {isAnywhere
        ? <Figures topic={topic} refresh={refresh} />
        : (
          <Notice kind="warning">
            No nsqd has this topic. <Link to={Route.lookup}>Lookup</Link> shows its registrations in nsqlookupd.
          </Notice>
        )}
    </>
  )
}

/** The page of a topic. */
export const TopicPage = ({ topic }: { readonly topic: string }) => {
  const query = AdminClient.query("topics", "get", { params: { topic } })
  const refresh = useAtomRefresh(query)
  return (
    <>
      <Breadcrumb way={[["Topics", Route.topics]]} here={topic} />
      <h1>
        Topic <span className="name">{topic}</span>
      </h1>
      <QueryResponse of={query} live>{(response) => <Shown topic={response} refresh={refresh} />}</QueryResponse>
    </>
  )
}

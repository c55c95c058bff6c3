import { useAtomRefresh, useAtomValue } from "@effect/atom-react"
import type { TopicResponse } from "../../protocol/http/admin/AdminStats.ts"
import { LargeCharts } from "../charts/LargeCharts.tsx"
import { Actions } from "../components/Actions.tsx"
import { Badge, Paused } from "../components/Badge.tsx"
import { Breadcrumb } from "../components/Breadcrumb.tsx"
import { ProducerTable } from "../components/ConnectionTable.tsx"
import { CreateChannel } from "../components/CreateChannel.tsx"
import { InForce } from "../components/InForce.tsx"
import { Link } from "../components/Link.tsx"
import { QueryResponse } from "../components/QueryResponse.tsx"
import { standardActions } from "../components/standardActions.tsx"
import { useActions } from "../core/act.ts"
import { AdminClient } from "../core/api.ts"
import { goTo } from "../core/navigation.ts"
import * as Route from "../core/route.ts"
import * as Stakes from "../core/stakes.ts"
import * as Storage from "../core/storage.ts"
import { liveAtom } from "../live/live.ts"
import { usePoints } from "../live/points.ts"
import { PublishForm } from "../messages/PublishForm.tsx"
import { Tail } from "../messages/Tail.tsx"
import { SubjectWarnings } from "../warnings/SubjectWarnings.tsx"
import { Missing } from "./Missing.tsx"
import { TopicTables } from "./TopicTables.tsx"

/** The durability of a topic with a log; nothing for topics as in NSQ. */
const Durability = ({ durability }: { readonly durability: string | undefined }) =>
  durability === undefined ? null : (
    <Badge title="What a publisher's OK means: see the documentation of durable topics">
      Durability: {durability}
    </Badge>
  )

/** The clients that publish to the topic; nothing until they are known. */
const Producers = ({ topic }: { readonly topic: string }) => (
  <QueryResponse of={AdminClient.query("clients", "list", { query: { topic } })} live>
    {({ clients }) => <ProducerTable clients={clients} topic={topic} />}
  </QueryResponse>
)

const Shown = ({ refresh, topic }: { readonly topic: TopicResponse; readonly refresh: () => void }) => {
  const name = topic.topic_name
  const points = usePoints(name)
  const actions = standardActions(
    {
      kind: "topic",
      name,
      paused: topic.paused,
      emptied: Stakes.ofTopicQueue(topic, points),
      deleted: Stakes.ofTopic(topic, points),
      channels: topic.channels.length
    },
    useActions(name),
    refresh,
    () => goTo(Route.topics)
  )
  if (topic.nodes.length === 0) return <Missing topic={name} refresh={refresh} />
  return (
    <>
      <Durability durability={topic.durability} />
      <div className="toolbar">
        <Actions label={`Actions on topic ${name}`} actions={actions} />
        <Link to={Route.messages(name)} className="button">
          {Storage.isDeadLetterTopic(name) ? "Browse and redrive dead letters" : "Browse messages"}
        </Link>
      </div>
      <SubjectWarnings topic={name} />
      <LargeCharts topic={name} />
      <TopicTables name={name} response={topic} points={points} refresh={refresh} />
      <InForce topic={name} />
      <Producers topic={name} />
      <CreateChannel topic={name} onCreated={refresh} />
      <PublishForm topic={name} nodes={topic.nodes.map(({ node }) => node)} onPublished={refresh} />
      <Tail topic={name} />
    </>
  )
}

/** The live figures, before all nsqds have responded. */
const Early = ({ refresh, topic }: { readonly topic: string; readonly refresh: () => void }) => (
  <>
    <SubjectWarnings topic={topic} />
    <LargeCharts topic={topic} />
    <TopicTables name={topic} response={undefined} points={usePoints(topic)} refresh={refresh} />
    <InForce topic={topic} />
  </>
)

/** The page of a topic. */
export const TopicPage = ({ topic }: { readonly topic: string }) => {
  const query = AdminClient.query("topics", "get", { params: { topic } })
  const refresh = useAtomRefresh(query)
  const { topics } = useAtomValue(liveAtom)
  const points = usePoints(topic)
  return (
    <>
      <Breadcrumb way={[["Topics", Route.topics]]} here={topic} />
      <h1>
        Topic <span className="name">{topic}</span> <Paused paused={topics.get(topic)?.paused === true} />
      </h1>
      <QueryResponse
        of={query}
        live
        early={points.all.some(({ node }) => node !== "") ? <Early topic={topic} refresh={refresh} /> : undefined}
        whenMissing={<Missing topic={topic} refresh={refresh} />}
      >
        {(response) => <Shown topic={response} refresh={refresh} />}
      </QueryResponse>
    </>
  )
}

import { useAtomRefresh, useAtomValue } from "@effect/atom-react"
import type { ChannelResponse } from "../../protocol/http/admin/AdminStats.ts"
import { LargeCharts } from "../charts/LargeCharts.tsx"
import { Actions } from "../components/Actions.tsx"
import { Paused } from "../components/Badge.tsx"
import { Breadcrumb } from "../components/Breadcrumb.tsx"
import { ClientTable } from "../components/ClientTable.tsx"
import { channelColumns, hostColumn } from "../components/figureColumns.tsx"
import { InForce } from "../components/InForce.tsx"
import { latencyColumns } from "../components/latency.tsx"
import { Link } from "../components/Link.tsx"
import { promptly } from "../components/PromptResponse.tsx"
import { QueryResponse } from "../components/QueryResponse.tsx"
import { Rewind } from "../components/Rewind.tsx"
import { standardActions } from "../components/standardActions.tsx"
import { Table } from "../components/Table.tsx"
import { useActions } from "../core/act.ts"
import { AdminClient } from "../core/api.ts"
import * as FlowRows from "../core/flowRows.ts"
import * as Format from "../core/format.ts"
import { goTo } from "../core/navigation.ts"
import * as Policies from "../core/policies.ts"
import * as Route from "../core/route.ts"
import * as Stakes from "../core/stakes.ts"
import { liveAtom } from "../live/live.ts"
import { usePoints } from "../live/points.ts"
import { SubjectWarnings } from "../warnings/SubjectWarnings.tsx"
import { Missing } from "./Missing.tsx"

/** The shares of deliveries by the distance between consumer and nsqd. */
const Shares = ({ delivery: { global, region, zone } }: { readonly delivery: FlowRows.Delivery }) => {
  const all = zone + region + global
  const shares = [["zone", zone], ["region", region], ["global", global]] as const
  const words = shares.map(([name, part]) => `${name} ${((part / all) * 100).toFixed(1)}%`).join(", ")
  return (
    <details className="delivery">
      <summary aria-label={words}>
        {shares.map(([name, part]) => <span key={name} className={name} style={{ flexGrow: part / all }} />)}
      </summary>
      {words}
    </details>
  )
}

const DeliveryShares = ({ row: { delivery } }: { readonly row: FlowRows.FlowRow }) =>
  delivery === undefined ? null : <Shares delivery={delivery} />

const Hosts = ({ channel, name, points }: {
  readonly name: string
  /** Undefined before all nsqds have responded. */
  readonly channel: ChannelResponse | undefined
  readonly points: FlowRows.Points
}) => {
  const { at, daemons } = useAtomValue(liveAtom)
  const hostname = (node: string) => daemons.find(({ address }) => address === node)?.hostname ?? ""
  const rows = [
    ...(channel?.nodes ?? []).map((row) => FlowRows.ofChannel(row, points.of(name, row.node))),
    ...(channel === undefined ? points.on(name) : points.away(name)).map((point) =>
      FlowRows.ofPoint(point, hostname(point.node), 0)
    )
  ]
  const sum = points.of(name, "")
  const total = channel !== undefined ? FlowRows.ofChannel(channel, sum) : sum && FlowRows.ofPoint(sum, "", 0)
  return (
    <Table<FlowRows.FlowRow>
      caption="Channel on its nsqds"
      rows={rows.map((row) => [row.node, row, row.away === null ? undefined : "away"])}
      totalClass={(total?.away ?? null) === null ? undefined : "away"}
      columns={[
        hostColumn(at, total),
        ...channelColumns(at, total),
        total?.delivery === undefined ? undefined : {
          name: "Delivery",
          cell: (row) => <DeliveryShares row={row} />,
          total: <DeliveryShares row={total} />,
          isOptional: true,
          title: "Shares of deliveries within the zone and the region of the consumer, and beyond"
        },
        ...(channel === undefined ? [] : latencyColumns(channel.e2e_processing_latency, total))
      ]}
    />
  )
}

/** The number of the channel's dead letters, as a link to them: to the topic that the policy names on the nsqds that reply promptly. */
const DeadLetters = ({ channel, count, topic }: {
  readonly topic: string
  readonly channel: string
  readonly count: number
}) => {
  const result = useAtomValue(
    AdminClient.query("policies", "inForce", { params: { topic }, query: { channel, timeout: promptly } })
  )
  if (count === 0 || result._tag === "Initial") return null
  const nodes = result._tag === "Success" ? result.value.nodes : []
  return (
    <Link to={Route.messages(Policies.deadLetterTopic(nodes, topic, channel))} className="button">
      Dead letters: {Format.count(count)}
    </Link>
  )
}

const Shown = ({ channel, refresh }: { readonly channel: ChannelResponse; readonly refresh: () => void }) => {
  const { channel_name: name, paused, topic_name: topic } = channel
  const points = usePoints(topic)
  const leave = () => goTo(Route.topic(topic))
  const stakes = Stakes.ofChannel(channel, points)
  return (
    <>
      <div className="toolbar">
        <Actions
          label={`Actions on channel ${name}`}
          actions={standardActions(
            { kind: "channel", name, paused, emptied: stakes, deleted: stakes },
            useActions(topic, name),
            refresh,
            leave
          )}
        />
        <Rewind topic={topic} channel={name} onDone={refresh} />
        <Link to={Route.messages(topic, name)} className="button">Browse messages</Link>
        <DeadLetters topic={topic} channel={name} count={channel.dead_letter_count ?? 0} />
      </div>
      <SubjectWarnings topic={topic} channel={name} />
      <LargeCharts topic={topic} channel={name} />
      <Hosts name={name} channel={channel} points={points} />
      <InForce topic={topic} channel={name} />
      <ClientTable
        caption="Consumers"
        clients={channel.clients ?? []}
        withNode
        empty="No consumer is connected: messages wait until one subscribes to this channel."
      />
    </>
  )
}

/** The live figures, before all nsqds have responded. */
const Early = ({ channel, topic }: { readonly topic: string; readonly channel: string }) => (
  <>
    <SubjectWarnings topic={topic} channel={channel} />
    <LargeCharts topic={topic} channel={channel} />
    <Hosts name={channel} channel={undefined} points={usePoints(topic)} />
    <InForce topic={topic} channel={channel} />
  </>
)

/** The page of a channel. */
export const ChannelPage = ({ channel, topic }: { readonly topic: string; readonly channel: string }) => {
  const query = AdminClient.query("topics", "getChannel", { params: { topic, channel } })
  const refresh = useAtomRefresh(query)
  const points = usePoints(topic)
  return (
    <>
      <Breadcrumb way={[["Topics", Route.topics], [topic, Route.topic(topic)]]} here={channel} />
      <h1>
        Channel <span className="name">{channel}</span> <Paused paused={points.of(channel, "")?.paused === true} />
      </h1>
      <QueryResponse
        of={query}
        live
        early={points.on(channel).length > 0 ? <Early topic={topic} channel={channel} /> : undefined}
        whenMissing={<Missing topic={topic} channel={channel} refresh={refresh} />}
      >
        {(response) => <Shown channel={response} refresh={refresh} />}
      </QueryResponse>
    </>
  )
}

import { useAtomRefresh } from "@effect/atom-react"
import type { ChannelOnNode, ChannelResponse } from "../../protocol/http/admin/AdminStats.ts"
import { Spark } from "../charts/Spark.tsx"
import { Actions } from "../components/Actions.tsx"
import { Breadcrumb } from "../components/Breadcrumb.tsx"
import { ClientTable } from "../components/ClientTable.tsx"
import { channelColumns, hostColumn } from "../components/figureColumns.tsx"
import { latencyColumns } from "../components/latency.tsx"
import { QueryResponse } from "../components/QueryResponse.tsx"
import { standardActions } from "../components/standardActions.ts"
import { Table } from "../components/Table.tsx"
import { useActions } from "../core/act.ts"
import { AdminClient } from "../core/api.ts"
import { goTo } from "../core/navigation.ts"
import * as Route from "../core/route.ts"

/** The shares of deliveries by the distance between consumer and nsqd. */
const Delivery = ({ row }: { readonly row: ChannelOnNode | ChannelResponse }) => {
  const all = row.delivery_msg_count ?? 0
  const shares = [
    ["zone", row.zone_local_msg_count],
    ["region", row.region_local_msg_count],
    ["global", row.global_msg_count]
  ] as const
  const words = shares.map(([name, part = 0]) => `${name} ${((part / all) * 100).toFixed(1)}%`).join(", ")
  return all === 0 ? null : (
    <details className="delivery">
      <summary aria-label={words}>
        {shares.map(([name, part = 0]) => <span key={name} className={name} style={{ flexGrow: part / all }} />)}
      </summary>
      {words}
    </details>
  )
}

const Hosts = ({ channel }: { readonly channel: ChannelResponse }) => {
  return (
    <Table<ChannelOnNode | ChannelResponse>
      caption="Channel"
      rows={(channel.nodes ?? []).map((row) => [row.node, row])}
      columns={[
        hostColumn,
        ...channelColumns<ChannelOnNode | ChannelResponse>(channel),
        (channel.delivery_msg_count ?? 0) === 0
          ? undefined
          : { name: "Delivery", cell: (row) => <Delivery row={row} />, total: <Delivery row={channel} /> },
        ...latencyColumns<ChannelOnNode | ChannelResponse>(channel.e2e_processing_latency, channel)
      ]}
    />
  )
}

const Shown = ({ channel, refresh }: { readonly channel: ChannelResponse; readonly refresh: () => void }) => {
  const { channel_name: name, topic_name: topic } = channel
  const leave = () => goTo(Route.topic(topic))
  return (
    <>
      <Actions
        label={`Actions on channel ${name}`}
        actions={standardActions("channel", name, channel, useActions(topic, name), refresh, leave)}
      />
      <div className="charts">
        <figure>
          <figcaption>Depth, past hour</figcaption>
          <Spark topic={topic} channel={name} metric="depth" size="large" />
        </figure>
        <figure>
          <figcaption>Messages per second, past hour</figcaption>
          <Spark topic={topic} channel={name} metric="rate" size="large" />
        </figure>
      </div>
      <Hosts channel={channel} />
      <ClientTable caption="Client connections" clients={channel.clients ?? []} withNode />
    </>
  )
}

/** The page of a channel. */
export const ChannelPage = ({ channel, topic }: { readonly topic: string; readonly channel: string }) => {
  const query = AdminClient.query("topics", "getChannel", { params: { topic, channel } })
  const refresh = useAtomRefresh(query)
  return (
    <>
      <Breadcrumb way={[["Topics", Route.topics], [topic, Route.topic(topic)]]} here={channel} />
      <h1>
        Channel <span className="name">{channel}</span>
      </h1>
      <QueryResponse of={query} live>{(response) => <Shown channel={response} refresh={refresh} />}</QueryResponse>
    </>
  )
}

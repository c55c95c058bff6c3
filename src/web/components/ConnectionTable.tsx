import type { ConnectionOnNode } from "../../protocol/http/admin/AdminClients.ts"
import { keyOf } from "../core/clientRates.ts"
import * as Format from "../core/format.ts"
import * as Route from "../core/route.ts"
import { ClientLink, timeoutsOf } from "./clientWords.tsx"
import { Link } from "./Link.tsx"
import { Table } from "./Table.tsx"
import { useRates } from "./useRates.ts"

/** The messages that a client has published: to a topic, or to all. */
export const publishedOf = ({ pub_counts }: ConnectionOnNode, topic?: string): number =>
  pub_counts.reduce((sum, one) => topic === undefined || one.topic === topic ? sum + one.count : sum, 0)

/** The topics that a client publishes to, and the channel that it consumes. */
const Does = ({ client: { channel_name, pub_counts, topic_name } }: { readonly client: ConnectionOnNode }) => (
  <>
    {topic_name !== "" && (
      <div>
        consumes <Link to={Route.channel(topic_name, channel_name)}>{topic_name} / {channel_name}</Link>
      </div>
    )}
    {pub_counts.slice(0, 3).map(({ topic }) => (
      <div key={topic}>
        publishes <Link to={Route.topic(topic)}>{topic}</Link>
      </div>
    ))}
    {pub_counts.length > 3 && <div>and to {Format.quantity(pub_counts.length - 3, "more topic")}</div>}
    {topic_name === "" && pub_counts.length === 0 && <span className="muted">nothing yet</span>}
  </>
)

/** The clients that have published to a topic, with what and how fast. Rates are differences of the counters of two responses. */
export const ProducerTable = ({ clients, topic }: {
  readonly topic: string
  readonly clients: ReadonlyArray<ConnectionOnNode>
}) => {
  const rateOf = useRates(clients)
  const producers = clients.filter((client) => publishedOf(client, topic) > 0)
    .toSorted((a, b) => publishedOf(b, topic) - publishedOf(a, topic))
  return (
    <Table<ConnectionOnNode>
      caption="Producers"
      empty="No connected client has published to this topic over TCP. Publishers over HTTP are not connected."
      rows={producers.map((client) => [keyOf(client), client])}
      columns={[
        { name: "Client", cell: (client) => <ClientLink client={client} /> },
        { name: "nsqd", wide: true, cell: ({ node }) => <Link to={Route.node(node)}>{node}</Link> },
        {
          name: "Published",
          group: "Per second",
          cardName: "Published /s",
          numeric: true,
          title: "Messages published to this topic per second",
          cell: (client) => Format.rate(rateOf(keyOf(client), (one) => publishedOf(one, topic)))
        },
        {
          name: "Published",
          group: "Since connected",
          cardName: "Published, total",
          numeric: true,
          title: "Messages published to this topic",
          cell: (client) => Format.count(publishedOf(client, topic))
        },
        {
          name: "Connected",
          numeric: true,
          cell: ({ connect_ts }) => Format.span(Date.now() - connect_ts * 1000)
        },
        { name: "User agent", wide: true, cell: ({ user_agent }) => user_agent }
      ]}
    />
  )
}

/** All connections to an nsqd. Rates are differences of the counters of two responses. */
export const ConnectionTable = ({ clients }: { readonly clients: ReadonlyArray<ConnectionOnNode> }) => {
  const rateOf = useRates(clients)
  const rated = (name: string, count: (client: ConnectionOnNode) => number, title: string) => ({
    name,
    group: "Per second",
    cardName: `${name} /s`,
    numeric: true,
    title,
    cell: (client: ConnectionOnNode) => Format.rate(rateOf(keyOf(client), count))
  })
  return (
    <Table<ConnectionOnNode>
      caption="Connections"
      empty="No client is connected to this node."
      rows={clients.map((client) => [keyOf(client), client])}
      columns={[
        { name: "Client", cell: (client) => <ClientLink client={client} /> },
        { name: "Does", wide: true, cell: (client) => <Does client={client} /> },
        rated("Published", (client) => publishedOf(client), "Messages published to all topics per second"),
        rated("Received", (client) => client.message_count, "Messages sent to the client per second"),
        rated("Finished", (client) => client.finish_count, "FIN per second"),
        rated("Requeued", (client) => client.requeue_count, "REQ per second"),
        rated("Timed out", timeoutsOf, "Messages neither finished nor requeued in time, per second"),
        {
          name: "In flight",
          group: "Messages",
          numeric: true,
          title: "Received and not yet finished",
          cell: ({ in_flight_count }) => Format.count(in_flight_count)
        },
        {
          name: "Ready",
          group: "Messages",
          numeric: true,
          title: "The RDY count: how many more it accepts at a time",
          cell: ({ ready_count }) => Format.count(ready_count)
        },
        { name: "Connected", numeric: true, cell: ({ connect_ts }) => Format.span(Date.now() - connect_ts * 1000) },
        { name: "User agent", isOptional: true, cell: ({ user_agent }) => user_agent }
      ]}
    />
  )
}

import type { ReactNode } from "react"
import type { ClientStats } from "../../protocol/http/admin/AdminStats.ts"
import { keyOf } from "../core/clientRates.ts"
import * as Format from "../core/format.ts"
import * as Route from "../core/route.ts"
import { Badge } from "./Badge.tsx"
import { ClientLink, Identity, timeoutsOf } from "./clientWords.tsx"
import { Link } from "./Link.tsx"
import { Table } from "./Table.tsx"
import { useRates } from "./useRates.ts"

const isSameRegion = (client: ClientStats): boolean =>
  (client.topology_region ?? "") !== "" && client.topology_region === client.node_topology_region

const isSameZone = (client: ClientStats): boolean =>
  isSameRegion(client) && (client.topology_zone ?? "") !== "" && client.topology_zone === client.node_topology_zone

const hasAttributes = (client: ClientStats): boolean =>
  client.sample_rate > 0 || client.tls || client.deflate || client.snappy || client.authed ||
  (client.topology_region ?? "") !== "" || (client.topology_zone ?? "") !== ""

const Attributes = ({ client }: { readonly client: ClientStats }): ReactNode => (
  <span className="badges">
    {client.sample_rate > 0 && <Badge>Sampled {client.sample_rate}%</Badge>}
    {client.tls && (
      <Badge title={client.tls_cipher_suite}>{client.tls_version === "" ? "TLS" : client.tls_version}</Badge>
    )}
    {client.deflate && <Badge>Deflate</Badge>}
    {client.snappy && <Badge>Snappy</Badge>}
    <Identity authed={client.authed} name={client.auth_identity} url={client.auth_identity_url} />
    {(client.topology_region ?? "") !== "" && <Badge>{client.topology_region}</Badge>}
    {(client.topology_zone ?? "") !== "" && <Badge>{client.topology_zone}</Badge>}
    {isSameZone(client)
      ? <Badge kind="good">same zone</Badge>
      : isSameRegion(client) && <Badge kind="warning">same region</Badge>}
  </span>
)

/** The connections of consumers and their negotiated features. Rates are differences of the counters of two responses. */
export const ClientTable = ({ caption, clients, empty, withNode }: {
  readonly caption: string
  readonly clients: ReadonlyArray<ClientStats>
  readonly withNode: boolean
  /** Shown without clients. */
  readonly empty?: string
}) => {
  const rateOf = useRates(clients)
  const counted = (name: string, count: (client: ClientStats) => number, group: string, title?: string) => ({
    name,
    group,
    numeric: true,
    cardName: group === "Since connected" ? `${name}, total` : name,
    cell: (client: ClientStats) => Format.count(count(client)),
    ...(title === undefined ? {} : { title })
  })
  const rated = (name: string, count: (client: ClientStats) => number, title: string) => ({
    name,
    group: "Per second",
    numeric: true,
    title,
    cardName: `${name} /s`,
    cell: (client: ClientStats) => Format.rate(rateOf(keyOf(client), count))
  })
  return (
    <Table<ClientStats>
      caption={caption}
      kind="Consumers"
      empty={empty ?? "This channel has no clients."}
      rows={clients.map((client) => [
        keyOf(client),
        client,
        isSameZone(client) ? "near" : isSameRegion(client) ? "region" : undefined
      ])}
      columns={[
        { name: "Client", cell: (client) => <ClientLink client={client} /> },
        withNode
          ? {
            name: "nsqd",
            wide: true,
            cell: ({ node }) => <Link to={Route.node(node)} className="whole">{node}</Link>
          }
          : undefined,
        counted("In flight", (client) => client.in_flight_count, "Messages", "Received and not yet finished"),
        counted(
          "Ready",
          (client) => client.ready_count,
          "Messages",
          "The RDY count: how many more it accepts at a time"
        ),
        rated("Received", (client) => client.message_count, "Messages sent to the client per second"),
        rated("Finished", (client) => client.finish_count, "FIN per second"),
        rated("Requeued", (client) => client.requeue_count, "REQ per second"),
        rated("Timed out", timeoutsOf, "Messages neither finished nor requeued in time, per second"),
        counted("Finished", (client) => client.finish_count, "Since connected"),
        counted("Requeued", (client) => client.requeue_count, "Since connected"),
        counted("Timed out", timeoutsOf, "Since connected", "Messages neither finished nor requeued nor in flight"),
        { ...counted("Messages", (client) => client.message_count, "Since connected"), isOptional: true },
        {
          name: "Connected",
          group: "Connection",
          numeric: true,
          cell: ({ connected }) => Format.span(connected / 1e6)
        },
        {
          name: "Attributes",
          group: "Connection",
          cell: (client) => hasAttributes(client) ? <Attributes client={client} /> : null,
          title: "Negotiated features, identity and topology"
        },
        { name: "User agent", group: "Connection", isOptional: true, cell: ({ user_agent }) => user_agent }
      ]}
    />
  )
}

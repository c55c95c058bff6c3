import type { ReactNode } from "react"
import type { ClientStats } from "../../protocol/http/admin/AdminStats.ts"
import * as Format from "../core/format.ts"
import * as Route from "../core/route.ts"
import { Badge } from "./Badge.tsx"
import { Link } from "./Link.tsx"
import { Table } from "./Table.tsx"

/** The identity URL comes from an auth server: only HTTP URLs become links, so that none can run a script. */
const isWebAddress = (url: string): boolean => /^https?:\/\//i.test(url)

const isSameRegion = (client: ClientStats): boolean =>
  (client.topology_region ?? "") !== "" && client.topology_region === client.node_topology_region

const isSameZone = (client: ClientStats): boolean =>
  isSameRegion(client) && (client.topology_zone ?? "") !== "" && client.topology_zone === client.node_topology_zone

const Identity = ({ client }: { readonly client: ClientStats }) => {
  if (!client.authed) return null
  const name = client.auth_identity === "" ? "authorized" : client.auth_identity
  return (
    <Badge kind="good">
      {isWebAddress(client.auth_identity_url)
        ? <a href={client.auth_identity_url} rel="noreferrer noopener" target="_blank">{name}</a>
        : name}
    </Badge>
  )
}

const Attributes = ({ client }: { readonly client: ClientStats }): ReactNode => (
  <span className="badges">
    {client.sample_rate > 0 && <Badge>Sampled {client.sample_rate}%</Badge>}
    {client.tls && (
      <Badge title={client.tls_cipher_suite}>{client.tls_version === "" ? "TLS" : client.tls_version}</Badge>
    )}
    {client.deflate && <Badge>Deflate</Badge>}
    {client.snappy && <Badge>Snappy</Badge>}
    <Identity client={client} />
    {(client.topology_region ?? "") !== "" && <Badge>{client.topology_region}</Badge>}
    {(client.topology_zone ?? "") !== "" && <Badge>{client.topology_zone}</Badge>}
    {isSameZone(client)
      ? <Badge kind="good">same zone</Badge>
      : isSameRegion(client) && <Badge kind="warning">same region</Badge>}
  </span>
)

const shortName = (hostname: string): string => hostname.split(".")[0] ?? hostname

const ClientHost = ({ client }: { readonly client: ClientStats }) => (
  <span title={client.remote_address}>
    {client.hostname === "" ? client.remote_address : `${client.hostname}:${client.remote_address.split(":").at(-1)}`}
    {client.client_id !== "" && client.client_id !== shortName(client.hostname) && ` (${client.client_id})`}
  </span>
)

/** The connections of consumers and their negotiated features. */
export const ClientTable = ({ caption, clients, withNode }: {
  readonly caption: string
  readonly clients: ReadonlyArray<ClientStats>
  readonly withNode: boolean
}) => (
  <Table<ClientStats>
    caption={caption}
    empty="This channel has no clients."
    rows={clients.map((client) => [
      `${client.node} ${client.remote_address}`,
      client,
      isSameZone(client) ? "near" : isSameRegion(client) ? "region" : undefined
    ])}
    columns={[
      { name: "Client host", cell: (client) => <ClientHost client={client} /> },
      { name: "User agent", cell: ({ user_agent }) => user_agent },
      { name: "Attributes", cell: (client) => <Attributes client={client} /> },
      withNode ? { name: "nsqd host", cell: ({ node }) => <Link to={Route.node(node)}>{node}</Link> } : undefined,
      { name: "In flight", numeric: true, cell: ({ in_flight_count }) => Format.count(in_flight_count) },
      { name: "Ready count", numeric: true, cell: ({ ready_count }) => Format.count(ready_count) },
      { name: "Finished", numeric: true, cell: ({ finish_count }) => Format.count(finish_count) },
      { name: "Requeued", numeric: true, cell: ({ requeue_count }) => Format.count(requeue_count) },
      { name: "Messages", numeric: true, cell: ({ message_count }) => Format.count(message_count) },
      { name: "Connected", numeric: true, cell: ({ connected }) => Format.nanoseconds(connected) }
    ]}
  />
)

import { useAtomValue } from "@effect/atom-react"
import { AsyncResult } from "effect/reactivity"
import type { Node } from "../../protocol/http/admin/AdminNodes.ts"
import { Badge } from "../components/Badge.tsx"
import { Link } from "../components/Link.tsx"
import { QueryResponse } from "../components/QueryResponse.tsx"
import { Section } from "../components/Section.tsx"
import { Table } from "../components/Table.tsx"
import { AdminClient } from "../core/api.ts"
import * as Format from "../core/format.ts"
import * as Route from "../core/route.ts"
import { settings } from "../core/settings.ts"

const addressOf = ({ broadcast_address: host, http_port }: Node): string =>
  host.includes(":") ? `[${host}]:${http_port}` : `${host}:${http_port}`

/** The nsqlookupds that list the node, with a warning color unless all do. */
const Lookupds = ({ node }: { readonly node: Node }) => {
  const known = node.remote_addresses ?? []
  const all = known.length === settings.nsqlookupd.length
  return (
    <details>
      <summary>
        <Badge kind={all ? "plain" : "warning"}>{known.length} of {settings.nsqlookupd.length}</Badge>
      </summary>
      <ul>{known.map((address) => <li key={address}>{address}</li>)}</ul>
    </details>
  )
}

/** The largest number of topics listed at once; more are listed on demand. */
const maxOpen = 8

const TopicBadges = ({ topics }: { readonly topics: NonNullable<Node["topics"]> }) => (
  <span className="badges">
    {topics.map(({ tombstoned, topic }) => (
      <Badge
        key={topic}
        kind={tombstoned ? "warning" : "plain"}
        {...(tombstoned ? { title: "Tombstoned: consumers do not discover the topic on this node" } : {})}
      >
        <Link to={Route.topic(topic)}>{topic}</Link>
        {tombstoned && " (tombstoned)"}
      </Badge>
    ))}
  </span>
)

const Topics = ({ node }: { readonly node: Node }) => {
  const topics = node.topics ?? []
  return topics.length <= maxOpen
    ? (
      <span className="badges">
        {topics.length} <TopicBadges topics={topics} />
      </span>
    )
    : (
      <Section isPlain summary={Format.count(topics.length)}>
        <TopicBadges topics={topics} />
      </Section>
    )
}

const withLookupds = settings.nsqlookupd.length > 0

const nodes = AdminClient.query("nodes", "list", {})

const Heading = () => {
  const response = AsyncResult.getOrElse(useAtomValue(nodes), () => undefined)
  return <h1>Nodes{response !== undefined && ` (${response.nodes?.length ?? 0})`}</h1>
}

/** The page of all nsqds. */
export const NodesPage = () => (
  <>
    <Heading />
    <QueryResponse of={nodes} live>
      {({ nodes }) => (
        <Table<Node>
          caption="nsqd nodes"
          empty={withLookupds
            ? "No nsqd is registered: start one with --lookupd-tcp-address set to the TCP address of an nsqlookupd."
            : "No nsqd responds: check --nsqd-http-address."}
          rows={(nodes ?? []).map((node) => [
            `${addressOf(node)} ${node.tcp_port}`,
            node,
            node.out_of_date ? "warning" : undefined
          ])}
          columns={[
            { name: "Hostname", cell: ({ hostname }) => hostname },
            {
              name: "Broadcast address",
              cell: (node) => <Link to={Route.node(addressOf(node))}>{node.broadcast_address}</Link>
            },
            { name: "TCP port", numeric: true, cell: ({ tcp_port }) => tcp_port },
            { name: "HTTP port", numeric: true, cell: ({ http_port }) => http_port },
            {
              name: "Version",
              cell: ({ out_of_date, version }) => (
                <>{version} {out_of_date && <Badge kind="warning">out of date</Badge>}</>
              )
            },
            { name: "Region", cell: ({ topology_region }) => topology_region },
            { name: "Zone", cell: ({ topology_zone }) => topology_zone },
            withLookupds ? { name: "nsqlookupds", cell: (node) => <Lookupds node={node} /> } : undefined,
            { name: "Topics", cell: (node) => <Topics node={node} /> }
          ]}
        />
      )}
    </QueryResponse>
  </>
)

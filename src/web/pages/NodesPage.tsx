import { useAtomValue } from "@effect/atom-react"
import { AsyncResult } from "effect/reactivity"
import type { DaemonState } from "../../protocol/http/admin/AdminLive.ts"
import type { Node } from "../../protocol/http/admin/AdminNodes.ts"
import { Badge, DaemonBadge } from "../components/Badge.tsx"
import { Link } from "../components/Link.tsx"
import { QueryResponse } from "../components/QueryResponse.tsx"
import { Section } from "../components/Section.tsx"
import { Table } from "../components/Table.tsx"
import { AdminClient } from "../core/api.ts"
import * as Format from "../core/format.ts"
import * as Route from "../core/route.ts"
import { settings } from "../core/settings.ts"
import { liveAtom } from "../live/live.ts"

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

const State = ({ node }: { readonly node: Node }) => {
  const { at, daemons } = useAtomValue(liveAtom)
  const found = daemons.find(({ address, kind }) => kind === "nsqd" && address === addressOf(node))
  return found === undefined ? null : <DaemonBadge daemon={found} now={at} />
}

const withLookupds = settings.nsqlookupd.length > 0

const nodes = AdminClient.query("nodes", "list", {})

const Heading = () => {
  const response = AsyncResult.getOrElse(useAtomValue(nodes), () => undefined)
  return <h1>Nodes{response !== undefined && ` (${response.nodes?.length ?? 0})`}</h1>
}

/** nsqds that nsqlookupd no longer lists, with links to their last known figures. */
const Gone = ({ nodes }: { readonly nodes: ReadonlyArray<Node> }) => {
  const { at, daemons } = useAtomValue(liveAtom)
  const listed = new Set(nodes.map(addressOf))
  const gone = daemons.filter(({ address, kind, reachable }) => kind === "nsqd" && !reachable && !listed.has(address))
  return gone.length === 0 ? null : (
    <Table<DaemonState>
      caption="nsqds that are away"
      rows={gone.map((daemon) => [daemon.address, daemon, "away"])}
      columns={[
        {
          name: "Node",
          cell: ({ address, hostname }) => (
            <Link to={Route.node(address)}>{hostname === "" ? address : `${hostname} (${address})`}</Link>
          )
        },
        { name: "State", cell: (daemon) => <DaemonBadge daemon={daemon} now={at} /> },
        { name: "Last version", cell: ({ version }) => version }
      ]}
    />
  )
}

const hasTopology = (nodes: ReadonlyArray<Node>, key: "topology_region" | "topology_zone"): boolean =>
  nodes.some((node) => (node[key] ?? "") !== "")

const All = ({ nodes }: { readonly nodes: ReadonlyArray<Node> }) => (
  <Table<Node>
    caption="nsqd nodes"
    empty={withLookupds
      ? "No nsqd is registered: start one with --lookupd-tcp-address set to the TCP address of an nsqlookupd."
      : "No nsqd responds: check --nsqd-http-address."}
    rows={nodes.map((node) => [
      `${addressOf(node)} ${node.tcp_port}`,
      node,
      node.out_of_date ? "warning" : undefined
    ])}
    columns={[
      {
        name: "Node",
        cell: (node) => <Link to={Route.node(addressOf(node))}>{node.hostname} ({addressOf(node)})</Link>
      },
      { name: "State", cell: (node) => <State node={node} /> },
      { name: "TCP port", cell: ({ tcp_port }) => tcp_port },
      {
        name: "Version",
        cell: ({ out_of_date, version }) => (
          <>
            {version} {out_of_date && <Badge kind="warning">out of date</Badge>}
          </>
        )
      },
      hasTopology(nodes, "topology_region")
        ? { name: "Region", cell: ({ topology_region }) => topology_region }
        : undefined,
      hasTopology(nodes, "topology_zone") ? { name: "Zone", cell: ({ topology_zone }) => topology_zone } : undefined,
      withLookupds ? { name: "nsqlookupds", cell: (node) => <Lookupds node={node} /> } : undefined,
      { name: "Topics", wide: true, cell: (node) => <Topics node={node} /> }
    ]}
  />
)

/** The page of all nsqds. */
export const NodesPage = () => (
  <>
    <Heading />
    <QueryResponse of={nodes} live>
      {({ nodes }) => (
        <>
          <Gone nodes={nodes ?? []} />
          <All nodes={nodes ?? []} />
        </>
      )}
    </QueryResponse>
  </>
)

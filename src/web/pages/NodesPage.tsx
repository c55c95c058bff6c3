import { useAtomValue } from "@effect/atom-react"
import { AsyncResult } from "effect/reactivity"
import type { DaemonState, LiveNode } from "../../protocol/http/admin/AdminLive.ts"
import type { Node } from "../../protocol/http/admin/AdminNodes.ts"
import type { NodeStatus } from "../../protocol/http/NodeResponse.ts"
import { Away, Badge, DaemonBadge, DrainBadge } from "../components/Badge.tsx"
import { Link } from "../components/Link.tsx"
import { QueryResponse } from "../components/QueryResponse.tsx"
import { Section } from "../components/Section.tsx"
import { type Column, Table, useFirstRows } from "../components/Table.tsx"
import { AdminClient } from "../core/api.ts"
import * as Format from "../core/format.ts"
import * as NodeFigures from "../core/nodeFigures.ts"
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

const TopicBadges = ({ topics }: { readonly topics: NonNullable<Node["topics"]> }) => {
  const { more, shown } = useFirstRows(topics, "topics")
  return (
    <>
      <span className="badges">
        {shown.map(({ tombstoned, topic }) => (
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
      {more}
    </>
  )
}

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

const State = ({ node }: { readonly node: Row }) => {
  const { at, daemons } = useAtomValue(liveAtom)
  const found = daemons.find(({ address, kind }) => kind === "nsqd" && address === node.address)
  const drain = node.live && NodeFigures.drainOf(node.live)
  return (
    <span className="badges">
      {found !== undefined && <DaemonBadge daemon={found} now={at} />}
      {drain !== undefined && <DrainBadge drain={drain} />}
    </span>
  )
}

const withLookupds = settings.nsqlookupd.length > 0

const nodes = AdminClient.query("nodes", "list", {})

/** Returns the nsqds that are away and that nsqlookupd no longer lists. */
const goneOf = (daemons: ReadonlyArray<DaemonState>, nodes: ReadonlyArray<Node>): ReadonlyArray<DaemonState> => {
  const listed = new Set(nodes.map(addressOf))
  return daemons.filter(({ address, kind, reachable }) => kind === "nsqd" && !reachable && !listed.has(address))
}

const Heading = () => {
  const response = AsyncResult.getOrElse(useAtomValue(nodes), () => undefined)
  const { daemons } = useAtomValue(liveAtom)
  if (response === undefined) return <h1>Nodes</h1>
  const listed = response.nodes ?? []
  return <h1>Nodes ({listed.length + goneOf(daemons, listed).length})</h1>
}

/** nsqds that nsqlookupd no longer lists, with their last known figures. */
const Gone = ({ nodes }: { readonly nodes: ReadonlyArray<Node> }) => {
  const { at, daemons, nodes: live } = useAtomValue(liveAtom)
  const gone = goneOf(daemons, nodes)
  const lastKnown = (name: string, title: string, count: (node: LiveNode) => number): Column<DaemonState> => ({
    name,
    group: "Last known",
    numeric: true,
    title,
    cell: ({ address }) => {
      const found = live.find(({ node }) => node === address)
      return found === undefined ? "–" : Format.count(count(found))
    }
  })
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
        { name: "State", wide: true, cell: (daemon) => <DaemonBadge daemon={daemon} now={at} /> },
        lastKnown("Waiting", "Messages that waited in all topics and channels", ({ depth }) => depth),
        lastKnown("In flight", "Messages that consumers had received and not finished", (node) => node.in_flight_count),
        lastKnown("Deferred", "Messages that waited for a later time", (node) => node.deferred_count),
        lastKnown("Topics", "The number of topics", (node) => node.topic_count),
        { name: "Version", group: "Last known", numeric: true, cell: ({ version }) => version }
      ]}
    />
  )
}

const hasTopology = (nodes: ReadonlyArray<Node>, key: "topology_region" | "topology_zone"): boolean =>
  nodes.some((node) => (node[key] ?? "") !== "")

/** An nsqd as it is registered, and its live figures. */
interface Row {
  readonly address: string
  readonly node: Node
  /** Undefined before its first figures. */
  readonly live: LiveNode | undefined
}

/** A figure of the process: of NSQ's nsqd, which does not report it, a dash. */
const reported = (name: string, title: string, cell: (status: NodeStatus) => string): Column<Row> => ({
  name,
  group: "Process",
  numeric: true,
  title,
  cell: ({ live }) =>
    live === undefined
      ? "–"
      : live.status === null
      ? <span className="muted" title="Not reported by NSQ's nsqd">n/a</span>
      : cell(live.status)
})

const figure = (
  name: string,
  group: string,
  title: string,
  cell: (live: LiveNode) => string
): Column<Row> => ({
  name,
  group,
  cardName: group === "Per second" ? `${name} /s` : name,
  numeric: true,
  title,
  cell: ({ live }) => live === undefined ? "–" : cell(live)
})

const Name = ({ row: { address, live, node } }: { readonly row: Row }) => {
  const { at } = useAtomValue(liveAtom)
  return (
    <>
      <Link to={Route.node(address)}>{node.hostname} ({address})</Link> <Away since={live?.away ?? null} now={at} />
    </>
  )
}

/** The nsqds with their figures. */
const Nodes = ({ nodes }: { readonly nodes: ReadonlyArray<Node> }) => {
  const { at, nodes: live } = useAtomValue(liveAtom)
  const known = new Map(live.map((one) => [one.node, one]))
  const rows = nodes.map((node): Row => {
    const address = addressOf(node)
    return { address, node, live: known.get(address) }
  })
  return (
    <>
      <Table<Row>
        caption="nsqd nodes"
        empty={withLookupds
          ? "No nsqd is registered: start one with --lookupd-tcp-address set to the TCP address of an nsqlookupd."
          : "No nsqd responds: check --nsqd-http-address."}
        rows={rows.map((row) => [
          `${row.address} ${row.node.tcp_port}`,
          row,
          (row.live?.away ?? null) === null ? undefined : "away"
        ])}
        columns={[
          { name: "Node", cell: (row) => <Name row={row} /> },
          { name: "State", wide: true, cell: (row) => <State node={row} /> },
          figure("Waiting", "Messages", "Messages that wait in all topics and channels", ({ depth }) =>
            Format.count(depth)),
          figure("In flight", "Messages", "Messages that consumers have received and not finished", (node) =>
            Format.count(node.in_flight_count)),
          {
            ...figure("Deferred", "Messages", "Messages that wait for a later time", (node) =>
              Format.count(node.deferred_count)),
            isOptional: true
          },
          figure("In", "Per second", "Messages received by its topics per second", ({ rate }) =>
            Format.rate(rate)),
          figure(
            "Finished",
            "Per second",
            "Messages finished per second, from the difference of nsqd's counters",
            (node) =>
              Format.rate(node.finish_rate)
          ),
          figure("Requeued", "Per second", "Messages that consumers requeued per second", (node) =>
            Format.rate(node.requeue_rate)),
          figure("Timed out", "Per second", "Messages that consumers did not finish in time, per second", (node) =>
            Format.rate(node.timeout_rate)),
          reported("Memory", "Resident memory of the process", ({ memory }) =>
            Format.bytes(memory.rss_bytes)),
          reported("Loop p99", "Delay of the event loop: 99 % of what was due ran within it", (status) =>
            NodeFigures.delay(status.event_loop_delay)),
          reported("Disk free", "Free space on the disk of the data directory", NodeFigures.diskFree),
          { ...reported("Files", "File descriptors in use, and their limit", NodeFigures.files), isOptional: true },
          reported("Clients", "Connected producers and consumers", ({ connection_count }) =>
            Format.count(connection_count)),
          {
            ...reported("Running for", "Time since the start of nsqd", ({ start_time }) =>
              Format.span(at - start_time * 1000)),
            isOptional: true
          }
        ]}
      />
      {rows.some(({ live }) =>
        live?.status === null
      ) && <p className="muted">n/a: the process and its machine are not reported by NSQ's nsqd.</p>}
    </>
  )
}

const versionOf = (live: LiveNode | undefined): string => {
  const version = live?.status?.effect_nsq_version ?? ""
  return version === "" ? "" : ` (effect-nsq ${version})`
}

/** How the nsqds are registered, and with which topics. */
const Registrations = ({ nodes }: { readonly nodes: ReadonlyArray<Node> }) => {
  const { nodes: live } = useAtomValue(liveAtom)
  return nodes.length === 0 ? null : (
    <Table<Node>
      caption="Versions and topics"
      rows={nodes.map((node) => [
        `${addressOf(node)} ${node.tcp_port}`,
        node,
        node.out_of_date ? "warning" : undefined
      ])}
      columns={[
        { name: "Node", cell: (node) => <Link to={Route.node(addressOf(node))}>{addressOf(node)}</Link> },
        { name: "TCP port", cell: ({ tcp_port }) => tcp_port },
        {
          name: "Version",
          wide: true,
          cell: (node) => (
            <>
              {node.version}
              {versionOf(live.find((one) => one.node === addressOf(node)))}{" "}
              {node.out_of_date && <Badge kind="warning">out of date</Badge>}
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
}

/** The page of all nsqds. */
export const NodesPage = () => (
  <>
    <Heading />
    <QueryResponse of={nodes} live>
      {({ nodes }) => (
        <>
          <Gone nodes={nodes ?? []} />
          <Nodes nodes={nodes ?? []} />
          <Registrations nodes={nodes ?? []} />
        </>
      )}
    </QueryResponse>
  </>
)

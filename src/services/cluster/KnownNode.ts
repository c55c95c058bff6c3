/** The nsqds that a cluster consists of: their addresses, and the lists of several nsqlookupds merged. Pure. */
import { Result, SemVer } from "effect"
import type { Node } from "../../protocol/http/admin/AdminNodes.ts"
import type * as LookupResponse from "../../protocol/http/LookupResponse.ts"
import { maskedAddress } from "../core/Masked.ts"
import type { Origin } from "../net/DaemonNetworks.ts"
import { joinAddress } from "../net/Transport.ts"

/** An nsqd and the origin of its address, which decides the networks it may be in. Default origin: `remote`. */
export interface KnownNode extends Node {
  readonly origin?: Origin
}

/** Returns `host:port` of an nsqd's HTTP API, which identifies it in nsqadmin. */
export const nodeAddress = (node: Node): string => joinAddress(node.broadcast_address, node.http_port)

/** Returns `host:port` of an nsqd's TCP listener. */
export const tcpAddress = (node: Node): string => joinAddress(node.broadcast_address, node.tcp_port)

/** Returns the origin of an nsqd's address. */
export const originOf = ({ origin = "remote" }: KnownNode): Origin => origin

/** Returns the nsqd that a producer describes. */
export const nodeFrom = (
  known: LookupResponse.Producer,
  topics: Node["topics"],
  origin: Origin
): KnownNode => ({
  origin,
  remote_addresses: null,
  remote_address: known.remote_address,
  hostname: known.hostname,
  broadcast_address: known.broadcast_address,
  tcp_port: known.tcp_port,
  http_port: known.http_port,
  version: known.version,
  ...(known.topology_zone === "" ? {} : { topology_zone: known.topology_zone }),
  ...(known.topology_region === "" ? {} : { topology_region: known.topology_region }),
  topics,
  out_of_date: false
})

/** The topics of an nsqd, sorted. */
const topicsOf = ({ tombstones, topics }: LookupResponse.Node): Node["topics"] =>
  topics.length === 0
    ? null
    : topics.map((topic, i) => ({ topic, tombstoned: tombstones[i] ?? false }))
      .sort((a, b) => a.topic < b.topic ? -1 : 1)

/** Unparseable versions sort first. */
const versionOf = ({ version }: Node): SemVer.SemVer =>
  Result.getOrElse(SemVer.parse(version), () => SemVer.parseUnsafe("0.0.0"))

/** The producers that an nsqlookupd lists, and the origin that their addresses get. */
export interface Named<Producer> {
  readonly lookupd: string
  readonly origin: Origin
  readonly producers: ReadonlyArray<Producer>
}

/** An nsqd that several daemons list gets the most permissive of their origins. */
const moreTrusted = (a: KnownNode, b: KnownNode): KnownNode =>
  b.origin === "loopback" ? { ...a, origin: "loopback" } : a

/** Merges the replies of several nsqlookupds: one node per TCP address, sorted by hostname. */
export const mergeNodes = (responses: ReadonlyArray<Named<LookupResponse.Node>>): ReadonlyArray<KnownNode> => {
  const known = new Map<string, { readonly node: KnownNode; readonly from: Array<string> }>()
  for (const { lookupd, origin, producers } of responses) {
    for (const producer of producers) {
      const key = joinAddress(producer.broadcast_address, producer.tcp_port)
      const node = nodeFrom(producer, topicsOf(producer), origin)
      const before = known.get(key)
      const entry = before === undefined
        ? { node, from: [] }
        : { node: moreTrusted(before.node, node), from: before.from }
      known.set(key, entry)
      entry.from.push(`${maskedAddress(lookupd)}/${producer.remote_address === "" ? "N/A" : producer.remote_address}`)
    }
  }
  const nodes = [...known.values()]
  const latest = nodes.map(({ node }) => versionOf(node)).reduce(
    (a, b) => SemVer.isGreaterThan(b, a) ? b : a,
    SemVer.parseUnsafe("0.0.0")
  )
  return nodes
    .map(({ from, node }) => ({
      ...node,
      remote_addresses: from,
      out_of_date: SemVer.isLessThan(versionOf(node), latest)
    }))
    .sort((a, b) => a.hostname < b.hostname ? -1 : a.hostname > b.hostname ? 1 : 0)
}

/** Removes repetitions of an address; the first one remains. */
export const uniqueByAddress = (nodes: ReadonlyArray<KnownNode>): ReadonlyArray<KnownNode> => {
  const unique = new Map<string, KnownNode>()
  for (const node of nodes.toReversed()) {
    const before = unique.get(nodeAddress(node))
    unique.set(nodeAddress(node), before === undefined ? node : moreTrusted(node, before))
  }
  return [...unique.values()].reverse()
}

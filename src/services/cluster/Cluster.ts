/**
 * Queries about a cluster of nsqds, through its nsqlookupds or, without nsqlookupds, to the nsqds directly
 * (docs/protocol/http.md#nsqadmin-requests). `ClusterActions` has the changes.
 */
import { Clock, Context, Effect, Layer, Result, type Schema, SemVer } from "effect"
import type { ConnectionOnNode } from "../../protocol/http/admin/AdminClients.ts"
import type { Node } from "../../protocol/http/admin/AdminNodes.ts"
import type { TopicOnNode } from "../../protocol/http/admin/AdminStats.ts"
import { Info } from "../../protocol/http/InfoResponse.ts"
import * as LookupResponse from "../../protocol/http/LookupResponse.ts"
import { NodeStatus } from "../../protocol/http/NodeResponse.ts"
import * as StatsResponse from "../../protocol/http/StatsResponse.ts"
import { masked, maskedAddress } from "../core/Masked.ts"
import * as Turns from "../core/Turns.ts"
import { DaemonHttp } from "../http/DaemonHttp.ts"
import { HttpError, HttpErrorReason } from "../http/HttpError.ts"
import { DaemonNetworks, type Origin } from "../net/DaemonNetworks.ts"
import { joinAddress, splitAddress } from "../net/Transport.ts"
import type { ClusterError } from "./ClusterError.ts"
import { ClusterSources } from "./ClusterSources.ts"
import * as Connections from "./Connections.ts"
import * as Gathered from "./Gathered.ts"
import * as NodeStats from "./NodeStats.ts"
import * as OwnEndpoints from "./OwnEndpoints.ts"

/** The figures to query. */
export interface StatsFilter {
  /** Only this topic. Default: all topics. */
  readonly topic?: string
  /** Only this channel of `topic`; ignored without it. Default: all channels. */
  readonly channel?: string
  /** Include the clients of each channel. */
  readonly clients: boolean
}

/** An nsqd and the origin of its address, which decides the networks it may be in. Default origin: `remote`. */
export interface KnownNode extends Node {
  readonly origin?: Origin
}

/** The figures of one nsqd. */
export interface StatsOfNode {
  readonly node: KnownNode
  readonly version: string
  /** `OK`, or `NOK - ` and the reason. */
  readonly health: string
  readonly topics: ReadonlyArray<TopicOnNode>
}

/** The depths and counters of one nsqd. */
export interface FiguresOfNode {
  readonly node: KnownNode
  readonly version: string
  readonly health: string
  /** Undefined if the nsqd does not report it. */
  readonly memory?: StatsResponse.Memory | undefined
  /** What effect-nsq's nsqd reports of its process; undefined for NSQ's nsqd. */
  readonly status?: NodeStatus | undefined
  readonly topics: ReadonlyArray<StatsResponse.SampledTopic>
}

/** The result of a query, or the errors of all daemons if all failed. */
type Query<A> = Effect.Effect<Gathered.Gathered<A>, ClusterError>

/** Returns `host:port` of an nsqd's HTTP API, which identifies it in nsqadmin. */
export const nodeAddress = (node: Node): string => joinAddress(node.broadcast_address, node.http_port)

/** Returns `host:port` of an nsqd's TCP listener. */
export const tcpAddress = (node: Node): string => joinAddress(node.broadcast_address, node.tcp_port)

/** Returns the origin of an nsqd's address. */
export const originOf = ({ origin = "remote" }: KnownNode): Origin => origin

const sorted = (names: Iterable<string>): ReadonlyArray<string> => [...new Set(names)].sort()

const nodeFrom = (
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
interface Named<Producer> {
  readonly lookupd: string
  readonly origin: Origin
  readonly producers: ReadonlyArray<Producer>
}

/** An nsqd that several daemons list gets the most permissive of their origins. */
const moreTrusted = (a: KnownNode, b: KnownNode): KnownNode =>
  b.origin === "loopback" ? { ...a, origin: "loopback" } : a

/** Merges the replies of several nsqlookupds: one node per TCP address, sorted by hostname. */
const mergeNodes = (responses: ReadonlyArray<Named<LookupResponse.Node>>): ReadonlyArray<KnownNode> => {
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

const uniqueByAddress = (nodes: ReadonlyArray<KnownNode>): ReadonlyArray<KnownNode> => {
  const unique = new Map<string, KnownNode>()
  for (const node of nodes.toReversed()) {
    const before = unique.get(nodeAddress(node))
    unique.set(nodeAddress(node), before === undefined ? node : moreTrusted(node, before))
  }
  return [...unique.values()].reverse()
}

/**
 * Queries about the cluster. Each fails with `ClusterError` if all daemons of a step fail.
 *
 * @since 0.2.0
 * @category services
 */
export class Cluster extends Context.Service<Cluster, {
  /** The names of all topics, sorted. */
  readonly topics: Query<ReadonlyArray<string>>
  /** Topics that nsqlookupds list and no nsqd has, with their channels; empty without nsqlookupds. */
  readonly inactiveTopics: Query<ReadonlyMap<string, ReadonlyArray<string>>>
  /** All nsqds. */
  readonly nodes: Query<ReadonlyArray<KnownNode>>
  /** The nsqds that have the topic. */
  readonly producers: (topic: string) => Query<ReadonlyArray<KnownNode>>
  /** The figures of the topics of these nsqds. */
  readonly stats: (nodes: ReadonlyArray<KnownNode>, filter: StatsFilter) => Query<ReadonlyArray<StatsOfNode>>
  /** Depths and counters of all topics of these nsqds: cheap enough to query every few seconds. */
  readonly figures: (nodes: ReadonlyArray<KnownNode>) => Query<ReadonlyArray<FiguresOfNode>>
  /** The connections of clients to these nsqds, sorted by nsqd and remote address. */
  readonly connections: (
    nodes: ReadonlyArray<KnownNode>,
    filter: Connections.ConnectionFilter
  ) => Query<ReadonlyArray<ConnectionOnNode>>
}>()("effect-nsq/cluster/Cluster") {
  static readonly layer: Layer.Layer<Cluster, never, ClusterSources | DaemonHttp> = Layer.effect(
    Cluster,
    Effect.gen(function*() {
      const sources = yield* ClusterSources
      const daemons = yield* DaemonHttp
      const { originBy } = yield* DaemonNetworks
      const own = OwnEndpoints.make(daemons)

      const bySources = <A>(
        fromLookupds: (addresses: ReadonlyArray<string>) => Query<A>,
        fromNsqds: (addresses: ReadonlyArray<string>) => Query<A>
      ): Query<A> =>
        Effect.flatMap(
          sources.current,
          ({ lookupd, nsqd }) => lookupd.length > 0 ? fromLookupds(lookupd) : fromNsqds(nsqd)
        )

      const statsPath = ({ channel, clients, topic }: StatsFilter): string => {
        const query = [
          "format=json",
          ...(topic === undefined ? [] : [`topic=${encodeURIComponent(topic)}`]),
          ...(topic === undefined || channel === undefined ? [] : [`channel=${encodeURIComponent(channel)}`]),
          ...(clients ? [] : ["include_clients=false"])
        ]
        return `/stats?${query.join("&")}`
      }

      const lookupdTopics = (addresses: ReadonlyArray<string>): Query<ReadonlyArray<string>> =>
        Effect.map(
          Gathered.query(addresses, "nsqlookupd", (address) => daemons.get(LookupResponse.Topics, address, "/topics")),
          (gathered) => Gathered.map(gathered, (responses) => sorted(responses.flatMap(({ topics }) => topics)))
        )

      const nsqdTopics = (addresses: ReadonlyArray<string>): Query<ReadonlyArray<string>> =>
        Effect.map(
          Gathered.query(
            addresses,
            "nsqd",
            (address) => daemons.getByTopic(StatsResponse.TopicNames, address, statsPath({ clients: false }))
          ),
          (gathered) =>
            Gathered.map(gathered, (responses) =>
              sorted(responses.flatMap(({ topics }) => topics?.map(({ topic_name }) => topic_name) ?? [])))
        )

      /** Requests a path that lists producers from each nsqlookupd. */
      const namedBy = <Producer>(
        schema: Schema.Codec<{ readonly producers: ReadonlyArray<Producer> }, unknown>,
        addresses: ReadonlyArray<string>,
        path: string
      ): Query<ReadonlyArray<Named<Producer>>> =>
        Gathered.query(addresses, "nsqlookupd", (lookupd) =>
          Effect.gen(function*() {
            const { producers } = yield* daemons.get(schema, lookupd, path)
            return { lookupd, origin: yield* originBy(lookupd), producers }
          }))

      const lookupdNodes = (addresses: ReadonlyArray<string>): Query<ReadonlyArray<KnownNode>> =>
        Effect.map(namedBy(LookupResponse.Nodes, addresses, "/nodes"), (gathered) => Gathered.map(gathered, mergeNodes))

      /** Very old nsqds omit their address from `/info`: the requested address replaces it. */
      const withAddress = (info: Info, address: string): Info => {
        const { host, port } = splitAddress(address) ?? { host: address, port: 0 }
        return {
          ...info,
          ...(info.broadcast_address === "" ? { broadcast_address: host, http_port: port } : {}),
          hostname: info.hostname === "" ? host : info.hostname
        }
      }

      const nsqdNode = Effect.fnUntraced(function*(address: string, filter: StatsFilter) {
        const { topics } = yield* daemons.getByTopic(StatsResponse.TopicNames, address, statsPath(filter))
        const names = topics?.map(({ topic_name }) => topic_name) ?? []
        if (filter.topic !== undefined && !names.includes(filter.topic)) return []
        const info = withAddress(yield* daemons.get(Info, address, "/info"), address)
        const known = names.map((topic) => ({ topic, tombstoned: false }))
        const named = nodeFrom({ ...info, remote_address: "" }, known.length === 0 ? null : known, "configured")
        return [nodeAddress(named) === address ? named : { ...named, origin: yield* originBy(address) }]
      })

      const nsqdNodes = (addresses: ReadonlyArray<string>, filter: StatsFilter): Query<ReadonlyArray<KnownNode>> =>
        Effect.map(
          Gathered.query(addresses, "nsqd", (address) => nsqdNode(address, filter)),
          (gathered) => Gathered.map(gathered, (nodes) => nodes.flat())
        )

      const lookupdProducers = (topic: string, addresses: ReadonlyArray<string>): Query<ReadonlyArray<KnownNode>> =>
        Effect.map(
          namedBy(LookupResponse.Lookup, addresses, `/lookup?topic=${encodeURIComponent(topic)}`),
          (gathered) =>
            Gathered.map(gathered, (responses) =>
              uniqueByAddress(
                responses.flatMap(({ origin, producers }) =>
                  producers.map((producer) => nodeFrom(producer, null, origin))
                )
              ))
        )

      const channels = (topic: string, addresses: ReadonlyArray<string>): Query<ReadonlyArray<string>> =>
        Effect.map(
          Gathered.query(
            addresses,
            "nsqlookupd",
            (address) => daemons.get(LookupResponse.Channels, address, `/channels?topic=${encodeURIComponent(topic)}`)
          ),
          (gathered) =>
            Gathered.map(gathered, (responses) => sorted(responses.flatMap((response) => response.channels)))
        )

      /** Compares the topics with those of the nsqds, which saves one `/lookup` request per topic. */
      const lookupdInactive = Effect.fnUntraced(function*(addresses: ReadonlyArray<string>) {
        const topics = yield* lookupdTopics(addresses)
        const nodes = yield* lookupdNodes(addresses)
        const live = new Set(
          nodes.value.flatMap((node) => node.topics ?? []).flatMap(({ tombstoned, topic }) => tombstoned ? [] : [topic])
        )
        const inactive = topics.value.filter((topic) => !live.has(topic))
        const known = yield* Effect.forEach(
          inactive,
          (topic) => Effect.map(channels(topic, addresses), (gathered) => [topic, gathered.value] as const),
          { concurrency: 4 }
        )
        return { value: new Map(known), failures: topics.failures }
      })

      const statsOf = Effect.fnUntraced(function*(node: KnownNode, filter: StatsFilter) {
        const address = nodeAddress(node)
        const { health, topics, version } = yield* daemons.getByTopic(
          StatsResponse.StatsByTopic,
          address,
          statsPath(filter),
          originOf(node)
        )
        const nowSeconds = Math.floor((yield* Clock.currentTimeMillis) / 1000)
        const identity = {
          address,
          hostname: node.hostname,
          region: node.topology_region ?? "",
          zone: node.topology_zone ?? ""
        }
        const wanted = topics?.filter(({ topic_name }) => filter.topic === undefined || topic_name === filter.topic)
        const shown = yield* Turns.mapEach(
          yield* Turns.Turns,
          wanted ?? [],
          (topic) => NodeStats.topicOnNode(topic, identity, nowSeconds)
        )
        return { node, version, health, topics: shown }
      })

      /** NSQ's nsqd has objects on its heap; this one does not count them. */
      const statusOf = (node: KnownNode, memory: StatsResponse.Memory | undefined) =>
        memory === undefined || memory.heap_objects > 0
          ? Effect.undefined
          : Effect.orElseSucceed(own.get(NodeStatus, nodeAddress(node), "/node", originOf(node)), () => undefined)

      const figuresOf = Effect.fnUntraced(function*(node: KnownNode) {
        const address = nodeAddress(node)
        const path = statsPath({ clients: false })
        const { health, memory, topics, version } = yield* daemons.getByTopic(
          StatsResponse.SampledStats,
          address,
          path,
          originOf(node)
        )
        return { node, version, health, memory, topics: topics ?? [], status: yield* statusOf(node, memory) }
      })

      const connectionsOf = Effect.fnUntraced(function*(node: KnownNode, filter: Connections.ConnectionFilter) {
        const address = nodeAddress(node)
        const path = `/clients?${Connections.queryOf(filter)}`
        const listed = yield* own.get(Connections.Listed, address, path, originOf(node))
        if (listed !== undefined) {
          const decoded = yield* Turns.mapEach(yield* Turns.Turns, listed.clients, Connections.decode)
          const reason = HttpErrorReason.InvalidResponse()
          const clients = yield* Effect.mapError(
            Effect.fromResult(Result.all(decoded)),
            () => new HttpError({ address, method: "GET", url: masked(`http://${address}${path}`), reason })
          )
          return Connections.fromList(address, clients)
        }
        const { channel, topic } = filter
        const wanted = {
          ...(topic === undefined ? {} : { topic }),
          ...(channel === undefined ? {} : { channel }),
          clients: true
        }
        const stats = yield* daemons.get(StatsResponse.Stats, address, statsPath(wanted), originOf(node))
        return Connections.fromStats(address, stats, filter)
      })

      const noChannels = new Map<string, ReadonlyArray<string>>()

      return Cluster.of({
        topics: bySources(lookupdTopics, nsqdTopics),
        inactiveTopics: bySources(
          lookupdInactive,
          (addresses) => Effect.map(nsqdTopics(addresses), (gathered) => Gathered.map(gathered, () => noChannels))
        ),
        nodes: bySources(lookupdNodes, (addresses) => nsqdNodes(addresses, { clients: false })),
        producers: (topic) =>
          bySources(
            (addresses) => lookupdProducers(topic, addresses),
            (addresses) => nsqdNodes(addresses, { topic, clients: false })
          ),
        stats: (nodes, filter) => Gathered.query(nodes, "nsqd", (node) => statsOf(node, filter)),
        figures: (nodes) => Gathered.query(nodes, "nsqd", figuresOf),
        connections: (nodes, filter) =>
          Effect.map(
            Gathered.query(nodes, "nsqd", (node) => connectionsOf(node, filter)),
            (gathered) => Gathered.map(gathered, (lists) => lists.flat().sort(Connections.byAddress))
          )
      })
    })
  )
}

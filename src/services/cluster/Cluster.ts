/**
 * Queries about a cluster of nsqds, through its nsqlookupds or, without nsqlookupds, to the nsqds directly
 * (docs/protocol/http.md#nsqadmin-requests). `ClusterActions` has the changes.
 */
import { Clock, Context, Deferred, Effect, Layer, Result, type Schema } from "effect"
import type { ConnectionOnNode } from "../../protocol/http/admin/AdminClients.ts"
import type { TopicOnNode } from "../../protocol/http/admin/AdminStats.ts"
import { Info } from "../../protocol/http/InfoResponse.ts"
import * as LookupResponse from "../../protocol/http/LookupResponse.ts"
import { NodeStatus } from "../../protocol/http/NodeResponse.ts"
import * as StatsResponse from "../../protocol/http/StatsResponse.ts"
import { masked } from "../core/Masked.ts"
import * as Turns from "../core/Turns.ts"
import { DaemonHttp } from "../http/DaemonHttp.ts"
import { HttpError, HttpErrorReason } from "../http/HttpError.ts"
import { DaemonNetworks } from "../net/DaemonNetworks.ts"
import { splitAddress } from "../net/Transport.ts"
import type { ClusterError } from "./ClusterError.ts"
import { ClusterSources } from "./ClusterSources.ts"
import * as Connections from "./Connections.ts"
import * as Gathered from "./Gathered.ts"
import {
  type KnownNode,
  mergeNodes,
  type Named,
  nodeAddress,
  nodeFrom,
  originOf,
  uniqueByAddress
} from "./KnownNode.ts"
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

/** The figures of one nsqd. */
export interface StatsOfNode {
  readonly node: KnownNode
  readonly version: string
  /** `OK`, or `NOK - ` and the reason. */
  readonly health: string
  readonly topics: ReadonlyArray<TopicOnNode>
}

/** What is collected of the topics of an nsqd, one after another. */
export interface Collection<A> {
  readonly add: (topic: StatsResponse.SampledTopic) => void
  readonly result: A
}

/** The state of one nsqd, and what has been collected of the depths and counters of its topics. */
export interface FiguresOfNode<A> {
  readonly node: KnownNode
  readonly version: string
  readonly health: string
  /** When it was started, in Unix seconds; 0 if it does not report it. */
  readonly started: number
  /** Undefined if the nsqd does not report it. */
  readonly memory?: StatsResponse.Memory | undefined
  /** What effect-nsq's nsqd reports of its process; undefined for NSQ's nsqd. */
  readonly status?: NodeStatus | undefined
  readonly collected: A
}

/** The result of a query, or the errors of all daemons if all failed. */
type Query<A> = Effect.Effect<Gathered.Gathered<A>, ClusterError>

/** Time for the other daemons to reply when one has replied to a question that it can settle. */
const moment = "100 millis"

const sorted = (names: Iterable<string>): ReadonlyArray<string> => [...new Set(names)].sort()

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
  /**
   * The nsqd at `host:port` of its HTTP API; undefined if no daemon lists it. Daemons that do not respond do not delay the result if
   * another one lists it.
   */
  readonly node: (address: string) => Query<KnownNode | undefined>
  /** The nsqds that have the topic. */
  readonly producers: (topic: string) => Query<ReadonlyArray<KnownNode>>
  /** The figures of the topics of these nsqds. */
  readonly stats: (nodes: ReadonlyArray<KnownNode>, filter: StatsFilter) => Query<ReadonlyArray<StatsOfNode>>
  /**
   * Depths and counters of all topics of these nsqds: cheap enough to query every few seconds. `collect` is called when an nsqd is
   * requested, and its result with the start of the nsqd in Unix seconds when it has responded. Two nsqds are requested at a time.
   */
  readonly figures: <A>(
    nodes: ReadonlyArray<KnownNode>,
    collect: (node: KnownNode) => (started: number) => Collection<A>
  ) => Query<ReadonlyArray<FiguresOfNode<A>>>
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
        path: string,
        each: (response: Named<Producer>) => Effect.Effect<void> = () => Effect.void
      ): Query<ReadonlyArray<Named<Producer>>> =>
        Gathered.query(addresses, "nsqlookupd", (lookupd) =>
          Effect.gen(function*() {
            const { producers } = yield* daemons.get(schema, lookupd, path)
            const response = { lookupd, origin: yield* originBy(lookupd), producers }
            yield* each(response)
            return response
          }))

      const lookupdNodes = (
        addresses: ReadonlyArray<string>,
        each?: (response: Named<LookupResponse.Node>) => Effect.Effect<void>
      ): Query<ReadonlyArray<KnownNode>> =>
        Effect.map(
          namedBy(LookupResponse.Nodes, addresses, "/nodes", each),
          (gathered) => Gathered.map(gathered, mergeNodes)
        )

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

      const nsqdNodes = (
        addresses: ReadonlyArray<string>,
        filter: StatsFilter,
        each: (nodes: ReadonlyArray<KnownNode>) => Effect.Effect<void> = () => Effect.void
      ): Query<ReadonlyArray<KnownNode>> =>
        Effect.map(
          Gathered.query(addresses, "nsqd", (address) => Effect.tap(nsqdNode(address, filter), each)),
          (gathered) => Gathered.map(gathered, (nodes) => nodes.flat())
        )

      const named = (nodes: ReadonlyArray<KnownNode>, address: string): KnownNode | undefined =>
        nodes.find((node) => nodeAddress(node) === address)

      /** Requests nsqds from each daemon. Once one has listed that at `address`, the others have a moment to reply. */
      const firstNamed = Effect.fnUntraced(function*(
        address: string,
        query: (
          found: (nodes: ReadonlyArray<KnownNode>) => Effect.Effect<void>
        ) => Query<ReadonlyArray<KnownNode>>
      ) {
        const known = yield* Deferred.make<KnownNode>()
        const found = (nodes: ReadonlyArray<KnownNode>) => {
          const node = named(nodes, address)
          return node === undefined ? Effect.void : Effect.asVoid(Deferred.succeed(known, node))
        }
        return yield* Effect.raceFirst(
          Effect.map(query(found), (gathered) => Gathered.map(gathered, (nodes) => named(nodes, address))),
          Effect.map(
            Effect.tap(Deferred.await(known), () => Effect.sleep(moment)),
            (value): Gathered.Gathered<KnownNode | undefined> => ({ value, failures: [] })
          )
        )
      })

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

      const figuresOf = <A>(node: KnownNode, collect: (node: KnownNode) => (started: number) => Collection<A>) =>
        Effect.gen(function*() {
          const begin = collect(node)
          const address = nodeAddress(node)
          let collection: Collection<A> | undefined
          const { health, memory, start_time: started, version } = yield* daemons.forEachTopic(
            StatsResponse.SampledStats,
            address,
            statsPath({ clients: false }),
            (rest) => (collection = begin(rest.start_time)).add,
            originOf(node)
          )
          const { result } = collection ?? begin(started)
          return { node, version, health, started, memory, collected: result, status: yield* statusOf(node, memory) }
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
        node: (address) =>
          bySources(
            (addresses) =>
              firstNamed(address, (found) => lookupdNodes(addresses, (response) => found(mergeNodes([response])))),
            // All are requested, because the address that an nsqd announces may differ from the configured one.
            (addresses) => firstNamed(address, (found) => nsqdNodes(addresses, { clients: false }, found))
          ),
        producers: (topic) =>
          bySources(
            (addresses) => lookupdProducers(topic, addresses),
            (addresses) => nsqdNodes(addresses, { topic, clients: false })
          ),
        stats: (nodes, filter) => Gathered.query(nodes, "nsqd", (node) => statsOf(node, filter)),
        figures: (nodes, collect) => Gathered.queryInPairs(nodes, "nsqd", (node) => figuresOf(node, collect)),
        connections: (nodes, filter) =>
          Effect.map(
            // All connections of a large cluster are many megabytes.
            (Connections.queryOf(filter) === "" ? Gathered.queryInPairs : Gathered.query)(
              nodes,
              "nsqd",
              (node) => connectionsOf(node, filter)
            ),
            (gathered) => Gathered.map(gathered, (lists) => lists.flat().sort(Connections.byAddress))
          )
      })
    })
  )
}

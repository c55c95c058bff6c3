/**
 * The actions of nsqadmin on a cluster, with NSQ's steps in NSQ's order (docs/protocol/http.md#nsqadmin-actions). An action
 * returns the errors of the daemons that failed. It fails with `ClusterError` if the producers of the topic cannot be queried,
 * or if no daemon created the topic or channel.
 */
import { Context, Effect, Layer } from "effect"
import type * as AdminApi from "../../protocol/http/admin/AdminApi.ts"
import { Info } from "../../protocol/http/InfoResponse.ts"
import { DaemonHttp } from "../http/DaemonHttp.ts"
import type { HttpError } from "../http/HttpError.ts"
import { DaemonNetworks, type Origin } from "../net/DaemonNetworks.ts"
import { Cluster } from "./Cluster.ts"
import { ClusterError, ClusterErrorReason, type Kind } from "./ClusterError.ts"
import { ClusterSources } from "./ClusterSources.ts"
import * as Gathered from "./Gathered.ts"
import { type KnownNode, nodeAddress, originOf } from "./KnownNode.ts"

/** The errors of the daemons that failed. */
type Acted = Effect.Effect<ReadonlyArray<HttpError>, ClusterError>

/** An action on an existing topic or channel. */
export type Action = AdminApi.Action | "delete"

const query = (names: Readonly<Record<string, string>>): string =>
  Object.entries(names).map(([key, name]) => `${key}=${encodeURIComponent(name)}`).join("&")

const kindOf = (channel: string | undefined) => channel === undefined ? "topic" : "channel"

const named = (topic: string, channel: string | undefined): string =>
  query(channel === undefined ? { topic } : { topic, channel })

/**
 * Actions on the topics and channels of a cluster.
 *
 * @since 0.2.0
 * @category services
 */
export class ClusterActions extends Context.Service<ClusterActions, {
  /**
   * Creates a topic on each nsqlookupd, and a channel on each nsqlookupd and on each nsqd that has the topic. Without
   * nsqlookupds, creates both on each nsqd.
   */
  readonly create: (topic: string, channel: string | undefined) => Acted
  /** Applies an action to a topic or a channel on each nsqd that has the topic; a deletion also on each nsqlookupd. */
  readonly act: (action: Action, topic: string, channel: string | undefined) => Acted
  /** Hides the topic of the nsqd at `node` (`host:port`) from consumers, then deletes it on that nsqd. */
  readonly tombstone: (topic: string, node: string) => Acted
  /** Begins or ends the drain of an nsqd. Fails if the nsqd fails, as NSQ's nsqd does, which cannot drain. */
  readonly drain: (node: KnownNode, isDraining: boolean) => Acted
  /** Ends the connection of the client with this remote address. Fails if the nsqd fails, as NSQ's nsqd does. */
  readonly closeClient: (node: KnownNode, address: string) => Acted
}>()("effect-nsq/cluster/ClusterActions") {
  static readonly layer: Layer.Layer<ClusterActions, never, Cluster | ClusterSources | DaemonHttp> = Layer.effect(
    ClusterActions,
    Effect.gen(function*() {
      const cluster = yield* Cluster
      const sources = yield* ClusterSources
      const daemons = yield* DaemonHttp
      const networks = yield* DaemonNetworks

      const orderAll = (addresses: ReadonlyArray<string>, path: string) =>
        Gathered.order(addresses, (address) => daemons.post(address, path))

      const orderNodes = (nodes: ReadonlyArray<KnownNode>, path: string) =>
        Gathered.order(nodes, (node) => daemons.post(nodeAddress(node), path, undefined, originOf(node)))

      /** Fails if no daemon created it. */
      const createOn = Effect.fnUntraced(function*(
        addresses: ReadonlyArray<string>,
        kind: Kind,
        path: string
      ): Effect.fn.Return<ReadonlyArray<HttpError>, ClusterError> {
        const failures = yield* orderAll(addresses, path)
        if (failures.length < addresses.length) return failures
        return yield* new ClusterError({
          reason: ClusterErrorReason.CreateFailure({ kind, failures })
        })
      })

      const create = Effect.fnUntraced(function*(topic: string, channel: string | undefined) {
        const { lookupd, nsqd } = yield* sources.current
        const [addresses, kind] = lookupd.length > 0 ? [lookupd, "nsqlookupd"] as const : [nsqd, "nsqd"] as const
        const made = yield* createOn(addresses, kind, `/topic/create?${query({ topic })}`)
        if (channel === undefined) return made
        const path = `/channel/create?${query({ topic, channel })}`
        const known = yield* createOn(addresses, kind, path)
        if (lookupd.length === 0) return [...made, ...known]
        const producers = yield* cluster.producers(topic)
        return [...made, ...known, ...producers.failures, ...yield* orderNodes(producers.value, path)]
      })

      const act = Effect.fnUntraced(function*(action: Action, topic: string, channel: string | undefined) {
        const producers = yield* cluster.producers(topic)
        const path = `/${kindOf(channel)}/${action}?${named(topic, channel)}`
        const { lookupd } = yield* sources.current
        const forgotten = action === "delete" ? yield* orderAll(lookupd, path) : []
        return [...producers.failures, ...forgotten, ...yield* orderNodes(producers.value, path)]
      })

      /** An address from an administrator gets the most permissive origin of the cluster's daemons. */
      const originOfAddress = Effect.fnUntraced(function*(address: string): Effect.fn.Return<Origin> {
        const { lookupd, nsqd } = yield* sources.current
        if (nsqd.includes(address)) return "configured"
        const origins = yield* Effect.forEach([...lookupd, ...nsqd], networks.originBy, { concurrency: "unbounded" })
        return origins.includes("loopback") ? "loopback" : "remote"
      })

      const tombstone = Effect.fnUntraced(function*(topic: string, node: string) {
        const { lookupd } = yield* sources.current
        const hidden = yield* orderAll(lookupd, `/topic/tombstone?${query({ topic, node })}`)
        const origin = yield* originOfAddress(node)
        yield* Gathered.query([node], "nsqd", () => daemons.get(Info, node, "/info", origin))
        const path = `/topic/delete?${query({ topic })}`
        return [...hidden, ...yield* Gathered.order([node], () => daemons.post(node, path, undefined, origin))]
      })

      /** An action on one nsqd: a partial success is not possible. */
      const onNode = (node: KnownNode, request: (address: string) => Effect.Effect<void, HttpError>): Acted =>
        Effect.map(Gathered.query([node], "nsqd", (one) => request(nodeAddress(one))), ({ failures }) => failures)

      const drain = (node: KnownNode, isDraining: boolean): Acted =>
        onNode(node, (address) => daemons.send(isDraining ? "PUT" : "DELETE", address, "/drain", originOf(node)))

      const closeClient = (node: KnownNode, client: string): Acted =>
        onNode(
          node,
          (address) => daemons.post(address, `/client/close?${query({ address: client })}`, undefined, originOf(node))
        )

      return ClusterActions.of({ create, act, tombstone, drain, closeClient })
    })
  )
}

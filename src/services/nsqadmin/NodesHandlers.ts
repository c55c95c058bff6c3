/** Handlers of `/api/nodes`: list and figures of nsqds, and tombstones (docs/protocol/http.md#nsqadmin-endpoints). */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { isTopicName } from "../../protocol/client/Names.ts"
import { AdminApi, Tombstone } from "../../protocol/http/admin/AdminApi.ts"
import { BadRequest, NotFound } from "../../protocol/http/admin/AdminFailure.ts"
import { Node, NodeResponse, NodesResponse } from "../../protocol/http/admin/AdminNodes.ts"
import { TopicOnNode } from "../../protocol/http/admin/AdminStats.ts"
import { Cluster } from "../cluster/Cluster.ts"
import { ClusterActions } from "../cluster/ClusterActions.ts"
import { splitAddress } from "../net/Transport.ts"
import { AdminAccess } from "./AdminAccess.ts"
import * as JsonBody from "./JsonBody.ts"
import * as KnownNodes from "./KnownNodes.ts"
import * as LongJson from "./LongJson.ts"
import { Notifications } from "./Notifications.ts"
import * as Upstream from "./Upstream.ts"

const refuse = (message: string) => Effect.fail(BadRequest.make({ message }))

const total = <A>(items: ReadonlyArray<A>, count: (item: A) => number): number =>
  items.reduce((sum, item) => sum + count(item), 0)

/** The handlers of the group `nodes`. */
export const layer = HttpApiBuilder.group(
  AdminApi,
  "nodes",
  Effect.fn(function*(handlers) {
    const access = yield* AdminAccess
    const cluster = yield* Cluster
    const actions = yield* ClusterActions
    const notifications = yield* Notifications

    const list = Effect.gen(function*() {
      const { failures, value } = yield* Upstream.query("get nodes", cluster.nodes)
      const message = Upstream.warning(failures)
      if (value.length === 0) return { nodes: null, message }
      return yield* LongJson.response(NodesResponse, { nodes: [], message }, "nodes", LongJson.list(Node, value))
    })

    const get = Effect.fnUntraced(function*(address: string, topic?: string) {
      const { failures, value: node } = yield* Upstream.query("get producers", cluster.node(address))
      if (node === undefined) return yield* Effect.fail(NotFound.make({ message: "NODE_NOT_FOUND" }))
      const stats = yield* Upstream.query(
        "get nsqd stats",
        cluster.stats([node], { ...(topic === undefined ? {} : { topic }), clients: true })
      )
      const topics = stats.value.flatMap(({ topics }) => topics)
      const response = {
        node: address,
        topics: [],
        total_messages: total(topics, ({ message_count }) => message_count),
        total_clients: total(topics, ({ channels }) => total(channels, ({ clients }) => clients?.length ?? 0)),
        message: Upstream.warning(failures)
      }
      return yield* LongJson.response(NodeResponse, response, "topics", LongJson.list(TopicOnNode, topics))
    })

    const tombstone = Effect.fnUntraced(function*(node: string) {
      yield* access.check
      const { topic } = yield* Effect.catchTag(
        JsonBody.decode(Tombstone),
        "BadRequest",
        () => refuse("INVALID_BODY")
      )
      if (!isTopicName(topic)) return yield* refuse("INVALID_TOPIC")
      // The node becomes part of URLs.
      if (splitAddress(node) === undefined) return yield* refuse("INVALID_NODE")
      const response = yield* Upstream.act("tombstone node for topic", actions.tombstone(topic, node))
      yield* notifications.tell({ action: "tombstone_topic_producer", topic, node })
      return response
    })

    const drain = Effect.fnUntraced(function*(address: string, isDraining: boolean) {
      yield* access.check
      const node = yield* KnownNodes.find(cluster, address)
      const response = yield* Upstream.act(isDraining ? "drain node" : "end drain", actions.drain(node, isDraining))
      yield* notifications.tell({ action: isDraining ? "drain_node" : "undrain_node", node: address })
      return response
    })

    return handlers
      .handle("list", () => list)
      .handle("get", ({ params }) => get(params.node))
      .handle("getTopic", ({ params }) => get(params.node, params.topic))
      .handleRaw("tombstone", ({ params }) => tombstone(params.node))
      .handle("drain", ({ params }) => drain(params.node, true))
      .handle("undrain", ({ params }) => drain(params.node, false))
  })
)

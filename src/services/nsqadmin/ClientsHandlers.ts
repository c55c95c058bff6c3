/** Handlers of `/api/clients`: the connections of the cluster, and the end of one (docs/nsqadmin.md#producers-and-connections). */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { AdminApi } from "../../protocol/http/admin/AdminApi.ts"
import { ClientsResponse, ConnectionOnNode } from "../../protocol/http/admin/AdminClients.ts"
import { NotFound } from "../../protocol/http/admin/AdminFailure.ts"
import { Cluster } from "../cluster/Cluster.ts"
import { ClusterActions } from "../cluster/ClusterActions.ts"
import type { ConnectionFilter } from "../cluster/Connections.ts"
import { AdminAccess } from "./AdminAccess.ts"
import * as KnownNodes from "./KnownNodes.ts"
import * as LongJson from "./LongJson.ts"
import { Notifications } from "./Notifications.ts"
import * as Upstream from "./Upstream.ts"

/** The handlers of the group `clients`. */
export const layer = HttpApiBuilder.group(
  AdminApi,
  "clients",
  Effect.fn(function*(handlers) {
    const access = yield* AdminAccess
    const cluster = yield* Cluster
    const actions = yield* ClusterActions
    const notifications = yield* Notifications

    /** Consumers also stay connected to nsqds that have the topic no longer, which producers did not name. */
    const nodesOf = (node: string | undefined) =>
      node === undefined
        ? Upstream.query("get nodes", cluster.nodes)
        : Effect.map(KnownNodes.find(cluster, node), (found) => ({ value: [found], failures: [] }))

    const list = Effect.fnUntraced(function*({ node, ...filter }: ConnectionFilter & { readonly node?: string }) {
      const nodes = yield* nodesOf(node)
      const { failures, value } = yield* Upstream.query("get clients", cluster.connections(nodes.value, filter))
      const message = Upstream.warning(nodes.failures, failures)
      const items = LongJson.list(ConnectionOnNode, value)
      return yield* LongJson.response(ClientsResponse, { clients: [], message }, "clients", items)
    })

    const close = Effect.fnUntraced(function*(address: string, client: string) {
      yield* access.check
      const node = yield* KnownNodes.find(cluster, address)
      const { value } = yield* Upstream.query("get clients", cluster.connections([node], { address: client }))
      if (value.length === 0) return yield* Effect.fail(NotFound.make({ message: "CLIENT_NOT_FOUND" }))
      const response = yield* Upstream.act("close client", actions.closeClient(node, client))
      yield* notifications.tell({ action: "close_client", node: address, client })
      return response
    })

    return handlers
      .handle("list", ({ query }) => list(query))
      .handle("close", ({ params }) => close(params.node, params.client))
  })
)

/** Finds the nsqd that a request names. Only nsqds of the cluster are requested: the name becomes part of URLs. */
import { Effect } from "effect"
import { NotFound, type UpstreamError } from "../../protocol/http/admin/AdminFailure.ts"
import type { Cluster } from "../cluster/Cluster.ts"
import type { KnownNode } from "../cluster/KnownNode.ts"
import * as Upstream from "./Upstream.ts"

/** Returns the nsqd at `host:port` of its HTTP API. */
export const find = Effect.fnUntraced(
  function*(cluster: Cluster["Service"], address: string): Effect.fn.Return<KnownNode, NotFound | UpstreamError> {
    const { value } = yield* Upstream.query("get nodes", cluster.node(address))
    return value ?? (yield* Effect.fail(NotFound.make({ message: "NODE_NOT_FOUND" })))
  }
)

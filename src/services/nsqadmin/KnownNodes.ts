/** Finds the nsqd that a request names. Only nsqds of the cluster are requested: the name becomes part of URLs. */
import { Effect } from "effect"
import { NotFound, type UpstreamError } from "../../protocol/http/admin/AdminFailure.ts"
import { type Cluster, type KnownNode, nodeAddress } from "../cluster/Cluster.ts"
import * as Upstream from "./Upstream.ts"

/** Returns the nsqd at `host:port` of its HTTP API. */
export const find = Effect.fnUntraced(
  function*(cluster: Cluster["Service"], address: string): Effect.fn.Return<KnownNode, NotFound | UpstreamError> {
    const { value } = yield* Upstream.query("get nodes", cluster.nodes)
    const node = value.find((one) => nodeAddress(one) === address)
    return node ?? (yield* Effect.fail(NotFound.make({ message: "NODE_NOT_FOUND" })))
  }
)

/** Handlers of `/api/counter` and `/api/graphite` (docs/protocol/http.md#nsqadmin-endpoints). */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { AdminApi } from "../../protocol/http/admin/AdminApi.ts"
import { BadRequest, InternalError } from "../../protocol/http/admin/AdminFailure.ts"
import { Cluster } from "../cluster/Cluster.ts"
import { Graphite } from "./Graphite.ts"
import * as Upstream from "./Upstream.ts"

const refuse = (message: string) => Effect.fail(BadRequest.make({ message }))

/** The handlers of the group `counters`. */
export const layer = HttpApiBuilder.group(
  AdminApi,
  "counters",
  Effect.fn(function*(handlers) {
    const cluster = yield* Cluster
    const graphite = yield* Graphite

    const counter = Effect.gen(function*() {
      const nodes = yield* Upstream.query("get counter producer list", cluster.nodes)
      const stats = yield* Upstream.query("get nsqd stats", cluster.stats(nodes.value, { clients: false }))
      const counts = stats.value
        .flatMap(({ topics }) => topics)
        .flatMap(({ channels }) => channels)
        .map(({ channel_name, message_count, node, topic_name }) =>
          [`${topic_name}:${channel_name}:${node}`, { node, topic_name, channel_name, message_count }] as const
        )
        // As Go's encoder, which sorts keys.
        .sort(([a], [b]) => a < b ? -1 : 1)
      return { stats: Object.fromEntries(counts), message: Upstream.warning(nodes.failures, stats.failures) }
    })

    return handlers
      .handle("counter", () => counter)
      .handle("graphite", ({ query: { metric, target } }) => {
        if (metric !== "rate") return refuse("INVALID_ARG_METRIC")
        if (target === undefined) return refuse("INVALID_ARG_TARGET")
        return graphite.rate(target).pipe(
          Effect.map((rate) => ({ rate })),
          Effect.catch((error) =>
            Effect.andThen(
              Effect.logError(error.message),
              Effect.fail(InternalError.make({ message: "INTERNAL_ERROR" }))
            )
          )
        )
      })
  })
)

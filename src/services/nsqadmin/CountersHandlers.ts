/** Handlers of `/api/counter` and `/api/graphite` (docs/protocol/http.md#nsqadmin-endpoints). */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { AdminApi } from "../../protocol/http/admin/AdminApi.ts"
import { BadRequest, InternalError } from "../../protocol/http/admin/AdminFailure.ts"
import type { CounterResponse, TopicOnNode } from "../../protocol/http/admin/AdminStats.ts"
import { Cluster } from "../cluster/Cluster.ts"
import * as Turns from "../core/Turns.ts"
import { Graphite } from "./Graphite.ts"
import * as Upstream from "./Upstream.ts"

const refuse = (message: string) => Effect.fail(BadRequest.make({ message }))

type Counts = CounterResponse["stats"]

/** Returns the counts of all channels, a step or two for each topic and channel. Keys are sorted, as by Go's encoder. */
function* sortedCounts(topics: ReadonlyArray<TopicOnNode>): Generator<void, Counts, void> {
  const found = new Map<string, Counts[string]>()
  for (const { channels } of topics) {
    for (const { channel_name, message_count, node, topic_name } of channels) {
      found.set(`${topic_name}:${channel_name}:${node}`, { node, topic_name, channel_name, message_count })
    }
    yield
  }
  const counts: { [key: string]: Counts[string] } = {}
  // Without a comparison of ours the engine sorts strings much faster, and by code units as well.
  for (const key of [...found.keys()].sort()) {
    const count = found.get(key)
    if (count !== undefined) counts[key] = count
    yield
  }
  return counts
}

/** The handlers of the group `counters`. */
export const layer = HttpApiBuilder.group(
  AdminApi,
  "counters",
  Effect.fn(function*(handlers) {
    const cluster = yield* Cluster
    const graphite = yield* Graphite
    const turns = yield* Turns.Turns

    const counter = Effect.gen(function*() {
      const nodes = yield* Upstream.query("get counter producer list", cluster.nodes)
      const stats = yield* Upstream.query("get nsqd stats", cluster.stats(nodes.value, { clients: false }))
      const counts = yield* Turns.finish(turns, sortedCounts(stats.value.flatMap(({ topics }) => topics)))
      return { stats: counts, message: Upstream.warning(nodes.failures, stats.failures) }
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

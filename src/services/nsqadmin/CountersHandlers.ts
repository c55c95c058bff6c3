/** Handlers of `/api/counter` and `/api/graphite` (docs/protocol/http.md#nsqadmin-endpoints). */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { AdminApi } from "../../protocol/http/admin/AdminApi.ts"
import { BadRequest, InternalError } from "../../protocol/http/admin/AdminFailure.ts"
import { ChannelCount, CounterResponse, type TopicOnNode } from "../../protocol/http/admin/AdminStats.ts"
import { Cluster } from "../cluster/Cluster.ts"
import * as Turns from "../core/Turns.ts"
import { Graphite } from "./Graphite.ts"
import * as LongJson from "./LongJson.ts"
import * as Upstream from "./Upstream.ts"

const refuse = (message: string) => Effect.fail(BadRequest.make({ message }))

type Entry = readonly [key: string, count: typeof ChannelCount.Type]

/** Returns the counts of all channels, a step or two for each topic. Keys are sorted, as by Go's encoder. */
function* sortedCounts(topics: ReadonlyArray<TopicOnNode>): Generator<void, ReadonlyArray<Entry>, void> {
  const byTopic = new Map<string, Map<string, Entry>>()
  for (const { channels, topic_name } of topics) {
    // With the separator, topics are in the order of the whole keys.
    const prefix = `${topic_name}:`
    const counts = byTopic.get(prefix) ?? new Map<string, Entry>()
    byTopic.set(prefix, counts)
    for (const { channel_name, message_count, node } of channels) {
      const key = `${prefix}${channel_name}:${node}`
      counts.set(key, [key, { node, topic_name, channel_name, message_count }])
    }
    yield
  }
  const sorted: Array<Entry> = []
  // Without a comparison of ours the engine sorts strings much faster, and by code units as well.
  for (const prefix of [...byTopic.keys()].sort()) {
    const counts = byTopic.get(prefix)
    if (counts !== undefined) sorted.push(...[...counts.values()].sort(([a], [b]) => a < b ? -1 : 1))
    yield
  }
  return sorted
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
      const message = Upstream.warning(nodes.failures, stats.failures)
      const items = LongJson.record(ChannelCount, counts)
      return yield* LongJson.response(CounterResponse, { stats: {}, message }, "stats", items)
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

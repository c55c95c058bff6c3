import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as StatsResponse from "../../../src/protocol/http/StatsResponse.ts"
import * as NodeStats from "../../../src/services/cluster/NodeStats.ts"
import * as Sums from "../../../src/services/cluster/Sums.ts"

const now = 1_000

/** The figures of topic `t` on the nsqd at `address`. */
const onNode = Effect.fnUntraced(
  function*(
    hostname: string,
    topic: Omit<typeof StatsResponse.Topic.Encoded, "topic_name">,
    place = { region: "", zone: "" }
  ) {
    const decoded = yield* Schema.decodeEffect(StatsResponse.Topic)({ ...topic, topic_name: "t" })
    return NodeStats.topicOnNode(decoded, { address: `${hostname}:4151`, hostname, ...place }, now)
  }
)

const percentiles = (value: number, count: number) => ({
  e2e_processing_latency: { count, percentiles: [{ quantile: 0.99, value }] }
})

describe("Sums", () => {
  it.effect("a topic sums its figures and those of its channels, and lists its nsqds by hostname", () =>
    Effect.gen(function*() {
      const b = yield* onNode("b", {
        depth: 5,
        backend_depth: 2,
        message_count: 9,
        channels: [{ channel_name: "c", depth: 3, client_count: 1, zone_local_msg_count: 4, global_msg_count: 1 }]
      })
      const a = yield* onNode("a", {
        depth: 1,
        message_count: 1,
        paused: true,
        channels: [{ channel_name: "c", depth: 4, backend_depth: 4 }, { channel_name: "d", timeout_count: 2 }]
      })
      const sum = Sums.topic("t", [b, a])
      assert.deepStrictEqual(
        [sum.node, sum.depth, sum.memory_depth, sum.backend_depth, sum.message_count, sum.paused],
        ["*", 6, 4, 2, 10, true]
      )
      assert.deepStrictEqual(sum.nodes.map(({ node }) => node), ["a:4151", "b:4151"])
      const [c, d] = sum.channels
      assert.deepStrictEqual(
        [c?.depth, c?.memory_depth, c?.backend_depth, c?.client_count, c?.delivery_msg_count],
        [7, 3, 4, 1, 5]
      )
      // NSQ omits the first nsqd from its list, and overwrites its figures with the sum.
      assert.deepStrictEqual(c?.nodes?.map(({ depth, node }) => [node, depth]), [["a:4151", 4], ["b:4151", 3]])
      assert.deepStrictEqual([c?.zone_local_msg_count, c?.global_msg_count], [4, 1])
      assert.isFalse(c !== undefined && "region_local_msg_count" in c)
      assert.deepStrictEqual([d?.channel_name, d?.timeout_count, d?.nodes?.length], ["d", 2, 1])
    }))

  it.effect("a topic has the durability of its nsqds, or mixed if they differ, or none if it has a log on none", () =>
    Effect.gen(function*() {
      const memory = yield* onNode("a", {})
      const synced = [yield* onNode("b", { durability: "synced" }), yield* onNode("c", { durability: "synced" })]
      assert.strictEqual(Sums.topic("t", synced).durability, "synced")
      assert.strictEqual(Sums.topic("t", [memory, ...synced]).durability, "mixed")
      assert.deepStrictEqual(Sums.topic("t", [memory, ...synced]).nodes.map(({ durability }) => durability), [
        undefined,
        "synced",
        "synced"
      ])
      assert.isFalse("durability" in Sums.topic("t", [memory, memory]))
    }))

  it.effect("latencies have the average weighted by count, the minimum and the maximum", () =>
    Effect.gen(function*() {
      const nodes = [yield* onNode("a", percentiles(100, 1)), yield* onNode("b", percentiles(40, 3))]
      assert.deepStrictEqual(Sums.topic("t", nodes).e2e_processing_latency, {
        count: 4,
        percentiles: [{ average: 55, count: 4, max: 100, min: 40, quantile: 0.99 }],
        topic: "t",
        channel: "",
        host: "*"
      })
      const none = Sums.topic("t", [yield* onNode("a", {})]).e2e_processing_latency
      assert.deepStrictEqual([none.count, none.percentiles], [0, null])
    }))

  it.effect("clients are sorted by nsqd and then by distance", () =>
    Effect.gen(function*() {
      const client = (client_id: string, topology_region: string, topology_zone: string) => ({
        client_id,
        topology_region,
        topology_zone,
        connect_ts: now - 60
      })
      const clients = [client("far", "us", "z"), client("region", "eu", "y"), client("zone", "eu", "z")]
      const node = yield* onNode(
        "a",
        { channels: [{ channel_name: "c", clients }] },
        { region: "eu", zone: "z" }
      )
      const sum = Sums.channel("t", "c", node.channels)
      assert.deepStrictEqual(sum.clients?.map(({ client_id }) => client_id), ["zone", "region", "far"])
      assert.deepStrictEqual(
        [sum.clients?.[0]?.connected, sum.clients?.[0]?.node, sum.clients?.[0]?.node_topology_zone],
        [60e9, "a:4151", "z"]
      )
    }))

  it.effect("keys that an old nsqd omits count as 0", () =>
    Effect.gen(function*() {
      const sum = Sums.topic("t", [yield* onNode("a", { channels: null })])
      assert.deepStrictEqual([sum.depth, sum.channels, sum.paused], [0, [], false])
    }))
})

import { assert, describe, it } from "@effect/vitest"
import type { LivePoint } from "../../../src/protocol/http/admin/AdminLive.ts"
import type { TopicOnNode } from "../../../src/protocol/http/admin/AdminStats.ts"
import * as FlowRows from "../../../src/web/core/flowRows.ts"
import * as Stakes from "../../../src/web/core/stakes.ts"
import { summary } from "../summary.ts"

const latency = { count: 0, percentiles: null, topic: "", channel: "", host: "" }

const channel = (name: string, node: string, depth: number, in_flight_count: number, deferred_count: number) => ({
  node,
  hostname: "",
  topic_name: "t",
  channel_name: name,
  depth,
  memory_depth: depth,
  backend_depth: 0,
  in_flight_count,
  deferred_count,
  requeue_count: 0,
  timeout_count: 0,
  message_count: 0,
  client_count: 0,
  nodes: null,
  clients: null,
  paused: false,
  e2e_processing_latency: latency
})

const topic = (node: string): TopicOnNode => ({
  node,
  hostname: "",
  topic_name: "t",
  depth: 5,
  memory_depth: 5,
  backend_depth: 0,
  message_count: 9,
  delivery_msg_count: 0,
  nodes: null,
  channels: [channel("c", node, 2, 1, 7), channel("d", node, 30, 0, 0)],
  paused: false,
  e2e_processing_latency: latency
})

const point = (channel: string, node: string, changes: Partial<LivePoint>): LivePoint => ({
  ...summary("t", 0),
  channel,
  node,
  ...changes
})

describe("flowRows", () => {
  it("the row of a topic has its backlog, and sums over its channels", () => {
    const row = FlowRows.ofTopic(topic("a:1"), point("", "a:1", { rate: 3, oldest: 10 }))
    const { backlog, deferred_count, depth, in_flight_count, oldest, rate } = row
    assert.deepStrictEqual({ backlog, depth, in_flight_count, deferred_count, rate, oldest }, {
      backlog: 35,
      depth: 5,
      in_flight_count: 1,
      deferred_count: 7,
      rate: 3,
      oldest: 10
    })
  })

  it("the live figures replace statistics that lack an nsqd that is away", () => {
    const away = point("", "", { depth: 40, backlog: 90, away: 1 })
    assert.strictEqual(FlowRows.ofTopic({ ...topic("*"), nodes: null }, away).backlog, 90)
    assert.strictEqual(FlowRows.ofTopic(topic("*"), point("", "", { depth: 40, backlog: 90 })).backlog, 35)
  })
})

describe("stakes", () => {
  const points = new FlowRows.Points("t", [
    point("", "b:1", { depth: 3, away: 5 }),
    point("c", "b:1", { depth: 4, deferred_count: 6, away: 5 }),
    point("c", "a:1", { depth: 2 })
  ])

  it("emptying a channel loses what waits, is in flight and is deferred on each nsqd that responds", () => {
    const stakes = Stakes.ofChannel({ channel_name: "c", nodes: [channel("c", "a:1", 2, 1, 7)] }, points)
    assert.deepStrictEqual(stakes.map(({ node }) => node), ["a:1", "b:1"])
    assert.strictEqual(Stakes.countOf(stakes), 10)
    assert.strictEqual(Stakes.countOf(stakes, true), 10)
  })

  it("emptying a topic loses its own queue, deleting it also its channels", () => {
    const nodes = [topic("a:1")]
    assert.deepStrictEqual(Stakes.sumOf(Stakes.ofTopicQueue({ nodes }, points)), {
      waiting: 5,
      inFlight: 0,
      deferred: 0
    })
    assert.deepStrictEqual(Stakes.sumOf(Stakes.ofTopic({ nodes }, points)), { waiting: 37, inFlight: 1, deferred: 7 })
    assert.deepStrictEqual(Stakes.sumOf(Stakes.ofTopic({ nodes }, points), true).waiting, 7)
  })
})

import { assert, describe, it } from "@effect/vitest"
import type { SampledTopic } from "../../../src/protocol/http/StatsResponse.ts"
import type { Interval } from "../../../src/services/nsqadmin/Flow.ts"
import { NodeFlows } from "../../../src/services/nsqadmin/NodeFlows.ts"

const first: Interval = { at: 1000, seconds: 0, isRestarted: false }
const second: Interval = { at: 6000, seconds: 5, isRestarted: false }

/** The flows of these topics after those in `before`. */
const flowsOf = (topics: ReadonlyArray<SampledTopic>, before?: NodeFlows, interval = first): NodeFlows => {
  const flows = NodeFlows.after(before)
  for (const topic of topics) flows.add(topic, before, interval)
  return flows
}

const topicOf = (flows: NodeFlows, name: string, away?: number) => {
  const topic = flows.topic(name, away)
  assert.isDefined(topic)
  return topic
}

describe("NodeFlows", () => {
  it("a topic has the figures of its own queue, those of its channels summed, and its largest backlog", () => {
    const channels = [
      { channel_name: "a", depth: 5, in_flight_count: 1, message_count: 9, paused: true },
      { channel_name: "b", depth: 7, in_flight_count: 2, message_count: 9 }
    ]
    const flows = flowsOf([{ topic_name: "t", depth: 3, message_count: 12, channels }])
    const t = topicOf(flows, "t")
    const { flow } = t
    assert.deepStrictEqual([flow.depth, flow.backlog, flow.in_flight_count, flow.message_count], [3, 10, 3, 12])
    assert.deepStrictEqual([flow.rate, flow.oldest, flow.paused, flow.away], [null, 1000, false, null])
    assert.strictEqual(t.channelCount, 2)
    assert.deepStrictEqual(
      Array.from(t.channels(), ([name, { backlog, depth, paused }]) => [name, depth, backlog, paused]),
      [["a", 5, 5, true], ["b", 7, 7, false]]
    )
    assert.isUndefined(flows.topic("u", undefined))
  })

  it("rates are differences to the flows before, in whatever order topics and channels come", () => {
    const topic = (name: string, messages: number, channels: ReadonlyArray<string>): SampledTopic => ({
      topic_name: name,
      message_count: messages,
      channels: channels.map((channel_name, i) => ({ channel_name, message_count: messages + i }))
    })
    const before = flowsOf([topic("t", 10, ["a", "b"]), topic("u", 20, ["c"])])
    const flows = flowsOf([topic("new", 5, []), topic("u", 30, ["c"]), topic("t", 15, ["b", "a", "d"])], before, second)
    const rates = (name: string) => {
      const { channels, flow } = topicOf(flows, name)
      return [flow.rate, ...Array.from(channels().values(), ({ rate }) => rate)]
    }
    assert.deepStrictEqual([...flows.names()], ["new", "u", "t"])
    assert.deepStrictEqual(rates("u"), [2, 2])
    assert.deepStrictEqual(rates("t"), [1, 0.8, 1.2, 3.4])
    assert.deepStrictEqual(rates("new"), [1])
    assert.isTrue(flows.has("u"))
    assert.isTrue(flows.hasChannel("t", "d"))
    assert.isFalse(flows.hasChannel("t", "c"))
    assert.isFalse(flows.hasChannel("v", "c"))
  })

  it("an nsqd that is away has its last figures without rates", () => {
    const topics = [{
      topic_name: "t",
      message_count: 4,
      channels: [{ channel_name: "c", depth: 2, message_count: 4 }]
    }]
    const flows = flowsOf(topics, flowsOf(topics), second)
    const { channels, flow } = topicOf(flows, "t", 9000)
    for (const one of [flow, ...channels().values()]) {
      assert.deepStrictEqual([one.backlog, one.message_count, one.rate, one.away], [2, 4, null, 9000])
    }
    assert.deepStrictEqual([topicOf(flows, "t").flow.rate, topicOf(flows, "t").flow.away], [0, null])
  })

  it("thousands of topics keep their figures", () => {
    const topics = Array.from({ length: 3000 }, (_, i) => ({
      topic_name: `t${i}`,
      depth: i,
      channels: [{ channel_name: "c", depth: 2 * i }]
    }))
    const flows = flowsOf(topics)
    for (const { depth, topic_name } of topics) {
      const { channels, flow } = topicOf(flows, topic_name)
      assert.deepStrictEqual([flow.depth, channels().get("c")?.depth], [depth, 2 * depth])
    }
  })
})

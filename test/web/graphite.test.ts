import { assert, describe, it } from "@effect/vitest"
import * as Keys from "../../src/web/graphite/keys.ts"

const graphite = {
  enabled: true,
  url: "http://graphite",
  counterFormat: "stats.counters.%s.count",
  gaugeFormat: "stats.gauges.%s",
  interval: 60,
  prefix: "nsq.%s"
}

const topic = (topic: string, node = "*"): Keys.Subject => ({ _tag: "Topic", topic, node })

describe("Graphite's keys", () => {
  it("the keys of metrics are those that nsqd pushes to statsd", () => {
    assert.deepStrictEqual(Keys.targets(graphite, "depth", topic("orders", "10.0.0.1:4151")), [
      "sumSeries(stats.gauges.nsq.10_0_0_1_4151.topic.orders.depth)"
    ])
    assert.deepStrictEqual(Keys.targets(graphite, "message_count", topic("e#ephemeral")), [
      "sumSeries(stats.counters.nsq.*.topic.eephemeral.message_count.count)"
    ])
    const channel: Keys.Subject = { _tag: "Channel", topic: "t", channel: "c", node: "*" }
    assert.deepStrictEqual(Keys.targets({ ...graphite, prefix: "nsq.", gaugeFormat: "%s" }, "clients", channel), [
      "sumSeries(nsq.topic.t.channel.c.clients)"
    ])
    assert.deepStrictEqual(Keys.targets(graphite, "message_count", { _tag: "Everything" }), [
      "sumSeries(stats.counters.nsq.*.topic.*.channel.*.message_count.count)"
    ])
    assert.deepStrictEqual(Keys.targets(graphite, "gc_runs", { _tag: "Process", node: "a:1" }), [
      "stats.counters.movingAverage(nsq.a_1.mem.gc_runs,45).count"
    ])
  })

  it("a latency has a series per percentile, in milliseconds", () => {
    const percentiles = [{ quantile: 0.99 }, { quantile: 0.5 }]
    const latency = { count: 1, percentiles, topic: "t", channel: "", host: "*" }
    const metric = "e2e_processing_latency"
    assert.deepStrictEqual(Keys.targets(graphite, metric, { _tag: "Latency", latency, node: "a:1" }), [
      "scale(stats.gauges.nsq.a_1.topic.t.e2e_processing_latency_99,0.000001)",
      "scale(stats.gauges.nsq.a_1.topic.t.e2e_processing_latency_50,0.000001)"
    ])
    const ofChannel = { ...latency, channel: "c", percentiles: percentiles.slice(0, 1) }
    assert.deepStrictEqual(Keys.targets(graphite, metric, { _tag: "Latency", latency: ofChannel, node: "*" }), [
      "scale(stats.gauges.averageSeries(nsq.*.topic.t.channel.c.e2e_processing_latency_99),0.000001)"
    ])
  })

  it("the URL of a picture is NSQ's, at Graphite or at nsqadmin's proxy", () => {
    const small = new URL(Keys.pictureUrl(graphite, "/nsq", "depth", topic("t"), "2h", "small"))
    assert.strictEqual(small.origin + small.pathname, "http://graphite/render")
    assert.deepInclude(Object.fromEntries(small.searchParams), {
      from: "-2h",
      until: "-1min",
      width: "120",
      height: "20",
      colorList: "red",
      hideAxes: "true",
      target: "summarize(sumSeries(stats.gauges.nsq.*.topic.t.depth),\"60sec\",\"avg\")"
    })
    const large = Keys.pictureUrl({ ...graphite, url: "" }, "/nsq", "message_count", topic("t"), "1h", "large")
    assert.isTrue(large.startsWith("/nsq/render?"))
    const query = Object.fromEntries(new URL(large, "http://x").searchParams)
    assert.deepInclude(query, {
      width: "800",
      height: "450",
      colorList: "blue",
      target: `summarize(scale(sumSeries(stats.counters.nsq.*.topic.t.message_count.count),${1 / 60}),"60sec","avg")`
    })
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as Figures from "../../../src/services/nsqadmin/Figures.ts"
import { History, SeriesTable } from "../../../src/services/nsqadmin/History.ts"
import { HistoryStore } from "../../../src/services/nsqadmin/HistoryStore.ts"
import { type FakeCluster, fakeCluster, nodeNamed, passSamples, samplerLayer } from "./cluster.ts"

const layer = (state: FakeCluster) =>
  History.layer.pipe(Layer.provide(HistoryStore.layer), Layer.provideMerge(samplerLayer(state)))

const read = (topics: ReadonlyArray<string>, isDetailed = false) =>
  History.use((history) => history.read(topics, isDetailed))

/** Lets `count` points pass, of four samples each. */
const passPoints = (count: number) => passSamples(count * 4)

const minutes = (count: number) => passPoints(count * 3)

describe("History", () => {
  it.effect("a point has the last backlog and the mean rates of 20 seconds", () => {
    const t = { depth: 0, message_count: 0 }
    return Effect.gen(function*() {
      yield* passSamples(1)
      for (let i = 1; i <= 10; i++) {
        t.depth = i
        t.message_count += 5 * i
        yield* passSamples(1)
      }
      // The depths of the samples are 0 0 1 2, 3 4 5 6 and 7 8 9 10.
      assert.deepStrictEqual(yield* read(["t"]), {
        times: [0, 20_000, 40_000],
        series: [{
          topic: "t",
          channel: "",
          node: "",
          backlog: [2, 6, 10],
          rate: [1, 4.5, 8.5],
          finish_rate: [null, null, null],
          requeue_rate: [0, 0, 0],
          timeout_rate: [0, 0, 0]
        }]
      })
    }).pipe(Effect.provide(layer(fakeCluster({ a: { topics: { t } } }))))
  })

  it.effect("a detailed read includes the series of the topic's channels and nsqds", () => {
    const state = fakeCluster({
      a: { topics: { t: { depth: 1, channels: { c: { depth: 2 } } }, u: { depth: 9 } } },
      b: { topics: { t: { depth: 3, channels: { c: { depth: 4 } } } } }
    })
    const keys = (
      { series }: { series: ReadonlyArray<{ topic: string; channel: string; node: string; backlog: unknown }> }
    ) => series.map(({ backlog, channel, node, topic }) => [topic, channel, node, backlog])
    return Effect.gen(function*() {
      yield* passSamples(1)
      assert.deepStrictEqual(keys(yield* read(["t", "u", "unknown"])), [["t", "", "", [10]], ["u", "", "", [9]]])
      assert.deepStrictEqual(keys(yield* read(["t"], true)), [
        ["t", "", "", [10]],
        ["t", "c", "", [6]],
        ["t", "", "a:4151", [3]],
        ["t", "", "b:4151", [7]],
        ["t", "c", "a:4151", [2]],
        ["t", "c", "b:4151", [4]]
      ])
    }).pipe(Effect.provide(layer(state)))
  })

  it.effect("a series keeps an hour, with null for times without a response", () => {
    const t = { depth: 1, message_count: 0 }
    const state = fakeCluster({ a: { topics: { t } } })
    return Effect.gen(function*() {
      yield* passPoints(1)
      delete state.nodes["a"]
      yield* passPoints(2)
      state.nodes["a"] = { topics: { t } }
      yield* passPoints(1)
      assert.deepStrictEqual((yield* read(["t"])).series[0]?.backlog, [1, 1, null, 1, 1])
      yield* minutes(60)
      const { series: [found], times } = yield* read(["t"])
      assert.strictEqual(times.length, 180)
      assert.strictEqual(found?.backlog.length, 180)
      assert.strictEqual(times[179], 3_680_000)
    }).pipe(Effect.provide(layer(state)))
  })

  it.effect("a series is dropped an hour after it disappears", () => {
    const state = fakeCluster({ a: { topics: { t: { channels: { c: {} } } } } })
    const count = Effect.map(read(["t"], true), ({ series }) => series.length)
    return Effect.gen(function*() {
      yield* passSamples(1)
      state.nodes["a"] = { topics: { t: {} } }
      yield* minutes(59)
      assert.strictEqual(yield* count, 4)
      yield* minutes(1)
      assert.strictEqual(yield* count, 2)
      state.nodes["a"] = { topics: {} }
      yield* minutes(61)
      assert.strictEqual(yield* count, 0)
    }).pipe(Effect.provide(layer(state)))
  })

  it.effect("a sample without responses adds no point", () => {
    const a = { topics: { t: { depth: 1 } }, fails: "" }
    return Effect.gen(function*() {
      yield* passSamples(1)
      a.fails = "connection refused"
      yield* passPoints(2)
      assert.deepStrictEqual((yield* read(["t"])).series[0]?.backlog, [1, null, null])
    }).pipe(Effect.provide(layer(fakeCluster({ a }))))
  })

  it.effect("the series of an nsqd that is away has a gap, and the sums keep its last backlog", () => {
    const b = { topics: { t: { depth: 5, channels: { c: { depth: 2 } } } }, fails: "" }
    return Effect.gen(function*() {
      yield* passSamples(1)
      b.fails = "connection refused"
      yield* passPoints(2)
      const { series } = yield* read(["t"], true)
      const backlogOf = (channel: string, node: string) =>
        series.find((one) => one.channel === channel && one.node === node)?.backlog
      assert.deepStrictEqual(backlogOf("", ""), [8, 8, 8])
      assert.deepStrictEqual(backlogOf("", "b:4151"), [7, null, null])
      assert.deepStrictEqual(backlogOf("c", "b:4151"), [2, null, null])
      assert.deepStrictEqual(backlogOf("", "a:4151"), [1, 1, 1])
    }).pipe(Effect.provide(layer(fakeCluster({ a: { topics: { t: { depth: 1 } } }, b }))))
  })

  it.effect("the history is empty before the first sample", () => {
    const state = fakeCluster({ a: { topics: { t: {} } } })
    state.statsTake = 1000
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* read(["t"]), { times: [], series: [] })
      yield* TestClock.adjust("1 second")
    }).pipe(Effect.provide(layer(state)))
  })
})

/** The figures of one nsqd with these topics. */
const figuresOf = (at: number, topics: ReadonlyArray<string>): Figures.ClusterFigures => {
  const node = nodeNamed("a")
  const time = { at, unixMillis: at }
  const { add, result } = Figures.collect(node, 0, time, Figures.none)
  for (const topic_name of topics) add({ topic_name, depth: 1, message_count: 1 })
  const known = { names: [], orphans: new Set<string>(), remembered: new Set<string>() }
  const summing = Figures.fromResponses([{ node, collected: result }], known, time, Figures.none)
  let step = summing.next()
  while (step.done !== true) step = summing.next()
  return step.value
}

const record = (table: SeriesTable, figures: Figures.ClusterFigures): void => void [...table.record(figures)]

describe("SeriesTable", () => {
  it("a full table keeps its series and accepts new ones when others are dropped", () => {
    const table = new SeriesTable(4)
    const read = (name: string, at: number) => table.read([name], true, at, at, 10).series.length
    record(table, figuresOf(0, ["t", "u"]))
    assert.isFalse(table.isFull)
    record(table, figuresOf(5000, ["t", "u", "v"]))
    assert.isTrue(table.isFull)
    assert.deepStrictEqual([read("t", 5000), read("u", 5000), read("v", 5000)], [2, 2, 0])
    const later = 61 * 60_000
    record(table, figuresOf(later, ["v"]))
    record(table, figuresOf(later + 1, ["v"]))
    assert.deepStrictEqual([read("t", later), read("v", later)], [0, 2])
    assert.strictEqual(table.size, 2)
  })

  it("figures are recorded in a step for each topic, so that others have their turn in between", () => {
    const table = new SeriesTable(100)
    assert.lengthOf([...table.record(figuresOf(0, ["t", "u", "v"]))], 3)
    assert.strictEqual(table.size, 6)
  })

  it("a read returns at most the given number of series, those over all nsqds first", () => {
    const table = new SeriesTable(100)
    record(table, figuresOf(0, ["t", "u"]))
    assert.deepStrictEqual(table.read(["t", "u"], true, 0, 0, 3).series.map(({ node, topic }) => [topic, node]), [
      ["t", ""],
      ["u", ""],
      ["t", "a:4151"]
    ])
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Queue, Scope, Stream } from "effect"
import type { LiveSample } from "../../../src/protocol/http/admin/AdminLive.ts"
import { nodeAddress } from "../../../src/services/cluster/KnownNode.ts"
import { History } from "../../../src/services/nsqadmin/History.ts"
import { HistoryStore } from "../../../src/services/nsqadmin/HistoryStore.ts"
import { LiveFeed } from "../../../src/services/nsqadmin/LiveFeed.ts"
import { Mutes } from "../../../src/services/nsqadmin/Mutes.ts"
import * as NsqadminOptions from "../../../src/services/nsqadmin/NsqadminOptions.ts"
import { type Idle, untilIdle } from "../../../src/testing/index.ts"
import { type FakeCluster, fakeCluster, nodeNamed, passSamples, samplerLayer } from "./cluster.ts"

const layer = (state: FakeCluster) =>
  LiveFeed.layer.pipe(
    Layer.provide([History.layer, Mutes.layer]),
    Layer.provide(HistoryStore.layer),
    Layer.provideMerge(samplerLayer(state))
  )

/** The events of a browser that reads each one as it arrives. */
const browser = (
  topic?: string,
  node?: string
): Effect.Effect<Queue.Queue<LiveSample>, never, Idle | LiveFeed | Scope.Scope> =>
  Effect.gen(function*() {
    const events = yield* Queue.unbounded<LiveSample>()
    const { samples } = yield* LiveFeed
    yield* Effect.forkScoped(
      Stream.runForEach(yield* Effect.orDie(samples({ topic, node })), (sample) => Queue.offer(events, sample))
    )
    yield* untilIdle
    return events
  })

describe("LiveFeed", () => {
  it.effect("a large sample has several events, the last of which says so and has the daemons", () => {
    const topics = Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`t${i}`, {}]))
    return Effect.gen(function*() {
      const events = yield* browser()
      const parts = [yield* Queue.take(events), yield* Queue.take(events), yield* Queue.take(events)]
      assert.deepStrictEqual(
        parts.map(({ daemons, full, more, topics }) => [full, more, topics.length, daemons.length > 0]),
        [[true, true, 100, false], [true, true, 100, false], [true, false, 50, true]]
      )
      assert.strictEqual(new Set(parts.flatMap(({ topics }) => topics.map(({ topic }) => topic))).size, 250)
    }).pipe(Effect.provide(layer(fakeCluster({ a: { topics } }))))
  })

  it.effect("the series of an nsqd are limited, those with the largest backlogs first, in parts", () => {
    const topics = Object.fromEntries(Array.from({ length: 2300 }, (_, i) => [
      `t${i}`,
      { depth: i, channels: { a: {}, b: {}, c: {} } }
    ]))
    return Effect.gen(function*() {
      const events = yield* browser(undefined, nodeAddress(nodeNamed("a")))
      const parts: Array<LiveSample> = []
      do parts.push(yield* Queue.take(events))
      while (parts.at(-1)?.more === true)
      assert.isTrue(parts.every(({ points, topics }) => points.length <= 100 && topics.length <= 100))
      const points = parts.flatMap((part) => part.points)
      assert.lengthOf(points, 2000 + 500)
      assert.deepStrictEqual(
        points.slice(0, 2).map((
          { backlog, channel, channel_count, topic }
        ) => [topic, channel, backlog, channel_count]),
        [["t2299", "", 2299, 3], ["t2298", "", 2298, 3]]
      )
      assert.deepStrictEqual(
        points.slice(2000, 2004).map(({ channel, channel_count, topic }) => [topic, channel, channel_count]),
        [["t2299", "a", 0], ["t2299", "b", 0], ["t2299", "c", 0], ["t2298", "a", 0]]
      )
    }).pipe(Effect.provide(layer(fakeCluster({ a: { topics } }))))
  })

  it.effect("the first event has the full state, later events have changed and removed topics", () => {
    const t = { depth: 1, message_count: 1 }
    const topics: FakeCluster["nodes"][string]["topics"] = { t, u: { depth: 2 }, v: {} }
    return Effect.gen(function*() {
      const events = yield* browser()
      const first = yield* Queue.take(events)
      assert.isTrue(first.full)
      assert.deepStrictEqual(first.topics.map(({ topic }) => topic), ["t", "u", "v"])
      yield* passSamples(1)
      // Rates start with the second sample.
      assert.deepStrictEqual((yield* Queue.take(events)).topics.map(({ rate, topic }) => [topic, rate]), [
        ["t", 0],
        ["u", 0],
        ["v", 0]
      ])
      t.depth = 5
      delete topics["v"]
      yield* passSamples(1)
      const third = yield* Queue.take(events)
      assert.isFalse(third.full)
      assert.deepStrictEqual(third.topics.map(({ depth, topic }) => [topic, depth]), [["t", 5]])
      assert.deepStrictEqual(third.gone, ["v"])
      yield* passSamples(1)
      const { gone, points, topics: changed } = yield* Queue.take(events)
      assert.deepStrictEqual({ changed, gone, points }, { changed: [], gone: [], points: [] })
    }).pipe(Effect.provide(layer(fakeCluster({ a: { topics } }))))
  })

  it.effect("a browser that connects later receives the full state first", () =>
    Effect.gen(function*() {
      yield* browser()
      yield* passSamples(2)
      const late = yield* browser()
      assert.isTrue((yield* Queue.take(late)).full)
      yield* passSamples(1)
      assert.isFalse((yield* Queue.take(late)).full)
    }).pipe(Effect.provide(layer(fakeCluster({ a: { topics: { t: {} } } })))))

  it.effect("each event has all series of the requested topic", () => {
    const state = fakeCluster({
      a: { topics: { t: { depth: 1, channels: { c: { depth: 2 } } }, u: { depth: 9 } } },
      b: { topics: { t: { depth: 3, channels: { c: { depth: 4 } } } } }
    })
    const expected = [
      ["", "", 4],
      ["c", "", 6],
      ["", "a:4151", 1],
      ["c", "a:4151", 2],
      ["", "b:4151", 3],
      ["c", "b:4151", 4]
    ]
    return Effect.gen(function*() {
      const events = yield* browser("t")
      const series = Effect.map(Queue.take(events), ({ points }) =>
        points.map(({ channel, depth, node, topic }) => {
          assert.strictEqual(topic, "t")
          return [channel, node, depth]
        }))
      assert.deepStrictEqual(yield* series, expected)
      yield* passSamples(1)
      assert.deepStrictEqual(yield* series, expected)
    }).pipe(Effect.provide(layer(state)))
  })

  it.effect("a slow browser receives every change of the samples that it missed", () => {
    const topics: FakeCluster["nodes"][string]["topics"] = { t: {}, u: {}, v: {} }
    return Effect.gen(function*() {
      const { samples } = yield* LiveFeed
      const events = yield* Queue.bounded<LiveSample>(1)
      yield* Effect.forkScoped(
        Stream.runForEach(yield* Effect.orDie(samples({})), (sample) => Queue.offer(events, sample))
      )
      yield* passSamples(1)
      topics["t"] = { depth: 1 }
      yield* passSamples(1)
      topics["u"] = { depth: 2 }
      yield* passSamples(1)
      delete topics["v"]
      yield* passSamples(1)
      const seen = new Map<string, number>()
      for (const _ of ["full", "waiting", "newest"]) {
        const sample = yield* Queue.take(events)
        for (const { depth, topic } of sample.topics) seen.set(topic, depth)
        for (const topic of sample.gone) seen.delete(topic)
      }
      assert.deepStrictEqual([...seen], [["t", 1], ["u", 2]])
    }).pipe(Effect.provide(layer(fakeCluster({ a: { topics } }))))
  })

  it.effect("a request for the history of more than 200 topics is refused", () => {
    const names = Array.from({ length: 201 }, (_, i) => `t${i}`)
    const topics = Object.fromEntries(names.map((name) => [name, {}]))
    return Effect.gen(function*() {
      yield* passSamples(1)
      const { history } = yield* LiveFeed
      assert.strictEqual((yield* history(names.slice(1), false)).series.length, 200)
      assert.strictEqual((yield* Effect.flip(history(names, false))).message, "TOO_MANY_TOPICS")
      assert.strictEqual((yield* Effect.flip(history(["t0", "<script>"], false))).message, "INVALID_TOPIC")
      assert.strictEqual((yield* history(["t0"], true)).series.length, 2)
    }).pipe(Effect.provide(layer(fakeCluster({ a: { topics } }))))
  })

  it.effect("a client beyond the limit is refused until another one disconnects", () =>
    Effect.gen(function*() {
      const { samples } = yield* LiveFeed
      const first = yield* Scope.make()
      yield* Effect.asVoid(Scope.provide(samples({}), first))
      const refused = yield* Effect.flip(samples({}))
      assert.include(refused.message, "--max-live-clients")
      yield* Scope.close(first, Exit.void)
      yield* Effect.asVoid(samples({}))
    }).pipe(
      Effect.provide(layer(fakeCluster({}))),
      Effect.provideService(NsqadminOptions.NsqadminOptions, { ...NsqadminOptions.defaults(), maxLiveClients: 1 })
    ))
})

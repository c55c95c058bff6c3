import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import * as Figures from "../../../src/services/nsqadmin/Figures.ts"
import { Sampler } from "../../../src/services/nsqadmin/Sampler.ts"
import { untilIdle } from "../../../src/testing/index.ts"
import { unreachable } from "../http/httpErrors.ts"
import { type FakeCluster, fakeCluster, latest, passSamples, samplerLayer } from "./cluster.ts"

/** The summary of a topic in the latest sample. */
const summary = (topic: string) => Effect.map(latest, ({ figures }) => figures.topics.get(topic)?.summary)

const rate = (topic: string) => Effect.map(summary(topic), (found) => found?.rate)

const daemons = Effect.map(
  latest,
  (sample) => sample.daemons.map(({ address, error, reachable }) => [address, reachable, error])
)

describe("Sampler", () => {
  it.effect("a sample sums topics and channels over all nsqds", () => {
    const state = fakeCluster({
      a: {
        topics: {
          t: { depth: 2, message_count: 10, channels: { c: { depth: 5, in_flight_count: 1, client_count: 1 }, d: {} } },
          u: {}
        }
      },
      b: { topics: { t: { depth: 3, message_count: 4, paused: true, channels: { c: { depth: 7, client_count: 2 } } } } }
    })
    return Effect.gen(function*() {
      const { figures, message } = yield* latest
      assert.deepStrictEqual([...figures.topics.keys()], ["t", "u"])
      assert.deepStrictEqual(figures.topics.get("t")?.summary, {
        topic: "t",
        depth: 5,
        backend_depth: 0,
        channel_depth: 12,
        backlog: 17,
        in_flight_count: 1,
        deferred_count: 0,
        message_count: 14,
        requeue_count: 0,
        timeout_count: 0,
        rate: null,
        finish_rate: null,
        requeue_rate: null,
        timeout_rate: null,
        channel_count: 2,
        channels: ["c", "d"],
        client_count: 3,
        oldest: 0,
        paused: true,
        away: null
      })
      assert.strictEqual(message, "")
    }).pipe(Effect.provide(samplerLayer(state)))
  })

  it.effect("rates start with the second sample and survive a restart of the counters", () => {
    const a = { t: { message_count: 1000, channels: { c: { message_count: 500 } } } }
    const b = { t: { message_count: 50, channels: {} } }
    const state = fakeCluster({ a: { topics: a }, b: { topics: b } })
    return Effect.gen(function*() {
      assert.strictEqual(yield* rate("t"), null)
      a.t.message_count += 10
      b.t.message_count += 5
      a.t.channels.c.message_count += 1
      yield* passSamples(1)
      assert.strictEqual(yield* rate("t"), 3)
      assert.strictEqual((yield* latest).figures.topics.get("t")?.channels.get("c")?.rate, 0.2)
      // The first nsqd restarted and has received 20 messages since.
      a.t.message_count = 20
      yield* passSamples(1)
      assert.strictEqual(yield* rate("t"), 4)
      yield* passSamples(1)
      assert.strictEqual(yield* rate("t"), 0)
    }).pipe(Effect.provide(samplerLayer(state)))
  })

  it.effect("a new topic has a rate on a known nsqd but not on a new nsqd", () => {
    const state = fakeCluster({ a: { topics: {} } })
    return Effect.gen(function*() {
      yield* latest
      state.nodes["a"] = { topics: { t: { message_count: 50 } } }
      state.nodes["b"] = { topics: { t: { message_count: 5000 }, u: { message_count: 1 } } }
      yield* passSamples(1)
      assert.strictEqual(yield* rate("t"), 10)
      assert.strictEqual(yield* rate("u"), null)
    }).pipe(Effect.provide(samplerLayer(state)))
  })

  it.effect("an nsqd that does not respond is omitted from the sums and reported", () => {
    const state = fakeCluster({
      a: { topics: { t: { depth: 1 } } },
      b: { topics: { t: { depth: 2 } }, fails: "connection refused" }
    })
    return Effect.gen(function*() {
      assert.strictEqual((yield* summary("t"))?.depth, 1)
      assert.strictEqual((yield* latest).message, unreachable("b:4151").message)
      assert.deepStrictEqual(yield* daemons, [
        ["a:4151", true, ""],
        ["b:4151", false, unreachable("b:4151").message],
        ["lookup:4161", true, ""]
      ])
    }).pipe(Effect.provide(samplerLayer(state)))
  })

  it.effect("the last figures of an nsqd that is away count until it is back or forgotten", () => {
    const b: FakeCluster["nodes"][string] = {
      topics: { t: { depth: 2, channels: { c: { depth: 30 } } }, u: { depth: 9 } }
    }
    const state = fakeCluster({ a: { topics: { t: { depth: 1 } } }, b })
    const t = Effect.map(summary("t"), (found) => [found?.depth, found?.channel_depth, found?.away])
    return Effect.gen(function*() {
      assert.deepStrictEqual(yield* t, [3, 30, null])
      // nsqlookupd removes an nsqd as soon as its connection closes.
      state.nodes["b"] = { ...b, named: false }
      yield* passSamples(2)
      assert.deepStrictEqual(yield* t, [3, 30, 0])
      const { figures, warnings } = yield* latest
      assert.strictEqual(figures.topics.get("u")?.summary.backlog, 9)
      assert.deepStrictEqual(
        Array.from(Figures.onNodes(figures, "t"), ([node, { flow }]) => [node, flow.depth, flow.away]),
        [["a:4151", 1, null], ["b:4151", 2, 0]]
      )
      assert.include(warnings.map(({ kind, topic }) => `${kind} ${topic}`), "topic_without_channels u")
      assert.notInclude(warnings.map(({ kind }) => kind), "topic_without_producers")
      state.nodes["b"] = { topics: { t: { depth: 7 } } }
      yield* passSamples(1)
      assert.deepStrictEqual(yield* t, [8, 0, null])
      assert.isUndefined(yield* summary("u"))
      delete state.nodes["b"]
      yield* passSamples(1)
      yield* TestClock.adjust("24 hours")
      yield* untilIdle
      assert.deepStrictEqual(yield* t, [1, 0, null])
    }).pipe(Effect.provide(samplerLayer(state)))
  })

  it.effect("rates of finished, requeued and timed out messages come from the counters of a channel", () => {
    const c = { message_count: 100, depth: 40, in_flight_count: 5, requeue_count: 3, timeout_count: 2 }
    const state = fakeCluster({ a: { topics: { t: { channels: { c } } } } })
    return Effect.gen(function*() {
      yield* latest
      Object.assign(c, { message_count: 150, depth: 60, in_flight_count: 10, requeue_count: 13, timeout_count: 7 })
      yield* passSamples(1)
      const found = yield* summary("t")
      // 55 messages had left the channel before, and 80 now.
      assert.deepStrictEqual([found?.finish_rate, found?.requeue_rate, found?.timeout_rate], [5, 2, 1])
      // The nsqd restarted with messages on disk.
      Object.assign(c, { message_count: 0, depth: 70, in_flight_count: 0, requeue_count: 0, timeout_count: 0 })
      yield* passSamples(1)
      assert.strictEqual((yield* summary("t"))?.finish_rate, null)
      c.depth = 60
      yield* passSamples(1)
      assert.strictEqual((yield* summary("t"))?.finish_rate, 2)
    }).pipe(Effect.provide(samplerLayer(state)))
  })

  it.effect("messages that no consumer finishes do not count as finished", () => {
    const c = { message_count: 100, depth: 100, dead_letter_count: 0, dropped_count: 0, expired_count: 0 }
    const state = fakeCluster({ a: { topics: { t: { channels: { c } } } } })
    const finished = Effect.map(summary("t"), (found) => found?.finish_rate)
    return Effect.gen(function*() {
      yield* latest
      // Policies remove 60 of them.
      Object.assign(c, { depth: 40, dead_letter_count: 10, dropped_count: 20, expired_count: 30 })
      yield* passSamples(1)
      assert.strictEqual(yield* finished, 0)
      // NSQ's nsqd counts a message as waiting before it counts it as received.
      Object.assign(c, { depth: 41 })
      yield* passSamples(1)
      assert.strictEqual(yield* finished, 0)
      Object.assign(c, { message_count: 101 })
      yield* passSamples(1)
      assert.strictEqual(yield* finished, 0)
      // A rewind delivers 59 finished messages again, of which 10 are finished again.
      Object.assign(c, { depth: 100 })
      yield* passSamples(2)
      Object.assign(c, { depth: 90 })
      yield* passSamples(1)
      assert.strictEqual(yield* finished, 2)
    }).pipe(Effect.provide(samplerLayer(state)))
  })

  it.effect("an nsqd that was restarted between two samples has received all of its messages since, and rates of finished ones follow", () => {
    const t = { message_count: 100, channels: { c: { message_count: 100, depth: 0, requeue_count: 5 } } }
    const state = fakeCluster({ a: { topics: { t }, started: 1 } })
    return Effect.gen(function*() {
      yield* latest
      Object.assign(t, { message_count: 120 })
      Object.assign(t.channels.c, { message_count: 120, depth: 20, requeue_count: 10 })
      Object.assign(state.nodes["a"] ?? {}, { started: 2 })
      yield* passSamples(1)
      const found = yield* summary("t")
      assert.deepStrictEqual([found?.rate, found?.finish_rate, found?.requeue_rate], [24, null, 2])
      Object.assign(t.channels.c, { depth: 10 })
      yield* passSamples(1)
      assert.strictEqual((yield* summary("t"))?.finish_rate, 2)
    }).pipe(Effect.provide(samplerLayer(state)))
  })

  it.effect("the oldest waiting message is at least as old as the sample that first counted it", () => {
    const c = { message_count: 0, depth: 0 }
    const state = fakeCluster({ a: { topics: { t: { channels: { c } } } } })
    const oldest = Effect.map(summary("t"), (found) => found?.oldest)
    return Effect.gen(function*() {
      assert.strictEqual(yield* oldest, null)
      for (let i = 0; i < 3; i++) {
        c.message_count += 10
        c.depth += 10
        yield* passSamples(1)
      }
      assert.strictEqual(yield* oldest, 5000)
      // The first 15 messages are finished.
      c.depth = 15
      yield* passSamples(1)
      assert.strictEqual(yield* oldest, 10_000)
      c.depth = 0
      yield* passSamples(1)
      assert.strictEqual(yield* oldest, null)
    }).pipe(Effect.provide(samplerLayer(state)))
  })

  it.effect("the last figures remain while no nsqd responds, and the next rates continue from them", () => {
    const a = { topics: { t: { depth: 1, message_count: 10 } }, fails: "" }
    const state = fakeCluster({ a })
    return Effect.gen(function*() {
      yield* latest
      a.fails = "connection refused"
      yield* passSamples(1)
      assert.strictEqual((yield* summary("t"))?.depth, 1)
      assert.strictEqual((yield* latest).message, `failed to query any nsqd: ${unreachable("a:4151").message}`)
      a.fails = ""
      a.topics.t.message_count += 20
      yield* passSamples(1)
      assert.strictEqual(yield* rate("t"), 2)
      assert.strictEqual((yield* latest).message, "")
    }).pipe(Effect.provide(samplerLayer(state)))
  })

  it.effect("known nsqds are sampled while no nsqlookupd responds", () => {
    const state = fakeCluster({ a: { topics: { t: { depth: 1 } } } })
    return Effect.gen(function*() {
      yield* latest
      state.lookupds["lookup:4161"] = "connection refused"
      state.nodes["a"] = { topics: { t: { depth: 2 } } }
      yield* passSamples(1)
      assert.strictEqual((yield* summary("t"))?.depth, 2)
      assert.strictEqual(
        (yield* latest).message,
        `failed to query any nsqlookupd: ${unreachable("lookup:4161").message}`
      )
      assert.deepStrictEqual(yield* daemons, [
        ["a:4151", true, ""],
        ["lookup:4161", false, unreachable("lookup:4161").message]
      ])
    }).pipe(Effect.provide(samplerLayer(state)))
  })

  it.effect("a sample of an empty cluster has no topics and no errors", () =>
    Effect.gen(function*() {
      const { figures, message } = yield* latest
      assert.strictEqual(figures.topics.size, 0)
      assert.strictEqual(message, "")
    }).pipe(Effect.provide(samplerLayer(fakeCluster({})))))

  it.effect("samples start at the interval, never overlap, and take at most half of the time", () => {
    const state = fakeCluster({ a: { topics: {} } })
    return Effect.gen(function*() {
      yield* latest
      assert.strictEqual(state.queries, 1)
      state.statsTake = 2000
      yield* passSamples(1)
      assert.strictEqual(state.queries, 2)
      yield* passSamples(1)
      assert.strictEqual(state.queries, 3)
      state.statsTake = 8000
      yield* passSamples(1)
      assert.strictEqual(state.queries, 4)
      yield* TestClock.adjust("15999 millis")
      yield* untilIdle
      assert.strictEqual(state.queries, 4)
      yield* TestClock.adjust("1 millis")
      yield* untilIdle
      assert.strictEqual(state.queries, 5)
    }).pipe(Effect.provide(samplerLayer(state)))
  })

  it.effect("a sample times out after a minute and keeps the last figures", () => {
    const state = fakeCluster({ a: { topics: { t: { depth: 1 } } } })
    return Effect.gen(function*() {
      yield* latest
      state.statsTake = 100_000
      yield* passSamples(1)
      yield* TestClock.adjust("60 seconds")
      yield* untilIdle
      assert.strictEqual((yield* latest).message, "sampling the cluster timed out after 1m")
      assert.strictEqual((yield* summary("t"))?.depth, 1)
    }).pipe(Effect.provide(samplerLayer(state)))
  })

  it.effect("slow subscribers skip to the latest sample", () => {
    const topic = { message_count: 0 }
    const state = fakeCluster({ a: { topics: { t: topic } } })
    return Effect.gen(function*() {
      const { samples } = yield* Sampler
      const counts: Array<number | undefined> = []
      const reading = yield* samples.pipe(
        Stream.take(3),
        Stream.runForEach(({ figures }) => {
          counts.push(figures.topics.get("t")?.summary.message_count)
          return Effect.sleep("22 seconds")
        }),
        Effect.forkChild
      )
      yield* untilIdle
      for (let i = 0; i < 14; i++) {
        topic.message_count++
        yield* passSamples(1)
      }
      yield* Fiber.join(reading)
      assert.deepStrictEqual(counts, [0, 4, 8])
    }).pipe(Effect.provide(samplerLayer(state)))
  })

  it.effect("a sample of very many topics takes turns with everything else", () => {
    let turns = 0
    const short = { isOver: () => true, next: Effect.sync(() => void turns++) }
    const topics = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`t${i}`, { channels: { c: {} } }]))
    return Effect.gen(function*() {
      const { figures } = yield* latest
      assert.strictEqual(figures.topics.size, 40)
      // One for each topic and its figures, two for its warnings.
      assert.isAtLeast(turns, 120)
    }).pipe(Effect.provide(samplerLayer(fakeCluster({ a: { topics } }), short)))
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Sampler } from "../../../src/services/nsqadmin/Sampler.ts"
import { untilIdle } from "../../../src/testing/index.ts"
import { unreachable } from "../http/httpErrors.ts"
import { fakeCluster, latest, passSamples, samplerLayer } from "./cluster.ts"

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
        channel_depth: 12,
        in_flight_count: 1,
        deferred_count: 0,
        message_count: 14,
        rate: null,
        channel_count: 2,
        client_count: 3,
        paused: true
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

import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Stream } from "effect"
import { TestClock } from "effect/testing"
import { consume, publish } from "../../../../src/broker.ts"
import { ChannelName, TopicName } from "../../../../src/protocol/client/Names.ts"
import type { Latency } from "../../../../src/protocol/http/StatsResponse.ts"
import * as Turns from "../../../../src/services/core/Turns.ts"
import { Broker } from "../../../../src/services/nsqd/broker/Broker.ts"
import { Clients } from "../../../../src/services/nsqd/broker/Clients.ts"
import * as StatsJson from "../../../../src/services/nsqd/stats/StatsJson.ts"
import { TestBroker } from "../../../../src/testing/index.ts"

const layer = TestBroker.layer({
  e2eProcessingLatencyPercentiles: [1, 0.5],
  e2eProcessingLatencyWindowTime: Duration.seconds(60)
})

const body = (text: string) => Buffer.from(text)

/** Opens the channels before anything is published. */
const open = (...channels: ReadonlyArray<string>) =>
  Broker.use((broker) =>
    Effect.forEach(channels, (channel) => broker.channel(TopicName.make("t"), ChannelName.make(channel)))
  )

/** Finishes the next messages of a channel. */
const finish = (channel: string, count: number) =>
  consume("t", channel, { maxInFlight: count }).pipe(
    Stream.tap((delivery) => delivery.finish),
    Stream.take(count),
    Stream.runDrain
  )

/** `e2e_processing_latency` of the topic, then of its channels. */
const latencies = Effect.gen(function*() {
  const filter = { topic: "", channel: "", includeClients: false }
  const reading = StatsJson.read(yield* Broker, yield* Clients, undefined, undefined, filter)
  const { topics } = yield* Turns.finish(Turns.unlimited, reading)
  return Array.from(topics ?? []).flatMap((topic) => [topic, ...topic.channels]).map((of) => of.e2e_processing_latency)
})

const summary = (count: number, longest: number, median: number): Latency => ({
  count,
  percentiles: [{ quantile: 1, value: longest }, { quantile: 0.5, value: median }]
})

describe("end-to-end latency", () => {
  it.effect("end-to-end latency is the time from publishing to FIN in ns", () =>
    Effect.gen(function*() {
      yield* publish("t", body("x"))
      yield* TestClock.adjust("500 millis")
      yield* finish("c", 1)
      assert.deepStrictEqual(yield* latencies, [summary(1, 5e8, 5e8), summary(1, 5e8, 5e8)])
    }).pipe(Effect.provide(layer)))

  it.effect("the latency of a topic covers all its channels", () =>
    Effect.gen(function*() {
      yield* open("a", "b")
      yield* publish("t", [body("x"), body("y"), body("z")])
      yield* TestClock.adjust("1 second")
      yield* finish("a", 3)
      yield* TestClock.adjust("1 second")
      yield* finish("b", 1)
      const [topic, ...channels] = yield* latencies
      assert.deepStrictEqual(channels, [summary(3, 1e9, 1e9), summary(1, 2e9, 2e9)])
      const [longest, median] = topic?.percentiles ?? []
      assert.strictEqual(topic?.count, 4)
      assert.strictEqual(longest?.value, 2e9)
      assert.approximately(median?.value ?? 0, 1e9, 1e7)
    }).pipe(Effect.provide(layer)))

  it.effect("latency ignores requeued messages and forgets those older than the window", () =>
    Effect.gen(function*() {
      yield* publish("t", [body("x"), body("y")])
      yield* consume("t", "c").pipe(Stream.tap((delivery) => delivery.requeue()), Stream.take(1), Stream.runDrain)
      yield* finish("c", 1)
      assert.strictEqual((yield* latencies)[0]?.count, 1)
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual((yield* latencies)[0]?.count, 1)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual((yield* latencies)[0], summary(0, 0, 0))
    }).pipe(Effect.provide(layer)))

  it.effect("latency counts every message published at its own time", () =>
    Effect.gen(function*() {
      yield* open("c")
      for (let i = 0; i < 700; i++) {
        yield* publish("t", body("x"))
        yield* TestClock.adjust("1 millis")
      }
      yield* finish("c", 700)
      const [, channel] = yield* latencies
      assert.strictEqual(channel?.count, 700)
      assert.strictEqual(channel?.percentiles?.[0]?.value, 7e8)
    }).pipe(Effect.provide(layer)))

  it.effect("the latency of messages gathered in one batch is within 1 % for each, however long the gathering took", () =>
    Effect.gen(function*() {
      const topic = yield* Broker.use((broker) => broker.topic(TopicName.make("t")))
      yield* open("c")
      topic.pause()
      for (const gap of [1, 100, 1000, 10_000]) {
        for (let i = 0; i < 20; i++) {
          yield* publish("t", body("x"))
          yield* TestClock.adjust(Duration.millis(gap))
        }
        topic.unpause()
        yield* finish("c", 20)
        topic.pause()
        const [, channel] = yield* latencies
        const [longest, median] = channel?.percentiles ?? []
        assert.strictEqual(channel?.count, 20)
        assert.approximately(longest?.value ?? 0, 20 * gap * 1e6, 0.2 * gap * 1e6)
        assert.approximately(median?.value ?? 0, 10.5 * gap * 1e6, 0.7 * gap * 1e6)
        yield* TestClock.adjust("10 minutes")
      }
    }).pipe(Effect.provide(layer)))

  it.effect("the latency of messages gathered quickly that waited long is within 1 % for all", () =>
    Effect.gen(function*() {
      const topic = yield* Broker.use((broker) => broker.topic(TopicName.make("t")))
      yield* open("c")
      topic.pause()
      yield* publish("t", body("first"))
      for (let i = 0; i < 20; i++) {
        yield* publish("t", body("x"))
        yield* TestClock.adjust("1 millis")
      }
      yield* TestClock.adjust("20 seconds")
      topic.unpause()
      // The first count shows how long messages wait at least.
      yield* finish("c", 1)
      yield* latencies
      yield* finish("c", 20)
      const [, channel] = yield* latencies
      assert.strictEqual(channel?.count, 21)
      for (const { value } of channel?.percentiles ?? []) assert.approximately(value, 20.01e9, 0.2e9)
    }).pipe(Effect.provide(layer)))

  it.effect("latency is null without configured percentiles and for a topic without channels", () =>
    Effect.gen(function*() {
      yield* publish("t", body("x"))
      yield* finish("c", 1)
      const nothing = { count: 0, percentiles: null }
      assert.deepStrictEqual(yield* latencies, [nothing, nothing])
    }).pipe(Effect.provide(TestBroker.layer())))

  it.effect("latency is counted into histograms from the first request on", () =>
    Effect.gen(function*() {
      const broker = yield* Broker
      const histogram = () => broker.findTopic("t")?.channel("c")?.latency.histogram
      yield* publish("t", [body("x"), body("y"), body("z")])
      yield* finish("c", 1)
      assert.isUndefined(histogram())
      broker.keepLatencyHistograms()
      yield* TestClock.adjust("2 seconds")
      yield* finish("c", 2)
      assert.strictEqual(histogram()?.count, 2)
      assert.strictEqual(histogram()?.sum, 4)
    }).pipe(Effect.provide(TestBroker.layer())))
})

/** Expired messages that become dead letters, in memory and in a log. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { Policies, publish } from "../../../../src/broker.ts"
import { until, untilIdle } from "../../../../src/testing/index.ts"
import * as durable from "./durable.ts"
import { brokerWith, channelOf, join, numbers, send, topicOf } from "./testing.ts"

const put = (policy: unknown) => Policies.use((policies) => policies.put(policy))

const letters = Effect.fnUntraced(function*(count: number) {
  const { recording } = yield* join("t.dlq", "c", count, { readsHeaders: true })
  yield* until(() => recording.bodies().length >= count)
  return recording.take()
})

for (const durability of ["memory", "synced"] as const) {
  describe(`on_expired=dead_letter (${durability})`, () => {
    const run = <A, E, R>(test: Effect.Effect<A, E, R>) =>
      Effect.gen(function*() {
        const broker = yield* durable.start({ durability })
        yield* broker.run(test)
        yield* broker.stop
      }).pipe(Effect.scoped, Effect.provide(durable.layer))

    it.effect("moves messages that are older when they reach a consumer, and delivers the others", () =>
      run(
        Effect.gen(function*() {
          yield* put({ match: "t", ttl: "10s", on_expired: "dead_letter" })
          const channel = yield* channelOf("t", "c")
          yield* TestClock.adjust("1 seconds")
          yield* publish("t", Buffer.from("old"), { headers: { key: "1" } })
          yield* send("t", "older")
          yield* TestClock.adjust("8 seconds")
          yield* send("t", "new")
          // Between two sweeps, which are every 5 seconds.
          yield* TestClock.adjust("2500 millis")
          assert.strictEqual(channel.deadLetterCount, 0)
          const { recording } = yield* join("t", "c", 10)
          yield* until(() => channel.deadLetterCount === 2 && recording.bodies().length > 0)
          assert.deepStrictEqual(recording.bodies(), ["new"])
          assert.deepStrictEqual([channel.depth, channel.inFlightCount, channel.expiredCount], [0, 1, 0])
          const [old] = yield* letters(2)
          assert.strictEqual(old!.body, "old")
          const { "nsq-origin-id": id, "nsq-origin-timestamp": at, ...headers } = old!.headers
          assert.isDefined(id)
          assert.isDefined(at)
          assert.deepStrictEqual(headers, {
            key: "1",
            "nsq-origin-topic": "t",
            "nsq-origin-channel": "c",
            "nsq-origin-attempts": "0",
            "nsq-dead-reason": "expired"
          })
        }).pipe(Effect.scoped)
      ))

    it.effect("moves all expired messages without a consumer, and no younger ones", () =>
      run(Effect.gen(function*() {
        yield* put({ match: "t/c", ttl: "10s", on_expired: "dead_letter" })
        const channel = yield* channelOf("t", "c")
        yield* Effect.forEach(Array.from({ length: 30 }), () => send("t", ...numbers(500)))
        yield* TestClock.adjust("7 seconds")
        yield* send("t", "young")
        yield* TestClock.adjust("8 seconds")
        yield* until(() => channel.deadLetterCount === 15_000)
        assert.deepStrictEqual([channel.depth, channel.inFlightCount, channel.expiredCount], [1, 0, 0])
        assert.strictEqual((yield* topicOf("t.dlq")).depth, 15_000)
      })))

    it.effect("moves them also when the channel looks for old messages at the same time", () =>
      run(Effect.gen(function*() {
        yield* put({ match: "t", ttl: "10s", on_expired: "dead_letter" })
        yield* put({ match: "t/c", max_age: "1h", on_full: "drop_oldest" })
        const channel = yield* channelOf("t", "c")
        yield* TestClock.adjust("1 seconds")
        yield* send("t", ...numbers(3))
        // Between two sweeps, which are every 5 seconds.
        yield* TestClock.adjust("11 seconds")
        assert.strictEqual(channel.deadLetterCount, 0)
        channel.lookAtAge()
        yield* channel.removeExpired
        yield* untilIdle
        assert.strictEqual(channel.deadLetterCount, 3)
      })))

    it.effect("moves messages whose own time-to-live is over, which the dead letter does not have", () =>
      run(
        Effect.gen(function*() {
          yield* put({ match: "t", on_expired: "dead_letter" })
          const channel = yield* channelOf("t", "c")
          const expires = String((yield* Clock.currentTimeMillis) + 1000)
          yield* publish("t", Buffer.from("a"), { headers: { "nsq-expires": expires } })
          yield* TestClock.adjust("6 seconds")
          yield* until(() => channel.deadLetterCount === 1)
          const [a] = yield* letters(1)
          assert.deepStrictEqual(
            [a!.headers["nsq-dead-reason"], a!.headers["nsq-expires"], a!.headers["nsq-origin-expires"]],
            ["expired", undefined, expires]
          )
        }).pipe(Effect.scoped)
      ))

    it.effect("never delivers an expired message while the dead-letter topic refuses it", () =>
      run(
        Effect.gen(function*() {
          yield* put({ match: "t", ttl: "10s", on_expired: "dead_letter" })
          yield* put({ match: "t.dlq", max_depth: 1 })
          yield* send("t.dlq", "first")
          const channel = yield* channelOf("t", "c")
          yield* Effect.forEach(Array.from({ length: 21 }), () => send("t", ...numbers(500)))
          yield* TestClock.adjust("9 seconds")
          yield* send("t", "young")
          yield* TestClock.adjust("2 seconds")
          const { recording } = yield* join("t", "c", 10)
          yield* TestClock.adjust("5 seconds")
          yield* untilIdle
          assert.deepStrictEqual(recording.bodies(), [])
          assert.deepStrictEqual([channel.unfinished, channel.deadLetterCount], [10_501, 0])
          yield* put({ match: "t.dlq", max_depth: 0 })
          yield* TestClock.adjust("2 seconds")
          yield* until(() => channel.deadLetterCount === 10_500)
          yield* untilIdle
          assert.deepStrictEqual(recording.bodies(), ["young"])
        }).pipe(Effect.scoped)
      ))

    it.effect("keeps expired messages over a restart until they are moved", () =>
      Effect.gen(function*() {
        const broker = yield* durable.start({ durability })
        yield* broker.run(Effect.gen(function*() {
          yield* put({ match: "t", ttl: "10s", on_expired: "dead_letter" })
          yield* put({ match: "t.dlq", max_depth: 1 })
          yield* send("t.dlq", "first")
          yield* channelOf("t", "c")
          yield* send("t", "a", "b")
          yield* TestClock.adjust("16 seconds")
          yield* untilIdle
        }))
        yield* broker.stop
        const again = yield* durable.start({ durability })
        yield* again.run(Effect.gen(function*() {
          const channel = yield* channelOf("t", "c")
          assert.strictEqual(channel.unfinished, 2)
          yield* put({ match: "t.dlq", max_depth: 0 })
          yield* TestClock.adjust("7 seconds")
          yield* until(() => channel.deadLetterCount === 2)
          assert.strictEqual((yield* topicOf("t.dlq")).depth, 3)
        }))
        yield* again.stop
      }).pipe(Effect.provide(durable.layer)))
  })
}

describe("on_expired=dead_letter", () => {
  it.effect("moves messages of a disk queue without a consumer", () =>
    Effect.gen(function*() {
      yield* put({ match: "t", ttl: "10s", on_expired: "dead_letter" })
      const channel = yield* channelOf("t", "c")
      yield* send("t", ...numbers(100))
      yield* TestClock.adjust("16 seconds")
      yield* until(() => channel.deadLetterCount === 100)
      assert.strictEqual(channel.unfinished, 0)
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 10 }))))

  it.effect("is in force at once, and messages are dropped again without it", () =>
    Effect.gen(function*() {
      yield* put({ match: "t", ttl: "10s" })
      const channel = yield* channelOf("t", "c")
      yield* send("t", "a")
      yield* TestClock.adjust("16 seconds")
      yield* untilIdle
      assert.deepStrictEqual([channel.expiredCount, channel.deadLetterCount], [1, 0])
      yield* put({ match: "t/*", on_expired: "dead_letter" })
      yield* send("t", "b")
      yield* TestClock.adjust("16 seconds")
      yield* until(() => channel.deadLetterCount === 1)
      yield* put({ match: "t/*", on_expired: "drop" })
      yield* send("t", "c")
      yield* TestClock.adjust("16 seconds")
      yield* untilIdle
      assert.deepStrictEqual([channel.expiredCount, channel.deadLetterCount], [2, 1])
    }).pipe(Effect.provide(brokerWith())))
})

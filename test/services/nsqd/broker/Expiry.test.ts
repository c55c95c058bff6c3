import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { TestClock } from "effect/testing"
import { Broker, joinBodies, publish, Publisher } from "../../../../src/broker.ts"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import { TopicName } from "../../../../src/protocol/client/Names.ts"
import { Policies } from "../../../../src/services/nsqd/policies/Policies.ts"
import { untilIdle } from "../../../../src/testing/index.ts"
import * as durable from "./durable.ts"
import { channelOf, join, send } from "./testing.ts"

for (const durability of ["memory", "synced"] as const) {
  describe(`The time-to-live of a policy (${durability})`, () => {
    const start = Effect.gen(function*() {
      const broker = yield* durable.start({ durability })
      yield* broker.run(Effect.gen(function*() {
        yield* (yield* Policies).put({ match: "orders", ttl: "10s" })
        yield* channelOf("orders", "a")
      }))
      return broker
    })

    it.effect("drops messages that are older when they reach a consumer, and delivers the others", () =>
      Effect.gen(function*() {
        const broker = yield* start
        yield* broker.run(Effect.gen(function*() {
          yield* send("orders", "old", "older")
          yield* TestClock.adjust("6 seconds")
          yield* send("orders", "new")
          yield* TestClock.adjust("5 seconds")
          const { channel, recording } = yield* join("orders", "a", 10)
          yield* untilIdle
          assert.deepStrictEqual(recording.bodies(), ["new"])
          assert.deepStrictEqual([channel.depth, channel.expiredCount], [0, 2])
        }))
      }).pipe(Effect.scoped, Effect.provide(durable.layer)))

    it.effect("ignores an nsq-expires that is not a number", () =>
      Effect.gen(function*() {
        const broker = yield* start
        yield* broker.run(Effect.gen(function*() {
          const values = ["", "soon", "NaN"]
          for (const value of values) {
            yield* publish("orders", Buffer.from(value || "empty"), { headers: { "nsq-expires": value } })
          }
          const { channel, recording } = yield* join("orders", "a", 10)
          yield* untilIdle
          assert.deepStrictEqual(recording.bodies(), ["empty", "soon", "NaN"])
          assert.strictEqual(channel.expiredCount, 0)
        }))
      }).pipe(Effect.scoped, Effect.provide(durable.layer)))

    it.effect("drops a message that was requeued and has expired meanwhile", () =>
      Effect.gen(function*() {
        const broker = yield* start
        yield* broker.run(Effect.gen(function*() {
          const { channel, recording, subscription } = yield* join("orders", "a", 10)
          yield* send("orders", "slow")
          yield* untilIdle
          const [message] = recording.take()
          subscription.requeue(messageKey(message?.id ?? ""), 11_000)
          yield* TestClock.adjust("12 seconds")
          yield* untilIdle
          assert.deepStrictEqual(recording.bodies(), [])
          assert.deepStrictEqual([channel.depth, channel.deferredCount, channel.expiredCount], [0, 0, 1])
        }))
      }).pipe(Effect.scoped, Effect.provide(durable.layer)))

    it.effect("drops expired messages without a consumer, and no younger ones", () =>
      Effect.gen(function*() {
        const broker = yield* start
        yield* broker.run(Effect.gen(function*() {
          const channel = yield* channelOf("orders", "a")
          yield* send("orders", "a", "b")
          yield* TestClock.adjust("8 seconds")
          yield* send("orders", "c")
          yield* TestClock.adjust("8 seconds")
          yield* untilIdle
          assert.deepStrictEqual([channel.depth, channel.expiredCount], [1, 2])
          yield* TestClock.adjust("10 seconds")
          yield* untilIdle
          assert.deepStrictEqual([channel.depth, channel.expiredCount], [0, 3])
        }))
      }).pipe(Effect.scoped, Effect.provide(durable.layer)))

    it.effect("drops deferred messages without a consumer when they are due and have expired meanwhile", () =>
      Effect.gen(function*() {
        const broker = yield* start
        yield* broker.run(Effect.gen(function*() {
          const { channel, recording, subscription } = yield* join("orders", "a", 1)
          yield* send("orders", "requeued", "waiting")
          yield* untilIdle
          subscription.setReady(0)
          subscription.requeue(messageKey(recording.take()[0]!.id), 15_000)
          const { publish: put } = yield* Publisher
          yield* put(TopicName.make("orders"), joinBodies([Buffer.from("deferred")]), 14_000) ?? Effect.void
          yield* TestClock.adjust("30 seconds")
          yield* untilIdle
          assert.deepStrictEqual([channel.unfinished, channel.expiredCount], [0, 3])
        }))
      }).pipe(Effect.scoped, Effect.provide(durable.layer)))

    it.effect("of a message drops it without a consumer and without a policy, at the head of a channel", () =>
      Effect.gen(function*() {
        const broker = yield* durable.start({ durability })
        yield* broker.run(Effect.gen(function*() {
          const channel = yield* channelOf("orders", "a")
          const expires = String((yield* Clock.currentTimeMillis) + 3000)
          for (const body of ["a", "b"]) {
            yield* publish("orders", Buffer.from(body), { headers: { "nsq-expires": expires } })
          }
          yield* send("orders", "c")
          yield* publish("orders", Buffer.from("d"), { headers: { "nsq-expires": expires } })
          yield* untilIdle
          assert.deepStrictEqual([channel.depth, channel.expiredCount], [4, 0])
          yield* TestClock.adjust("9 seconds")
          yield* untilIdle
          assert.deepStrictEqual([channel.depth, channel.expiredCount], [2, 2])
        }))
        yield* broker.stop
      }).pipe(Effect.provide(durable.layer)))

    it.effect("drops many expired messages in turns, and delivers what follows them", () =>
      Effect.gen(function*() {
        const broker = yield* start
        yield* broker.run(Effect.gen(function*() {
          yield* Effect.forEach(Array.from({ length: 30 }), () =>
            send("orders", ...Array.from({ length: 500 }, (_, i) => `m${i}`)))
          yield* TestClock.adjust("11 seconds")
          yield* send("orders", "new")
          const { channel, recording } = yield* join("orders", "a", 3)
          yield* untilIdle
          assert.deepStrictEqual(recording.bodies(), ["new"])
          assert.strictEqual(channel.expiredCount, 15_000)
        }))
      }).pipe(Effect.scoped, Effect.provide(durable.layer)))
  })
}

describe("The time-to-live of a message in a log", () => {
  for (const segmentSize of [16_384, 64 * 1024 * 1024]) {
    it.effect(`drops it after a restart, without a consumer and without a policy (segments of ${segmentSize} bytes)`, () =>
      Effect.gen(function*() {
        const first = yield* durable.start({ segmentSize })
        yield* first.run(Effect.gen(function*() {
          yield* channelOf("orders", "a")
          const expires = String((yield* Clock.currentTimeMillis) + 60_000)
          yield* publish("orders", Buffer.from("short"), { headers: { "nsq-expires": expires } })
          for (let i = 0; i < 5; i++) yield* send("orders", "x".repeat(10_000))
        }))
        yield* first.stop
        const second = yield* durable.start({ segmentSize })
        yield* second.run(Effect.gen(function*() {
          const channel = yield* channelOf("orders", "a")
          assert.strictEqual(channel.depth, 6)
          yield* TestClock.adjust("70 seconds")
          yield* untilIdle
          assert.deepStrictEqual([channel.depth, channel.expiredCount], [5, 1])
        }))
        yield* second.stop
      }).pipe(Effect.provide(durable.layer)))
  }
})

describe("The time-to-live of messages that were moved into a log", () => {
  it.effect("drops only the expired ones of those that came from one disk queue together", () =>
    Effect.gen(function*() {
      const broker = yield* durable.start({ durability: "memory", memQueueSize: 0 })
      yield* broker.run(Effect.gen(function*() {
        yield* Policies.use(({ put }) => put({ match: "orders", ttl: "10s" }))
        const channel = yield* channelOf("orders", "a")
        yield* send("orders", "old")
        yield* TestClock.adjust("6 seconds")
        yield* send("orders", "new", "newer")
        yield* untilIdle
        yield* Broker.use(({ setDurability }) => setDurability("orders", "synced"))
        yield* TestClock.adjust("9 seconds")
        yield* untilIdle
        assert.deepStrictEqual([channel.depth, channel.expiredCount], [2, 1])
      }))
    }).pipe(Effect.scoped, Effect.provide(durable.layer)))
})

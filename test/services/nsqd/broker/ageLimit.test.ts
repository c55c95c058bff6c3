/** The limit of age of policies: of topics and channels, in memory, in NSQ's disk queues and in a log. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { Broker, Policies, publish } from "../../../../src/broker.ts"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import type { Policy } from "../../../../src/protocol/http/PoliciesResponse.ts"
import { FaultyDisk, until, untilIdle } from "../../../../src/testing/index.ts"
import * as durable from "./durable.ts"
import { brokerWith, channelOf, join, numbers, send, topicOf } from "./testing.ts"

const put = (policy: Policy) => Policies.use((policies) => policies.put(policy))

const refusal = <A, R>(sent: Effect.Effect<A, { readonly message: string }, R>) =>
  Effect.map(Effect.flip(sent), ({ message }) => message)

/** Lets time pass, and the channels look for old messages. */
const pass = (seconds: number) => Effect.andThen(TestClock.adjust(`${seconds} seconds`), untilIdle)

const withoutConsumer = Effect.gen(function*() {
  yield* put({ match: "t", max_age: "10s", on_full: "drop_oldest" })
  const channel = yield* channelOf("t", "c")
  yield* send("t", ...numbers(6))
  yield* pass(6)
  yield* send("t", "young", "younger")
  yield* pass(4)
  assert.deepStrictEqual([channel.depth, channel.droppedCount], [8, 0])
  yield* pass(2)
  assert.deepStrictEqual([channel.depth, channel.droppedCount], [2, 6])
  const { recording } = yield* join("t", "c", 10)
  yield* until(() => recording.bodies().length === 2)
  assert.deepStrictEqual(recording.bodies(), ["young", "younger"])
})

const refusing = Effect.gen(function*() {
  const why = "topic t has unfinished messages older than 10s (max_age)"
  yield* put({ match: "t", max_age: "10s" })
  const { recording, subscription } = yield* join("t", "c", 1)
  yield* send("t", "old", "second")
  yield* pass(10)
  yield* send("t", "in time")
  yield* pass(2)
  assert.strictEqual(yield* refusal(send("t", "late", "later")), why)
  assert.strictEqual((yield* topicOf("t")).rejectedCount, 2)
  const finish = () => subscription.finish(messageKey(recording.take()[0]!.id))
  // The second message is as old as the first, and in flight now.
  finish()
  yield* pass(1)
  assert.strictEqual(yield* refusal(send("t", "late")), why)
  finish()
  yield* pass(1)
  yield* send("t", "again")
})

/** Runs a test with topics in memory, in disk queues and in a log. */
const everywhere = (title: string, test: typeof withoutConsumer | typeof refusing) => {
  for (const memQueueSize of [0, 2, 10_000]) {
    it.effect(`${title} (memory queue of ${memQueueSize})`, () =>
      test.pipe(Effect.provide(brokerWith({ memQueueSize }))))
  }
  it.effect(`${title} (durable)`, () =>
    Effect.gen(function*() {
      const broker = yield* durable.start()
      yield* broker.run(test)
      yield* broker.stop
    }).pipe(Effect.provide(durable.layer)))
}

describe("max_age", () => {
  everywhere("drop_oldest removes older messages without consumers and publishes", withoutConsumer)
  everywhere("reject refuses publishes while an older message waits or is in flight", refusing)

  for (const durability of ["memory", "synced"] as const) {
    const run = <A, E, R>(test: Effect.Effect<A, E, R>) =>
      Effect.gen(function*() {
        const broker = yield* durable.start({ durability })
        yield* broker.run(test)
        yield* broker.stop
      }).pipe(Effect.provide(durable.layer))

    it.effect(`dead_letter moves older messages with the reason limit (${durability})`, () =>
      run(Effect.gen(function*() {
        yield* put({ match: "t", max_age: "10s", on_full: "dead_letter" })
        const channel = yield* channelOf("t", "c")
        yield* channelOf("t.dlq", "all")
        yield* send("t", "a", "b")
        yield* pass(6)
        yield* send("t", "c")
        yield* pass(6)
        yield* until(() => channel.deadLetterCount === 2)
        assert.deepStrictEqual([channel.unfinished, channel.droppedCount], [1, 0])
        const { recording } = yield* join("t.dlq", "all", 10, { readsHeaders: true })
        yield* until(() => recording.bodies().length === 2)
        const letters = recording.take()
        assert.deepStrictEqual(letters.map(({ body }) => body), ["a", "b"])
        assert.strictEqual(letters[0]!.headers["nsq-dead-reason"], "limit")
      })))

    it.effect(`a limit of a channel leaves other channels alone, and messages in flight or deferred too (${durability})`, () =>
      run(Effect.gen(function*() {
        yield* put({ match: "t/slow", max_age: "10s", on_full: "drop_oldest" })
        const slow = yield* join("t", "slow", 2)
        const fast = yield* channelOf("t", "fast")
        yield* publish("t", Buffer.from("deferred"), { delay: "30 seconds" })
        yield* send("t", ...numbers(5))
        yield* untilIdle
        yield* pass(12)
        const { channel } = slow
        assert.deepStrictEqual([channel.inFlightCount, channel.depth, channel.deferredCount], [2, 0, 1])
        assert.deepStrictEqual([channel.droppedCount, fast.depth, fast.droppedCount], [3, 5, 0])
        // It is due, and too old.
        slow.subscription.setReady(0)
        yield* pass(20)
        assert.deepStrictEqual([channel.deferredCount, channel.depth, channel.droppedCount], [0, 0, 4])
      })))

    it.effect(`a requeued message is removed though younger ones wait before it (${durability})`, () =>
      run(Effect.gen(function*() {
        yield* put({ match: "t/c", max_age: "10s", on_full: "drop_oldest" })
        const { channel, recording, subscription } = yield* join("t", "c", 1)
        yield* send("t", "old")
        yield* pass(6)
        yield* send("t", "young", "younger")
        yield* untilIdle
        const [old] = recording.take()
        subscription.setReady(0)
        subscription.requeue(messageKey(old!.id), 0)
        yield* pass(6)
        assert.deepStrictEqual([channel.depth, channel.droppedCount], [2, 1])
        subscription.setReady(10)
        yield* untilIdle
        assert.deepStrictEqual(recording.bodies(), ["young", "younger"])
      })))

    it.effect(`messages in flight beyond max_depth do not hide the age of the oldest (${durability})`, () =>
      run(Effect.gen(function*() {
        yield* join("t", "c", 3)
        yield* send("t", ...numbers(3))
        yield* untilIdle
        yield* put({ match: "t/c", max_depth: 1, on_full: "drop_oldest" })
        yield* put({ match: "t", max_age: "10s" })
        yield* pass(12)
        assert.include(yield* refusal(send("t", "late")), "topic t has unfinished messages older than 10s")
      })))

    it.effect(`a topic without channels refuses publishes while it has older messages (${durability})`, () =>
      run(Effect.gen(function*() {
        yield* put({ match: "t", max_age: "10s", on_full: "drop_oldest" })
        yield* send("t", "a")
        yield* pass(12)
        assert.include(yield* refusal(send("t", "b")), "topic t has unfinished messages older than 10s")
        const channel = yield* channelOf("t", "c")
        yield* pass(2)
        assert.deepStrictEqual([channel.depth, channel.droppedCount], [0, 1])
        yield* send("t", "b")
      })))

    it.effect(`the age counts over a restart, and a limit that is set applies to messages that wait (${durability})`, () =>
      Effect.gen(function*() {
        const before = yield* durable.start({ durability })
        yield* before.run(Effect.gen(function*() {
          yield* channelOf("t", "c")
          yield* send("t", "a", "b")
          yield* untilIdle
        }))
        yield* before.stop
        const after = yield* durable.start({ durability })
        yield* after.run(Effect.gen(function*() {
          yield* pass(20)
          const channel = yield* channelOf("t", "c")
          yield* send("t", "new")
          yield* untilIdle
          yield* put({ match: "t", max_age: "10s", on_full: "drop_oldest" })
          yield* pass(1)
          assert.deepStrictEqual([channel.depth, channel.droppedCount], [1, 2])
          yield* Policies.use(({ remove }) => remove("t"))
          yield* pass(20)
          assert.strictEqual(channel.depth, 1)
        }))
        yield* after.stop
      }).pipe(Effect.provide(durable.layer)))
  }

  it.effect("a paused topic refuses publishes by the age of what waits in it", () =>
    Effect.gen(function*() {
      yield* put({ match: "t", max_age: "10s" })
      yield* channelOf("t", "c")
      const topic = yield* topicOf("t")
      yield* Broker.use((broker) => broker.pauseTopic(topic, true))
      yield* send("t", "a")
      yield* pass(12)
      assert.include(yield* refusal(send("t", "b")), "older than 10s")
    }).pipe(Effect.provide(brokerWith())))

  it.effect("the age of what waits in a topic is found when the disk can be read again", () =>
    Effect.gen(function*() {
      const broker = yield* durable.start()
      const disk = yield* FaultyDisk
      yield* broker.run(Effect.gen(function*() {
        yield* put({ match: "t", max_age: "10s" })
        disk.fail((operation) => operation === "read" ? "EIO" : undefined)
        yield* send("t", "a")
        yield* pass(12)
        assert.include(broker.log(), "TOPIC(t): failed to look for old messages")
        disk.fail(undefined)
        yield* pass(2)
        assert.include(yield* refusal(send("t", "b")), "older than 10s")
      }))
      yield* broker.stop
    }).pipe(Effect.provide(durable.layer)))

  it.effect("a pattern with wildcards does not refuse the dead letters that it makes", () =>
    Effect.gen(function*() {
      yield* put({ match: "*", max_age: "10s", on_full: "dead_letter" })
      const channel = yield* channelOf("t", "c")
      yield* channelOf("t.dlq", "all")
      yield* send("t", "a")
      yield* pass(12)
      yield* until(() => channel.deadLetterCount === 1)
      yield* pass(20)
      yield* send("t", "b")
      yield* pass(12)
      yield* until(() => channel.deadLetterCount === 2)
      assert.strictEqual((yield* channelOf("t.dlq", "all")).depth, 2)
    }).pipe(Effect.provide(brokerWith())))
})

import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Random, Scope } from "effect"
import { TestClock } from "effect/testing"
import { publish } from "../../../../src/broker.ts"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import { StorageFaults } from "../../../../src/testing/FaultyStorage.ts"
import { until, untilIdle } from "../../../../src/testing/index.ts"
import { brokerWith, faultyBroker, join, numbers, send } from "./testing.ts"

describe("sharing among consumers", () => {
  it.effect("a burst is shared evenly among ready consumers", () =>
    Effect.gen(function*() {
      const consumers = [yield* join("t", "c", 10), yield* join("t", "c", 10), yield* join("t", "c", 10)]
      yield* send("t", ...numbers(9))
      yield* until(() => consumers[0]!.channel.inFlightCount === 9)
      assert.deepStrictEqual(consumers.map(({ recording }) => recording.bodies().length), [3, 3, 3])
      for (const { recording } of consumers) assert.strictEqual(recording.flushes(), 1)
    }).pipe(Effect.provide(brokerWith())))

  it.effect("single messages rotate among consumers", () =>
    Effect.gen(function*() {
      const consumers = [yield* join("t", "c", 100), yield* join("t", "c", 100), yield* join("t", "c", 100)]
      for (const [i, body] of numbers(30).entries()) {
        yield* send("t", body)
        yield* until(() => consumers[0]!.channel.inFlightCount === i + 1)
      }
      assert.deepStrictEqual(consumers.map(({ recording }) => recording.bodies().length), [10, 10, 10])
    }).pipe(Effect.provide(brokerWith())))

  it.effect("messages that a consumer is not ready for go to the others", () =>
    Effect.gen(function*() {
      const [few, many, none] = [yield* join("t", "c", 1), yield* join("t", "c", 100), yield* join("t", "c", 0)]
      yield* send("t", ...numbers(20))
      yield* until(() => few.channel.inFlightCount === 20)
      assert.deepStrictEqual([few, many, none].map(({ recording }) => recording.bodies().length), [1, 19, 0])
    }).pipe(Effect.provide(brokerWith())))

  it.effect("a consumer that does not read its output gets nothing more until it does", () =>
    Effect.gen(function*() {
      const { channel, recording } = yield* join("t", "c", 10)
      recording.block()
      yield* send("t", "a")
      yield* untilIdle
      assert.deepStrictEqual(recording.bodies(), [])
      recording.unblock()
      channel.wake()
      yield* until(() => recording.bodies().length === 1)
    }).pipe(Effect.provide(brokerWith())))

  it.effect("at most max-channel-consumers may subscribe, and a free place can be taken", () =>
    Effect.gen(function*() {
      yield* join("t", "c", 1)
      const scope = yield* Scope.make()
      yield* Scope.provide(join("t", "c", 1), scope)
      const error = yield* Effect.flip(join("t", "c", 1))
      assert.strictEqual(error.message, "consumers for t:c exceeds limit of 2")
      yield* join("t", "other", 1)
      yield* Scope.close(scope, Exit.void)
      yield* join("t", "c", 1)
    }).pipe(Effect.provide(brokerWith({ maxChannelConsumers: 2 }))))
})

describe("a sample rate", () => {
  for (const [where, memQueueSize] of [["memory", 10_000], ["disk", 0]] as const) {
    it.effect(`a sample rate gives a consumer its share of the messages from ${where}, and drops the rest`, () =>
      Effect.gen(function*() {
        const { channel, recording } = yield* join("t", "c", 10_000, { sampleRate: 25 })
        yield* send("t", ...numbers(4000))
        yield* until(() => channel.messageCount === 4000 && channel.depth === 0)
        // As in NSQ, a rate of 25 delivers 26 percent.
        assert.approximately(recording.bodies().length / 4000, 0.26, 0.04)
        assert.strictEqual(channel.inFlightCount, recording.bodies().length)
      }).pipe(Effect.provide(brokerWith({ memQueueSize })), Random.withSeed("sample")))
  }
})

describe("time", () => {
  it.effect("TOUCH extends the timeout of a message up to max-msg-timeout and not a millisecond longer", () =>
    Effect.gen(function*() {
      const { channel, recording, subscription } = yield* join("t", "c", 1, { msgTimeout: 1000 })
      yield* send("t", "a")
      yield* until(() => recording.bodies().length === 1)
      const [{ id } = { id: "" }] = recording.take()
      for (let elapsed = 0; elapsed < 2500; elapsed += 500) {
        assert.strictEqual(subscription.touch(messageKey(id)), "done")
        yield* TestClock.adjust(500)
      }
      assert.strictEqual(subscription.touch(messageKey(id)), "done")
      yield* TestClock.adjust(499)
      assert.strictEqual(channel.timeoutCount, 0)
      yield* TestClock.adjust(1)
      assert.strictEqual(channel.timeoutCount, 1)
      yield* until(() => recording.bodies().length === 1)
      assert.strictEqual(recording.take()[0]?.attempts, 2)
    }).pipe(Effect.provide(brokerWith({ maxMsgTimeout: Duration.seconds(3) }))))

  it.effect("a requeued message is redelivered exactly after its delay", () =>
    Effect.gen(function*() {
      const { channel, recording, subscription } = yield* join("t", "c", 1)
      yield* send("t", "a")
      yield* until(() => recording.bodies().length === 1)
      const [{ id } = { id: "" }] = recording.take()
      assert.strictEqual(subscription.requeue(messageKey(id), 90_000), "done")
      assert.strictEqual(channel.deferredCount, 1)
      yield* TestClock.adjust(89_999)
      yield* untilIdle
      assert.strictEqual(channel.deferredCount, 1)
      yield* TestClock.adjust(1)
      yield* until(() => recording.bodies().length === 1)
    }).pipe(Effect.provide(brokerWith())))

  it.effect("a message does not time out while its consumer's input is still being executed", () =>
    Effect.gen(function*() {
      const consumer = yield* join("t", "c", 500, { msgTimeout: 1000 })
      yield* send("t", ...numbers(500))
      yield* until(() => consumer.recording.bodies().length === 500)
      const received = consumer.recording.take()
      const { channel, subscription } = consumer
      // After the clock has jumped, the acknowledgements are read one per turn, as from a socket.
      let read = 0
      const reading = Effect.gen(function*() {
        for (const { id } of received.slice(0, 100)) {
          read++
          subscription.finish(messageKey(id))
          yield* Effect.yieldNow
        }
        for (const { id } of received.slice(100)) subscription.finish(messageKey(id))
      })
      consumer.recording.input(() => read)
      yield* TestClock.adjust(999)
      yield* Effect.forkChild(reading)
      yield* TestClock.adjust(5000)
      yield* until(() => channel.inFlightCount === 0)
      assert.strictEqual(channel.timeoutCount, 0)
      assert.strictEqual(subscription.finishCount, 500)
    }).pipe(Effect.provide(brokerWith())))

  it.effect("a consumer that sends without a pause cannot prevent timeouts", () =>
    Effect.gen(function*() {
      const consumer = yield* join("t", "c", 1, { msgTimeout: 1000 })
      let read = 0
      consumer.recording.input(() => read++)
      yield* send("t", "a")
      yield* until(() => consumer.recording.bodies().length === 1)
      yield* TestClock.adjust(1000)
      yield* until(() => consumer.channel.timeoutCount === 1)
      yield* until(() => consumer.recording.bodies().length === 2)
    }).pipe(Effect.provide(brokerWith())))

  it.effect("deferred messages do not wait for consumers' input", () =>
    Effect.gen(function*() {
      const consumer = yield* join("t", "c", 2, { msgTimeout: 1000 })
      yield* send("t", "held")
      yield* until(() => consumer.recording.bodies().length === 1)
      yield* publish("t", Buffer.from("due"), { delay: 1000 })
      let read = 0
      consumer.recording.input(() => read++)
      yield* TestClock.adjust(1000)
      yield* until(() => consumer.recording.bodies().length === 3)
      assert.deepStrictEqual(consumer.recording.bodies(), ["held", "due", "held"])
    }).pipe(Effect.provide(brokerWith())))
})

describe("requeued messages while memory is full", () => {
  it.effect("messages requeued while memory is full are written to disk before more is read", () =>
    Effect.gen(function*() {
      const { channel, recording, subscription } = yield* join("t", "c", 0)
      for (const body of numbers(50)) yield* send("t", body)
      yield* until(() => channel.depth === 50)
      let most = 0
      // Requeues everything at once, until it has seen every message.
      const { deliver } = recording.consumer
      let seen = 0
      Object.assign(recording.consumer, {
        deliver: (...run: Parameters<typeof deliver>) => {
          deliver(...run)
          if (seen >= 200) return
          for (const { id } of recording.take()) {
            seen++
            assert.strictEqual(subscription.requeue(messageKey(id), 0), "done")
          }
          most = Math.max(most, channel.depth - channel.backendDepth)
        }
      })
      subscription.setReady(10)
      yield* until(() => seen >= 200)
      assert.isAtMost(most, 10)
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 0 }))))

  it.effect("messages requeued while the disk fails stay in memory and are delivered from there", () =>
    Effect.gen(function*() {
      const faults = yield* StorageFaults
      const { channel, recording, subscription } = yield* join("t", "c", 1)
      yield* send("t", "a")
      yield* until(() => recording.bodies().length === 1)
      subscription.setReady(0)
      yield* faults.failWrites("disk full")
      const [{ id } = { id: "" }] = recording.take()
      subscription.requeue(messageKey(id), 0)
      yield* untilIdle
      assert.strictEqual(channel.depth, 1)
      subscription.setReady(1)
      yield* until(() => recording.bodies().length === 1)
    }).pipe(Effect.provide(faultyBroker({ memQueueSize: 0 }))))
})

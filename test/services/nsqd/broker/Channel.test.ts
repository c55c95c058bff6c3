import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Fiber, Random, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Broker, publish } from "../../../../src/broker.ts"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import { Turns } from "../../../../src/services/core/Turns.ts"
import { StorageFaults } from "../../../../src/testing/FaultyStorage.ts"
import { until, untilIdle } from "../../../../src/testing/index.ts"
import { brokerWith, channelOf, faultyBroker, join, type Joined, numbers, send, topicOf } from "./testing.ts"

/** Finishes everything that the consumer has received. */
const finishAll = ({ recording, subscription }: Joined): void => {
  for (const { id } of recording.take()) assert.strictEqual(subscription.finish(messageKey(id)), "done")
}

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

describe("hundreds of thousands of messages at once", () => {
  const many = 100_000
  const oneByOne: Turns = { isOver: () => false, next: Effect.yieldNow }
  /** The maximum change of `count` between two turns of the event loop, until `isDone`. */
  const largestStep = (count: () => number, isDone: () => boolean) =>
    Effect.gen(function*() {
      let largest = 0
      for (let before = count(); !isDone();) {
        yield* Effect.yieldNow
        largest = Math.max(largest, Math.abs(count() - before))
        before = count()
      }
      return largest
    })
  const holding = Effect.gen(function*() {
    const scope = yield* Scope.make()
    const consumer = yield* Scope.provide(join("t", "c", many, { msgTimeout: 1000 }), scope)
    yield* send("t", ...numbers(many))
    yield* until(() => consumer.channel.inFlightCount === many)
    consumer.subscription.setReady(0)
    return { ...consumer, scope }
  })

  it.effect("hundreds of thousands of messages time out in slices", () =>
    Effect.gen(function*() {
      const { channel } = yield* holding
      const watching = yield* Effect.forkChild(
        largestStep(() => channel.inFlightCount, () => channel.inFlightCount === 0),
        { startImmediately: true }
      )
      yield* TestClock.adjust(1000)
      assert.isAtMost(yield* Fiber.join(watching), 2048)
      assert.strictEqual(channel.timeoutCount, many)
      assert.strictEqual(channel.depth, many)
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 2 * many })), Effect.provideService(Turns, oneByOne)))

  it.effect("hundreds of thousands of deferred messages become due in slices", () =>
    Effect.gen(function*() {
      const { channel, recording, subscription } = yield* holding
      for (const { id } of recording.take()) subscription.requeue(messageKey(id), 5000)
      const watching = yield* Effect.forkChild(
        largestStep(() => channel.deferredCount, () => channel.deferredCount === 0),
        { startImmediately: true }
      )
      yield* TestClock.adjust(5000)
      assert.isAtMost(yield* Fiber.join(watching), 2048)
      assert.strictEqual(channel.depth, many)
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 2 * many })), Effect.provideService(Turns, oneByOne)))

  it.effect("hundreds of thousands of messages are returned in slices when their consumer leaves", () =>
    Effect.gen(function*() {
      const { channel, scope } = yield* holding
      const watching = yield* Effect.forkChild(
        largestStep(() => channel.inFlightCount, () => channel.inFlightCount === 0),
        { startImmediately: true }
      )
      yield* Scope.close(scope, Exit.void)
      assert.isAtMost(yield* Fiber.join(watching), 2048)
      assert.strictEqual(channel.depth, many)
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 2 * many })), Effect.provideService(Turns, oneByOne)))

  it.effect("emptying a channel drops hundreds of thousands of messages at once, and the consumer continues", () =>
    Effect.gen(function*() {
      const { channel, recording, subscription } = yield* holding
      const emptying = yield* Effect.forkChild(channel.empty, { startImmediately: true })
      assert.strictEqual(channel.inFlightCount, 0)
      const [first] = recording.take()
      assert.strictEqual(subscription.finish(messageKey(first!.id)), "not in flight")
      yield* Fiber.join(emptying)
      subscription.setReady(1)
      yield* send("t", "next")
      yield* until(() => recording.bodies().length === 1)
      assert.deepStrictEqual(recording.bodies(), ["next"])
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 2 * many })), Effect.provideService(Turns, oneByOne)))
})

describe("pausing", () => {
  it.effect("a paused channel keeps new messages, and those in flight can still be acknowledged", () =>
    Effect.gen(function*() {
      const broker = yield* Broker
      const consumer = yield* join("t", "c", 10)
      yield* send("t", "a")
      yield* until(() => consumer.recording.bodies().length === 1)
      yield* broker.pauseChannel(consumer.channel, true)
      yield* send("t", "b")
      yield* until(() => consumer.channel.depth === 1)
      finishAll(consumer)
      yield* untilIdle
      assert.deepStrictEqual(consumer.recording.bodies(), [])
      yield* broker.pauseChannel(consumer.channel, false)
      yield* until(() => consumer.recording.bodies()[0] === "b")
    }).pipe(Effect.provide(brokerWith())))
})

describe("deleting", () => {
  it.effect("deleting a channel disconnects its consumers, and their acknowledgements have no effect", () =>
    Effect.gen(function*() {
      const broker = yield* Broker
      const { channel, recording, subscription } = yield* join("t", "c", 1)
      yield* send("t", ...numbers(3))
      yield* until(() => recording.bodies().length === 1)
      yield* broker.deleteChannel("t", "c")
      assert.isTrue(recording.isClosed())
      const [{ id } = { id: "" }] = recording.take()
      assert.strictEqual(subscription.finish(messageKey(id)), "not in flight")
      assert.strictEqual(channel.depth + channel.inFlightCount + channel.deferredCount, 0)
      const fresh = yield* channelOf("t", "c")
      assert.notStrictEqual(fresh, channel)
      assert.strictEqual(fresh.depth, 0)
      yield* send("t", "again")
      yield* until(() => fresh.depth === 1)
      assert.deepStrictEqual(recording.take(), [])
    }).pipe(Effect.provide(brokerWith())))

  it.effect("a consumer that subscribes while a channel is being deleted gets a new channel", () =>
    Effect.gen(function*() {
      const broker = yield* Broker
      const { channel } = yield* join("t", "c", 1)
      const deleting = yield* Effect.forkChild(broker.deleteChannel("t", "c"), { startImmediately: true })
      const joined = yield* join("t", "c", 1)
      yield* until(() => deleting.pollUnsafe() !== undefined)
      assert.notStrictEqual(joined.channel, channel)
      assert.isFalse(joined.recording.isClosed())
    }).pipe(Effect.provide(brokerWith())))
})

describe("ephemeral channels", () => {
  it.effect("an ephemeral channel is deleted with its last consumer", () =>
    Effect.gen(function*() {
      const topic = yield* topicOf("t")
      const scopes = [yield* Scope.make(), yield* Scope.make()]
      for (const scope of scopes) yield* Scope.provide(join("t", "c#ephemeral", 1), scope)
      yield* Scope.close(scopes[0]!, Exit.void)
      assert.isDefined(topic.channel("c#ephemeral"))
      yield* Scope.close(scopes[1]!, Exit.void)
      assert.isUndefined(topic.channel("c#ephemeral"))
    }).pipe(Effect.provide(brokerWith())))

  it.effect("an ephemeral channel drops messages that do not fit into memory", () =>
    Effect.gen(function*() {
      const { channel } = yield* join("t", "c#ephemeral", 0)
      yield* send("t", ...numbers(5))
      yield* until(() => channel.messageCount === 5)
      assert.strictEqual(channel.depth, 3)
      assert.strictEqual(channel.backendDepth, 0)
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 3 }))))

  it.effect("an ephemeral channel without memory still delivers to ready consumers", () =>
    Effect.gen(function*() {
      const { channel, recording } = yield* join("t#ephemeral", "c#ephemeral", 2)
      yield* send("t#ephemeral", ...numbers(5))
      yield* until(() => channel.messageCount === 5 && recording.bodies().length === 2)
      assert.strictEqual(channel.depth, 0)
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 0 }))))
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

describe("emptying", () => {
  it.effect("emptying a channel drops waiting, in-flight and deferred messages, and consumers can receive again", () =>
    Effect.gen(function*() {
      const { channel, recording } = yield* join("t", "c", 2)
      yield* publish("t", Buffer.from("later"), { delay: "1 hour" })
      yield* send("t", ...numbers(10))
      yield* until(() => channel.inFlightCount === 2 && channel.depth === 8 && channel.deferredCount === 1)
      yield* channel.empty
      assert.strictEqual(channel.depth + channel.inFlightCount + channel.deferredCount, 0)
      recording.take()
      yield* send("t", "new", "newer")
      yield* until(() => recording.bodies().length === 2)
      yield* TestClock.adjust("2 hours")
      assert.notInclude(recording.bodies(), "later")
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 4 }))))

  it.effect("emptying a channel while the disk is being read does not bring messages back", () =>
    Effect.gen(function*() {
      const faults = yield* StorageFaults
      const { channel, recording, subscription } = yield* join("t", "c", 0)
      yield* send("t", "old")
      yield* until(() => channel.depth === 1)
      yield* faults.holdReads
      const { reads } = faults.counts()
      subscription.setReady(1)
      yield* until(() => faults.counts().reads > reads)
      yield* channel.empty
      yield* faults.resumeReads
      yield* send("t", "new")
      yield* until(() => recording.bodies().length > 0)
      assert.deepStrictEqual(recording.bodies(), ["new"])
    }).pipe(Effect.provide(faultyBroker({ memQueueSize: 0 }))))
})

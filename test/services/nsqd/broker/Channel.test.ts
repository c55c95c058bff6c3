import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
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

import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Broker, publish } from "../../../../src/broker.ts"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import { FaultyStorage, TestBroker, until, untilIdle, WallClock } from "../../../../src/testing/index.ts"
import { brokerWith, channelOf, faultyBroker, join, numbers, quiet, send, topicOf } from "./testing.ts"

const { StorageFaults } = FaultyStorage

/** Brokers that have the same storage, one after the other. */
const restartable = Effect.fnUntraced(function*(memQueueSize: number) {
  const storage = yield* Layer.build(FaultyStorage.layer)
  const layer = Layer.fresh(TestBroker.layerNoStorage({ memQueueSize })).pipe(Layer.provide(quiet))
  return {
    faults: Context.get(storage, StorageFaults),
    open: Layer.build(layer).pipe(Effect.provideContext(storage))
  }
})

describe("fan-out", () => {
  for (const [where, memQueueSize] of [["memory", 1000], ["little memory", 7], ["disk", 0]] as const) {
    it.effect(`each of many channels gets every message, through ${where}`, () =>
      Effect.gen(function*() {
        const consumers = yield* Effect.forEach(numbers(20), (name) => join("t", name, 1000))
        yield* send("t", ...numbers(60))
        for (const body of numbers(60)) yield* send("t", `single ${body}`)
        for (const { recording } of consumers) yield* until(() => recording.bodies().length === 120)
        const expected = [...numbers(60), ...numbers(60).map((body) => `single ${body}`)].toSorted()
        const ids = new Set<string>()
        for (const { recording } of consumers) {
          assert.deepStrictEqual([...recording.bodies()].sort(), expected)
          for (const { body, id } of recording.take()) ids.add(`${body} ${id}`)
        }
        assert.strictEqual(ids.size, 120, "a message has different ids in different channels")
      }).pipe(Effect.provide(brokerWith({ memQueueSize }))))
  }

  it.effect("an attempt in one channel does not count in another", () =>
    Effect.gen(function*() {
      const [one, other] = [yield* join("t", "one", 1), yield* join("t", "other", 0)]
      yield* send("t", "a")
      for (let attempt = 1; attempt <= 3; attempt++) {
        yield* until(() => one.recording.bodies().length === 1)
        const [message] = one.recording.take()
        assert.strictEqual(message?.attempts, attempt)
        one.subscription.requeue(messageKey(message?.id ?? ""), 0)
      }
      other.subscription.setReady(1)
      yield* until(() => other.recording.bodies().length === 1)
      assert.strictEqual(other.recording.take()[0]?.attempts, 1)
    }).pipe(Effect.provide(brokerWith())))

  it.effect("messages published before the first channel go to it", () =>
    Effect.gen(function*() {
      yield* send("t", ...numbers(10))
      const first = yield* join("t", "first", 100)
      yield* until(() => first.recording.bodies().length === 10)
      const second = yield* channelOf("t", "second")
      yield* send("t", "later")
      yield* until(() => second.messageCount === 1 && first.recording.bodies().length === 11)
      assert.strictEqual(second.depth, 1)
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 4 }))))
})

describe("a delay", () => {
  it.effect("a delay is kept through the disk queue of a full topic, and starts at the channel", () =>
    Effect.gen(function*() {
      const broker = yield* Broker
      const topic = yield* topicOf("t")
      const { channel, recording } = yield* join("t", "c", 100)
      yield* broker.pauseTopic(topic, true)
      yield* send("t", ...numbers(2))
      yield* publish("t", Buffer.from("later"), { delay: "1 minute" })
      yield* send("t", "after it")
      assert.strictEqual(topic.backendDepth, 2)
      yield* TestClock.adjust("1 hour")
      yield* broker.pauseTopic(topic, false)
      yield* until(() => recording.bodies().length === 3)
      assert.strictEqual(channel.deferredCount, 1)
      yield* TestClock.adjust("59999 millis")
      yield* untilIdle
      assert.deepStrictEqual([...recording.bodies()].sort(), ["after it", "m0", "m1"])
      yield* TestClock.adjust(1)
      yield* until(() => recording.bodies().includes("later"))
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 2 }))))

  it.effect("each channel has its own delay of a message", () =>
    Effect.gen(function*() {
      const consumers = [yield* join("t", "a", 1), yield* join("t", "b", 1)]
      yield* publish("t", Buffer.from("later"), { delay: "1 second" })
      yield* until(() => consumers.every(({ channel }) => channel.deferredCount === 1))
      yield* TestClock.adjust(999)
      yield* untilIdle
      assert.isTrue(consumers.every(({ recording }) => recording.bodies().length === 0))
      yield* TestClock.adjust(1)
      yield* until(() => consumers.every(({ recording }) => recording.bodies().length === 1))
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 0 }))))
})

describe("ephemeral topics", () => {
  it.effect("an ephemeral topic is deleted with its last channel", () =>
    Effect.gen(function*() {
      const broker = yield* Broker
      yield* Effect.scoped(join("t#ephemeral", "c#ephemeral", 1))
      assert.isUndefined(broker.findTopic("t#ephemeral"))
    }).pipe(Effect.provide(brokerWith())))

  it.effect("an ephemeral topic without memory passes messages to a channel with a disk", () =>
    Effect.gen(function*() {
      const channel = yield* channelOf("t#ephemeral", "c")
      yield* send("t#ephemeral", ...numbers(3))
      assert.strictEqual(channel.depth, 3)
      const { recording } = yield* join("t#ephemeral", "c", 10)
      yield* until(() => recording.bodies().length === 3)
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 0 }))))

  it.effect("an ephemeral topic drops messages that do not fit into memory, and counts them", () =>
    Effect.gen(function*() {
      const topic = yield* topicOf("t#ephemeral")
      yield* send("t#ephemeral", ...numbers(5))
      assert.deepStrictEqual([topic.depth, topic.backendDepth, topic.messageCount], [3, 0, 5])
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 3 }))))
})

describe("a disk", () => {
  it.effect("a slow disk makes publishers wait", () =>
    Effect.gen(function*() {
      const faults = yield* StorageFaults
      const topic = yield* topicOf("t")
      yield* send("t", "fits", "fits too")
      yield* faults.holdWrites
      const waiting = yield* Effect.forEach(numbers(3), (body) => Effect.forkChild(send("t", body)))
      yield* untilIdle
      assert.isTrue(waiting.every((fiber) => fiber.pollUnsafe() === undefined))
      assert.strictEqual(topic.messageCount, 2)
      yield* faults.resumeWrites
      yield* Effect.forEach(waiting, Fiber.join)
      assert.deepStrictEqual([topic.messageCount, topic.depth, topic.backendDepth], [5, 5, 3])
    }).pipe(Effect.provide(faultyBroker({ memQueueSize: 2 }))))

  it.effect("a failing disk is an error for the publisher, with the number of accepted messages", () =>
    Effect.gen(function*() {
      const faults = yield* StorageFaults
      const topic = yield* topicOf("t")
      yield* faults.failWrites("no space left on device")
      const error = yield* Effect.flip(send("t", "one", "two", "three", "four"))
      assert.deepInclude(error.reason, { _tag: "DiskFailure", description: "no space left on device" })
      assert.deepInclude(error, { _tag: "BrokerError", accepted: 3 })
      // Counted as in NSQ: accepted messages and bytes.
      assert.deepStrictEqual([topic.depth, topic.messageCount, topic.messageBytes], [3, 3, 11])
      yield* faults.failWrites(undefined)
      yield* send("t", "five")
      assert.deepStrictEqual([topic.depth, topic.messageCount, topic.messageBytes], [4, 4, 15])
    }).pipe(Effect.provide(faultyBroker({ memQueueSize: 3 }))))

  it.effect("a failing disk of a channel loses nothing: the topic holds its messages and retries", () =>
    Effect.gen(function*() {
      const faults = yield* StorageFaults
      const channel = yield* channelOf("t", "c")
      yield* send("t", "m0", "m1")
      yield* until(() => channel.depth === 2)
      yield* faults.failWrites("no space left on device")
      // The topic takes these and cannot hand them over; then it is full, and its publishers get the error.
      yield* send("t", "m2", "m3")
      yield* untilIdle
      yield* send("t", "m4", "m5")
      const error = yield* Effect.flip(send("t", "refused"))
      assert.strictEqual(error.message, "no space left on device")
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(channel.depth, 4, "the messages that the channel is to write")
      yield* faults.failWrites(undefined)
      yield* TestClock.adjust("2 seconds")
      const { recording } = yield* join("t", "c", 10)
      yield* until(() => recording.bodies().length === 6)
      assert.deepStrictEqual([...recording.bodies()].sort(), numbers(6))
    }).pipe(Effect.provide(faultyBroker({ memQueueSize: 2 }))))

  it.effect("consumers get what a channel's failing disk does not take, and the topic goes on", () =>
    Effect.gen(function*() {
      const faults = yield* StorageFaults
      const channel = yield* channelOf("t", "c")
      yield* send("t", "m0", "m1")
      yield* until(() => channel.depth === 2)
      yield* faults.failWrites("no space left on device")
      yield* send("t", "m2", "m3")
      yield* untilIdle
      yield* send("t", "m4", "m5")
      yield* untilIdle
      assert.strictEqual(channel.depth, 4)
      const { recording, subscription } = yield* join("t", "c", 10)
      yield* until(() => recording.bodies().length === 6)
      assert.deepStrictEqual(recording.bodies(), numbers(6))
      for (const { id } of recording.take()) subscription.finish(messageKey(id))
      assert.deepStrictEqual([channel.unfinished, channel.messageCount], [0, 6])
    }).pipe(Effect.provide(faultyBroker({ memQueueSize: 2 }))))

  it.effect("a stop loses nothing of what a channel could not write, whether or not consumers were about to get it", () =>
    Effect.gen(function*() {
      const { faults, open } = yield* restartable(2)
      const scope = yield* Scope.make()
      const first = yield* Scope.provide(open, scope)
      yield* Effect.gen(function*() {
        const channel = yield* channelOf("t", "c")
        yield* send("t", "m0", "m1")
        yield* until(() => channel.depth === 2)
        yield* faults.failWrites("no space left on device")
        yield* send("t", "m2", "m3")
        yield* until(() => channel.depth === 4)
        yield* send("t", "m4", "m5")
        const { recording } = yield* join("t", "c", 3)
        yield* until(() => recording.bodies().length === 3)
        assert.isAbove(channel.depth, 0)
        yield* faults.failWrites(undefined)
      }).pipe(Effect.scoped, Effect.provideContext(first))
      yield* Scope.close(scope, Exit.void)
      const second = yield* open
      yield* Effect.gen(function*() {
        const { recording } = yield* join("t", "c", 10)
        yield* until(() => recording.bodies().length === 6)
        assert.deepStrictEqual([...recording.bodies()].sort(), numbers(6))
      }).pipe(Effect.provideContext(second))
    }))

  it.effect("a publisher of an ephemeral topic without memory waits until a channel is rid of what it cannot write", () =>
    Effect.gen(function*() {
      const faults = yield* StorageFaults
      const channel = yield* channelOf("t#ephemeral", "c")
      yield* faults.failWrites("no space left on device")
      const publishing = yield* Effect.forkChild(send("t#ephemeral", "m0", "m1"))
      yield* untilIdle
      assert.isUndefined(publishing.pollUnsafe())
      assert.strictEqual(channel.depth, 2)
      const { recording } = yield* join("t#ephemeral", "c", 10)
      yield* Fiber.join(publishing)
      yield* until(() => recording.bodies().length === 2)
    }).pipe(Effect.provide(faultyBroker({ memQueueSize: 0 }))))

  it.effect("messages count as waiting while they are written to the channel's disk", () =>
    Effect.gen(function*() {
      const faults = yield* StorageFaults
      const channel = yield* channelOf("t", "c")
      yield* send("t", ...numbers(3))
      yield* until(() => channel.backendDepth === 1)
      yield* faults.holdWrites
      yield* send("t", "m3")
      yield* until(() => channel.messageCount === 4)
      assert.deepStrictEqual([channel.depth, channel.backendDepth], [4, 1])
      yield* faults.resumeWrites
      yield* until(() => channel.backendDepth === 2)
      assert.strictEqual(channel.depth, 4)
      // Those that a consumer requeues while memory is full are written as well.
      const { recording, subscription } = yield* join("t", "c", 2)
      yield* until(() => recording.bodies().length === 2)
      yield* send("t", "m4", "m5")
      yield* until(() => channel.messageCount === 6)
      subscription.setReady(0)
      yield* faults.holdWrites
      const { writes } = faults.counts()
      for (const { id } of recording.take()) subscription.requeue(messageKey(id), 0)
      yield* until(() => faults.counts().writes > writes)
      assert.strictEqual(channel.depth, 6)
      yield* faults.resumeWrites
      yield* untilIdle
      assert.strictEqual(channel.depth, 6)
    }).pipe(Effect.provide(faultyBroker({ memQueueSize: 2 }))))

  it.effect("reading a failing disk is retried, and nothing is lost", () =>
    Effect.gen(function*() {
      const faults = yield* StorageFaults
      yield* send("t", ...numbers(3))
      yield* faults.failReads("input/output error")
      const { recording } = yield* join("t", "c", 10)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(recording.bodies(), [])
      yield* faults.failReads(undefined)
      yield* TestClock.adjust("2 seconds")
      yield* until(() => recording.bodies().length === 3)
    }).pipe(Effect.provide(faultyBroker({ memQueueSize: 0 }))))

  it.effect("a permanently failing disk does not delay the stop, and its messages are available at the next start", () =>
    Effect.gen(function*() {
      const { faults, open } = yield* restartable(0)
      const scope = yield* Scope.make()
      const first = yield* Scope.provide(open, scope)
      yield* Effect.gen(function*() {
        const broker = yield* Broker
        const topic = yield* topicOf("t")
        yield* channelOf("t", "c")
        yield* broker.pauseTopic(topic, true)
        yield* send("t", ...numbers(3))
        yield* faults.failWrites("no space left on device")
        // The topic is unpaused, but that could not be saved.
        assert.strictEqual(
          (yield* Effect.flip(broker.pauseTopic(topic, false))).message,
          "no space left on device"
        )
        const { writes } = faults.counts()
        yield* TestClock.adjust("1 second")
        assert.isAbove(faults.counts().writes, writes, "the channel's disk was not tried")
      }).pipe(Effect.provideContext(first))
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(closing)
      yield* faults.failWrites(undefined)
      const second = yield* open
      yield* Effect.gen(function*() {
        const { recording } = yield* join("t", "c", 10)
        // The topic is paused after the restart, because the change was not saved.
        const broker = yield* Broker
        yield* broker.pauseTopic(yield* topicOf("t"), false)
        yield* until(() => recording.bodies().length === 3)
        assert.deepStrictEqual([...recording.bodies()].sort(), numbers(3))
      }).pipe(Effect.provideContext(second))
    }))
})

describe("the wall clock", () => {
  const broker = brokerWith().pipe(Layer.provideMerge(WallClock.layer))

  for (const [way, step] of [["back", -3_600_000], ["forward", 3_600_000]] as const) {
    it.effect(`set ${way} by an hour neither stalls publishing nor makes timeouts early or late`, () =>
      Effect.gen(function*() {
        yield* TestClock.setTime(Date.UTC(2030, 1))
        const wall = yield* WallClock.WallClock
        const { channel, recording } = yield* join("t", "c", 100, { msgTimeout: 30_000 })
        yield* send("t", "before")
        yield* publish("t", Buffer.from("later"), { delay: "40 seconds" })
        yield* until(() => recording.bodies().length === 1)
        yield* TestClock.adjust("10 seconds")
        yield* wall.step(step)
        yield* send("t", ...numbers(20))
        yield* until(() => recording.bodies().length === 21)
        const ids = recording.take().map(({ id }) => id)
        assert.deepStrictEqual(ids, ids.toSorted(), "ids do not increase")
        assert.strictEqual(new Set(ids).size, ids.length)
        yield* TestClock.adjust(19_999)
        assert.strictEqual(channel.timeoutCount, 0)
        yield* TestClock.adjust(1)
        assert.strictEqual(channel.timeoutCount, 1)
        yield* until(() => recording.bodies()[0] === "before")
        yield* TestClock.adjust(9_999)
        assert.strictEqual(channel.deferredCount, 1)
        yield* TestClock.adjust(1)
        assert.strictEqual(channel.deferredCount, 0)
        yield* until(() => recording.bodies().includes("later"))
      }).pipe(Effect.provide(broker)))
  }

  it.effect("the timestamp of a message is the wall clock at its publishing", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(Date.UTC(2030, 1))
      const wall = yield* WallClock.WallClock
      yield* wall.step(Duration.toMillis("1 day"))
      const { recording } = yield* join("t", "c", 1)
      yield* send("t", "a")
      yield* until(() => recording.bodies().length === 1)
      assert.strictEqual(recording.take()[0]?.timestamp, BigInt(Date.UTC(2030, 1, 2)) * 1_000_000n)
    }).pipe(Effect.provide(broker)))
})

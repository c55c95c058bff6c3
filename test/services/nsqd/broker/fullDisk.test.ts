/**
 * Topics whose messages wait in the topic's own disk queue when the disk is full: channels get them without space for copies.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { Broker } from "../../../../src/broker.ts"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { layer } from "../storage/queues.ts"
import { ascending, bodyOf, capacity, fill, fillUp, finish, finishAll, paused, range, start } from "./fullDisk.ts"
import { channelOf, join, send, topicOf } from "./testing.ts"

describe.each([0, 5])("the disk queue of a topic on a full disk, with %i messages in memory", (memQueueSize) => {
  /** A broker whose topic has filled the disk, and the number of its messages. */
  const filled = Effect.gen(function*() {
    ;(yield* FaultyDisk).resize(capacity)
    const running = yield* start(memQueueSize)
    const count = yield* fill().pipe(Effect.provideContext(running.context))
    assert.isAbove(count, 200)
    return { ...running, count }
  })

  it.effect("a channel that is created then gets every message once, and then publishes are accepted", () =>
    Effect.gen(function*() {
      const { context, count, stop } = yield* filled
      yield* Effect.gen(function*() {
        const joined = yield* join("t", "c", 10)
        const numbers = yield* finish(joined, count)
        if (memQueueSize === 0) assert.deepStrictEqual(numbers, range(0, count))
        assert.deepStrictEqual(ascending(numbers), range(0, count))
        const topic = yield* topicOf("t")
        assert.deepStrictEqual([topic.depth, joined.channel.depth, joined.channel.messageCount], [0, 0, count])
        yield* TestClock.adjust("2 seconds")
        yield* send("t", bodyOf(count))
        assert.deepStrictEqual(yield* finish(joined, 1), [count])
      }).pipe(Effect.scoped, Effect.provideContext(context))
      assert.isFalse(yield* stop)
    }).pipe(Effect.provide(layer)))

  it.effect("the depths of topic and channel have every unfinished message once", () =>
    Effect.gen(function*() {
      const { context, count, stop } = yield* filled
      yield* Effect.gen(function*() {
        const topic = yield* topicOf("t")
        const channel = yield* channelOf("t", "c")
        yield* TestClock.adjust("5 seconds")
        assert.isAbove(channel.depth, 0)
        assert.strictEqual(topic.depth + channel.depth, count)
        const joined = yield* join("t", "c", 7)
        for (let finished = 0; finished < count; finished += 7) {
          yield* TestClock.adjust("20 millis")
          assert.strictEqual(topic.depth + channel.unfinished, count - finished)
          yield* finish(joined, Math.min(7, count - finished))
        }
      }).pipe(Effect.scoped, Effect.provideContext(context))
      assert.isFalse(yield* stop)
    }).pipe(Effect.provide(layer)))

  for (const [space, change] of [["with", Effect.void], ["without", fillUp]] as const) {
    it.effect(`a stop in the middle loses and repeats nothing after a start ${space} space`, () =>
      Effect.gen(function*() {
        const { context, count, stop } = yield* filled
        const finished = yield* Effect.gen(function*() {
          const joined = yield* join("t", "c", 10)
          const numbers = yield* finish(joined, 50)
          // Some are in flight, some come back.
          yield* TestClock.adjust("20 millis")
          for (const { id } of joined.recording.take().slice(0, 5)) joined.subscription.requeue(messageKey(id), 0)
          yield* TestClock.adjust("20 millis")
          for (const { id } of joined.recording.take().slice(0, 2)) joined.subscription.requeue(messageKey(id), 60_000)
          yield* TestClock.adjust("20 millis")
          return numbers
        }).pipe(Effect.provideContext(context), Effect.scoped)
        assert.isFalse(yield* stop)
        if (space === "with") (yield* FaultyDisk).resize(0)
        yield* change
        const second = yield* start(memQueueSize)
        const others = yield* Effect.gen(function*() {
          const joined = yield* join("t", "c", 10)
          const numbers = yield* finish(joined, count - finished.length)
          assert.deepStrictEqual(yield* finishAll(joined), [])
          return numbers
        }).pipe(Effect.scoped, Effect.provideContext(second.context))
        assert.deepStrictEqual(ascending([...finished, ...others]), range(0, count))
        assert.isFalse(yield* second.stop)
      }).pipe(Effect.provide(layer)))
  }

  it.effect("a stop before any consumer loses nothing", () =>
    Effect.gen(function*() {
      const { context, count, stop } = yield* filled
      yield* Effect.andThen(channelOf("t", "c"), TestClock.adjust("5 seconds")).pipe(Effect.provideContext(context))
      assert.isFalse(yield* stop)
      yield* fillUp
      const second = yield* start(memQueueSize)
      const numbers = yield* Effect.flatMap(join("t", "c", 10), (joined) => finish(joined, count)).pipe(
        Effect.scoped,
        Effect.provideContext(second.context)
      )
      assert.deepStrictEqual(ascending(numbers), range(0, count))
      assert.isFalse(yield* second.stop)
    }).pipe(Effect.provide(layer)))

  it.effect("a kill in the middle loses nothing", () =>
    Effect.gen(function*() {
      const { context, count, kill } = yield* filled
      const finished = yield* Effect.gen(function*() {
        const joined = yield* join("t", "c", 10)
        const numbers = yield* finish(joined, 50)
        yield* TestClock.adjust("1 second")
        yield* kill
        return numbers
      }).pipe(Effect.scoped, Effect.provideContext(context))
      const second = yield* start(memQueueSize)
      // What was in memory only is lost, as after any kill.
      const left = range(0, count).filter((number) => !finished.includes(number))
      const expected = memQueueSize === 0 ? left : left.filter((number) => number >= memQueueSize)
      yield* Effect.gen(function*() {
        const joined = yield* join("t", "c", 10)
        const numbers = yield* finish(joined, expected.length)
        assert.deepStrictEqual(ascending(numbers).filter((number) => number >= memQueueSize), expected)
        assert.deepStrictEqual(yield* finishAll(joined), [])
      }).pipe(Effect.scoped, Effect.provideContext(second.context))
      yield* second.stop
    }).pipe(Effect.provide(layer)))

  it.effect("with several channels, each gets every message once, at the pace of the slowest", () =>
    Effect.gen(function*() {
      const { context, count, stop } = yield* filled
      yield* Effect.gen(function*() {
        yield* paused(true)
        const topic = yield* topicOf("t")
        const slow = yield* channelOf("t", "slow")
        const fast = yield* join("t", "fast", 10_000)
        yield* paused(false)
        const first = yield* finishAll(fast)
        assert.isAbove(first.length, 0)
        assert.isBelow(first.length, count)
        assert.strictEqual(slow.depth + topic.depth, count)
        const last = yield* join("t", "slow", 10)
        const [ofFast, ofSlow] = yield* Effect.all([finish(fast, count - first.length), finish(last, count)], {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(ascending([...first, ...ofFast]), range(0, count))
        assert.deepStrictEqual(ascending(ofSlow), range(0, count))
        assert.deepStrictEqual([yield* finishAll(fast), yield* finishAll(last)], [[], []])
        assert.deepStrictEqual([topic.depth, slow.unfinished, fast.channel.unfinished], [0, 0, 0])
      }).pipe(Effect.scoped, Effect.provideContext(context))
      assert.isFalse(yield* stop)
    }).pipe(Effect.provide(layer)))

  it.effect("a channel that can write and one that cannot get every message once", () =>
    Effect.gen(function*() {
      const faulty = yield* FaultyDisk
      const running = yield* start(memQueueSize)
      const count = 200
      yield* Effect.gen(function*() {
        yield* Effect.forEach(range(0, count), (number) => send("t", bodyOf(number)))
        yield* paused(true)
        const able = yield* channelOf("t", "able")
        const unable = yield* channelOf("t", "unable")
        faulty.fail((operation, path) => operation === "write" && path.includes("unable.diskqueue") ? "EIO" : undefined)
        yield* paused(false)
        const topic = yield* topicOf("t")
        yield* TestClock.adjust("5 seconds")
        assert.isAbove(topic.depth, 0)
        assert.deepStrictEqual([able.depth + topic.depth, unable.depth + topic.depth], [count, count])
        // More is handed over once the second one has delivered what it could not write.
        const ofUnable = yield* Effect.scoped(Effect.flatMap(join("t", "unable", 10), (joined) => finish(joined, 100)))
        assert.isBelow(topic.depth, count - 100)
        faulty.fail(undefined)
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual([topic.depth, able.depth, unable.unfinished], [0, count, count - 100])
        assert.deepStrictEqual(ascending(yield* finish(yield* join("t", "able", 10), count)), range(0, count))
        const rest = yield* finish(yield* join("t", "unable", 10), count - 100)
        assert.deepStrictEqual(ascending([...ofUnable, ...rest]), range(0, count))
      }).pipe(Effect.scoped, Effect.provideContext(running.context))
      assert.isFalse(yield* running.stop)
    }).pipe(Effect.provide(layer)))

  it.effect("a channel that is created later gets what the topic still has, and nothing twice", () =>
    Effect.gen(function*() {
      const { context, count, stop } = yield* filled
      yield* Effect.gen(function*() {
        const topic = yield* topicOf("t")
        const first = yield* join("t", "first", 10)
        const before = yield* finish(first, 100)
        const later = yield* join("t", "later", 10)
        const left = topic.depth
        const [ofFirst, ofLater] = yield* Effect.all([finish(first, count - before.length), finish(later, left)], {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(ascending([...before, ...ofFirst]), range(0, count))
        assert.strictEqual(new Set(ofLater).size, left)
        assert.deepStrictEqual(yield* finishAll(later), [])
      }).pipe(Effect.scoped, Effect.provideContext(context))
      assert.isFalse(yield* stop)
    }).pipe(Effect.provide(layer)))

  it.effect("while the topic is paused, a channel gets only what it has; afterwards the rest", () =>
    Effect.gen(function*() {
      const { context, count, stop } = yield* filled
      yield* Effect.gen(function*() {
        const topic = yield* topicOf("t")
        const joined = yield* join("t", "c", 10)
        const before = yield* finish(joined, 100)
        yield* paused(true)
        const { depth } = topic
        const meanwhile = yield* finishAll(joined)
        assert.strictEqual(topic.depth, depth)
        assert.strictEqual(before.length + meanwhile.length + depth, count)
        yield* paused(false)
        const after = yield* finish(joined, depth)
        assert.deepStrictEqual(ascending([...before, ...meanwhile, ...after]), range(0, count))
      }).pipe(Effect.scoped, Effect.provideContext(context))
      assert.isFalse(yield* stop)
    }).pipe(Effect.provide(layer)))

  it.effect("a channel that is emptied or deleted does not stop the others any more", () =>
    Effect.gen(function*() {
      const { context, count, stop } = yield* filled
      yield* Effect.gen(function*() {
        const broker = yield* Broker
        yield* paused(true)
        yield* channelOf("t", "emptied")
        yield* channelOf("t", "deleted")
        const joined = yield* join("t", "c", 10_000)
        yield* paused(false)
        const first = yield* finishAll(joined)
        yield* broker.deleteChannel("t", "deleted")
        assert.deepStrictEqual(yield* finishAll(joined), [])
        yield* (yield* channelOf("t", "emptied")).empty
        const second = yield* finishAll(joined)
        assert.isAbove(second.length, 0)
        yield* broker.deleteChannel("t", "emptied")
        const rest = yield* finish(joined, count - first.length - second.length)
        assert.deepStrictEqual(ascending([...first, ...second, ...rest]), range(0, count))
        yield* TestClock.adjust("2 seconds")
        yield* send("t", bodyOf(count))
      }).pipe(Effect.scoped, Effect.provideContext(context))
      assert.isFalse(yield* stop)
    }).pipe(Effect.provide(layer)))

  it.effect("what channels have of a topic that is emptied survives a stop", () =>
    Effect.gen(function*() {
      const { context, stop } = yield* filled
      const left = yield* Effect.gen(function*() {
        const joined = yield* join("t", "c", 10)
        yield* finish(joined, 50)
        const topic = yield* topicOf("t")
        yield* topic.empty
        assert.strictEqual(topic.depth, 0)
        return joined.channel.unfinished
      }).pipe(Effect.scoped, Effect.provideContext(context))
      assert.isAbove(left, 0)
      assert.isFalse(yield* stop)
      const second = yield* start(memQueueSize)
      yield* Effect.gen(function*() {
        const joined = yield* join("t", "c", 10)
        assert.strictEqual((yield* finish(joined, left)).length, left)
        assert.deepStrictEqual(yield* finishAll(joined), [])
      }).pipe(Effect.scoped, Effect.provideContext(second.context))
      assert.isFalse(yield* second.stop)
    }).pipe(Effect.provide(layer)))

  it.effect("a stop with a fast and a slow channel loses nothing", () =>
    Effect.gen(function*() {
      const { context, count, stop } = yield* filled
      const before = yield* Effect.gen(function*() {
        yield* paused(true)
        yield* channelOf("t", "slow")
        const fast = yield* join("t", "fast", 10_000)
        yield* paused(false)
        return yield* finishAll(fast)
      }).pipe(Effect.scoped, Effect.provideContext(context))
      assert.isFalse(yield* stop)
      yield* fillUp
      const second = yield* start(memQueueSize)
      yield* Effect.gen(function*() {
        const fast = yield* join("t", "fast", 10)
        const slow = yield* join("t", "slow", 10)
        const [ofFast, ofSlow] = yield* Effect.all([finish(fast, count - before.length), finish(slow, count)], {
          concurrency: "unbounded"
        })
        assert.deepStrictEqual(ascending(ofSlow), range(0, count))
        const ofBoth = new Set([...before, ...ofFast, ...yield* finishAll(fast)])
        assert.strictEqual(ofBoth.size, count)
      }).pipe(Effect.scoped, Effect.provideContext(second.context))
      assert.isFalse(yield* second.stop)
    }).pipe(Effect.provide(layer)))
})

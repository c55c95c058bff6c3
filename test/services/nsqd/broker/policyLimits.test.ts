/** Limits of policies: of topics and channels, in memory and in a log. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import { joinBodies, Policies, Publisher } from "../../../../src/broker.ts"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import type { PublishedBodies } from "../../../../src/protocol/client/MessageBatch.ts"
import { TopicName } from "../../../../src/protocol/client/Names.ts"
import type { Policy } from "../../../../src/protocol/http/PoliciesResponse.ts"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import { FaultyDisk, until, untilIdle } from "../../../../src/testing/index.ts"
import { layer as durable, start } from "./durable.ts"
import { gatedReads, gatedWrites } from "./gatedReads.ts"
import { brokerWith, channelOf, join, numbers, send, topicOf } from "./testing.ts"

const put = (policy: Policy) => Policies.use((policies) => policies.put(policy))

const refusal = <A, R>(sent: Effect.Effect<A, { readonly message: string }, R>) =>
  Effect.map(Effect.flip(sent), ({ message }) => message)

/** Publishes bodies of one byte as PUBs of their own, of which some are refused. */
const pubs = (count: number) => {
  const bytes = Buffer.alloc(count * 6)
  for (let i = 0; i < count; i++) bytes.writeInt32BE(1, i * 6)
  const bodies: PublishedBodies = { bytes, start: 0, gap: 1, count, bodyBytes: count }
  const publish = Publisher.use(({ publish }) => publish(TopicName.make("t"), bodies, 0) ?? Effect.void)
  return Effect.map(
    Effect.flip(publish),
    (error) => error._tag === "BrokerError" ? [error.accepted, error.reason._tag] : [0, error._tag]
  )
}

const refusesDepth = Effect.gen(function*() {
  yield* put({ match: "t", max_depth: 3 })
  const { channel, recording, subscription } = yield* join("t", "c", 10)
  const other = yield* channelOf("t", "other")
  yield* send("t", "a", "b")
  yield* untilIdle
  assert.strictEqual(yield* refusal(send("t", "c", "d")), "topic t has 2 unfinished messages of 3 (max_depth)")
  yield* send("t", "c")
  yield* untilIdle
  assert.strictEqual(channel.unfinished, 3)
  yield* refusal(send("t", "d"))
  assert.strictEqual((yield* topicOf("t")).rejectedCount, 3)
  for (const { id } of recording.take()) subscription.finish(messageKey(Buffer.from(id)))
  // The other channel still has all of them.
  yield* refusal(send("t", "d"))
  yield* other.empty
  yield* send("t", "d")
  yield* Policies.use(({ remove }) => remove("t"))
  yield* send("t", ...numbers(10))
})

const dropsOldest = Effect.gen(function*() {
  yield* put({ match: "t", max_depth: 5, on_full: "drop_oldest" })
  const channel = yield* channelOf("t", "c")
  yield* send("t", ...numbers(20))
  yield* untilIdle
  yield* send("t", "last")
  yield* untilIdle
  assert.strictEqual(channel.depth, 5)
  assert.strictEqual(channel.droppedCount, 16)
  const { recording } = yield* join("t", "c", 10)
  yield* until(() => recording.bodies().length === 5)
  assert.deepStrictEqual(recording.bodies(), ["m16", "m17", "m18", "m19", "last"])
})

const inMemory = brokerWith()

describe("limits of a topic", () => {
  it.effect("max_depth refuses what has no room beside the largest channel", () =>
    refusesDepth.pipe(Effect.provide(inMemory)))

  it.effect("max_depth of a durable topic does the same", () =>
    Effect.gen(function*() {
      const broker = yield* start()
      yield* broker.run(refusesDepth)
      yield* broker.stop
    }).pipe(Effect.provide(durable)))

  it.effect("messages of a durable topic count once for max_depth: from the publish on, and in the moment when they are stored", () =>
    Effect.gen(function*() {
      const broker = yield* start()
      yield* broker.run(Effect.gen(function*() {
        yield* put({ match: "t", max_depth: 3 })
        const channel = yield* channelOf("t", "c")
        const log = (yield* topicOf("t")).log!
        const { publish } = yield* Publisher
        const put1 = (body: string) => publish(TopicName.make("t"), joinBodies([Buffer.from(body)]), 0) ?? Effect.void
        const before = ["a", "b"].map(put1)
        const during: Array<ReturnType<typeof put1>> = []
        log.commits.afterCommit(() => during.push(put1("c"), put1("refused")))
        const outcomes = yield* Effect.forEach(before, Effect.exit)
        assert.isTrue(outcomes.every(Exit.isSuccess))
        assert.deepStrictEqual((yield* Effect.forEach(during, Effect.exit)).map(Exit.isSuccess), [true, false])
        yield* untilIdle
        assert.strictEqual(channel.unfinished, 3)
        const together = [put1("refused, too"), put1("and this")]
        assert.deepStrictEqual((yield* Effect.forEach(together, Effect.exit)).map(Exit.isSuccess), [false, false])
        yield* channel.empty
        const more = ["d", "e", "f", "g"].map(put1)
        assert.deepStrictEqual((yield* Effect.forEach(more, Effect.exit)).map(Exit.isSuccess), [
          true,
          true,
          true,
          false
        ])
      }))
      yield* broker.stop
    }).pipe(Effect.provide(durable)))

  it.effect("messages count for max_depth while a channel without room in memory writes them to disk", () =>
    Effect.gen(function*() {
      const { disk, writes } = yield* gatedWrites
      const broker = yield* start({ durability: "memory", memQueueSize: 1 }).pipe(Effect.provideService(Disk, disk))
      yield* broker.run(Effect.gen(function*() {
        yield* put({ match: "t", max_depth: 2 })
        const channel = yield* channelOf("t", "c")
        yield* writes.close
        yield* send("t", "a")
        yield* untilIdle
        yield* send("t", "b")
        yield* untilIdle
        assert.deepStrictEqual([channel.depth, channel.backendDepth], [2, 0])
        assert.strictEqual(yield* refusal(send("t", "c")), "topic t has 2 unfinished messages of 2 (max_depth)")
        yield* writes.open
        yield* untilIdle
        assert.deepStrictEqual([channel.depth, channel.backendDepth], [2, 1])
        yield* channel.empty
        yield* send("t", "d", "e")
      }))
      yield* broker.stop
    }).pipe(Effect.provide(durable)))

  for (const memQueueSize of [0, 3, 10_000]) {
    it.effect(`drop_oldest removes the oldest waiting messages (memory queue of ${memQueueSize})`, () =>
      dropsOldest.pipe(Effect.provide(brokerWith({ memQueueSize }))))
  }

  it.effect("drop_oldest removes messages of a durable topic, which stay removed after a restart", () =>
    Effect.gen(function*() {
      const broker = yield* start()
      yield* broker.run(dropsOldest)
      yield* broker.stop
      const again = yield* start()
      yield* again.run(Effect.gen(function*() {
        assert.strictEqual((yield* channelOf("t", "c")).depth, 5)
      }))
      yield* again.stop
    }).pipe(Effect.provide(durable)))

  it.effect("a limit that is removed while the oldest messages are read drops none of them", () =>
    Effect.gen(function*() {
      const broker = yield* start()
      yield* broker.run(Effect.andThen(channelOf("t", "c"), send("t", ...numbers(10))))
      yield* broker.stop
      const { disk, reads } = yield* gatedReads
      const again = yield* start().pipe(Effect.provideService(Disk, disk))
      yield* again.run(Effect.gen(function*() {
        const channel = yield* channelOf("t", "c")
        yield* reads.close
        yield* put({ match: "t", max_depth: 2, on_full: "drop_oldest" })
        yield* untilIdle
        yield* Policies.use(({ remove }) => remove("t"))
        yield* reads.open
        yield* untilIdle
        assert.deepStrictEqual([channel.depth, channel.droppedCount], [10, 0])
      }))
      yield* again.stop
    }).pipe(Effect.provide(durable)))

  it.effect("of PUBs that arrive together, those that have room are accepted", () =>
    Effect.gen(function*() {
      yield* put({ match: "t", max_depth: 3 })
      yield* channelOf("t", "c")
      assert.deepStrictEqual(yield* pubs(5), [3, "TopicFull"])
      assert.strictEqual((yield* topicOf("t")).messageCount, 3)
    }).pipe(Effect.provide(inMemory)))

  it.effect("max_bytes counts the bodies of unfinished messages", () =>
    Effect.gen(function*() {
      yield* put({ match: "t", max_bytes: 100 })
      const { recording, subscription } = yield* join("t", "c", 10)
      yield* send("t", "x".repeat(60))
      yield* untilIdle
      assert.include(yield* refusal(send("t", "x".repeat(41))), "topic t has 60 bytes of unfinished messages of 100")
      yield* send("t", "x".repeat(40))
      yield* untilIdle
      // The oldest message is finished, and its 60 bytes have room again.
      subscription.finish(messageKey(Buffer.from(recording.take()[0]!.id)))
      yield* refusal(send("t", "x".repeat(61)))
      yield* send("t", "x".repeat(60))
    }).pipe(Effect.provide(inMemory)))

  it.effect("max_bytes of one topic lets nothing be read of others", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const broker = yield* start()
      yield* broker.run(Effect.gen(function*() {
        yield* Publisher.use(({ publish }) =>
          publish(TopicName.make("other"), joinBodies([Buffer.from("x")]), 0) ?? Effect.void
        )
        const operationsOf = Effect.fnUntraced(function*(policy: Policy) {
          const before = disk.operations()
          yield* put(policy)
          yield* TestClock.adjust("1 minute")
          return disk.operations() - before
        })
        yield* TestClock.adjust("1 minute")
        // To remember the policy.
        const usual = yield* operationsOf({ match: "t", max_depth: 100 })
        assert.strictEqual(yield* operationsOf({ match: "t", max_bytes: 100 }), usual)
        assert.isAbove(yield* operationsOf({ match: "other", max_bytes: 100 }), usual)
      }))
      yield* broker.stop
    }).pipe(Effect.provide(durable)))

  for (const durability of ["memory", "written", "synced"] as const) {
    it.effect(`max_bytes counts messages from before a restart by their own size, not that of later ones (${durability})`, () =>
      Effect.gen(function*() {
        const options = { durability, memQueueSize: 0, segmentSize: 16_384 }
        const first = yield* start(options)
        yield* first.run(Effect.gen(function*() {
          yield* put({ match: "t", max_bytes: 120_000, on_full: "drop_oldest" })
          yield* channelOf("t", "c")
          for (let i = 0; i < 100; i++) yield* send("t", "x".repeat(1000))
          yield* untilIdle
        }))
        yield* first.stop
        const second = yield* start(options)
        yield* second.run(Effect.gen(function*() {
          const channel = yield* channelOf("t", "c")
          yield* send("t", "x".repeat(10_000))
          yield* untilIdle
          assert.deepStrictEqual([channel.depth, channel.droppedCount], [101, 0])
          yield* send("t", "x".repeat(20_000))
          yield* untilIdle
          // 130,000 bytes exceed the limit by about ten of the old messages.
          assert.isAtLeast(channel.depth, 90)
          assert.isAtMost(channel.depth, 93)
        }))
        yield* second.stop
      }).pipe(Effect.provide(durable)))
  }

  it.effect("a topic without channels refuses messages, because nothing of it can be dropped", () =>
    Effect.gen(function*() {
      yield* put({ match: "t", max_depth: 2, on_full: "drop_oldest" })
      yield* send("t", "a", "b")
      assert.include(yield* refusal(send("t", "c")), "topic t has 2 unfinished messages of 2")
    }).pipe(Effect.provide(inMemory)))

  it.effect("publish_rate refuses messages above it, and an MPUB that is larger than a second's when there is enough", () =>
    Effect.gen(function*() {
      yield* put({ match: "t", publish_rate: 10 })
      yield* send("t", ...numbers(10))
      assert.strictEqual(yield* refusal(send("t", "more")), "topic t takes 10 messages per second (publish_rate)")
      yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual(yield* pubs(8), [5, "RateLimit"])
      yield* TestClock.adjust("1 seconds")
      yield* send("t", ...numbers(20))
      yield* TestClock.adjust("1 seconds")
      yield* refusal(send("t", "more"))
    }).pipe(Effect.provide(inMemory)))
})

describe("limits of a channel", () => {
  it.effect("max_depth with reject refuses publishes to its topic", () =>
    Effect.gen(function*() {
      yield* put({ match: "t/slow", max_depth: 1 })
      yield* channelOf("t", "slow")
      yield* channelOf("t", "fast")
      yield* send("t", "a")
      yield* untilIdle
      assert.strictEqual(yield* refusal(send("t", "b")), "channel t:slow has 1 unfinished messages of 1 (max_depth)")
    }).pipe(Effect.provide(inMemory)))

  it.effect("drop_oldest of a channel leaves other channels alone, and does not touch messages in flight", () =>
    Effect.gen(function*() {
      yield* put({ match: "t/slow", max_depth: 3, on_full: "drop_oldest" })
      const slow = yield* join("t", "slow", 2)
      const fast = yield* channelOf("t", "fast")
      yield* send("t", ...numbers(6))
      yield* untilIdle
      assert.deepStrictEqual([slow.channel.inFlightCount, slow.channel.depth, fast.depth], [2, 1, 6])
      assert.strictEqual(slow.channel.droppedCount, 3)
    }).pipe(Effect.provide(inMemory)))

  it.effect("a limit that is set applies to messages that wait already", () =>
    Effect.gen(function*() {
      const channel = yield* channelOf("t", "c")
      yield* send("t", ...numbers(10))
      yield* untilIdle
      yield* put({ match: "t/c", max_depth: 4, on_full: "drop_oldest" })
      yield* untilIdle
      assert.strictEqual(channel.depth, 4)
    }).pipe(Effect.provide(inMemory)))
})

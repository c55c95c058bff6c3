/** Dead letters: messages that reach the limit of attempts, are rejected or have no room, in memory and in a log. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Result } from "effect"
import { TestClock } from "effect/testing"
import { Broker, Policies, publish, Publisher } from "../../../../src/broker.ts"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import { TopicName } from "../../../../src/protocol/client/Names.ts"
import type { Policy } from "../../../../src/protocol/http/PoliciesResponse.ts"
import * as Time from "../../../../src/services/core/Time.ts"
import { Turns } from "../../../../src/services/core/Turns.ts"
import * as BodyFilter from "../../../../src/services/nsqd/broker/BodyFilter.ts"
import { browse } from "../../../../src/services/nsqd/broker/Browsing.ts"
import { redrive, type RedriveTarget } from "../../../../src/services/nsqd/broker/Redrive.ts"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import { FaultyDisk, type Idle, until, untilIdle } from "../../../../src/testing/index.ts"
import { layer as durable, start } from "./durable.ts"
import { gatedReads } from "./gatedReads.ts"
import { brokerWith, channelOf, join, type Joined, numbers, send, topicOf } from "./testing.ts"

const put = (policy: Policy) => Policies.use((policies) => policies.put(policy))

const inMemory = brokerWith()

/** All bodies. */
const filter = Result.getOrThrow(
  BodyFilter.make({ contains: undefined, json: undefined, regex: undefined }, () => Result.fail(undefined))
)

const received = Effect.fnUntraced(function*({ recording }: Joined, count: number) {
  yield* until(() => recording.bodies().length >= count)
  return recording.take()
})

const next = (joined: Joined) => Effect.map(received(joined, 1), ([message]) => message!)

const keyOf = ({ id }: { readonly id: string }) => messageKey(Buffer.from(id))

/** Requeue and timeout count, and the message arrives in the dead-letter topic with its origin. */
const limited = Effect.gen(function*() {
  yield* put({ match: "t", max_attempts: 3 })
  const consumer = yield* join("t", "c", 1, { msgTimeout: 1000 })
  yield* publish("t", Buffer.from("bad"), { headers: { key: "1" } })
  const first = yield* next(consumer)
  consumer.subscription.requeue(keyOf(first), 0)
  yield* next(consumer)
  yield* TestClock.adjust("1 seconds")
  const last = yield* next(consumer)
  assert.strictEqual(last.attempts, 3)
  assert.strictEqual(consumer.subscription.requeue(keyOf(last), 5000), "done")
  yield* until(() => consumer.channel.deadLetterCount === 1)
  assert.strictEqual(consumer.channel.unfinished, 0)
  const dead = yield* join("t.dlq", "c", 1, { readsHeaders: true })
  const letter = yield* next(dead)
  assert.strictEqual(letter.body, "bad")
  assert.deepStrictEqual(letter.headers, {
    key: "1",
    "nsq-origin-topic": "t",
    "nsq-origin-channel": "c",
    "nsq-origin-id": first.id,
    "nsq-origin-timestamp": String(first.timestamp),
    "nsq-origin-attempts": "3",
    "nsq-dead-reason": "max_attempts"
  })
})

describe("max_attempts", () => {
  it.effect("moves a message after its last delivery, with its origin", () => limited.pipe(Effect.provide(inMemory)))

  it.effect("moves a message of a durable topic, whose dead-letter topic becomes as durable", () =>
    Effect.gen(function*() {
      const broker = yield* start({ durability: "memory", topicDurability: ["t=synced"] })
      yield* broker.run(limited)
      yield* broker.run(Effect.gen(function*() {
        assert.strictEqual((yield* topicOf("t.dlq")).durability, "synced")
      }))
      yield* broker.stop
      const again = yield* start({ durability: "memory", topicDurability: ["t=synced"] })
      yield* again.run(Effect.gen(function*() {
        assert.strictEqual((yield* channelOf("t", "c")).unfinished, 0)
        assert.strictEqual((yield* channelOf("t.dlq", "c")).unfinished, 1)
      }))
      yield* again.stop
    }).pipe(Effect.provide(durable)))

  it.effect("a disconnect counts only if it is configured", () =>
    Effect.gen(function*() {
      yield* put({ match: "t", max_attempts: 1 })
      const channel = yield* channelOf("t", "c")
      yield* send("t", "a")
      const attempt = Effect.scoped(Effect.gen(function*() {
        const consumer = yield* join("t", "c", 1)
        return (yield* next(consumer)).attempts
      }))
      assert.deepStrictEqual([yield* attempt, yield* attempt], [1, 1])
      yield* put({ match: "t", max_attempts: 1, count_disconnects: true })
      assert.strictEqual(yield* attempt, 1)
      yield* until(() => channel.deadLetterCount === 1)
      assert.strictEqual(channel.unfinished, 0)
    }).pipe(Effect.provide(inMemory)))

  it.effect("a message stays while the dead-letter topic does not take it, and is moved when it does", () =>
    Effect.gen(function*() {
      yield* put({ match: "t", max_attempts: 1 })
      yield* put({ match: "t.dlq", max_depth: 1 })
      yield* send("t.dlq", "first")
      const consumer = yield* join("t", "c", 1)
      yield* send("t", "a")
      const { id } = yield* next(consumer)
      consumer.subscription.requeue(keyOf({ id }), 0)
      yield* untilIdle
      assert.deepStrictEqual([consumer.channel.inFlightCount, consumer.channel.deadLetterCount], [1, 0])
      assert.strictEqual(consumer.subscription.finish(keyOf({ id })), "not in flight")
      yield* Effect.flatMap(topicOf("t.dlq"), ({ empty }) => empty)
      yield* TestClock.adjust("2 seconds")
      yield* until(() => consumer.channel.deadLetterCount === 1)
      assert.strictEqual((yield* topicOf("t.dlq")).depth, 1)
    }).pipe(Effect.provide(inMemory)))

  it.effect("a topic that takes the dead letters of its own channels can be moved while one of them is stored", () =>
    Effect.gen(function*() {
      const first = yield* start({ durability: "written" })
      const large = ["a", "b"].map((body) => body.repeat(600_000))
      yield* first.run(Effect.gen(function*() {
        yield* put({ match: "*", dead_letter: "dead" })
        yield* channelOf("dead", "c")
        for (const body of large) yield* send("dead", body)
      }))
      yield* first.stop
      const { disk, reads } = yield* gatedReads
      const second = yield* start({ durability: "written" }).pipe(Effect.provideService(Disk, disk))
      yield* second.run(Effect.gen(function*() {
        const consumer = yield* join("dead", "c", 1)
        const message = yield* next(consumer)
        yield* reads.close
        consumer.subscription.setReady(2)
        yield* untilIdle
        const moving = yield* Effect.forkChild(Broker.use(({ setDurability }) => setDurability("dead", "synced")))
        yield* untilIdle
        assert.strictEqual(consumer.subscription.reject(keyOf(message), "bad"), "done")
        yield* untilIdle
        yield* reads.open
        assert.strictEqual(yield* Fiber.join(moving), "synced")
        yield* until(() => consumer.recording.bodies().length === 2)
        assert.sameMembers(consumer.recording.bodies().map(([first]) => first!), ["a", "b"])
      })).pipe(Effect.scoped)
      yield* second.stop
    }).pipe(Effect.provide(durable)))

  it.effect("more messages than the dead-letter topic takes are moved as it gets room for them", () =>
    Effect.gen(function*() {
      yield* put({ match: "t.dlq", max_depth: 3 })
      yield* channelOf("t.dlq", "all")
      const consumer = yield* join("t", "c", 100)
      yield* send("t", ...numbers(20))
      for (const message of yield* received(consumer, 20)) consumer.subscription.reject(keyOf(message), "bad")
      yield* untilIdle
      assert.deepStrictEqual([consumer.channel.inFlightCount, consumer.channel.deadLetterCount], [17, 3])
      const dead = yield* join("t.dlq", "all", 100)
      const letters: Array<string> = []
      for (let i = 0; i < 100 && letters.length < 20; i++) {
        for (const letter of dead.recording.take()) {
          letters.push(letter.body)
          dead.subscription.finish(keyOf(letter))
        }
        yield* TestClock.adjust("2 seconds")
        yield* untilIdle
      }
      assert.sameMembers(letters, [...numbers(20)])
      assert.deepStrictEqual([consumer.channel.inFlightCount, consumer.channel.deadLetterCount], [0, 20])
    }).pipe(Effect.scoped, Effect.provide(inMemory)))

  it.effect("a message that is too large for the dead-letter topic does not hold up the others", () =>
    Effect.gen(function*() {
      yield* put({ match: "t.dlq", max_bytes: 100 })
      const consumer = yield* join("t", "c", 100)
      yield* send("t", "x".repeat(200), ...numbers(5))
      for (const message of yield* received(consumer, 6)) consumer.subscription.reject(keyOf(message), "bad")
      yield* untilIdle
      yield* TestClock.adjust("10 seconds")
      yield* untilIdle
      assert.deepStrictEqual([consumer.channel.inFlightCount, consumer.channel.deadLetterCount], [1, 5])
      yield* Policies.use(({ remove }) => remove("t.dlq"))
      yield* TestClock.adjust("2 seconds")
      yield* until(() => consumer.channel.deadLetterCount === 6)
    }).pipe(Effect.scoped, Effect.provide(inMemory)))

  it.effect("a message that waits for the dead-letter topic is not moved if the channel is rewound to it", () =>
    Effect.gen(function*() {
      const broker = yield* start()
      yield* broker.run(
        Effect.gen(function*() {
          yield* put({ match: "t", max_attempts: 1 })
          yield* put({ match: "t.dlq", max_depth: 1 })
          yield* send("t.dlq", "first")
          const consumer = yield* join("t", "c", 1)
          yield* send("t", "a")
          consumer.subscription.requeue(keyOf(yield* next(consumer)), 0)
          yield* untilIdle
          yield* consumer.channel.seek(1)
          assert.strictEqual((yield* next(consumer)).body, "a")
          yield* Effect.flatMap(topicOf("t.dlq"), ({ empty }) => empty)
          yield* TestClock.adjust("5 seconds")
          yield* untilIdle
          assert.strictEqual((yield* topicOf("t.dlq")).depth, 0)
          assert.deepStrictEqual([consumer.channel.inFlightCount, consumer.channel.deadLetterCount], [1, 0])
        }).pipe(Effect.scoped)
      )
      yield* broker.stop
    }).pipe(Effect.provide(durable)))

  it.effect("a message that waits for the dead-letter topic is shown as in flight, and can be deleted", () =>
    Effect.gen(function*() {
      const broker = yield* start()
      yield* broker.run(
        Effect.gen(function*() {
          yield* put({ match: "t", max_attempts: 1 })
          yield* put({ match: "t.dlq", max_depth: 1 })
          yield* send("t.dlq", "first")
          const consumer = yield* join("t", "c", 2)
          const { channel, subscription } = consumer
          yield* send("t", "a", "b")
          for (const message of yield* received(consumer, 2)) subscription.requeue(keyOf(message), 0)
          yield* untilIdle
          const { log } = yield* topicOf("t")
          const query = {
            channel,
            states: new Set(["in_flight"] as const),
            from: 1,
            limit: 10,
            filter,
            bodyBytes: 10,
            budget: 3_600_000
          } as const
          const { messages } = yield* browse(log!, query, yield* Time.make, yield* Turns)
          assert.deepStrictEqual(messages.map(({ body, held }) => [body.toString(), held]), [
            ["a", undefined],
            ["b", undefined]
          ])
          assert.isTrue(yield* channel.drop(messages[0]!.sequence))
          assert.isFalse(yield* channel.drop(messages[0]!.sequence))
          assert.strictEqual(channel.unfinished, 1)
          const dead = yield* topicOf("t.dlq")
          yield* dead.empty
          yield* TestClock.adjust("5 seconds")
          yield* until(() => channel.deadLetterCount === 1)
          assert.deepStrictEqual([dead.depth, channel.unfinished], [1, 0])
        }).pipe(Effect.scoped)
      )
      yield* broker.stop
    }).pipe(Effect.provide(durable)))

  it.effect("a message that waits for the dead-letter topic is kept over a restart", () =>
    Effect.gen(function*() {
      const broker = yield* start()
      yield* broker.run(
        Effect.gen(function*() {
          yield* put({ match: "t", max_attempts: 1 })
          yield* put({ match: "t.dlq", max_depth: 1 })
          yield* send("t.dlq", "first")
          const consumer = yield* join("t", "c", 1)
          yield* send("t", "a")
          consumer.subscription.requeue(keyOf(yield* next(consumer)), 0)
          yield* untilIdle
        }).pipe(Effect.scoped)
      )
      yield* broker.stop
      const again = yield* start()
      yield* again.run(
        Effect.gen(function*() {
          const consumer = yield* join("t", "c", 1)
          const { attempts, body } = yield* next(consumer)
          assert.deepStrictEqual([body, attempts], ["a", 2])
        }).pipe(Effect.scoped)
      )
      yield* again.stop
    }).pipe(Effect.provide(durable)))

  it.effect("a pattern with wildcards does not apply to dead-letter topics", () =>
    Effect.gen(function*() {
      yield* put({ match: "*", max_attempts: 1 })
      const consumer = yield* join("t.dlq", "c", 1)
      assert.strictEqual(consumer.channel.policy.maxAttempts, 0)
      yield* put({ match: "t.dlq", max_attempts: 2, dead_letter: "lost" })
      assert.strictEqual(consumer.channel.policy.maxAttempts, 2)
    }).pipe(Effect.provide(inMemory)))
})

describe("rejected messages", () => {
  it.effect("a consumer rejects a message with a reason, and an operator one in flight to any consumer", () =>
    Effect.gen(function*() {
      yield* put({ match: "t/*", dead_letter: "dead.{topic}.{channel}" })
      const consumer = yield* join("t", "c", 2)
      yield* send("t", "a", "b")
      const [a, b] = yield* received(consumer, 2)
      assert.strictEqual(consumer.subscription.reject(keyOf(a!), "not\nJSON "), "done")
      assert.strictEqual(consumer.subscription.reject(keyOf(a!), "again"), "not in flight")
      assert.isTrue(consumer.channel.rejectAny(keyOf(b!), "by hand"))
      assert.isFalse(consumer.channel.rejectAny(keyOf(b!), "by hand"))
      const dead = yield* join("dead.t.c", "c", 2, { readsHeaders: true })
      const letters = yield* received(dead, 2)
      assert.deepStrictEqual(letters.map(({ headers }) => headers["nsq-dead-reason"]), ["not JSON", "by hand"])
    }).pipe(Effect.provide(inMemory)))

  it.effect("dead letters of an ephemeral topic are kept", () =>
    Effect.gen(function*() {
      const consumer = yield* join("t#ephemeral", "c#ephemeral", 1)
      yield* send("t#ephemeral", "a")
      consumer.subscription.reject(keyOf(yield* next(consumer)), "bad")
      yield* until(() => consumer.channel.deadLetterCount === 1)
      const broker = yield* Broker
      assert.strictEqual(broker.findTopic("t.dlq")?.depth, 1)
    }).pipe(Effect.provide(inMemory)))
})

describe("on_full with dead_letter", () => {
  for (const memQueueSize of [0, 10_000]) {
    it.effect(`moves the oldest waiting messages (memory queue of ${memQueueSize})`, () =>
      Effect.gen(function*() {
        yield* put({ match: "t", max_depth: 4, on_full: "dead_letter" })
        const channel = yield* channelOf("t", "c")
        yield* send("t", ...numbers(10))
        yield* until(() => channel.deadLetterCount === 6)
        assert.strictEqual(channel.depth, 4)
        const dead = yield* join("t.dlq", "c", 10, { readsHeaders: true })
        const letters = yield* received(dead, 6)
        assert.deepStrictEqual(letters.map(({ body }) => body), numbers(6))
        // The disk queues of this broker, which has no logs, have no headers.
        assert.strictEqual(letters[0]!.headers["nsq-origin-attempts"], memQueueSize === 0 ? undefined : "0")
      }).pipe(Effect.provide(brokerWith({ memQueueSize }))))
  }
})

describe("a durable dead letter", () => {
  it.effect("is in one of the topics after a kill at any write", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const broker = yield* start()
      yield* broker.run(
        Effect.gen(function*() {
          yield* put({ match: "t", max_attempts: 1 })
          const consumer = yield* join("t", "c", 1)
          yield* send("t", "a")
          const message = yield* next(consumer)
          disk.crashAt(3)
          consumer.subscription.requeue(keyOf(message), 0)
          yield* untilIdle
        }).pipe(Effect.scoped)
      )
      yield* broker.kill
      const again = yield* start()
      yield* again.run(
        Effect.gen(function*() {
          const origin = yield* channelOf("t", "c")
          const dead = yield* channelOf("t.dlq", "c")
          assert.isAtLeast(origin.unfinished + dead.unfinished, 1)
        }).pipe(Effect.scoped)
      )
      yield* again.stop
    }).pipe(Effect.provide(durable)))
})

describe("a loss of power", () => {
  it.effect("a message of a written topic that was durable is in one of the topics after a loss of power while it is moved", () =>
    Effect.gen(function*() {
      let moved = 0
      for (let operation = 0; operation < 30; operation++) {
        yield* Effect.gen(function*() {
          const disk = yield* FaultyDisk
          const first = yield* start({ durability: "written" })
          yield* first.run(Effect.gen(function*() {
            const consumer = yield* join("t", "c", 1)
            yield* channelOf("t.dlq", "c")
            yield* send("t", "a")
            const message = yield* next(consumer)
            yield* TestClock.adjust("5 seconds")
            disk.crashAt(operation)
            consumer.subscription.reject(keyOf(message), "bad")
            yield* untilIdle
            yield* TestClock.adjust("3 seconds")
            yield* untilIdle
          })).pipe(Effect.scoped)
          yield* first.stop
          disk.losePower()
          const second = yield* start({ durability: "written" })
          yield* second.run(Effect.gen(function*() {
            const [origin, dead] = [yield* channelOf("t", "c"), yield* channelOf("t.dlq", "c")]
            assert.isAtLeast(origin.unfinished + dead.unfinished, 1, `operation ${operation}`)
            moved += dead.unfinished
          }))
          yield* second.stop
        }).pipe(Effect.provide(durable, { local: true }))
      }
      assert.isAbove(moved, 0)
    }))

  it.effect("a redrive from a synced topic to a written one leaves each message in one of them", () =>
    Effect.gen(function*() {
      let moved = 0
      for (let operation = 1; operation < 40; operation++) {
        yield* Effect.gen(function*() {
          const disk = yield* FaultyDisk
          const first = yield* start()
          yield* first.run(Effect.gen(function*() {
            const channel = yield* channelOf("t.dlq", "c")
            yield* channelOf("t", "c")
            yield* Broker.use(({ setDurability }) => setDurability("t", "written"))
            yield* send("t.dlq", "a", "b", "c")
            yield* TestClock.adjust("5 seconds")
            yield* untilIdle
            const { log } = yield* topicOf("t.dlq")
            const counts = { scanned: 0, moved: 0, skipped: 0 }
            const query = { log: () => log, channel, id: undefined, filter, to: TopicName.make("t"), rate: 0 }
            disk.crashAt(operation)
            const running = yield* Effect.forkChild(redrive(query, yield* redriveTarget, yield* Turns, counts))
            yield* untilIdle
            // Changes of the channel are recorded and synced; a written topic is synced every two seconds.
            yield* TestClock.adjust("1 second")
            yield* untilIdle
            yield* Fiber.interrupt(running)
          })).pipe(Effect.scoped)
          disk.crashAt(0)
          yield* first.stop
          disk.losePower()
          const second = yield* start()
          yield* second.run(Effect.gen(function*() {
            const [dead, target] = [yield* channelOf("t.dlq", "c"), yield* channelOf("t", "c")]
            assert.isAtLeast(dead.unfinished + target.unfinished, 3, `operation ${operation}`)
            moved += target.unfinished
          }))
          yield* second.stop
        }).pipe(Effect.provide(durable, { local: true }))
      }
      assert.isAbove(moved, 0)
    }))
})

/** Publishes to the topics of the broker. */
const redriveTarget = Effect.map(Effect.all([Broker, Publisher]), ([broker, { publish }]): RedriveTarget => ({
  publish: (topic, bodies) => publish(topic, bodies, 0),
  log: (topic) => broker.findTopic(topic)?.log
}))

describe("a redrive beside a consumer", () => {
  it.effect("does not publish messages that the consumer has got or finished since the redrive has read them", () =>
    Effect.gen(function*() {
      const broker = yield* start()
      yield* broker.run(
        Effect.gen(function*() {
          const channel = yield* channelOf("t.dlq", "c")
          const target = yield* redriveTarget
          yield* send("t.dlq", "a", "b", "c", "d")
          yield* untilIdle
          const log = (yield* topicOf("t.dlq")).log!
          const to = TopicName.make("t")
          const counts = { scanned: 0, moved: 0, skipped: 0 }
          const running = yield* Effect.forkChild(redrive(
            { log: () => log, channel, id: undefined, filter, to, rate: 1 },
            target,
            yield* Turns,
            counts
          ))
          yield* untilIdle
          assert.strictEqual(counts.moved, 1)
          const consumer = yield* join("t.dlq", "c", 2)
          const [b] = yield* received(consumer, 2)
          consumer.subscription.finish(keyOf(b!))
          consumer.subscription.setReady(0)
          yield* TestClock.adjust("10 seconds")
          yield* Fiber.join(running)
          const topic = yield* topicOf("t")
          assert.strictEqual(topic.messageCount, counts.moved)
          assert.strictEqual(channel.unfinished, channel.inFlightCount)
          assert.strictEqual(counts.moved + 1 + channel.inFlightCount, 4)
        }).pipe(Effect.scoped)
      )
      yield* broker.stop
    }).pipe(Effect.provide(durable)))

  it.effect("finishes a message that the consumer gets while it is published", () =>
    Effect.gen(function*() {
      const broker = yield* start()
      yield* broker.run(
        Effect.gen(function*() {
          const channel = yield* channelOf("t.dlq", "c")
          yield* send("t.dlq", "a")
          yield* untilIdle
          const log = (yield* topicOf("t.dlq")).log!
          const consumer = yield* join("t.dlq", "c", 0)
          const context = yield* Effect.context<Idle>()
          const query = { log: () => log, channel, id: undefined, filter, to: TopicName.make("t"), rate: 0 }
          const deliver = Effect.gen(function*() {
            consumer.subscription.setReady(1)
            yield* untilIdle
          })
          const target = { publish: () => Effect.provideContext(deliver, context), log: () => undefined }
          yield* redrive(query, target, yield* Turns, {
            scanned: 0,
            moved: 0,
            skipped: 0
          })
          const [message] = consumer.recording.take()
          assert.strictEqual(channel.unfinished, 0)
          assert.strictEqual(consumer.subscription.finish(keyOf(message!)), "not in flight")
        }).pipe(Effect.scoped)
      )
      yield* broker.stop
    }).pipe(Effect.provide(durable)))
})

describe("a redrive while its topic changes", () => {
  /** Redrives four messages, one per second; `change` runs after the first. Returns how many were published, and the failure. */
  const changing = <E, R>(change: Effect.Effect<void, E, R>) =>
    Effect.gen(function*() {
      const topic = yield* topicOf("t.dlq")
      const channel = yield* channelOf("t.dlq", "c")
      const target = yield* redriveTarget
      yield* send("t.dlq", "a", "b", "c", "d")
      yield* untilIdle
      const query = { log: () => topic.log, channel, id: undefined, filter, to: TopicName.make("t"), rate: 1 }
      const counts = { scanned: 0, moved: 0, skipped: 0 }
      const running = yield* Effect.forkChild(Effect.exit(
        redrive(query, target, yield* Turns, counts)
      ))
      yield* untilIdle
      assert.strictEqual(counts.moved, 1)
      yield* change
      yield* TestClock.adjust("10 seconds")
      const ended = yield* Fiber.join(running)
      const { messageCount } = yield* topicOf("t")
      return { channel, ended, messageCount }
    })

  const move = (durability: "memory" | "synced") =>
    Broker.use(({ setDurability }) => setDurability("t.dlq", durability))

  it.effect("messages that are finished after the change are not published", () =>
    Effect.gen(function*() {
      const broker = yield* start({ durability: "written" })
      yield* broker.run(Effect.gen(function*() {
        const { channel, ended, messageCount } = yield* changing(Effect.gen(function*() {
          yield* move("synced")
          const consumer = yield* join("t.dlq", "c", 1)
          const message = yield* next(consumer)
          consumer.subscription.setReady(0)
          consumer.subscription.finish(keyOf(message))
          assert.strictEqual(message.body, "b")
        }))
        assert.strictEqual(ended._tag, "Success")
        assert.deepStrictEqual([messageCount, channel.unfinished], [3, 0])
      })).pipe(Effect.scoped)
      yield* broker.stop
    }).pipe(Effect.provide(durable)))

  it.effect("the redrive fails if the topic has no log any more, and the other messages stay", () =>
    Effect.gen(function*() {
      const broker = yield* start({ durability: "written" })
      yield* broker.run(Effect.gen(function*() {
        const { channel, ended, messageCount } = yield* changing(Effect.asVoid(move("memory")))
        assert.strictEqual(ended._tag, "Failure")
        assert.deepStrictEqual([messageCount, channel.unfinished], [1, 3])
      })).pipe(Effect.scoped)
      yield* broker.stop
    }).pipe(Effect.provide(durable)))

  for (const what of ["channel", "topic"] as const) {
    it.effect(`the redrive fails when its ${what} is deleted, because the other messages are gone`, () =>
      Effect.gen(function*() {
        const broker = yield* start({ durability: "written" })
        yield* broker.run(Effect.gen(function*() {
          const { deleteChannel, deleteTopic } = yield* Broker
          const { ended, messageCount } = yield* changing(
            what === "channel" ? deleteChannel("t.dlq", "c") : deleteTopic("t.dlq")
          )
          assert.strictEqual(messageCount, 1)
          const failure = Result.getOrThrow(Exit.findError(ended))
          assert.strictEqual(failure.message, "channel t.dlq:c does not exist")
        })).pipe(Effect.scoped)
        yield* broker.stop
      }).pipe(Effect.provide(durable)))
  }
})

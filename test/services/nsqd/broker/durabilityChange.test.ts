/**
 * Topics whose durability changes, at a start or at run time, over a disk in memory.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Broker, publish } from "../../../../src/broker.ts"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import type { Durability } from "../../../../src/services/nsqd/options/Durability.ts"
import * as Options from "../../../../src/services/nsqd/options/NsqdOptions.ts"
import * as DiskStorage from "../../../../src/services/nsqd/storage/DiskStorage.ts"
import { FaultyDisk, TestBroker, until, untilIdle } from "../../../../src/testing/index.ts"
import type { Received } from "./consumers.ts"
import { channelOf, join, type Joined, numbers, quiet, send, topicOf } from "./testing.ts"

const brokerWith = (options: Partial<Options.NsqdOptions>) =>
  TestBroker.layerNoStorage({ dataPath: "/data", ...options }).pipe(
    Layer.provideMerge(DiskStorage.layer),
    Layer.provide(Options.layer({ dataPath: "/data", segmentSize: 4096, syncEvery: options.syncEvery ?? 2500 })),
    Layer.provide(quiet)
  )

/** Runs a daemon on the files of the ones before, and stops it. */
const life = <A, E, R>(
  options: Partial<Options.NsqdOptions>,
  use: Effect.Effect<A, E, R>
) => use.pipe(Effect.scoped, Effect.provide(Layer.provideMerge(brokerWith(options), quiet)), Effect.orDie)

const paths = FaultyDisk.useSync((disk) => Array.from(disk.files().keys()))
const queueFiles = Effect.map(paths, (names) => names.filter((name) => name.includes(".diskqueue.")))
const logFiles = Effect.map(paths, (names) => names.filter((name) => name.startsWith("/data/log/")))

const finish = ({ subscription }: Joined, { id }: Received) => subscription.finish(messageKey(Buffer.from(id)))

/** Receives all messages of a channel, and finishes them. */
const drain = Effect.fnUntraced(function*(topic: string, channel: string) {
  const joined = yield* join(topic, channel, 1000)
  yield* until(() => joined.channel.depth === 0)
  yield* untilIdle
  const received = joined.recording.take()
  for (const message of received) finish(joined, message)
  return received
})

const bodiesOf = (received: ReadonlyArray<Received>) => received.map(({ body }) => body).toSorted()

const setDurability = (topic: string, durability: Durability | undefined) =>
  Broker.use((broker) => broker.setDurability(topic, durability))

/** Ten messages in each of two channels, one of which has finished `m0` and received `m1` twice; three in a topic of its own. */
const fill = Effect.gen(function*() {
  yield* channelOf("t", "b")
  yield* Effect.scoped(Effect.gen(function*() {
    const a = yield* join("t", "a", 1)
    yield* send("t", ...numbers(10))
    yield* until(() => a.recording.bodies().length === 1)
    finish(a, a.recording.take()[0]!)
    yield* until(() => a.recording.bodies().length === 1)
    a.subscription.requeue(messageKey(Buffer.from(a.recording.take()[0]!.id)), 0)
    a.subscription.setReady(0)
  }))
  yield* send("held", ...numbers(3))
})

const check = Effect.gen(function*() {
  const topic = yield* topicOf("held")
  assert.strictEqual(topic.depth, 3)
  assert.deepStrictEqual(bodiesOf(yield* drain("held", "later")), ["m0", "m1", "m2"])
  const a = yield* drain("t", "a")
  assert.deepStrictEqual(bodiesOf(a), numbers(10).slice(1))
  assert.isAtLeast(Math.max(...a.map(({ attempts }) => attempts)), 2)
  assert.strictEqual(a.filter(({ attempts }) => attempts === 1).length >= 7, true)
  assert.deepStrictEqual(bodiesOf(yield* drain("t", "b")), numbers(10))
})

describe("a topic whose durability differs at the next start", () => {
  for (const memQueueSize of [0, 100]) {
    for (const durability of ["written", "synced"] as const) {
      it.effect(`a ${durability} topic gets the messages of its disk queues (memory queue of ${memQueueSize})`, () =>
        Effect.gen(function*() {
          yield* life({ memQueueSize }, fill)
          assert.deepStrictEqual(yield* logFiles, [])
          yield* life({ memQueueSize, durability }, untilIdle)
          assert.deepStrictEqual(yield* queueFiles, [])
          yield* life({ memQueueSize, durability }, check)
          yield* life(
            { memQueueSize, durability },
            Effect.gen(function*() {
              assert.deepStrictEqual(yield* drain("t", "a"), [])
              assert.deepStrictEqual(yield* drain("held", "later"), [])
            })
          )
        }).pipe(Effect.provide(FaultyDisk.layer)))

      it.effect(`a topic that was ${durability} has its messages in disk queues (memory queue of ${memQueueSize})`, () =>
        Effect.gen(function*() {
          yield* life({ memQueueSize, durability }, fill)
          assert.deepStrictEqual(yield* queueFiles, [])
          yield* life({ memQueueSize }, untilIdle)
          assert.deepStrictEqual(yield* logFiles, [])
          yield* life({ memQueueSize }, check)
        }).pipe(Effect.provide(FaultyDisk.layer)))
    }
  }

  it.effect("a message of one channel is not delivered by the others, nor by channels that are created later", () =>
    Effect.gen(function*() {
      yield* life(
        {},
        Effect.gen(function*() {
          const a = yield* channelOf("t", "a")
          yield* send("t", "old")
          yield* until(() => a.depth === 1)
          yield* channelOf("t", "b")
          yield* send("t", "new")
        })
      )
      yield* life(
        { durability: "synced" },
        Effect.gen(function*() {
          assert.deepStrictEqual(bodiesOf(yield* drain("t", "b")), ["new"])
          assert.deepStrictEqual(yield* drain("t", "c"), [])
          assert.deepStrictEqual(bodiesOf(yield* drain("t", "a")), ["new", "old"])
        })
      )
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("deferred messages of a log are deferred in memory until they are due", () =>
    Effect.gen(function*() {
      yield* life(
        { durability: "synced" },
        Effect.gen(function*() {
          yield* channelOf("t", "c")
          yield* publish("t", [Buffer.from("later")], { delay: "1 minute" })
          yield* send("t", "now")
          yield* untilIdle
        })
      )
      yield* life(
        {},
        Effect.gen(function*() {
          const joined = yield* join("t", "c", 10)
          yield* until(() => joined.recording.bodies().length === 1)
          assert.deepStrictEqual([joined.recording.bodies(), joined.channel.deferredCount], [["now"], 1])
          finish(joined, joined.recording.take()[0]!)
          yield* TestClock.adjust("59 seconds")
          assert.deepStrictEqual(joined.recording.bodies(), [])
          yield* TestClock.adjust("1 seconds")
          yield* until(() => joined.recording.bodies().length === 1)
        })
      )
    }).pipe(Effect.provide(FaultyDisk.layer)))

  for (const [from, to] of [["memory", "synced"], ["synced", "memory"], ["memory", "written"]] as const) {
    it.effect(
      `no message is lost when the process ends at any moment of a change from ${from} to ${to}`,
      () =>
        Effect.gen(function*() {
          const disk = yield* FaultyDisk
          for (let operation = 0, isDone = false; !isDone; operation += 1) {
            const topic = `t${operation}`
            yield* life(
              { durability: from },
              Effect.gen(function*() {
                yield* channelOf(topic, "a")
                yield* channelOf(topic, "b")
                yield* send(topic, ...numbers(5))
                yield* untilIdle
              })
            )
            disk.crashAt(operation, operation)
            yield* life({ durability: to }, Effect.void).pipe(Effect.ignoreCause)
            isDone = !disk.isCrashed()
            if (isDone) assert.isAbove(operation, 10)
            disk.losePower(operation)
            yield* life(
              { durability: to },
              Effect.gen(function*() {
                for (const channel of ["a", "b"]) {
                  const received = new Set(bodiesOf(yield* drain(topic, channel)))
                  assert.deepStrictEqual(Array.from(received), numbers(5), `${channel} after ${operation} operations`)
                }
                yield* Broker.use((broker) => broker.deleteTopic(topic))
              })
            )
          }
        }).pipe(Effect.provide(FaultyDisk.layer)),
      240_000
    )
  }
})

describe("a topic whose durability is changed at run time", () => {
  it.effect("consumers stay subscribed, publishers wait, and messages in flight return", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      yield* life(
        { memQueueSize: 4 },
        Effect.gen(function*() {
          const a = yield* join("t", "a", 2)
          yield* send("t", ...numbers(10))
          yield* until(() => a.recording.bodies().length === 2)
          const inFlight = a.recording.take()
          for (const durability of ["synced", "written", "memory", "written"] as const) {
            const release = yield* disk.holdSyncs
            const changing = yield* Effect.forkChild(setDurability("t", durability))
            yield* untilIdle
            const publishing = yield* Effect.forkChild(send("t", durability))
            yield* release
            assert.strictEqual(yield* Fiber.join(changing), durability)
            yield* Fiber.join(publishing)
            assert.strictEqual((yield* topicOf("t")).durability, durability)
          }
          assert.isFalse(a.recording.isClosed())
          a.subscription.setReady(100)
          yield* until(() => a.channel.depth === 0)
          yield* untilIdle
          const received = a.recording.take()
          assert.deepStrictEqual(
            Array.from(new Set(bodiesOf(received))),
            [...numbers(10), "memory", "synced", "written"].toSorted()
          )
          assert.strictEqual(finish(a, inFlight[0]!), "done")
          for (const { body, attempts } of received.slice(-14)) {
            if (inFlight.some((message) => message.body === body)) assert.isAtLeast(attempts, 2)
          }
        })
      )
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("deferred messages keep the time when they are due", () =>
    life(
      {},
      Effect.gen(function*() {
        const a = yield* join("t", "a", 10)
        yield* publish("t", [Buffer.from("later")], { delay: "1 minute" })
        yield* until(() => a.channel.deferredCount === 1)
        yield* TestClock.adjust("20 seconds")
        yield* setDurability("t", "synced")
        assert.strictEqual(a.channel.deferredCount, 1)
        yield* TestClock.adjust("20 seconds")
        yield* setDurability("t", "memory")
        assert.strictEqual(a.channel.deferredCount, 1)
        yield* TestClock.adjust("19 seconds")
        assert.deepStrictEqual(a.recording.bodies(), [])
        yield* TestClock.adjust("1 seconds")
        yield* until(() => a.recording.bodies().length === 1)
      })
    )
      .pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a message that was read from disk and is deferred is redelivered once, when it is due", () =>
    life(
      { memQueueSize: 0 },
      Effect.gen(function*() {
        const a = yield* join("t", "a", 10)
        yield* send("t", "later", "finished")
        yield* until(() => a.recording.bodies().length === 2)
        const [later, finished] = a.recording.take()
        a.subscription.requeue(messageKey(Buffer.from(later!.id)), 30_000)
        finish(a, finished!)
        yield* setDurability("t", "synced")
        yield* untilIdle
        assert.deepStrictEqual([a.recording.bodies(), a.channel.deferredCount], [[], 1])
        yield* TestClock.adjust("30 seconds")
        yield* until(() => a.recording.bodies().length === 1)
        finish(a, a.recording.take()[0]!)
        assert.strictEqual(a.channel.unfinished, 0)
      })
    )
      .pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("messages of a paused topic wait in the topic, and get to its channels when it is unpaused", () =>
    life(
      {},
      Effect.gen(function*() {
        const broker = yield* Broker
        const a = yield* channelOf("t", "a")
        yield* send("t", "before")
        yield* until(() => a.depth === 1)
        const topic = yield* topicOf("t")
        yield* broker.pauseTopic(topic, true)
        yield* send("t", ...numbers(3))
        yield* publish("t", [Buffer.from("later")], { delay: "1 minute" })
        for (const durability of ["synced", "memory", "written"] as const) {
          yield* setDurability("t", durability)
          yield* untilIdle
          assert.deepStrictEqual([topic.depth, a.depth], [4, 1], durability)
        }
        yield* broker.pauseTopic(topic, false)
        yield* until(() => a.depth === 4)
        assert.strictEqual(a.deferredCount, 1)
        assert.deepStrictEqual(bodiesOf(yield* drain("t", "a")), ["before", ...numbers(3)])
      })
    ).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("an ephemeral channel keeps its messages", () =>
    life(
      {},
      Effect.gen(function*() {
        const a = yield* join("t", "a#ephemeral", 1)
        yield* channelOf("t", "b")
        yield* send("t", ...numbers(5))
        yield* until(() => a.recording.bodies().length === 1)
        yield* setDurability("t", "synced")
        yield* setDurability("t", "memory")
        yield* setDurability("t", "written")
        a.recording.take()
        a.subscription.setReady(100)
        yield* until(() => a.recording.bodies().length >= 5)
        assert.deepStrictEqual(a.recording.bodies().toSorted(), numbers(5))
        assert.deepStrictEqual(bodiesOf(yield* drain("t", "b")), numbers(5))
      })
    )
      .pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("the durability is remembered over restarts, before that of the options, until it is given up", () =>
    Effect.gen(function*() {
      const durabilityOf = (topic: string) => Effect.map(topicOf(topic), ({ durability }) => durability)
      yield* life({ durability: "written" }, Effect.andThen(topicOf("t"), setDurability("t", "memory")))
      yield* life(
        { durability: "written" },
        Effect.gen(function*() {
          assert.strictEqual(yield* durabilityOf("t"), "memory")
          assert.strictEqual(yield* durabilityOf("u"), "written")
          assert.strictEqual(yield* setDurability("t", undefined), "written")
        })
      )
      yield* life(
        { durability: "synced" },
        Effect.gen(function*() {
          assert.strictEqual(yield* durabilityOf("t"), "synced")
          yield* setDurability("t", "memory")
          yield* Broker.use((broker) => broker.deleteTopic("t"))
          assert.strictEqual(yield* durabilityOf("t"), "synced")
        })
      )
      assert.notInclude(yield* paths, "/data/nsqd.durability.dat")
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("a change that the disk refuses leaves the topic as it was", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      yield* life(
        { memQueueSize: 100 },
        Effect.gen(function*() {
          const a = yield* channelOf("t", "a")
          yield* send("t", ...numbers(10))
          yield* until(() => a.depth === 10)
          disk.fail((operation, path) => operation === "write" && path.endsWith(".segment") ? "EIO" : undefined)
          assert.isTrue(Exit.isFailure(yield* Effect.exit(setDurability("t", "synced"))))
          disk.fail(undefined)
          assert.strictEqual((yield* topicOf("t")).durability, "memory")
          assert.deepStrictEqual(yield* logFiles, [])
          yield* send("t", "more")
          assert.deepStrictEqual(bodiesOf(yield* drain("t", "a")), [...numbers(10), "more"].toSorted())
        })
      )
      yield* life(
        {},
        Effect.gen(function*() {
          assert.strictEqual((yield* topicOf("t")).durability, "memory")
        })
      )
    }).pipe(Effect.provide(FaultyDisk.layer)))

  for (const [from, to] of [["memory", "synced"], ["synced", "memory"], ["synced", "written"]] as const) {
    it.effect(
      `no message is lost when the power fails at any moment of a change at run time from ${from} to ${to}`,
      () =>
        Effect.gen(function*() {
          const disk = yield* FaultyDisk
          const options = { memQueueSize: 0, syncEvery: 1, durability: from }
          for (let operation = 0, isDone = false; !isDone; operation++) {
            const topic = `t${operation}`
            yield* Effect.ignoreCause(life(
              options,
              Effect.gen(function*() {
                const a = yield* channelOf(topic, "a")
                const b = yield* channelOf(topic, "b")
                yield* send(topic, ...numbers(5))
                yield* until(() => a.depth === 5 && b.depth === 5)
                yield* untilIdle
                disk.crashAt(operation, operation)
                yield* Effect.exit(setDurability(topic, to))
              })
            ))
            isDone = !disk.isCrashed()
            disk.losePower(operation)
            yield* life(
              options,
              Effect.gen(function*() {
                for (const channel of ["a", "b"]) {
                  const received = new Set(bodiesOf(yield* drain(topic, channel)))
                  assert.deepStrictEqual(Array.from(received), numbers(5), `${channel} after ${operation} operations`)
                }
                yield* Broker.use((broker) => broker.deleteTopic(topic))
              })
            )
            if (isDone) assert.isAbove(operation, 10)
          }
        }).pipe(Effect.provide(FaultyDisk.layer)),
      240_000
    )
  }
})

describe("the headers of messages in memory", () => {
  for (const memQueueSize of [2, 100]) {
    it.effect(`those that are in memory keep theirs when the topic becomes durable (memory queue of ${memQueueSize})`, () =>
      life(
        { memQueueSize },
        Effect.gen(function*() {
          const put = (topic: string, body: string, delay = 0) =>
            publish(topic, Buffer.from(body), { headers: { name: body }, delay })
          const consumer = yield* join("t", "c", 1, { readsHeaders: true })
          yield* put("t", "in flight")
          yield* until(() => consumer.recording.take().length === 1)
          yield* put("t", "waiting")
          yield* put("t", "deferred", 1000)
          yield* put("held", "held")
          yield* put("held", "later", 1000)
          yield* untilIdle
          yield* setDurability("t", "synced")
          yield* setDurability("held", "written")
          consumer.subscription.setReady(10)
          const held = yield* join("held", "c", 10, { readsHeaders: true })
          yield* TestClock.adjust("2 seconds")
          yield* untilIdle
          const received = [...consumer.recording.take(), ...held.recording.take()]
          assert.sameMembers(bodiesOf(received), ["deferred", "held", "in flight", "later", "waiting"])
          for (const { body, headers } of received) assert.deepStrictEqual(headers, { name: body })
        })
      ).pipe(Effect.provide(FaultyDisk.layer)))
  }
})

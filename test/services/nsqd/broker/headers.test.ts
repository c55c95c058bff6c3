/** Messages with headers on every path through the broker: in memory, in a log, and through a disk queue, which cannot hold them. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { TestClock } from "effect/testing"
import { consume, publish } from "../../../../src/broker.ts"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import { until } from "../../../../src/testing/index.ts"
import type { Received } from "./consumers.ts"
import { layer, start } from "./durable.ts"
import { brokerWith, join, type Joined, numbers, send } from "./testing.ts"

const bytes = (text: string): Buffer => Buffer.from(text)

const sendWith = (headers: Record<string, string>, ...bodies: ReadonlyArray<string>) =>
  publish("t", bodies.map(bytes), { headers })

const take = Effect.fnUntraced(function*({ recording }: Joined, count: number) {
  yield* until(() => recording.bodies().length >= count, `${count} messages arrive`)
  return recording.take()
})

const seen = (messages: ReadonlyArray<Received>) =>
  messages.map(({ attempts, body, headers }) => [body, headers, attempts])

/** Messages with and without headers, in one channel whose consumer reads headers and one whose consumer does not. */
const mixed = Effect.gen(function*() {
  const reader = yield* join("t", "reader", 100, { readsHeaders: true })
  const other = yield* join("t", "other", 100)
  yield* send("t", "a")
  yield* sendWith({ key: "1", Trace: "x" }, "b", "c")
  yield* sendWith({ key: "2" }, "d")
  yield* send("t", "e", "f")
  const received = yield* take(reader, 6)
  assert.deepStrictEqual(seen(received), [
    ["a", {}, 1],
    ["b", { key: "1", trace: "x" }, 1],
    ["c", { key: "1", trace: "x" }, 1],
    ["d", { key: "2" }, 1],
    ["e", {}, 1],
    ["f", {}, 1]
  ])
  const plain = yield* take(other, 6)
  assert.deepStrictEqual(seen(plain), ["a", "b", "c", "d", "e", "f"].map((body) => [body, {}, 1]))
  assert.deepStrictEqual(plain.map(({ id }) => id), received.map(({ id }) => id))
})

/** A message with headers that is requeued, requeued with a delay, and times out. */
const returned = Effect.gen(function*() {
  const consumer = yield* join("t", "c", 100, { readsHeaders: true, msgTimeout: 1000 })
  yield* sendWith({ key: "1" }, "a")
  yield* publish("t", bytes("later"), { headers: { key: "2" }, delay: "10 seconds" })
  const [first] = yield* take(consumer, 1)
  consumer.subscription.requeue(messageKey(first!.id), 0)
  assert.deepStrictEqual(seen(yield* take(consumer, 1)), [["a", { key: "1" }, 2]])
  consumer.subscription.requeue(messageKey(first!.id), 5000)
  yield* TestClock.adjust("5 seconds")
  assert.deepStrictEqual(seen(yield* take(consumer, 1)), [["a", { key: "1" }, 3]])
  yield* TestClock.adjust("1 seconds")
  assert.deepStrictEqual(seen(yield* take(consumer, 1)), [["a", { key: "1" }, 4]])
  consumer.subscription.finish(messageKey(first!.id))
  yield* TestClock.adjust("4 seconds")
  assert.deepStrictEqual(seen(yield* take(consumer, 1)), [["later", { key: "2" }, 1]])
})

/** Runs a test with a broker whose topics are durable. */
const durable = <A, E, R>(test: Effect.Effect<A, E, R>) =>
  Effect.gen(function*() {
    const broker = yield* start()
    yield* broker.run(test)
    yield* broker.stop
  }).pipe(Effect.provide(layer))

describe("headers that only nsqd sets", () => {
  it.effect("a publish of the program is refused with them", () =>
    Effect.gen(function*() {
      const { message, reason } = yield* Effect.flip(
        publish("t", bytes("a"), { headers: { "nsq-origin-topic": "orders" } }).pipe(
          Effect.catchTag("StorageError", Effect.die)
        )
      )
      assert.strictEqual(reason._tag, "Rejection")
      assert.include(message, "only nsqd sets \"nsq-origin-topic\"")
    }).pipe(Effect.provide(brokerWith())))
})

describe("headers of messages in memory", () => {
  it.effect("consumers that read headers get them, others get plain messages, in order", () =>
    mixed.pipe(Effect.provide(brokerWith())))

  it.effect("headers stay with messages that are requeued, deferred or time out", () =>
    returned.pipe(Effect.provide(brokerWith())))

  it.effect("messages whose consumer leaves have their headers for the next one", () =>
    Effect.gen(function*() {
      yield* Effect.scoped(Effect.gen(function*() {
        const first = yield* join("t", "c", 10, { readsHeaders: true })
        yield* sendWith({ key: "1" }, ...numbers(3))
        yield* send("t", "plain")
        yield* take(first, 4)
      }))
      const next = yield* join("t", "c", 10, { readsHeaders: true })
      const received = (yield* take(next, 4)).toSorted((one, other) => one.body < other.body ? -1 : 1)
      assert.deepStrictEqual(seen(received), [...numbers(3).map((body) => [body, { key: "1" }, 2]), ["plain", {}, 2]])
    }).pipe(Effect.provide(brokerWith())))

  it.effect("a very large batch that is published in pieces has its headers in each piece", () =>
    Effect.gen(function*() {
      const consumer = yield* join("t", "c", 50_000, { readsHeaders: true })
      yield* sendWith({ key: "1" }, ...numbers(40_000))
      const received = yield* take(consumer, 40_000)
      assert.isTrue(received.every(({ headers }) => headers["key"] === "1"))
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 100_000 }))))

  it.effect("messages that memory has no room for are on disk without their headers", () =>
    Effect.gen(function*() {
      yield* sendWith({ key: "1" }, ...numbers(5))
      const consumer = yield* join("t", "c", 10, { readsHeaders: true })
      const received = (yield* take(consumer, 5)).toSorted((one, other) => one.body < other.body ? -1 : 1)
      assert.deepStrictEqual(
        seen(received),
        [["m0", { key: "1" }, 1], ["m1", { key: "1" }, 1], ["m2", {}, 1], ["m3", {}, 1], ["m4", {}, 1]]
      )
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 2 }))))

  it.effect("headers that are not valid refuse the publish", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(sendWith({ "two words": "x" }, "a"))
      assert.include(error.message, "the name \"two words\" is not a token of HTTP in lower case")
    }).pipe(Effect.provide(brokerWith())))

  it.effect("a program in the same process gets the headers of its messages", () =>
    Effect.gen(function*() {
      yield* sendWith({ Key: "1" }, "a")
      yield* send("t", "b")
      const received = yield* consume("t", "c", { maxInFlight: 2 }).pipe(
        Stream.tap(({ finish }) => finish),
        Stream.take(2),
        Stream.runCollect
      )
      assert.deepStrictEqual(
        received.map(({ body, headers }) => [Buffer.from(body).toString(), headers]),
        [["a", { key: "1" }], ["b", {}]]
      )
    }).pipe(Effect.provide(brokerWith())))
})

describe("headers of messages in a log", () => {
  it.effect("consumers that read headers get them, others get plain messages, in order", () => durable(mixed))

  it.effect("headers stay with messages that are requeued, deferred or time out", () => durable(returned))

  it.effect("a topic whose durability becomes memory loses the headers of waiting messages, and the log says so", () =>
    Effect.gen(function*() {
      const durable = yield* start()
      yield* durable.run(Effect.andThen(sendWith({ key: "1" }, "a", "b"), send("t", "c")))
      yield* durable.stop
      const broker = yield* start({ durability: "memory" })
      assert.include(broker.log(), "TOPIC(t): headers of 2 messages were removed: disk queues cannot hold them")
      yield* broker.run(Effect.gen(function*() {
        const consumer = yield* join("t", "c", 10, { readsHeaders: true })
        assert.deepStrictEqual(seen(yield* take(consumer, 3)), [["a", {}, 1], ["b", {}, 1], ["c", {}, 1]])
      })).pipe(Effect.scoped)
      yield* broker.stop
    }).pipe(Effect.provide(layer)))

  for (const ending of ["stop", "kill"] as const) {
    it.effect(`headers are read from the segments after a ${ending}`, () =>
      Effect.gen(function*() {
        const first = yield* start()
        yield* first.run(Effect.gen(function*() {
          yield* send("t", "a")
          yield* sendWith({ key: "1" }, "b")
          yield* send("t", "c")
          yield* publish("t", bytes("later"), { headers: { key: "2" }, delay: "10 seconds" })
        }))
        yield* first[ending]
        const second = yield* start()
        yield* second.run(Effect.gen(function*() {
          const consumer = yield* join("t", "c", 10, { readsHeaders: true })
          const received = yield* take(consumer, 3)
          assert.deepStrictEqual(seen(received), [["a", {}, 1], ["b", { key: "1" }, 1], ["c", {}, 1]])
          yield* TestClock.adjust("10 seconds")
          assert.deepStrictEqual(seen(yield* take(consumer, 1)), [["later", { key: "2" }, 1]])
        })).pipe(Effect.scoped)
        yield* second.stop
      }).pipe(Effect.provide(layer)))
  }
})

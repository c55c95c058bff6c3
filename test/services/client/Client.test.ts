import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Queue, Schema, Stream, type Tracer } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { Broker } from "../../../src/broker.ts"
import { Consumer, Producer, Topic } from "../../../src/services/client/index.ts"
import { TestBroker } from "../../../src/testing/index.ts"

const Order = Schema.Struct({ item: Schema.String, quantity: Schema.Int })
const orders = Topic.make("orders", Order)
const servers = { nsqd: [TestBroker.address] }
const layer = TestBroker.layer().pipe(Layer.provideMerge(FetchHttpClient.layer))

const text = (body: Uint8Array) => Buffer.from(body).toString()
const raw = Topic.bytes("raw")

/** Publishes bodies to the topic `raw`. */
const publish = (...bodies: ReadonlyArray<string>) =>
  Effect.scoped(Effect.flatMap(Producer.make({ servers }), (producer) => producer.publishAll("raw", bodies)))

/** A consumer of the topic `raw`. */
const consume = (options: Partial<Consumer.ConsumerOptions<Uint8Array>> = {}) =>
  Consumer.make({ topic: raw, channel: "c", servers, ...options })

const channel = Effect.map(Broker, (broker) => broker.findTopic("raw")?.channel("c"))

describe("Producer and Consumer", () => {
  it.effect("a producer and a consumer carry values of a topic with a Schema", () =>
    Effect.gen(function*() {
      const producer = yield* Producer.make({ servers })
      const consumer = yield* Consumer.make({ topic: orders, channel: "kitchen", servers, maxInFlight: 10 })
      const received = yield* Queue.unbounded<typeof Order.Type>()
      yield* Effect.forkScoped(consumer.run((order) => Queue.offer(received, order)))
      yield* producer.publish(orders, { item: "tea", quantity: 1 })
      yield* producer.publishAll(orders, [{ item: "coffee", quantity: 2 }, { item: "cake", quantity: 3 }])
      const items = yield* Effect.forEach([1, 2, 3], () => Queue.take(received))
      assert.deepStrictEqual(items.map(({ item }) => item), ["tea", "coffee", "cake"])
      assert.deepStrictEqual(yield* producer.connected, [TestBroker.address])
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a producer and a consumer carry bytes, and deferred messages after their delay", () =>
    Effect.gen(function*() {
      const producer = yield* Producer.make({ servers })
      const consumer = yield* consume()
      const first = yield* Effect.forkScoped(Stream.runHead(consumer.messages))
      yield* producer.publishDeferred("raw", "later", "10 seconds")
      yield* TestClock.adjust("9999 millis")
      assert.isUndefined(first.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const delivery = yield* Effect.flatMap(Fiber.join(first), Effect.fromOption)
      assert.strictEqual(text(delivery.body), "later")
      assert.strictEqual(delivery.address, TestBroker.address)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a publish that the server refuses fails with the server's error", () =>
    Effect.gen(function*() {
      const producer = yield* Producer.make({ servers })
      const error = yield* Effect.flip(producer.publish("raw", ""))
      assert.strictEqual(error.message, "raw: E_BAD_MESSAGE PUB invalid message body size 0")
      // The server has closed the connection; the producer reconnects after a pause.
      const next = yield* Effect.forkScoped(producer.publish("raw", "fine"))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(next)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("the span of the handler links to the span of the publish if the topic is traced", () =>
    Effect.gen(function*() {
      const traced = Topic.traced(orders)
      const producer = yield* Producer.make({ servers })
      const consumer = yield* Consumer.make({ topic: traced, channel: "kitchen", servers, maxInFlight: 10 })
      const handled = yield* Queue.unbounded<Tracer.Span>()
      yield* Effect.forkScoped(
        consumer.run(() => Effect.flatMap(Effect.currentSpan, (span) => Queue.offer(handled, span)))
      )
      yield* producer.publish(traced, { item: "tea", quantity: 1 }).pipe(Effect.withSpan("shop"))
      const { kind, links: [link], name, traceId } = yield* Queue.take(handled)
      assert.deepStrictEqual([name, kind], ["process orders", "consumer"])
      assert.notStrictEqual(link?.span.traceId, traceId)
      assert.match(link?.span.spanId ?? "", /^[0-9a-f]{16}$/)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("the span is in a field that other clients ignore, and bodies that are not objects stay unchanged", () =>
    Effect.gen(function*() {
      const traced = Topic.traced(orders)
      const span = yield* Effect.currentSpan
      const body = yield* traced.encode({ item: "tea", quantity: 1 })
      assert.strictEqual(
        text(body),
        `{"item":"tea","quantity":1,"traceparent":"00-${span.traceId}-${span.spanId}-01"}`
      )
      assert.deepStrictEqual(yield* orders.decode(body), { item: "tea", quantity: 1 })
      const { linkOf } = traced
      assert.strictEqual(linkOf?.(body)?.span.spanId, span.spanId)
      const number = Topic.traced(Topic.make("numbers", Schema.Int))
      assert.strictEqual(text(yield* number.encode(7)), "7")
      assert.isUndefined(linkOf?.(Buffer.from("{\"item\":\"tea\"}")))
    }).pipe(Effect.withSpan("test"), Effect.provide(layer)))

  it.effect("a publish waits for a server up to the timeout", () =>
    Effect.gen(function*() {
      const producer = yield* Producer.make({ servers: { nsqd: ["127.0.0.1:1"] } })
      const publishing = yield* Effect.forkScoped(Effect.flip(producer.publish("raw", "x")))
      yield* TestClock.adjust("30 seconds")
      assert.strictEqual(
        (yield* Fiber.join(publishing)).message,
        "raw: no nsqd is connected: 127.0.0.1:1: connection refused"
      )
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("with waitForServer false a publish fails while no server is connected", () =>
    Effect.gen(function*() {
      const unreachable = yield* Producer.make({ servers: { nsqd: ["127.0.0.1:1"] }, waitForServer: false })
      const error = yield* Effect.flip(unreachable.publish("raw", "x"))
      assert.match(error.message, /^raw: no nsqd is connected: 127\.0\.0\.1:1: /)
      const producer = yield* Producer.make({ servers, waitForServer: false })
      // The publish waits for the first attempt to connect.
      yield* producer.publish("raw", "x")
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("refused publishes, after which the server closes the connection, do not delay the next one", () =>
    Effect.gen(function*() {
      const producer = yield* Producer.make({ servers })
      for (let i = 0; i < 9; i++) {
        // Longer than the server's limit, which the producer does not know.
        const { reason } = yield* Effect.flip(producer.publishDeferred("raw", "x", "2 hours"))
        assert.deepInclude(reason, { _tag: "PublishRefused", code: "E_INVALID", address: "127.0.0.1:4150" })
      }
      // The clock stands still: the connection is made again without a pause.
      yield* producer.publish("raw", "x")
    }).pipe(Effect.scoped, Effect.provide(layer)))
})

describe("a Consumer", () => {
  it.effect("a consumer requeues messages whose handler fails, and gives up after maxAttempts", () =>
    Effect.gen(function*() {
      yield* publish("bad", "good")
      const attempts = yield* Queue.unbounded<string>()
      const givenUp = yield* Deferred.make<string>()
      const consumer = yield* consume({
        maxAttempts: 3,
        maxInFlight: 10,
        defaultRequeueDelay: "1 second",
        maxBackoffDuration: 0,
        onGivenUp: ({ body }) => Effect.asVoid(Deferred.succeed(givenUp, text(body)))
      })
      yield* Effect.forkScoped(consumer.run((body, { attempts: attempt }) =>
        Effect.andThen(
          Queue.offer(attempts, `${text(body)} ${attempt}`),
          text(body) === "bad" ? Effect.fail("no") : Effect.void
        )
      ))
      assert.deepStrictEqual([yield* Queue.take(attempts), yield* Queue.take(attempts)], ["bad 1", "good 1"])
      yield* TestClock.adjust("1 seconds")
      assert.strictEqual(yield* Queue.take(attempts), "bad 2")
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* Queue.take(attempts), "bad 3")
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual(yield* Deferred.await(givenUp), "bad")
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a consumer backs off while its handler fails, tries one message at a time, and recovers", () =>
    Effect.gen(function*() {
      yield* publish("1", "2", "3", "4", "5", "6")
      const handled = yield* Queue.unbounded<string>()
      let failing = true
      const consumer = yield* consume({ maxInFlight: 1, defaultRequeueDelay: "1 hour", maxRequeueDelay: "1 hour" })
      yield* Effect.forkScoped(consumer.run((body) =>
        Effect.andThen(
          Queue.offer(handled, text(body)),
          Effect.suspend(() => failing ? Effect.fail("no") : Effect.void)
        )
      ))
      assert.strictEqual(yield* Queue.take(handled), "1")
      // Level 1 waits 2 s, level 2 waits 4 s.
      yield* TestClock.adjust("1999 millis")
      assert.strictEqual(Queue.sizeUnsafe(handled), 0)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Queue.take(handled), "2")
      failing = false
      yield* TestClock.adjust("4 seconds")
      assert.strictEqual(yield* Queue.take(handled), "3")
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual([yield* Queue.take(handled), yield* Queue.take(handled)], ["4", "5"])
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a consumer touches messages of a slow handler before they time out", () =>
    Effect.gen(function*() {
      yield* publish("slow")
      const started = yield* Deferred.make<void>()
      const finish = yield* Deferred.make<void>()
      const consumer = yield* consume()
      const attempts: Array<number> = []
      yield* Effect.forkScoped(consumer.run((_, delivery) =>
        Effect.gen(function*() {
          attempts.push(delivery.attempts)
          yield* Deferred.succeed(started, undefined)
          yield* Deferred.await(finish)
        })
      ))
      yield* Deferred.await(started)
      for (let i = 0; i < 50; i++) yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(attempts, [1])
      assert.strictEqual((yield* channel)?.timeoutCount, 0)
      yield* Deferred.succeed(finish, undefined)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("messages that wait for a handler are touched, so that they are delivered once", () =>
    Effect.gen(function*() {
      yield* publish("slow", "waiting")
      const started = yield* Queue.unbounded<string>()
      const finish = yield* Deferred.make<void>()
      const consumer = yield* consume({ maxInFlight: 2 })
      yield* Effect.forkScoped(
        consumer.run(
          (body, { attempts }) =>
            Effect.andThen(Queue.offer(started, `${text(body)} ${attempts}`), Deferred.await(finish)),
          { concurrency: 1 }
        )
      )
      assert.strictEqual(yield* Queue.take(started), "slow 1")
      for (let i = 0; i < 50; i++) yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* channel)?.timeoutCount, 0)
      yield* Deferred.succeed(finish, undefined)
      assert.strictEqual(yield* Queue.take(started), "waiting 1")
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("with a drainTimeout of 0 an interrupted program's messages are requeued at once", () =>
    Effect.gen(function*() {
      yield* publish("1", "2", "3")
      const started = yield* Queue.unbounded<string>()
      const program = Effect.scoped(Effect.flatMap(
        consume({ maxInFlight: 3, drainTimeout: 0 }),
        (consumer) =>
          consumer.run((body) => Effect.andThen(Queue.offer(started, text(body)), Effect.never), { concurrency: 2 })
      ))
      const fiber = yield* Effect.forkChild(program)
      yield* Queue.take(started)
      yield* Queue.take(started)
      yield* Fiber.interrupt(fiber)
      const again = yield* consume({ maxInFlight: 3 })
      const bodies = yield* again.messages.pipe(
        Stream.tap((delivery) => delivery.finish),
        Stream.map(({ body }) => text(body)),
        Stream.take(3),
        Stream.runCollect
      )
      assert.deepStrictEqual([...bodies].sort(), ["1", "2", "3"])
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a consumer that stops takes no more messages and ends when those in flight are acknowledged", () =>
    Effect.gen(function*() {
      yield* publish("1", "2", "3")
      const started = yield* Deferred.make<void>()
      const finish = yield* Deferred.make<void>()
      const consumer = yield* consume({ maxInFlight: 1 })
      const handled: Array<string> = []
      const running = yield* Effect.forkScoped(consumer.run((body) =>
        Effect.gen(function*() {
          yield* Deferred.succeed(started, undefined)
          yield* Deferred.await(finish)
          handled.push(text(body))
        })
      ))
      yield* Deferred.await(started)
      const stopping = yield* Effect.forkScoped(consumer.stop)
      yield* Effect.yieldNow
      assert.isUndefined(stopping.pollUnsafe())
      yield* Deferred.succeed(finish, undefined)
      yield* Fiber.join(stopping)
      yield* Fiber.join(running)
      assert.deepStrictEqual(handled, ["1"])
    }).pipe(Effect.scoped, Effect.provide(layer)))
})

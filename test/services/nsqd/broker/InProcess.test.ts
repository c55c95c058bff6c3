import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Queue, Schema, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Broker, BrokerError, consume, type Delivery, publish, publishAll, Publisher } from "../../../../src/broker.ts"
import { Topic } from "../../../../src/services/client/index.ts"
import { TestBroker } from "../../../../src/testing/index.ts"

const text = (body: Uint8Array) => Buffer.from(body).toString()
const bytes = (body: string) => Buffer.from(body)

describe("publishing and consuming in process", () => {
  it.effect("a stream receives each published message once", () =>
    Effect.gen(function*() {
      yield* publish("orders", [bytes("a"), bytes("b"), bytes("c")])
      const received = yield* consume("orders", "billing", { maxInFlight: 10 }).pipe(
        Stream.tap((delivery) => delivery.finish),
        Stream.take(3),
        Stream.map((delivery) => text(delivery.body)),
        Stream.runCollect
      )
      assert.deepStrictEqual(Array.from(received), ["a", "b", "c"])
    }).pipe(Effect.provide(TestBroker.layer())))

  it.effect("a topic of values encodes what is published and decodes what is consumed", () =>
    Effect.gen(function*() {
      const orders = Topic.make("orders", Schema.Struct({ item: Schema.NonEmptyString, quantity: Schema.Int }))
      yield* publish(orders, { item: "tea", quantity: 2 })
      yield* publishAll(orders, [{ item: "coffee", quantity: 1 }, { item: "cake", quantity: 3 }])
      yield* publish("orders", bytes("not an order"))
      const received = yield* consume(orders, "billing", { maxInFlight: 10 }).pipe(
        Stream.tap(({ finish }) => finish),
        Stream.mapEffect(({ value }) => Effect.match(value, { onSuccess: (order) => order.item, onFailure: String })),
        Stream.take(4),
        Stream.runCollect
      )
      assert.deepStrictEqual(received.slice(0, 3), ["tea", "coffee", "cake"])
      assert.match(received[3] ?? "", /orders/)
    }).pipe(Effect.provide(TestBroker.layer())))

  it.effect("values of which one cannot be encoded are not published at all", () =>
    Effect.gen(function*() {
      const orders = Topic.make("orders", Schema.Struct({ item: Schema.NonEmptyString }))
      const error = yield* Effect.flip(publishAll(orders, [{ item: "tea" }, { item: "" }]))
      assert.strictEqual(error._tag, "ClientError")
      assert.isUndefined((yield* Broker).findTopic("orders"))
    }).pipe(Effect.provide(TestBroker.layer())))

  it.effect("a body that is not bytes is a defect", () =>
    Effect.gen(function*() {
      // @ts-expect-error -- a program without types passes a string
      const exit = yield* Effect.exit(publish("orders", "text"))
      assert.match(String(exit), /a body must be a Uint8Array/)
    }).pipe(Effect.provide(TestBroker.layer())))

  it.effect("a delayed message arrives after its delay and not before", () =>
    Effect.gen(function*() {
      yield* publish("orders", bytes("later"), { delay: "10 seconds" })
      const fiber = yield* consume("orders", "billing").pipe(Stream.take(1), Stream.runCollect, Effect.forkChild)
      yield* TestClock.adjust("9999 millis")
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      const [delivery] = yield* Fiber.join(fiber)
      assert.strictEqual(delivery === undefined ? "" : text(delivery.body), "later")
    }).pipe(Effect.provide(TestBroker.layer())))

  it.effect("a message that is not acknowledged in time is redelivered with one more attempt", () =>
    Effect.gen(function*() {
      yield* publish("orders", bytes("slow"))
      const attempts = yield* Queue.unbounded<number>()
      yield* consume("orders", "billing", { msgTimeout: "30 seconds" }).pipe(
        Stream.runForEach((delivery) => Queue.offer(attempts, delivery.attempts)),
        Effect.forkChild
      )
      assert.strictEqual(yield* Queue.take(attempts), 1)
      yield* TestClock.adjust("29999 millis")
      assert.strictEqual(Queue.sizeUnsafe(attempts), 0)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Queue.take(attempts), 2)
    }).pipe(Effect.provide(TestBroker.layer())))

  it.effect("a stream that is not pulled holds at most maxInFlight messages, however often they time out", () =>
    Effect.gen(function*() {
      const pulls = yield* Queue.unbounded<void>()
      const received = yield* Queue.unbounded<Delivery>()
      yield* publish("orders", [bytes("a"), bytes("b"), bytes("c"), bytes("d")])
      yield* consume("orders", "billing", { maxInFlight: 2, msgTimeout: "1 second" }).pipe(
        Stream.rechunk(1),
        Stream.runForEach((delivery) => Effect.andThen(Queue.offer(received, delivery), Queue.take(pulls))),
        Effect.forkChild
      )
      yield* Queue.take(received)
      for (let i = 0; i < 20; i++) yield* TestClock.adjust("1 second")
      const broker = yield* Broker
      const channel = broker.findTopic("orders")?.channel("billing")
      // Two were pulled and two more wait to be; all others are back in the channel.
      assert.isAtMost(channel?.subscriptions[0]?.messageCount ?? 0, 4)
      assert.strictEqual(channel?.depth, 4)
      const seen = new Set<string>()
      while (seen.size < 4) {
        yield* Queue.offer(pulls, undefined)
        const delivery = yield* Queue.take(received)
        if ((yield* delivery.finish) === "done") seen.add(text(delivery.body))
      }
    }).pipe(Effect.provide(TestBroker.layer())))

  it.effect("a Layer around publishing refuses what its check does not accept", () =>
    Effect.gen(function*() {
      yield* publish("orders", bytes("{}"))
      const error = yield* Effect.flip(publish("orders", bytes("nonsense")))
      assert.strictEqual(error.message, "not JSON")
    }).pipe(
      Effect.provide(
        Publisher.layerChecked((_topic, body) =>
          text(body) === "{}" ? Effect.void : Effect.fail(BrokerError.rejection("not JSON"))
        ).pipe(
          Layer.provideMerge(TestBroker.layer())
        )
      )
    ))
})

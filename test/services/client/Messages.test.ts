import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Fiber, Option, Queue, Stream } from "effect"
import { TestClock } from "effect/testing"
import type { Delivery } from "../../../src/services/client/index.ts"
import { channel, consume, layer, type Order, order, publish, text, untilChannel } from "./consuming.ts"

describe("the messages of a consumer", () => {
  it.effect("an undecodable body does not end them; it is given up with its cause", () =>
    Effect.gen(function*() {
      yield* publish("no JSON", `{"item":"tea"}`)
      const causes = yield* Queue.unbounded<string>()
      const consumer = yield* consume({
        onGivenUp: ({ body }, cause) => Queue.offer(causes, `${text(body)} ${String(Cause.squash(cause))}`)
      })
      const items = yield* consumer.messages.pipe(
        Stream.mapEffect((delivery) => Effect.tap(delivery.value, () => delivery.finish)),
        Stream.take(1),
        Stream.runCollect
      )
      assert.deepStrictEqual(items, [{ item: "tea" }])
      assert.match(yield* Queue.take(causes), /^no JSON ClientError/)
      yield* untilChannel(({ depth, inFlightCount }) => depth === 0 && inFlightCount === 0)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("maxAttempts and onGivenUp apply as in run", () =>
    Effect.gen(function*() {
      yield* order("tea")
      const seen = yield* Queue.unbounded<string>()
      const consumer = yield* consume({
        maxAttempts: 2,
        onGivenUp: ({ attempts }) => Queue.offer(seen, `given up ${attempts}`)
      })
      yield* Effect.forkScoped(
        Stream.runForEach(consumer.messages, (delivery) =>
          Effect.andThen(Queue.offer(seen, `message ${delivery.attempts}`), delivery.requeue({ delay: 0 })))
      )
      assert.deepStrictEqual(yield* Effect.replicateEffect(Queue.take(seen), 3), [
        "message 1",
        "message 2",
        "given up 3"
      ])
    }).pipe(Effect.scoped, Effect.provide(layer)))

  for (const autoTouch of [true, false]) {
    it.effect(`a message ${autoTouch ? "is" : "is not"} touched with autoTouch ${String(autoTouch)}`, () =>
      Effect.gen(function*() {
        yield* order("tea")
        const consumer = yield* consume({ autoTouch })
        const taken = yield* Queue.unbounded<Delivery<typeof Order.Type>>()
        const reading = yield* Effect.forkChild(
          Stream.runForEach(consumer.messages, (delivery) => Queue.offer(taken, delivery))
        )
        const delivery = yield* Queue.take(taken)
        for (let i = 0; i < 30; i++) yield* TestClock.adjust("10 seconds")
        assert.strictEqual((yield* channel).timeoutCount > 0, !autoTouch)
        yield* delivery.finish
        yield* Fiber.interrupt(reading)
      }).pipe(Effect.scoped, Effect.provide(layer)))
  }

  it.effect("a program that leaves them gets no more messages until it reads them again", () =>
    Effect.gen(function*() {
      yield* order("1")
      const consumer = yield* consume({ maxInFlight: 3 })
      const first = yield* Stream.runHead(consumer.messages)
      if (Option.isSome(first)) yield* first.value.finish
      yield* order("2")
      yield* untilChannel(({ depth, inFlightCount }) => depth === 1 && inFlightCount === 0)
      const [second] = yield* Stream.runCollect(Stream.take(consumer.messages, 1))
      assert.include(text(second?.body ?? Buffer.alloc(0)), "2")
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("messages that a program did not receive before it left are requeued while the consumer is open", () =>
    Effect.gen(function*() {
      yield* order("1", "2", "3", "4")
      const consumer = yield* consume({ autoTouch: false })
      const [first] = yield* Stream.runCollect(Stream.take(consumer.messages, 1))
      yield* untilChannel(({ depth, inFlightCount }) => depth === 3 && inFlightCount === 1)
      yield* first?.finish ?? Effect.void
      const rest = yield* Stream.runCollect(Stream.take(consumer.messages, 3))
      assert.deepStrictEqual(rest.map(({ attempts }) => attempts), [2, 2, 2])
      yield* Effect.forEach(rest, ({ finish }) => finish)
      yield* untilChannel(({ depth, inFlightCount, timeoutCount }) => depth + inFlightCount + timeoutCount === 0)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a failing program leaves one message in flight, and those behind it are requeued", () =>
    Effect.gen(function*() {
      yield* order("1", "2", "3")
      const consumer = yield* consume()
      const failure = yield* Effect.flip(Stream.runForEach(consumer.messages, ({ id }) => Effect.fail(id)))
      yield* untilChannel(({ depth, inFlightCount }) => depth === 2 && inFlightCount === 1)
      assert.match(failure, /^[0-9a-f]{16}$/)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("messageArrays has all messages that have arrived, and what it did not give out is requeued", () =>
    Effect.gen(function*() {
      yield* publish(`{"item":"1"}`, "no JSON", `{"item":"2"}`)
      const consumer = yield* consume()
      yield* untilChannel(({ inFlightCount }) => inFlightCount === 3)
      const [array] = yield* Stream.runCollect(Stream.take(consumer.messageArrays, 1))
      assert.deepStrictEqual(array?.map(({ body }) => text(body)), [`{"item":"1"}`, `{"item":"2"}`])
      yield* Effect.forEach(array ?? [], ({ finish }) => finish)
      yield* untilChannel(({ depth, inFlightCount }) => depth + inFlightCount === 0)
      yield* order("3", "4")
      const reading = yield* Effect.forkChild(
        Stream.runForEach(
          consumer.messageArrays,
          (deliveries) =>
            Effect.andThen(Effect.forEach(deliveries, (delivery) => delivery.requeue({ delay: 0 })), Effect.never)
        )
      )
      yield* untilChannel(({ requeueCount }) => requeueCount > 0)
      yield* Fiber.interrupt(reading)
      yield* untilChannel(({ depth, inFlightCount }) => depth === 2 && inFlightCount === 0)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("what the program has not acknowledged is requeued when the Scope closes, before the connection ends", () =>
    Effect.gen(function*() {
      yield* order("1", "2", "3")
      yield* Effect.scoped(Effect.gen(function*() {
        const consumer = yield* consume()
        const [first] = yield* consumer.messages.pipe(Stream.take(2), Stream.runCollect)
        yield* first?.finish ?? Effect.void
      }))
      yield* untilChannel(({ depth, inFlightCount }) => depth === 2 && inFlightCount === 0)
      assert.strictEqual((yield* channel).requeueCount, 2)
    }).pipe(Effect.scoped, Effect.provide(layer)))
})

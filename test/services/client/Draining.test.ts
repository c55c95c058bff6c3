import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Queue, Scope, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { Broker } from "../../../src/broker.ts"
import { encodeFrame, FrameType } from "../../../src/protocol/client/Frame.ts"
import { encodeMessage, MessageId } from "../../../src/protocol/client/Message.ts"
import { Consumer, DeadLetter, Topic } from "../../../src/services/client/index.ts"
import { MemoryTransport, until } from "../../../src/testing/index.ts"
import { channel, consume, layer, order, orders, servers, untilChannel } from "./consuming.ts"
import * as FakeNsqd from "./fakeNsqd.ts"

const memory = Layer.mergeAll(MemoryTransport.layer, FetchHttpClient.layer)

/** A handler that the test ends. */
const gatedHandler = Effect.gen(function*() {
  const started = yield* Queue.unbounded<string>()
  const gate = yield* Deferred.make<void>()
  const handled: Array<string> = []
  const handler = ({ item }: { readonly item: string }) =>
    Effect.andThen(Queue.offer(started, item), Deferred.await(gate)).pipe(
      Effect.andThen(Effect.sync(() => handled.push(item)))
    )
  return { started, open: Deferred.succeed(gate, undefined), handled, handler }
})

describe("the end of a consumer", () => {
  for (const ends of ["the handlers end first", "the consumer ends first"] as const) {
    it.effect(`handlers finish their messages when the Scope closes, and the rest is requeued: ${ends}`, () =>
      Effect.gen(function*() {
        yield* order("1", "2", "3", "4")
        const { handled, handler, open, started } = yield* gatedHandler
        const ending = yield* Scope.make()
        const running = yield* Scope.make()
        const consumer = yield* Scope.provide(consume(), ending)
        const into = ends === "the handlers end first" ? ending : running
        yield* Effect.forkIn(consumer.run(handler, { concurrency: 2 }), into)
        assert.deepStrictEqual([yield* Queue.take(started), yield* Queue.take(started)], ["1", "2"])
        yield* untilChannel(({ inFlightCount }) => inFlightCount === 4)
        const closing = yield* Effect.forkChild(Scope.close(ending, Exit.void))
        yield* untilChannel(({ inFlightCount, requeueCount }) => inFlightCount === 2 && requeueCount === 2)
        assert.isUndefined(closing.pollUnsafe())
        yield* open
        yield* Fiber.join(closing)
        assert.deepStrictEqual(handled, ["1", "2"])
        yield* untilChannel(({ depth, inFlightCount }) => depth === 2 && inFlightCount === 0)
        assert.strictEqual((yield* channel).requeueCount, 2)
        yield* Scope.close(running, Exit.void)
      }).pipe(Effect.scoped, Effect.provide(layer)))
  }

  it.effect("handlers that take longer than drainTimeout are interrupted, and their messages are requeued at once", () =>
    Effect.gen(function*() {
      yield* order("1")
      const started = yield* Deferred.make<void>()
      const interrupted = yield* Deferred.make<void>()
      const ending = yield* Scope.make()
      const consumer = yield* Scope.provide(consume({ drainTimeout: "5 seconds" }), ending)
      yield* Effect.forkIn(
        consumer.run(() =>
          Effect.andThen(Deferred.succeed(started, undefined), Effect.never).pipe(
            Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
          )
        ),
        ending
      )
      yield* Deferred.await(started)
      const closing = yield* Effect.forkChild(Scope.close(ending, Exit.void), { startImmediately: true })
      yield* TestClock.adjust("4999 millis")
      assert.isFalse(Deferred.isDoneUnsafe(interrupted))
      yield* TestClock.adjust("1 millis")
      yield* Fiber.join(closing)
      assert.isTrue(Deferred.isDoneUnsafe(interrupted))
      yield* untilChannel(({ deferredCount, depth, inFlightCount }) =>
        depth === 1 && inFlightCount === 0 && deferredCount === 0
      )
      assert.strictEqual((yield* channel).requeueCount, 1)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a message is touched while its handler drains", () =>
    Effect.gen(function*() {
      yield* order("1")
      const { handled, handler, open, started } = yield* gatedHandler
      const ending = yield* Scope.make()
      const consumer = yield* Scope.provide(consume({ drainTimeout: "10 minutes" }), ending)
      yield* Effect.forkIn(consumer.run(handler), ending)
      yield* Queue.take(started)
      const closing = yield* Effect.forkChild(Scope.close(ending, Exit.void))
      for (let i = 0; i < 20; i++) yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* channel).timeoutCount, 0)
      yield* open
      yield* Fiber.join(closing)
      assert.deepStrictEqual(handled, ["1"])
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a message that is given up while the consumer drains becomes a dead letter", () =>
    Effect.gen(function*() {
      yield* order("1")
      const started = yield* Deferred.make<void>()
      const gate = yield* Deferred.make<void>()
      const ending = yield* Scope.make()
      const consumer = yield* Scope.provide(
        consume({ maxAttempts: 1, deadLetter: DeadLetter.topic("rejected"), onGivenUp: () => Effect.void }),
        ending
      )
      yield* Effect.forkIn(
        consumer.run(() =>
          Deferred.succeed(started, undefined).pipe(
            Effect.andThen(Deferred.await(gate)),
            Effect.andThen(Effect.fail("no"))
          )
        ),
        ending
      )
      yield* Deferred.await(started)
      const closing = yield* Effect.forkChild(Scope.close(ending, Exit.void), { startImmediately: true })
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(closing)
      yield* untilChannel(({ depth, inFlightCount }) => depth === 0 && inFlightCount === 0)
      assert.strictEqual((yield* Broker).findTopic("rejected")?.depth, 1)
      assert.strictEqual((yield* channel).requeueCount, 0)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("an interrupted run finishes its messages, takes no more, and another run continues", () =>
    Effect.gen(function*() {
      yield* order("1", "2", "3")
      const { handled, handler, open, started } = yield* gatedHandler
      const consumer = yield* consume()
      const running = yield* Effect.forkChild(consumer.run(handler, { concurrency: 1 }))
      yield* Queue.take(started)
      const interrupting = yield* Effect.forkChild(Fiber.interrupt(running))
      // What has arrived and has no handler goes back, and nothing else arrives.
      yield* untilChannel(({ depth, inFlightCount }) => depth === 2 && inFlightCount === 1)
      yield* open
      yield* Fiber.join(interrupting)
      assert.deepStrictEqual(handled, ["1"])
      yield* Effect.forkScoped(consumer.run(handler))
      yield* until(() => handled.length === 3)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a Layer's consumer ends before the services of its handler", () =>
    Effect.gen(function*() {
      yield* order("1")
      const { handled, handler, open, started } = yield* gatedHandler
      class Shop extends Context.Service<Shop, {
        readonly sell: (order: { readonly item: string }) => Effect.Effect<unknown, string>
      }>()("test/Shop") {}
      let isOpen = true
      const ShopLive = Layer.effect(
        Shop,
        Effect.acquireRelease(
          Effect.succeed({
            sell: (order: { readonly item: string }) =>
              Effect.andThen(handler(order), Effect.suspend(() => isOpen ? Effect.void : Effect.fail("closed")))
          }),
          () => Effect.sync(() => void (isOpen = false))
        )
      )
      const ending = yield* Scope.make()
      const options = { topic: orders, channel: "c", servers }
      yield* Scope.provide(
        Layer.build(
          Consumer.layer(options, (order) => Shop.use((shop) => shop.sell(order))).pipe(Layer.provide(ShopLive))
        ),
        ending
      )
      yield* Queue.take(started)
      const closing = yield* Effect.forkChild(Scope.close(ending, Exit.void))
      yield* untilChannel(({ subscriptions }) => subscriptions.length === 1)
      yield* open
      yield* Fiber.join(closing)
      assert.deepStrictEqual([handled, isOpen], [["1"], false])
      assert.strictEqual((yield* channel).requeueCount, 0)
    }).pipe(Effect.scoped, Effect.provide(layer)))
})

describe("stop", () => {
  const raw = Topic.bytes("raw")
  const count = ({ commands }: FakeNsqd.FakeNsqd, name: string): number =>
    commands.filter((command) => command.startsWith(name)).length

  it.effect("stop and the end of the Scope send CLS once, and a second stop does nothing", () =>
    Effect.gen(function*() {
      const server = yield* FakeNsqd.make("a:1", { silent: false })
      const ending = yield* Scope.make()
      const consumer = yield* Scope.provide(
        Consumer.make({ topic: raw, channel: "c", servers: { nsqd: ["a:1"] } }),
        ending
      )
      yield* until(() => count(server, "SUB") === 1)
      yield* consumer.stop
      yield* consumer.stop
      yield* Scope.close(ending, Exit.void)
      assert.strictEqual(count(server, "CLS"), 1)
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("a consumer that has stopped subscribes to nothing any more", () =>
    Effect.gen(function*() {
      const server = yield* FakeNsqd.make("a:1", { silent: false })
      const consumer = yield* Consumer.make({ topic: raw, channel: "c", servers: { nsqd: ["a:1"] } })
      yield* until(() => count(server, "SUB") === 1)
      yield* consumer.stop
      yield* consumer.stop
      server.breakOff()
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(count(server, "SUB"), 1)
      assert.deepStrictEqual(yield* consumer.connected, [])
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("a connection that is lost while a consumer stops does not subscribe again", () =>
    Effect.gen(function*() {
      const server = yield* FakeNsqd.make("a:1", { silent: false })
      const consumer = yield* Consumer.make({ topic: raw, channel: "c", servers: { nsqd: ["a:1", "b:1"] } })
      const other = yield* FakeNsqd.make("b:1", { silent: false })
      yield* TestClock.adjust("1 second")
      yield* until(() => count(server, "SUB") + count(other, "SUB") === 2)
      // A message in flight at the other server delays the end.
      const body = encodeMessage({
        timestamp: 1n,
        attempts: 1,
        id: MessageId.make("0".repeat(16)),
        body: Buffer.from("x")
      })
      other.send(encodeFrame(FrameType.message, body))
      const delivery = yield* Stream.runHead(consumer.messages)
      const stopping = yield* Effect.forkChild(consumer.stop)
      yield* until(() => count(server, "CLS") === 1)
      server.breakOff()
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(count(server, "SUB"), 1)
      yield* Effect.flatMap(Effect.fromOption(delivery), ({ finish }) => finish)
      yield* Fiber.join(stopping)
      yield* until(() => count(other, "FIN") === 1)
      assert.deepStrictEqual([count(server, "CLS"), count(other, "CLS")], [1, 1])
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("stop requeues at once what nothing takes", () =>
    Effect.gen(function*() {
      yield* order("1", "2")
      const consumer = yield* consume()
      yield* untilChannel(({ inFlightCount }) => inFlightCount === 2)
      // No time passes.
      yield* consumer.stop
      yield* untilChannel(({ depth, requeueCount }) => depth === 2 && requeueCount === 2)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("the end of the Scope requeues a batch that is not complete without its handler", () =>
    Effect.gen(function*() {
      yield* order("1")
      const ending = yield* Scope.make()
      const handled: Array<number> = []
      const consumer = yield* Scope.provide(consume(), ending)
      yield* Effect.forkScoped(
        consumer.runBatches((batch) => Effect.sync(() => handled.push(batch.length)), { size: 5 })
      )
      yield* untilChannel(({ inFlightCount }) => inFlightCount === 1)
      yield* Scope.close(ending, Exit.void)
      yield* untilChannel(({ depth, requeueCount }) => depth === 1 && requeueCount === 1)
      assert.deepStrictEqual(handled, [])
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("stop requeues what is not acknowledged after drainTimeout", () =>
    Effect.gen(function*() {
      yield* order("1")
      const consumer = yield* consume({ drainTimeout: "5 seconds" })
      yield* Stream.runHead(consumer.messages)
      const stopping = yield* Effect.forkChild(consumer.stop)
      while (stopping.pollUnsafe() === undefined) yield* TestClock.adjust("1 second")
      yield* untilChannel(({ depth, requeueCount }) => depth === 1 && requeueCount === 1)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a handler that forks stop finishes its message, and stop goes on without its caller", () =>
    Effect.gen(function*() {
      yield* order("1", "2")
      const handled: Array<string> = []
      const consumer = yield* consume({ maxInFlight: 1 })
      yield* consumer.run(({ item }) =>
        Effect.gen(function*() {
          const stopping = yield* Effect.forkChild(consumer.stop, { startImmediately: true })
          yield* Fiber.interrupt(stopping)
          handled.push(item)
        })
      )
      assert.deepStrictEqual(handled, ["1"])
      yield* untilChannel(({ depth, subscriptions }) => depth === 1 && subscriptions.length === 0)
    }).pipe(Effect.scoped, Effect.provide(layer)))
})

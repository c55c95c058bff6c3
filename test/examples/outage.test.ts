/**
 * How a program tests what it does when the broker has a bad day: a disk that is full, a consumer that dies. Nothing here
 * opens a socket or a file, and hours pass in no time: the broker lives under the test's clock.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schedule, Stream } from "effect"
import { Broker, consume, publish } from "effect-nsq/broker"
import { FaultyStorage, ProtocolClient, TestBroker } from "effect-nsq/testing"
import { TestClock } from "effect/testing"

/** The code under test: publishes, and tries again for as long as the broker's disk is full. */
const placeOrder = (order: string) =>
  publish("orders", Buffer.from(order)).pipe(
    Effect.retry({ schedule: Schedule.spaced("10 seconds"), while: (error) => error._tag === "PublishError" })
  )

const broker = TestBroker.layerNoStorage({ memQueueSize: 0 }).pipe(Layer.provideMerge(FaultyStorage.layer))

describe("placing orders", () => {
  it.effect("waits while the broker's disk is full, and loses none", () =>
    Effect.gen(function*() {
      const faults = yield* FaultyStorage.StorageFaults
      yield* faults.failWrites("no space left on device")
      const placing = yield* Effect.forkChild(placeOrder("tea"))
      yield* TestClock.adjust("1 hour")
      assert.isUndefined(placing.pollUnsafe())
      yield* faults.failWrites(undefined)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(placing)
      const [delivery] = yield* consume("orders", "kitchen").pipe(Stream.take(1), Stream.runCollect)
      assert.strictEqual(String(delivery?.body), "tea")
    }).pipe(Effect.provide(broker)))

  it.effect("reaches another cook at once when one goes home", () =>
    Effect.gen(function*() {
      yield* placeOrder("cake")
      const dishes = (name: string) =>
        consume("orders", "kitchen").pipe(
          Stream.map(({ attempts, body }) => `${name}: ${body}, attempt ${attempts}`),
          Stream.take(1),
          Stream.runCollect
        )
      const asleep = yield* Effect.forkChild(consume("orders", "kitchen").pipe(Stream.runForEach(() => Effect.never)))
      const { findTopic } = yield* Broker
      const kitchen = () => findTopic("orders")?.channel("kitchen")
      while (kitchen()?.inFlightCount !== 1) yield* Effect.yieldNow
      const awake = yield* Effect.forkChild(dishes("awake"))
      yield* Fiber.interrupt(asleep)
      assert.deepStrictEqual(Array.from(yield* Fiber.join(awake)), ["awake: cake, attempt 2"])
    }).pipe(Effect.provide(broker)))

  it.effect("over the wire is what any NSQ client sees", () =>
    Effect.gen(function*() {
      const client = yield* ProtocolClient.connect(TestBroker.address)
      yield* client.raw("SUB orders kitchen\nRDY 1\n")
      assert.strictEqual(yield* client.text, "OK")
      yield* placeOrder("coffee")
      const { body, id } = yield* client.message
      assert.strictEqual(String(body), "coffee")
      yield* client.raw(`FIN ${id}\n`)
    }).pipe(Effect.provide(broker)))
})

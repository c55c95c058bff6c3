/**
 * How to test a program's behaviour during an outage of the broker: a full disk, a lost consumer. These tests open no socket
 * and no file, and hours take no time, because the broker runs under the TestClock.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Schedule, Stream } from "effect"
import { Broker, consume, publish } from "effect-nsq/broker"
import { FaultyStorage, ProtocolClient, TestBroker, until } from "effect-nsq/testing"
import { TestClock } from "effect/testing"

/** The code under test: publishes, and retries while the broker's disk is full. */
const placeOrder = (order: string) =>
  publish("orders", Buffer.from(order)).pipe(
    Effect.retry({ schedule: Schedule.spaced("10 seconds"), while: (error) => error._tag === "BrokerError" })
  )

const broker = TestBroker.layerNoStorage({ memQueueSize: 0 }).pipe(Layer.provideMerge(FaultyStorage.layer))

describe("placing orders", () => {
  it.effect("an order waits while the broker's disk is full, and is not lost", () =>
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

  it.effect("an order goes to another consumer at once when its consumer is interrupted", () =>
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
      yield* until(() => kitchen()?.inFlightCount === 1)
      const awake = yield* Effect.forkChild(dishes("awake"))
      yield* Fiber.interrupt(asleep)
      assert.deepStrictEqual(Array.from(yield* Fiber.join(awake)), ["awake: cake, attempt 2"])
    }).pipe(Effect.provide(broker)))

  it.effect("an order over the wire looks as from any nsqd", () =>
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

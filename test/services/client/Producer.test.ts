import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { makeProducer, Producer, Topic } from "../../../src/services/client/index.ts"
import { Idle, MemoryTransport, until, untilIdle } from "../../../src/testing/index.ts"
import * as FakeNsqd from "./fakeNsqd.ts"

const memory = Layer.mergeAll(MemoryTransport.layer, FetchHttpClient.layer).pipe(Layer.provideMerge(Idle.layer))
const servers = { nsqd: ["a:1"] }
const responsive = { silent: false }
const Order = Schema.Struct({ item: Schema.String, quantity: Schema.Int })
const orders = Topic.make("orders", Order)

/** The commands after the handshake. */
const publishes = ({ commands }: FakeNsqd.FakeNsqd) => commands.filter((command) => !command.startsWith("IDENTIFY"))

/** Encodes the body of an MPUB as the scripted nsqd shows it. */
const multi = (...bodies: ReadonlyArray<string>): string => {
  const sized = (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes])
  const all = bodies.map((body) => sized(Buffer.from(body)))
  return Buffer.concat([Buffer.from([0, 0, 0, bodies.length]), ...all]).toString("latin1")
}

describe("the commands of a Producer", () => {
  it.effect("a publish sends PUB with the bytes, the string, or the JSON of a value", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", responsive)
      const producer = yield* makeProducer({ servers })
      yield* producer.publish("raw", Buffer.from([0x66, 0x6f, 0x6f]))
      yield* producer.publish("raw", "é")
      yield* producer.publish(orders, { item: "tea", quantity: 1 })
      assert.deepStrictEqual(publishes(nsqd), [
        "PUB raw foo",
        `PUB raw ${Buffer.from("é").toString("latin1")}`,
        `PUB orders {"item":"tea","quantity":1}`
      ])
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("publishAll sends all messages with one MPUB, and nothing for an empty list", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", responsive)
      const producer = yield* makeProducer({ servers })
      yield* producer.publishAll("raw", [])
      yield* producer.publishAll("raw", ["a", Buffer.from("bc")])
      yield* producer.publishAll(orders, [{ item: "tea", quantity: 1 }])
      assert.deepStrictEqual(publishes(nsqd), [
        `MPUB raw ${multi("a", "bc")}`,
        `MPUB orders ${multi(`{"item":"tea","quantity":1}`)}`
      ])
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("publishDeferred sends DPUB with the delay in whole milliseconds", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", responsive)
      const producer = yield* makeProducer({ servers })
      yield* producer.publishDeferred("raw", "x", "2 seconds")
      yield* producer.publishDeferred(orders, { item: "tea", quantity: 1 }, 0.6)
      assert.deepStrictEqual(publishes(nsqd), [
        "DPUB raw 2000 x",
        `DPUB orders 1 {"item":"tea","quantity":1}`
      ])
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("a value that its Schema refuses is not sent, nor are its neighbours in publishAll", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", responsive)
      const producer = yield* makeProducer({ servers })
      const good = { item: "tea", quantity: 1 }
      const bad = { item: "tea", quantity: 1.5 }
      const attempts = [
        producer.publish(orders, bad),
        producer.publishAll(orders, [good, bad]),
        producer.publishDeferred(orders, bad, "1 second")
      ]
      for (const attempt of attempts) assert.strictEqual((yield* Effect.flip(attempt)).reason._tag, "InvalidMessage")
      assert.deepStrictEqual(publishes(nsqd), [])
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("the publishes of many fibers are sent in order and complete with the replies", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", responsive)
      const producer = yield* makeProducer({ servers })
      yield* untilIdle
      nsqd.setSilent(true)
      const numbers = Array.from({ length: 20 }, (_, i) => i)
      const all = yield* Effect.forkScoped(
        Effect.forEach(numbers, (i) => producer.publish("t", `m${i}`), { concurrency: "unbounded", discard: true })
      )
      yield* until(() => nsqd.published.length === 20)
      assert.deepStrictEqual(nsqd.published, numbers.map((i) => `m${i}`))
      assert.isUndefined(all.pollUnsafe())
      nsqd.setSilent(false)
      yield* Fiber.join(all)
    }).pipe(Effect.scoped, Effect.provide(memory)))
})

describe("the lifetime of a Producer", () => {
  it.effect("an interrupted publish that waits for a server is not sent", () =>
    Effect.gen(function*() {
      const producer = yield* makeProducer({ servers })
      const first = yield* Effect.forkChild(producer.publish("t", "interrupted"), { startImmediately: true })
      const second = yield* Effect.forkScoped(producer.publish("t", "kept"), { startImmediately: true })
      yield* Fiber.interrupt(first)
      const nsqd = yield* FakeNsqd.make("a:1", responsive)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(second)
      assert.deepStrictEqual(nsqd.published, ["kept"])
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("`connected` lists the servers with a connection", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", responsive)
      const producer = yield* makeProducer({ servers: { nsqd: ["a:1", "b:1"] } })
      yield* untilIdle
      assert.deepStrictEqual(yield* producer.connected, ["a:1"])
      nsqd.breakOff()
      yield* untilIdle
      assert.deepStrictEqual(yield* producer.connected, [])
      yield* TestClock.adjust("1 second")
      yield* untilIdle
      assert.deepStrictEqual(yield* producer.connected, ["a:1"])
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("when the Scope closes, publishes that wait or are not confirmed fail", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", responsive)
      const scope = yield* Scope.make()
      const producer = yield* Scope.provide(makeProducer({ servers, maxInFlight: 1 }), scope)
      yield* untilIdle
      nsqd.setSilent(true)
      const sent = yield* Effect.forkScoped(Effect.flip(producer.publish("t", "sent")))
      yield* until(() => nsqd.published.length === 1)
      const waiting = yield* Effect.forkScoped(Effect.flip(producer.publish("t", "waiting")))
      yield* untilIdle
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Fiber.join(sent)).reason._tag, "UnknownOutcome")
      assert.strictEqual((yield* Fiber.join(waiting)).reason._tag, "NoServer")
      assert.deepStrictEqual(nsqd.published, ["sent"])
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("the Layer provides a producer that is connected while the Layer is in use", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", responsive)
      const producer = yield* Producer.pipe(
        Effect.tap((producer) => producer.publish("t", "x")),
        Effect.provide(Producer.layer({ servers }))
      )
      assert.deepStrictEqual(nsqd.published, ["x"])
      assert.deepStrictEqual(yield* producer.connected, [])
    }).pipe(Effect.scoped, Effect.provide(memory)))
})

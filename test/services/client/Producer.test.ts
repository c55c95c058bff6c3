import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Schema, Scope } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { type ClientError, Producer, Topic } from "../../../src/services/client/index.ts"
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
      const producer = yield* Producer.make({ servers })
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
      const producer = yield* Producer.make({ servers })
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
      const producer = yield* Producer.make({ servers })
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
      const producer = yield* Producer.make({ servers })
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
      const producer = yield* Producer.make({ servers })
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

describe("publishes that a Producer refuses", () => {
  /** The refusals of these publishes, and what was sent. */
  const refusals = Effect.fnUntraced(function*(
    attempts: (producer: Producer.ProducerService) => ReadonlyArray<Effect.Effect<void, ClientError>>,
    options: Partial<Producer.ProducerOptions> = {}
  ) {
    const nsqd = yield* FakeNsqd.make("a:1", responsive)
    const producer = yield* Producer.make({ servers, ...options })
    const errors = yield* Effect.forEach(attempts(producer), (attempt) => Effect.flip(attempt))
    yield* untilIdle
    assert.deepStrictEqual(publishes(nsqd), [])
    return errors.map(({ reason }) => reason._tag === "PublishRefused" ? reason.description : reason._tag)
  })

  it.effect("empty bodies are not sent", () =>
    Effect.gen(function*() {
      const found = yield* refusals((producer) => [
        producer.publish("t", ""),
        producer.publishAll("t", ["a", new Uint8Array(0)]),
        producer.publishDeferred("t", "", "1 second"),
        producer.publishAllDeferred("t", ["a", ""], "1 second")
      ])
      assert.deepStrictEqual(found, [
        "E_BAD_MESSAGE PUB invalid message body size 0",
        "E_BAD_MESSAGE MPUB invalid message(1) body size 0",
        "E_BAD_MESSAGE DPUB invalid message body size 0",
        "E_BAD_MESSAGE DPUB invalid message body size 0"
      ])
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("a topic name that NSQ does not accept fails the Effect, which can be built", () =>
    Effect.gen(function*() {
      const found = yield* refusals((producer) => [
        producer.publish("bad name!", "x"),
        producer.publishAll("bad name!", ["x"]),
        producer.publishDeferred("bad name!", "x", "1 second")
      ])
      assert.deepStrictEqual(
        found,
        ["PUB", "MPUB", "DPUB"].map((name) => `E_BAD_TOPIC ${name} topic name "bad name!" is not valid`)
      )
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("a delay that is not a Duration of 0 or more fails the Effect, which can be built", () =>
    Effect.gen(function*() {
      const found = yield* refusals((producer) => [
        producer.publishDeferred("t", "x", "soon" as "1 second"),
        producer.publishDeferred("t", "x", -1),
        producer.publishAllDeferred("t", ["x"], Infinity)
      ])
      assert.deepStrictEqual(
        found,
        ["soon", "-1", "Infinity"].map((delay) => `E_INVALID DPUB delay ${delay} is not a duration of 0 or more`)
      )
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("bodies and batches above the limits are not sent", () =>
    Effect.gen(function*() {
      const found = yield* refusals((producer) => [
        producer.publish("t", "12345678901"),
        producer.publishAll("t", ["a", "12345678901"]),
        producer.publishAll("t", ["1234567890", "1234567890"])
      ], { maxMsgSize: 10, maxBodySize: 30 })
      assert.deepStrictEqual(found, [
        "E_BAD_MESSAGE PUB message too big 11 > 10",
        "E_BAD_MESSAGE MPUB message too big 11 > 10",
        "E_BAD_BODY MPUB body too big 32 > 30"
      ])
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("the limit of a message is nsqd's default, or what the server states", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", { ...responsive, features: { max_msg_size: 5 } })
      const producer = yield* Producer.make({ servers })
      const refused = yield* Effect.flip(producer.publish("t", Buffer.alloc(1024 * 1024 + 1)))
      assert.strictEqual(refused.message, "t: E_BAD_MESSAGE PUB message too big 1048577 > 1048576")
      yield* producer.awaitConnected
      yield* untilIdle
      const stated = yield* Effect.flip(producer.publish("t", "123456"))
      assert.strictEqual(stated.message, "t: E_BAD_MESSAGE PUB message too big 6 > 5")
      assert.deepStrictEqual(publishes(nsqd), [])
    }).pipe(Effect.scoped, Effect.provide(memory)))
})

describe("deferred batches", () => {
  it.effect("publishAllDeferred sends a DPUB for each message, and nothing for an empty list", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", responsive)
      const producer = yield* Producer.make({ servers })
      yield* producer.publishAllDeferred("raw", [], "1 second")
      yield* producer.publishAllDeferred("raw", ["a", "b"], "1 second")
      yield* producer.publishAllDeferred(orders, [{ item: "tea", quantity: 1 }], "1 minute")
      assert.deepStrictEqual(publishes(nsqd), [
        "DPUB raw 1000 a",
        "DPUB raw 1000 b",
        `DPUB orders 60000 {"item":"tea","quantity":1}`
      ])
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("a message that the server refuses fails the batch after the others were published", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", responsive)
      const producer = yield* Producer.make({ servers })
      nsqd.refuse("E_DPUB_FAILED DPUB failed")
      const error = yield* Effect.flip(producer.publishAllDeferred("raw", ["a", "b"], "1 second"))
      assert.deepInclude(error.reason, { _tag: "PublishRefused", code: "E_DPUB_FAILED", address: "a:1" })
      assert.lengthOf(publishes(nsqd), 2)
    }).pipe(Effect.scoped, Effect.provide(memory)))
})

describe("the lifetime of a Producer", () => {
  it.effect("an interrupted publish that waits for a server is not sent", () =>
    Effect.gen(function*() {
      const producer = yield* Producer.make({ servers })
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
      const producer = yield* Producer.make({ servers: { nsqd: ["a:1", "b:1"] } })
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
      const producer = yield* Scope.provide(Producer.make({ servers, maxInFlight: 1 }), scope)
      yield* untilIdle
      nsqd.setSilent(true)
      const sent = yield* Effect.forkScoped(Effect.flip(producer.publish("t", "sent")))
      yield* until(() => nsqd.published.length === 1)
      const waiting = yield* Effect.forkScoped(Effect.flip(producer.publish("t", "waiting")))
      yield* untilIdle
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* Fiber.join(sent)).reason._tag, "UnknownOutcome")
      assert.strictEqual((yield* Fiber.join(waiting)).reason._tag, "Closed")
      assert.deepStrictEqual(nsqd.published, ["sent"])
      assert.strictEqual((yield* Effect.flip(producer.publish("t", "later"))).reason._tag, "Closed")
      assert.strictEqual((yield* Effect.flip(producer.awaitConnected)).reason._tag, "Closed")
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("the Layer provides a producer that is connected while the Layer is in use", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", responsive)
      const producer = yield* Producer.Producer.pipe(
        Effect.tap((producer) => producer.publish("t", "x")),
        Effect.provide(Producer.layer({ servers }))
      )
      assert.deepStrictEqual(nsqd.published, ["x"])
      assert.deepStrictEqual(yield* producer.connected, [])
    }).pipe(Effect.scoped, Effect.provide(memory)))
})

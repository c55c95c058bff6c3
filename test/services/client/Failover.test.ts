import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { Producer, type ProducerOptions } from "../../../src/services/client/index.ts"
import * as NodeTransport from "../../../src/services/net/NodeTransport.ts"
import { MemoryTransport, until } from "../../../src/testing/index.ts"
import * as FakeNsqd from "./fakeNsqd.ts"

const memory = Layer.mergeAll(MemoryTransport.layer, FetchHttpClient.layer)
const addresses = ["a:1", "b:1", "c:1"]

const responsive = { silent: false }

/** Three servers and a producer connected to all of them. */
const cluster = Effect.fnUntraced(
  function*(options: Partial<ProducerOptions> = {}, names: ReadonlyArray<string> = addresses) {
    const servers = yield* Effect.forEach(names, (address) => FakeNsqd.make(address, responsive))
    const producer = yield* Producer.make({ servers: { nsqd: servers.map(({ address }) => address) }, ...options })
    yield* connected(producer, servers.length)
    return { servers, producer }
  }
)

const connected = (producer: Producer.ProducerService, count: number): Effect.Effect<void> =>
  until(Effect.map(producer.connected, (servers) => servers.length === count), `the producer has ${count} connections`)

/** Publishes messages in sequence. */
const publishAll = (producer: Producer.ProducerService, count: number, from = 0) =>
  Effect.forEach(Array.from({ length: count }, (_, i) => i + from), (i) => producer.publish("t", `m${i}`), {
    discard: true
  })

describe("a Producer of several servers", () => {
  it.effect("the unconfirmed publishes of a silent server go to other servers within a second", () =>
    Effect.gen(function*() {
      const { producer, servers } = yield* cluster()
      servers[0]?.setSilent(true)
      const publishers = yield* Effect.forkScoped(Effect.forEach(
        Array.from({ length: 50 }, (_, i) => i),
        (i) => publishAll(producer, 10, i * 10),
        { concurrency: "unbounded", discard: true }
      ))
      for (let i = 0; i < 10; i++) yield* TestClock.adjust("100 millis")
      yield* Fiber.join(publishers)
      const confirmed = new Set(servers.slice(1).flatMap(({ published }) => published))
      assert.strictEqual(confirmed.size, 500)
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("a suspect server gets no publishes until it replies again", () =>
    Effect.gen(function*() {
      const { producer, servers } = yield* cluster()
      const [silent] = servers
      silent?.setSilent(true)
      const first = yield* Effect.forkScoped(Effect.forEach([1, 2, 3], (i) => producer.publish("t", `first${i}`), {
        concurrency: "unbounded"
      }))
      for (let i = 0; i < 10; i++) yield* TestClock.adjust("100 millis")
      yield* Fiber.join(first)
      const before = silent?.published.length
      yield* publishAll(producer, 30)
      assert.strictEqual(silent?.published.length, before)
      silent?.setSilent(false)
      yield* TestClock.adjust("100 millis")
      yield* publishAll(producer, 30, 30)
      assert.strictEqual(silent?.published.length, (before ?? 0) + 10)
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("while no server replies, a publish is sent at most once to each server and waits", () =>
    Effect.gen(function*() {
      const { producer, servers } = yield* cluster()
      for (const server of servers) server.setSilent(true)
      const publishing = yield* Effect.forkScoped(producer.publish("t", "once"))
      for (let i = 0; i < 100; i++) yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(servers.map(({ published }) => published), [["once"], ["once"], ["once"]])
      assert.isUndefined(publishing.pollUnsafe())
      servers[0]?.setSilent(false)
      yield* Fiber.join(publishing)
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("a publish waits for a slow server if it is the only one", () =>
    Effect.gen(function*() {
      const { producer, servers: [one] } = yield* cluster({}, ["a:1"])
      one?.setSilent(true)
      const publishing = yield* Effect.forkScoped(producer.publish("t", "once"))
      for (let i = 0; i < 200; i++) yield* TestClock.adjust("100 millis")
      one?.setSilent(false)
      yield* Fiber.join(publishing)
      assert.deepStrictEqual(one?.published, ["once"])
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("a publish does not wait for a server that does not complete its handshake", () =>
    Effect.gen(function*() {
      yield* FakeNsqd.make("a:1", { silent: true })
      yield* FakeNsqd.make("b:1", responsive)
      const producer = yield* Producer.make({ servers: { nsqd: ["a:1", "b:1"] } })
      yield* publishAll(producer, 50)
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("a late reply belongs to its own publish, and a late refusal does not fail the copy at another server", () =>
    Effect.gen(function*() {
      const { producer, servers: [one, other] } = yield* cluster({}, ["a:1", "b:1"])
      one?.setSilent(true)
      one?.refuse("E_PUB_FAILED PUB failed")
      const first = yield* Effect.forkScoped(Effect.forEach([1, 2], (i) => producer.publish("t", `first${i}`), {
        concurrency: "unbounded"
      }))
      for (let i = 0; i < 10; i++) yield* TestClock.adjust("100 millis")
      yield* Fiber.join(first)
      // The refusals come now, and the next replies are matched to the next publishes.
      one?.setSilent(false)
      one?.refuse(undefined)
      yield* publishAll(producer, 4)
      assert.strictEqual((one?.published.length ?? 0) + (other?.published.length ?? 0), 3 + 4)
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("publishing continues, however many replies a silent server owes", () =>
    Effect.gen(function*() {
      const { producer, servers: [one] } = yield* cluster({ maxInFlight: 10 }, ["a:1", "b:1"])
      one?.setSilent(true)
      const publishers = yield* Effect.forkScoped(Effect.forEach(
        Array.from({ length: 100 }, (_, i) => i),
        (i) => producer.publish("t", `m${i}`),
        { concurrency: "unbounded", discard: true }
      ))
      for (let i = 0; i < 10; i++) yield* TestClock.adjust("100 millis")
      yield* Fiber.join(publishers)
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("a producer reconnects to a server that has not replied for publishTimeout", () =>
    Effect.gen(function*() {
      const { producer, servers: [one] } = yield* cluster({ publishTimeout: "10 seconds" }, ["a:1", "b:1"])
      one?.setSilent(true)
      const first = yield* Effect.forkScoped(Effect.forEach([1, 2], (i) => producer.publish("t", `first${i}`), {
        concurrency: "unbounded"
      }))
      for (let i = 0; i < 105; i++) yield* TestClock.adjust("100 millis")
      yield* Fiber.join(first)
      assert.deepStrictEqual(yield* producer.connected, ["b:1"])
      one?.setSilent(false)
      for (let i = 0; i < 100; i++) yield* TestClock.adjust("100 millis")
      yield* connected(producer, 2)
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("a failed publish states whether the message may have arrived", () =>
    Effect.gen(function*() {
      const { producer, servers: [one] } = yield* cluster({ resend: false, publishTimeout: "2 seconds" }, ["a:1"])
      one?.setSilent(true)
      const unknown = yield* Effect.forkScoped(Effect.flip(producer.publish("t", "x")))
      yield* TestClock.adjust("2 seconds")
      const failed = yield* Fiber.join(unknown)
      assert.deepInclude(failed.reason, { _tag: "PublishTimedOut", sent: true })
      const nowhere = yield* Producer.make({ servers: { nsqd: ["d:1"] }, waitForServer: false })
      assert.strictEqual((yield* Effect.flip(nowhere.publish("t", "x"))).reason._tag, "NoServer")
      one?.setSilent(false)
      one?.refuse("E_BAD_TOPIC no")
      assert.strictEqual((yield* Effect.flip(producer.publish("t", "x"))).reason._tag, "PublishRefused")
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("with resend false a publish fails at once when its server is lost", () =>
    Effect.gen(function*() {
      const { producer, servers: [one] } = yield* cluster({ resend: false }, ["a:1", "b:1"])
      one?.setSilent(true)
      const both = yield* Effect.forkScoped(
        Effect.forEach([1, 2], (i) => Effect.exit(producer.publish("t", `m${i}`)), { concurrency: "unbounded" })
      )
      yield* until(() => one?.published.length !== 0)
      one?.breakOff()
      const exits = yield* Fiber.join(both)
      assert.strictEqual(exits.filter(({ _tag }) => _tag === "Failure").length, 1)
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("with waitForServer false a publish fails when the only server is silent", () =>
    Effect.gen(function*() {
      const { producer, servers: [one] } = yield* cluster({ waitForServer: false }, ["a:1"])
      one?.setSilent(true)
      const publishing = yield* Effect.forkScoped(Effect.flip(producer.publish("t", "x")))
      for (let i = 0; i < 10; i++) yield* TestClock.adjust("100 millis")
      const { reason } = yield* Fiber.join(publishing)
      assert.deepInclude(reason, { _tag: "UnknownOutcome", description: "a:1: no reply in time" })
      assert.strictEqual((yield* Effect.flip(producer.publish("t", "y"))).reason._tag, "NoServer")
      one?.setSilent(false)
      yield* Effect.forEach([1, 2, 3], () => Effect.yieldNow)
      yield* producer.publish("t", "z")
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.live("a producer avoids a silent server over real sockets", () =>
    Effect.gen(function*() {
      const { producer, servers } = yield* cluster({}, ["127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"])
      servers[0]?.setSilent(true)
      const slowest = yield* Effect.forEach(
        Array.from({ length: 50 }, (_, i) => i),
        (i) => publishAll(producer, 5, i * 5),
        { concurrency: "unbounded", discard: true }
      ).pipe(Effect.timeoutOption("20 seconds"))
      assert.isTrue(slowest._tag === "Some")
      assert.strictEqual(new Set(servers.slice(1).flatMap(({ published }) => published)).size, 250)
    }).pipe(Effect.scoped, Effect.provide(Layer.mergeAll(NodeTransport.layer, FetchHttpClient.layer))))
})

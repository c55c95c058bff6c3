import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Queue, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { encodeFrame, FrameType } from "../../../src/protocol/client/Frame.ts"
import { Consumer, Discovery, makeProducer, Topic } from "../../../src/services/client/index.ts"
import { MemoryTransport, TestBroker, until } from "../../../src/testing/index.ts"
import * as Web from "../tools/cluster.ts"
import * as FakeNsqd from "./fakeNsqd.ts"

const memory = Layer.mergeAll(MemoryTransport.layer, FetchHttpClient.layer)
const broker = TestBroker.layer().pipe(Layer.provideMerge(FetchHttpClient.layer))
const raw = Topic.bytes("raw")
const responsive = { silent: false }

const publish = (...bodies: ReadonlyArray<string>) =>
  Effect.scoped(Effect.flatMap(
    makeProducer({ servers: { nsqd: [TestBroker.address] } }),
    (producer) => producer.publishAll("raw", bodies)
  ))

/** The last RDY command that the server received. */
const ready = ({ commands }: FakeNsqd.FakeNsqd): string | undefined =>
  commands.findLast((command) => command.startsWith("RDY "))

const subscriptions = ({ commands }: FakeNsqd.FakeNsqd): number =>
  commands.filter((command) => command.startsWith("SUB ")).length

describe("a Consumer of several servers", () => {
  it.effect("a server that sends nothing passes its turn to another server", () =>
    Effect.gen(function*() {
      const servers = yield* Effect.forEach(["a:1", "b:1", "c:1"], (address) => FakeNsqd.make(address, responsive))
      yield* Consumer.make({ topic: raw, channel: "c", servers: { nsqd: ["a:1", "b:1", "c:1"] } })
      const holder = () => servers.find((server) => ready(server) === "RDY 1")
      yield* until(() => servers.every((server) => subscriptions(server) > 0) && holder() !== undefined)
      for (let turn = 0; turn < 10; turn++) {
        const before = holder()
        for (let i = 0; i < 2; i++) yield* TestClock.adjust("5 seconds")
        yield* until(() => holder() !== before && holder() !== undefined)
        // Heartbeats keep the connections open.
        for (const server of servers) server.send(encodeFrame(FrameType.response, Buffer.from("_heartbeat_")))
        yield* Effect.yieldNow
      }
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("a consumer connects to the servers that reply while another does not complete its handshake", () =>
    Effect.gen(function*() {
      yield* FakeNsqd.make("a:1", { silent: true })
      yield* FakeNsqd.make("b:1", responsive)
      const consumer = yield* Consumer.make({ topic: raw, channel: "c", servers: { nsqd: ["a:1", "b:1"] } })
      yield* until(Effect.map(consumer.connected, (servers) => servers.join() === "b:1"), "only b:1 is connected")
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("a consumer finds servers by one nsqlookupd while another does not reply", () =>
    Effect.gen(function*() {
      const producers = [{ broadcast_address: "10.0.0.9", tcp_port: 4150 }]
      const web = Web.layer((url) => {
        if (url.hostname === "silent") return "silent"
        return url.pathname === "/lookup" ? { channels: [], producers } : [404, "{}"]
      })
      const discovery = yield* Discovery.make({ lookupd: ["silent:1", "replies:1"] }, raw.name)
      const found = yield* discovery.addresses.pipe(
        Stream.filter((addresses) => addresses.length > 0),
        Stream.runHead,
        Effect.provide(web)
      )
      assert.deepStrictEqual(found._tag === "Some" ? found.value : [], ["10.0.0.9:4150"])
    }).pipe(Effect.scoped))

  it.effect("a consumer stays connected after an error about one message, and reconnects after any other", () =>
    Effect.gen(function*() {
      const server = yield* FakeNsqd.make("a:1", responsive)
      yield* Consumer.make({ topic: raw, channel: "c", servers: { nsqd: ["a:1"] } })
      yield* until(() => subscriptions(server) === 1)
      const error = (text: string): Buffer => encodeFrame(FrameType.error, Buffer.from(text))
      for (const code of ["E_FIN_FAILED", "E_REQ_FAILED", "E_TOUCH_FAILED"]) server.send(error(`${code} not in flight`))
      // The replies to heartbeats show that the errors have been handled.
      server.send(encodeFrame(FrameType.response, Buffer.from("_heartbeat_")))
      yield* until(() => server.commands.includes("NOP"))
      assert.strictEqual(subscriptions(server), 1)
      server.send(error("E_BAD_TOPIC no"))
      for (let i = 0; i < 5; i++) yield* Effect.yieldNow
      yield* TestClock.adjust("1 second")
      yield* until(() => subscriptions(server) === 2)
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("a consumer reconnects after a message that is too short", () =>
    Effect.gen(function*() {
      const server = yield* FakeNsqd.make("a:1", responsive)
      yield* Consumer.make({ topic: raw, channel: "c", servers: { nsqd: ["a:1"] } })
      yield* until(() => subscriptions(server) > 0)
      server.send(encodeFrame(FrameType.message, Buffer.alloc(10)))
      for (let i = 0; i < 5; i++) yield* Effect.yieldNow
      yield* TestClock.adjust("1 second")
      yield* until(() => subscriptions(server) >= 2)
    }).pipe(Effect.scoped, Effect.provide(memory)))
})

describe("a Consumer whose program throws", () => {
  const consume = (options: Partial<Consumer.ConsumerOptions<Uint8Array>>) =>
    Consumer.make({
      topic: raw,
      channel: "c",
      servers: { nsqd: [TestBroker.address] },
      maxInFlight: 1,
      maxBackoffDuration: 0,
      defaultRequeueDelay: "1 second",
      ...options
    })

  it.effect("a message whose onGivenUp dies is requeued, and the consumer continues", () =>
    Effect.gen(function*() {
      yield* publish("bad")
      const attempts = yield* Queue.unbounded<number>()
      const good = yield* Deferred.make<void>()
      const consumer = yield* consume({
        maxAttempts: 1,
        onGivenUp: ({ attempts: attempt }) =>
          Effect.andThen(Queue.offer(attempts, attempt), Effect.die(new Error("the dead letter queue is gone")))
      })
      const running = yield* Effect.forkScoped(
        consumer.run((body) =>
          Buffer.from(body).toString() === "good" ? Deferred.succeed(good, undefined) : Effect.fail("no")
        )
      )
      while (Queue.sizeUnsafe(attempts) < 2) yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Queue.takeAll(attempts), [2, 3])
      yield* publish("good")
      yield* Deferred.await(good)
      assert.isUndefined(running.pollUnsafe())
      yield* Fiber.interrupt(running)
    }).pipe(Effect.scoped, Effect.provide(broker)))

  it.effect("a message whose span cannot be read is requeued, and the consumer continues", () =>
    Effect.gen(function*() {
      yield* publish("m")
      const topic: Topic.Topic<Uint8Array> = {
        ...raw,
        linkOf: () => {
          throw new Error("not a span")
        }
      }
      const givenUp = yield* Deferred.make<number>()
      const consumer = yield* consume({
        topic,
        maxAttempts: 2,
        onGivenUp: ({ attempts }) => Effect.asVoid(Deferred.succeed(givenUp, attempts))
      })
      yield* Effect.forkScoped(consumer.run(() => Effect.void))
      while (!Deferred.isDoneUnsafe(givenUp)) yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Deferred.await(givenUp), 3)
    }).pipe(Effect.scoped, Effect.provide(broker)))
})

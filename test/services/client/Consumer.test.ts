import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Fiber, Layer, Queue, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { encodeFrame, FrameType } from "../../../src/protocol/client/Frame.ts"
import { Consumer, Discovery, Producer, Topic } from "../../../src/services/client/index.ts"
import { MemoryTransport, TestBroker, until } from "../../../src/testing/index.ts"
import * as Web from "../tools/cluster.ts"
import * as Consuming from "./consuming.ts"
import * as FakeNsqd from "./fakeNsqd.ts"

const memory = Layer.mergeAll(MemoryTransport.layer, FetchHttpClient.layer)
const broker = TestBroker.layer().pipe(Layer.provideMerge(FetchHttpClient.layer))
const raw = Topic.bytes("raw")
const responsive = { silent: false }

const publish = (...bodies: ReadonlyArray<string>) =>
  Effect.scoped(Effect.flatMap(
    Producer.make({ servers: { nsqd: [TestBroker.address] } }),
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
      assert.deepStrictEqual(yield* Queue.takeAll(attempts), [1, 2])
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
      assert.strictEqual(yield* Deferred.await(givenUp), 2)
    }).pipe(Effect.scoped, Effect.provide(broker)))
})

describe("a running Consumer that the program controls", () => {
  /** Records the items in the hands of handlers, which end when the test lets them. */
  const working = Effect.gen(function*() {
    const busy = new Set<string>()
    const gate = yield* Deferred.make<void>()
    const handler = ({ item }: { readonly item: string }) =>
      Effect.andThen(Effect.sync(() => busy.add(item)), Deferred.await(gate))
    return { busy, handler, open: Deferred.succeed(gate, undefined) }
  })

  it.effect("pause stops the flow of messages, and resume continues it", () =>
    Effect.gen(function*() {
      const handled = yield* Queue.unbounded<string>()
      const consumer = yield* Consuming.consume()
      yield* Effect.forkScoped(consumer.run(({ item }) => Queue.offer(handled, item)))
      yield* Consuming.order("1")
      assert.strictEqual(yield* Queue.take(handled), "1")
      yield* consumer.pause
      yield* Consuming.untilChannel(({ subscriptions }) => subscriptions[0]?.readyCount === 0)
      yield* Consuming.order("2")
      yield* Consuming.untilChannel(({ depth }) => depth === 1)
      assert.strictEqual(Queue.sizeUnsafe(handled), 0)
      yield* consumer.resume
      assert.strictEqual(yield* Queue.take(handled), "2")
    }).pipe(Effect.scoped, Effect.provide(Consuming.layer)))

  it.effect("setMaxInFlight changes the messages in flight and the default concurrency", () =>
    Effect.gen(function*() {
      const { busy, handler, open } = yield* working
      const consumer = yield* Consuming.consume({ maxInFlight: 1 })
      yield* Effect.forkScoped(consumer.run(handler))
      yield* Consuming.order("1", "2", "3", "4")
      yield* until(() => busy.size === 1)
      yield* consumer.setMaxInFlight(3)
      yield* until(() => busy.size === 3)
      yield* Consuming.untilChannel(({ inFlightCount }) => inFlightCount === 3)
      yield* consumer.setMaxInFlight(0)
      yield* open
      yield* Consuming.untilChannel(({ depth, inFlightCount }) => depth === 1 && inFlightCount === 0)
      yield* consumer.setMaxInFlight(1)
      yield* until(() => busy.size === 4)
    }).pipe(Effect.scoped, Effect.provide(Consuming.layer)))

  it.effect("setConcurrency changes the number of handlers, and surplus ones finish their messages", () =>
    Effect.gen(function*() {
      const started = yield* Queue.unbounded<string>()
      const gates = new Map<string, Deferred.Deferred<void>>()
      const consumer = yield* Consuming.consume()
      yield* Effect.forkScoped(consumer.run(({ item }) => {
        const gate = Deferred.makeUnsafe<void>()
        gates.set(item, gate)
        return Effect.andThen(Queue.offer(started, item), Deferred.await(gate))
      }, { concurrency: 1 }))
      const end = (item: string) => Deferred.succeed(gates.get(item) ?? Deferred.makeUnsafe<void>(), undefined)
      yield* Consuming.order("1", "2", "3", "4", "5")
      assert.strictEqual(yield* Queue.take(started), "1")
      yield* consumer.setConcurrency(3)
      assert.deepStrictEqual([yield* Queue.take(started), yield* Queue.take(started)], ["2", "3"])
      yield* consumer.setConcurrency(1)
      // A change of maxInFlight keeps the concurrency of the program.
      yield* consumer.setMaxInFlight(9)
      yield* end("1")
      yield* end("2")
      yield* Consuming.untilChannel(({ inFlightCount }) => inFlightCount === 3)
      assert.strictEqual(Queue.sizeUnsafe(started), 0)
      yield* end("3")
      assert.strictEqual(yield* Queue.take(started), "4")
      yield* end("4")
      assert.strictEqual(yield* Queue.take(started), "5")
      yield* end("5")
      assert.strictEqual((yield* Consuming.channel).requeueCount, 0)
    }).pipe(Effect.scoped, Effect.provide(Consuming.layer)))

  it.effect("a number of messages or handlers that is not valid is a defect of the Effect", () =>
    Effect.gen(function*() {
      const problem = <R>(effect: Effect.Effect<unknown, never, R>) =>
        Effect.map(Effect.flip(Effect.sandbox(effect)), (cause) => String(Cause.squash(cause)))
      assert.match(yield* problem(Consuming.consume({ maxInFlight: Number.NaN })), /^RangeError: maxInFlight: NaN/)
      const consumer = yield* Consuming.consume()
      assert.match(yield* problem(consumer.setMaxInFlight(-1)), /^RangeError: maxInFlight: -1/)
      assert.match(
        yield* problem(consumer.run(() => Effect.void, { concurrency: Number.NaN })),
        /^RangeError: concurrency/
      )
    }).pipe(Effect.scoped, Effect.provide(Consuming.layer)))
})

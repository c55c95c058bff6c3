import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Queue, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import { Broker, consume, publish as publishHere } from "../../../src/broker.ts"
import { messageKey } from "../../../src/protocol/client/Message.ts"
import { ChannelName, TopicName } from "../../../src/protocol/client/Names.ts"
import { Consumer, Producer, Topic } from "../../../src/services/client/index.ts"
import * as Forwarding from "../../../src/services/tools/Forwarding.ts"
import * as NsqToNsq from "../../../src/services/tools/NsqToNsq.ts"
import { toolError } from "../../../src/services/tools/ToolError.ts"
import { TestBroker, until } from "../../../src/testing/index.ts"
import * as FakeNsqd from "../client/fakeNsqd.ts"

const servers = { nsqd: [TestBroker.address] }
const layer = TestBroker.layer().pipe(Layer.provideMerge(FetchHttpClient.layer))
const text = (body: Uint8Array) => Buffer.from(body).toString()

const publish = (topic: string, ...bodies: ReadonlyArray<string>) =>
  Effect.scoped(Effect.flatMap(Producer.make({ servers }), (producer) => producer.publishAll(topic, bodies)))

const options: NsqToNsq.NsqToNsqOptions = {
  ...NsqToNsq.defaults(),
  topics: ["from"],
  destinationTopic: "to",
  nsqdTcpAddresses: [TestBroker.address],
  destinationNsqdTcpAddresses: [TestBroker.address]
}

describe("nsq_to_nsq", () => {
  it.effect("nsq_to_nsq publishes the messages that pass its filter and finishes the rest", () =>
    Effect.gen(function*() {
      yield* publish("from", "{\"k\":1,\"x\":2}", "nonsense", "{}", "{\"k\":3}")
      const copying = yield* Effect.forkScoped(
        NsqToNsq.main({ ...options, requireJsonField: "k", whitelistJsonFields: ["k"] })
      )
      const copies = yield* Queue.unbounded<string>()
      const consumer = yield* Consumer.make({ topic: Topic.bytes("to"), channel: "c", servers, maxInFlight: 10 })
      yield* Effect.forkScoped(consumer.run((body) => Queue.offer(copies, text(body))))
      assert.deepStrictEqual([yield* Queue.take(copies), yield* Queue.take(copies)].sort(), ["{\"k\":1}", "{\"k\":3}"])
      yield* Fiber.interrupt(copying)
      const channel = (yield* Broker).findTopic("from")?.channel("nsq_to_nsq")
      assert.strictEqual(channel?.depth, 0)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a copy of a dead letter has its origin under other names, or without it if these have no room", () =>
    Effect.gen(function*() {
      const bury = (body: string, key: string) =>
        Effect.gen(function*() {
          yield* publishHere("orders", Buffer.from(body), { headers: { key } })
          const channel = (yield* Broker).findTopic("orders")?.channel("billing")
          yield* consume("orders", "billing").pipe(
            Stream.take(1),
            Stream.runForEach(({ id }) => Effect.sync(() => channel?.rejectAny(messageKey(id), "bad")))
          )
        })
      const long = "x".repeat(8020)
      yield* Broker.use((broker) => broker.channel(TopicName.make("orders"), ChannelName.make("billing")))
      yield* bury("a", "1")
      yield* bury("b", long)
      const copying = yield* Effect.forkScoped(NsqToNsq.main({ ...options, topics: ["orders.dlq"], maxInFlight: 1 }))
      const [a, b] = yield* consume("to", "c", { maxInFlight: 2 }).pipe(Stream.take(2), Stream.runCollect)
      assert.deepInclude(a!.headers, { key: "1", "copied-nsq-origin-topic": "orders", "copied-nsq-dead-reason": "bad" })
      assert.deepStrictEqual(Object.keys(a!.headers).filter((name) => name.startsWith("nsq-")), [])
      assert.deepStrictEqual(b!.headers, { key: long })
      yield* Fiber.interrupt(copying)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("messages that a silent destination does not confirm go to another one within a second", () =>
    Effect.gen(function*() {
      const silent = yield* FakeNsqd.make("a:1", { silent: false })
      const other = yield* FakeNsqd.make("b:1", { silent: false })
      const sent = Array.from({ length: 50 }, (_, i) => `m${i}`)
      const copying = yield* Effect.forkScoped(
        NsqToNsq.main({ ...options, mode: "round-robin", destinationNsqdTcpAddresses: ["a:1", "b:1"] })
      )
      yield* until(() => silent.commands.length > 0 && other.commands.length > 0)
      silent.setSilent(true)
      yield* publish("from", ...sent)
      for (let i = 0; i < 10; i++) yield* TestClock.adjust("100 millis")
      yield* until(() => sent.every((body) => other.published.includes(body)))
      yield* Fiber.interrupt(copying)
      const channel = (yield* Broker).findTopic("from")?.channel("nsq_to_nsq")
      assert.deepStrictEqual([channel?.depth, channel?.deferredCount], [0, 0])
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("nsq_to_nsq refuses invalid options", () =>
    Effect.gen(function*() {
      const refusal = (changed: Partial<NsqToNsq.NsqToNsqOptions>) =>
        Effect.map(Effect.flip(NsqToNsq.main({ ...options, ...changed })), ({ message }) => message)
      assert.strictEqual(yield* refusal({ topics: [] }), "--topic and --channel are required")
      assert.strictEqual(yield* refusal({ topics: ["ok", "a b"] }), "--topic is invalid")
      assert.strictEqual(yield* refusal({ destinationTopic: "a b" }), "--destination-topic is invalid")
      assert.strictEqual(yield* refusal({ channel: "a b" }), "--channel is invalid")
      assert.strictEqual(
        yield* refusal({ destinationNsqdTcpAddresses: [] }),
        "--destination-nsqd-tcp-address required"
      )
    }).pipe(Effect.scoped, Effect.provide(layer)))
})

describe("forwarding", () => {
  it.effect("an interrupted tool waits for messages in flight, and failed messages are requeued", () =>
    Effect.gen(function*() {
      yield* publish("from", "good", "bad")
      const consumer = yield* Consumer.make({ topic: Topic.bytes("from"), channel: "c", servers, maxInFlight: 2 })
      const taken = yield* Queue.unbounded<string>()
      const release = yield* Deferred.make<void>()
      const running = yield* Effect.forkScoped(
        Forwarding.run(consumer, 2, (body) =>
          Queue.offer(taken, text(body)).pipe(
            Effect.andThen(Deferred.await(release)),
            Effect.andThen(text(body) === "bad" ? Effect.fail(toolError("MissingField", "no")) : Effect.void)
          ))
      )
      yield* Queue.take(taken)
      yield* Queue.take(taken)
      const interrupting = yield* Effect.forkScoped(Fiber.interrupt(running))
      yield* Effect.yieldNow
      assert.isUndefined(interrupting.pollUnsafe())
      yield* Deferred.succeed(release, undefined)
      yield* Fiber.join(interrupting)
      const broker = yield* Broker
      const counts = () => {
        const channel = broker.findTopic("from")?.channel("c")
        return [channel?.inFlightCount, channel?.deferredCount, channel?.depth]
      }
      yield* until(() => counts()[0] === 0)
      // The failed message waits for its delay.
      assert.deepStrictEqual(counts(), [0, 1, 0])
    }).pipe(Effect.scoped, Effect.provide(layer)))
})

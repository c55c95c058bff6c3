import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Deferred, Effect, Fiber, Layer, Logger, Schema } from "effect"
import { Broker, BrokerError, publish, Publisher } from "../../../../src/broker.ts"
import { encodeHeaders } from "../../../../src/protocol/client/Headers.ts"
import { ChannelName, TopicName } from "../../../../src/protocol/client/Names.ts"
import * as Completion from "../../../../src/services/core/Completion.ts"
import { bodiesOf, joinBodies } from "../../../../src/services/nsqd/broker/Publisher.ts"
import { TestBroker, until } from "../../../../src/testing/index.ts"
import { brokerWith } from "./testing.ts"

const bytes = (body: string) => Buffer.from(body)
const topicOf = (name: string) => Broker.use((broker) => broker.topic(TopicName.make(name)))

const checked = <R = never>(check: Parameters<typeof Publisher.layerChecked<R>>[0]) =>
  Publisher.layerChecked(check).pipe(Layer.provideMerge(TestBroker.layer()), Layer.provide(Logger.layer([])))

describe("the plain publisher", () => {
  it.effect.prop(
    "the default publisher passes every body to the topic unchanged",
    { bodies: Arbitrary.array(Arbitrary.schema(Schema.Uint8Array), { maxLength: 20 }) },
    ({ bodies }) =>
      Effect.sync(() =>
        assert.deepStrictEqual(bodiesOf(joinBodies(bodies)).map((body) => new Uint8Array(body)), bodies)
      )
  )

  it.effect("bodies with other bytes between them, as in pipelined PUBs, are read", () =>
    Effect.sync(() => {
      const bytes = Buffer.concat([
        Buffer.from("PUB a\n"),
        Buffer.from([0, 0, 0, 2]),
        Buffer.from("hiPUB a\n"),
        Buffer.from([0, 0, 0, 1]),
        Buffer.from("!")
      ])
      const bodies = bodiesOf({ bytes, start: 6, gap: 6, count: 2, bodyBytes: 3 })
      assert.deepStrictEqual(bodies.map(String), ["hi", "!"])
    }))
})

describe("publishing to a topic by name", () => {
  it.effect("a publish creates the topic, and one to an existing topic with room is done at once", () =>
    Effect.gen(function*() {
      const broker = yield* Broker
      const publisher = yield* Publisher
      const name = TopicName.make("orders")
      const creation = publisher.publish(name, joinBodies([bytes("a")]), 0)
      assert.isUndefined(broker.findTopic(name))
      yield* Completion.toEffect(creation)
      assert.strictEqual(broker.findTopic(name)?.messageCount, 1)
      assert.isUndefined(publisher.publish(name, joinBodies([bytes("b"), bytes("c")]), 0))
      assert.strictEqual(broker.findTopic(name)?.messageCount, 3)
    }).pipe(Effect.provide(brokerWith())))

  it.effect("a publish fails with the reason that its topic cannot be created", () =>
    Effect.gen(function*() {
      yield* publish("orders", bytes("a"))
      const error = yield* Effect.flip(publish("invoices", bytes("a")))
      assert.deepInclude(error.reason, { _tag: "TopicLimit", max: 1 })
    }).pipe(Effect.provide(brokerWith({ maxTopics: 1 }))))

  it.effect("a publish of no messages does nothing", () =>
    Effect.gen(function*() {
      const broker = yield* Broker
      yield* publish("orders", [])
      assert.isUndefined(broker.findTopic("orders"))
    }).pipe(Effect.provide(brokerWith())))
})

describe("a checked publisher", () => {
  it.effect("a checked publisher checks every body with its topic and accepts those that pass", () =>
    Effect.gen(function*() {
      yield* publish("orders", [bytes("a"), bytes("b")])
      assert.strictEqual((yield* topicOf("orders")).depth, 2)
    }).pipe(
      Effect.provide(checked((topic, body) =>
        topic === "orders" && ["a", "b"].includes(Buffer.from(body).toString())
          ? Effect.void
          : Effect.fail(BrokerError.rejection("unexpected"))
      ))
    ))

  it.effect("a refused body refuses all bodies of the publish", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(publish("orders", [bytes("good"), bytes("bad"), bytes("good")]))
      assert.deepInclude(error.reason, { _tag: "Rejection", description: "bad it is" })
      const topic = yield* topicOf("orders")
      assert.strictEqual(topic.depth, 0)
      assert.strictEqual(topic.messageCount, 0)
    }).pipe(Effect.provide(checked((_, body) =>
      Buffer.from(body).toString() === "bad" ? Effect.fail(BrokerError.rejection("bad it is")) : Effect.void
    ))))

  it.effect("a check gets the headers of each body, by name in lower case", () =>
    Effect.gen(function*() {
      const { publish: publishBodies } = yield* Publisher
      const send = (...headers: ReadonlyArray<Record<string, string>>) => {
        const blocks = headers.map((header) => {
          const block = encodeHeaders(header)
          if (!Buffer.isBuffer(block)) throw block
          return block
        })
        const bodies = joinBodies(headers.map(() => bytes("a")), headers.length === 1 ? blocks[0]! : blocks)
        return Completion.toEffect(publishBodies(TopicName.make("orders"), bodies, 0))
      }
      yield* send({ "Content-Type": "text/plain", key: "1" })
      yield* send({ "Content-Type": "text/plain" }, { "Content-Type": "text/plain" })
      assert.strictEqual(
        (yield* Effect.flip(send({ "Content-Type": "text/plain" }, { "Content-Type": "image/png" }))).message,
        "not image/png"
      )
      assert.strictEqual((yield* Effect.flip(publish("orders", bytes("a")))).message, "not undefined")
      assert.strictEqual((yield* topicOf("orders")).messageCount, 3)
    }).pipe(Effect.provide(checked((_topic, _body, { "content-type": type }) =>
      type === "text/plain" ? Effect.void : Effect.fail(BrokerError.rejection(`not ${type}`))
    ))))

  it.effect("a refused publish does not create its topic", () =>
    Effect.gen(function*() {
      const broker = yield* Broker
      yield* Effect.flip(publish("orders", bytes("a")))
      assert.isUndefined(broker.findTopic("orders"))
    }).pipe(Effect.provide(checked(() => Effect.fail(BrokerError.rejection("no"))))))

  it.effect("a publish waits for its check and keeps its delay", () =>
    Effect.gen(function*() {
      const decided = yield* Deferred.make<void>()
      yield* Effect.gen(function*() {
        const fiber = yield* Effect.forkChild(publish("orders", bytes("a"), { delay: "1 minute" }), {
          startImmediately: true
        })
        const broker = yield* Broker
        const channel = yield* broker.channel(TopicName.make("orders"), ChannelName.make("billing"))
        assert.strictEqual((yield* topicOf("orders")).messageCount, 0)
        yield* Deferred.succeed(decided, undefined)
        yield* Fiber.join(fiber)
        assert.strictEqual((yield* topicOf("orders")).messageCount, 1)
        yield* until(() => channel.messageCount > 0)
        assert.strictEqual(channel.deferredCount, 1)
      }).pipe(Effect.provide(checked(() => Deferred.await(decided))))
    }))
})

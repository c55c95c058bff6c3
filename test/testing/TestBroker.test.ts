import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { ChannelName, TopicName } from "../../src/protocol/client/Names.ts"
import { FaultyStorage, ProtocolClient, TestBroker, until } from "../../src/testing/index.ts"
import { brokerWith, channelOf, join, quiet, send, topicOf } from "../services/nsqd/broker/testing.ts"

const topic = TopicName.make("t")
const channel = ChannelName.make("c")

describe("TestBroker", () => {
  it.effect("clients of the network and code in process use the same broker", () =>
    Effect.gen(function*() {
      const { recording } = yield* join("t", "c", 10)
      const client = yield* ProtocolClient.connect(TestBroker.address)
      yield* client.send({ _tag: "PUB", topic, body: Buffer.from("from the network") })
      assert.strictEqual(yield* client.text, "OK")
      yield* send("t", "in process")
      yield* until(() => recording.bodies().length === 2)
      assert.deepStrictEqual(recording.bodies(), ["from the network", "in process"])
    }).pipe(Effect.scoped, Effect.provide(brokerWith())))

  it.effect("options of the test replace NSQ's defaults, and the others stay", () =>
    Effect.gen(function*() {
      const client = yield* ProtocolClient.connect(TestBroker.address)
      yield* client.send({ _tag: "PUB", topic, body: Buffer.alloc(11) })
      assert.strictEqual(yield* client.text, "E_BAD_MESSAGE PUB message too big 11 > 10")
      const other = yield* ProtocolClient.connect(TestBroker.address)
      yield* other.send({ _tag: "IDENTIFY", body: Buffer.from("{\"feature_negotiation\":true}") })
      assert.strictEqual(JSON.parse((yield* other.text) ?? "").max_rdy_count, 2500)
    }).pipe(Effect.scoped, Effect.provide(brokerWith({ maxMsgSize: 10 }))))

  it.effect("the broker's timers follow the TestClock", () =>
    Effect.gen(function*() {
      const client = yield* ProtocolClient.connect(TestBroker.address)
      yield* client.send({ _tag: "SUB", topic, channel })
      assert.strictEqual(yield* client.text, "OK")
      const heartbeat = yield* Effect.forkChild(client.text, { startImmediately: true })
      yield* TestClock.adjust("29999 millis")
      assert.isUndefined(heartbeat.pollUnsafe())
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Fiber.join(heartbeat), "_heartbeat_")
    }).pipe(Effect.scoped, Effect.provide(brokerWith())))

  it.effect("each provided layer is a new and empty broker", () =>
    Effect.gen(function*() {
      const depth = Effect.gen(function*() {
        const { depth } = yield* topicOf("t")
        yield* send("t", "x")
        return depth
      })
      for (let i = 0; i < 2; i++) assert.strictEqual(yield* Effect.provide(depth, Layer.fresh(brokerWith())), 0)
    }))

  it.effect("a broker without storage of its own uses the storage of the environment", () =>
    Effect.gen(function*() {
      const faults = yield* FaultyStorage.StorageFaults
      yield* channelOf("t", "c")
      const { writes } = faults.counts()
      yield* send("t", "to the disk")
      yield* until(() => faults.counts().writes > writes)
    }).pipe(Effect.provide(
      TestBroker.layerNoStorage({ memQueueSize: 0 }).pipe(
        Layer.provideMerge(FaultyStorage.layer),
        Layer.provide(quiet)
      )
    )))
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { consume } from "../../../../src/broker.ts"
import { ChannelName, TopicName } from "../../../../src/protocol/client/Names.ts"
import * as Locality from "../../../../src/services/nsqd/broker/Locality.ts"
import { ProtocolClient, TestBroker, until } from "../../../../src/testing/index.ts"
import { brokerWith, channelOf, join, numbers, send } from "./testing.ts"

const enableExperiment = ["topology-aware-consumption"]
const here = { enableExperiment, topologyZone: "z1", topologyRegion: "r1" }
const nowhere = { enableExperiment, topologyZone: "", topologyRegion: "" }

describe("the locality of a consumer", () => {
  it("the locality of a consumer is zone, else region, else global", () => {
    assert.deepStrictEqual(Locality.of(here, "z1", "r1"), { counted: "zone", rank: 0 })
    assert.deepStrictEqual(Locality.of(here, "z1", "elsewhere"), { counted: "zone", rank: 0 })
    assert.deepStrictEqual(Locality.of(here, "z2", "r1"), { counted: "region", rank: 1 })
    assert.deepStrictEqual(Locality.of(here, "z2", "r2"), Locality.global)
    assert.deepStrictEqual(Locality.of(here, "", ""), Locality.global)
  })

  it("a broker without a zone counts local consumers but does not prefer them", () => {
    assert.deepStrictEqual(Locality.of(nowhere, "", ""), { counted: "zone", rank: 2 })
    assert.deepStrictEqual(Locality.of(nowhere, "z1", ""), { counted: "region", rank: 2 })
    assert.deepStrictEqual(Locality.of({ ...nowhere, topologyRegion: "r1" }, "", "r1"), { counted: "zone", rank: 1 })
    assert.deepStrictEqual(Locality.of({ ...nowhere, topologyRegion: "r1" }, "z1", "r1"), {
      counted: "region",
      rank: 1
    })
  })

  it("without the experiment every locality is global", () => {
    assert.deepStrictEqual(Locality.of({ ...here, enableExperiment: [] }, "z1", "r1"), Locality.global)
    assert.deepStrictEqual(Locality.of({ ...here, enableExperiment: ["another"] }, "z1", "r1"), Locality.global)
  })
})

/** One consumer in the broker's zone, one in its region, one elsewhere. */
const three = (ready: readonly [zone: number, region: number, far: number]) =>
  Effect.gen(function*() {
    const consumers = [
      yield* join("t", "c", ready[0], { locality: Locality.of(here, "z1", "r1") }),
      yield* join("t", "c", ready[1], { locality: Locality.of(here, "z2", "r1") }),
      yield* join("t", "c", ready[2], { locality: Locality.of(here, "z9", "r9") })
    ]
    const { channel } = consumers[0]!
    return { channel, received: () => consumers.map(({ recording }) => recording.bodies().length) }
  })

describe("topology-aware consumption", () => {
  it.effect("consumers in the broker's zone are served first while they are ready, for single messages and bursts", () =>
    Effect.gen(function*() {
      const { channel, received } = yield* three([100, 100, 100])
      for (const [i, body] of numbers(10).entries()) {
        yield* send("t", body)
        yield* until(() => channel.inFlightCount === i + 1)
      }
      yield* send("t", ...numbers(20))
      yield* until(() => channel.inFlightCount === 30)
      assert.deepStrictEqual(received(), [30, 0, 0])
      assert.deepStrictEqual(channel.delivered, { zone: 30, region: 0, global: 0 })
    }).pipe(Effect.provide(brokerWith(here))))

  it.effect("consumers in the broker's region are served next, then all others", () =>
    Effect.gen(function*() {
      const { channel, received } = yield* three([5, 3, 100])
      yield* send("t", ...numbers(20))
      yield* until(() => channel.inFlightCount === 20)
      assert.deepStrictEqual(received(), [5, 3, 12])
      assert.deepStrictEqual(channel.delivered, { zone: 5, region: 3, global: 12 })
    }).pipe(Effect.provide(brokerWith(here))))

  it.effect("as in NSQ messages from disk are not counted by locality", () =>
    Effect.gen(function*() {
      const channel = yield* channelOf("t", "c")
      yield* send("t", ...numbers(10))
      yield* until(() => channel.backendDepth > 0)
      const { received } = yield* three([100, 100, 100])
      yield* until(() => channel.inFlightCount === 10)
      assert.deepStrictEqual(received(), [10, 0, 0])
      assert.deepStrictEqual(channel.delivered, { zone: 0, region: 0, global: 0 })
    }).pipe(Effect.provide(brokerWith({ ...here, memQueueSize: 0 }))))

  it.effect("topology-aware consumption is off by default: all consumers share evenly", () =>
    Effect.gen(function*() {
      const { channel, received } = yield* three([100, 100, 100])
      yield* send("t", ...numbers(30))
      yield* until(() => channel.inFlightCount === 30)
      assert.deepStrictEqual(received(), [10, 10, 10])
    }).pipe(Effect.provide(brokerWith({ ...here, enableExperiment: [] }))))

  it.effect("the locality of a client is derived from its IDENTIFY", () =>
    Effect.gen(function*() {
      const subscribed = Effect.fnUntraced(function*(wishes?: object) {
        const client = yield* ProtocolClient.connect(TestBroker.address)
        if (wishes !== undefined) {
          yield* client.send({ _tag: "IDENTIFY", body: Buffer.from(JSON.stringify(wishes)) })
          assert.strictEqual(yield* client.text, "OK")
        }
        yield* client.send({ _tag: "SUB", topic: TopicName.make("t"), channel: ChannelName.make("c") })
        assert.strictEqual(yield* client.text, "OK")
        yield* client.send({ _tag: "RDY", count: 4 })
        return client
      })
      yield* subscribed()
      yield* subscribed({ topology_zone: "z2", topology_region: "r1" })
      yield* subscribed({ topology_zone: "z1", topology_region: "r1" })
      const channel = yield* channelOf("t", "c")
      yield* until(() => channel.subscriptions.every(({ readyCount }) => readyCount === 4))
      yield* send("t", ...numbers(10))
      yield* until(() => channel.inFlightCount === 10)
      assert.deepStrictEqual(channel.subscriptions.map(({ messageCount }) => messageCount), [2, 4, 4])
      assert.deepStrictEqual(channel.delivered, { zone: 4, region: 4, global: 2 })
    }).pipe(Effect.provide(brokerWith(here))))

  it.effect("a consumer in the same process has the nearest locality", () =>
    Effect.gen(function*() {
      const channel = yield* channelOf("t", "c")
      yield* send("t", "a")
      yield* consume("t", "c").pipe(Stream.take(1), Stream.runDrain)
      assert.strictEqual(channel.delivered.zone, 1)
    }).pipe(Effect.provide(brokerWith(here))))
})

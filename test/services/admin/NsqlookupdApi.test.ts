import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { publish } from "../../../src/broker.ts"
import { NsqlookupdApi } from "../../../src/services/admin/index.ts"
import { eventually, TestCluster } from "../../../src/testing/index.ts"

const cluster = Effect.provide(TestCluster.layer())

const api = Effect.gen(function*() {
  const { nsqlookupds: [node] } = yield* TestCluster
  assert(node !== undefined)
  return yield* NsqlookupdApi.make(node.httpAddress)
})

describe("NsqlookupdApi", () => {
  it.effect("registrations of an nsqd are listed by topic and by node", () =>
    Effect.gen(function*() {
      const { nsqds: [nsqd] } = yield* TestCluster
      assert(nsqd !== undefined)
      const lookupd = yield* api
      yield* lookupd.ping
      yield* nsqd.run(publish("t", [Buffer.from("x")]))
      yield* eventually(
        Effect.map(
          Effect.orElseSucceed(lookupd.lookup("t"), () => undefined),
          (found) => found?.producers.length === 1
        ),
        "the topic is registered"
      )
      assert.strictEqual((yield* lookupd.lookup("t")).producers[0]?.broadcast_address, nsqd.host)
      const [node] = yield* lookupd.nodes
      assert.deepStrictEqual([node?.broadcast_address, node?.topics], [nsqd.host, ["t"]])
      yield* lookupd.tombstone("t", nsqd.httpAddress)
      assert.deepStrictEqual((yield* lookupd.lookup("t")).producers, [])
    }).pipe(Effect.scoped, cluster))

  it.effect("topics and channels are made known and forgotten", () =>
    Effect.gen(function*() {
      const lookupd = yield* api
      yield* lookupd.createTopic("t")
      yield* lookupd.createChannel("u", "c")
      assert.sameMembers([...yield* lookupd.topics], ["t", "u"])
      assert.deepStrictEqual(yield* lookupd.channels("u"), ["c"])
      yield* lookupd.deleteChannel("u", "c")
      yield* lookupd.deleteTopic("t")
      assert.deepStrictEqual([yield* lookupd.topics, yield* lookupd.channels("u")], [["u"], []])
      assert.strictEqual((yield* lookupd.info).version, "1.3.0")
      assert.include(yield* lookupd.metrics, "# TYPE")
    }).pipe(cluster))

  it.effect("an unknown topic or channel has a reason of its own", () =>
    Effect.gen(function*() {
      const lookupd = yield* api
      assert.strictEqual((yield* Effect.flip(lookupd.lookup("unknown"))).reason._tag, "TopicNotFound")
      assert.strictEqual((yield* Effect.flip(lookupd.deleteChannel("t", "c"))).reason._tag, "ChannelNotFound")
      const { reason } = yield* Effect.flip(lookupd.createTopic("not a name"))
      assert.strictEqual(reason._tag === "Refusal" ? reason.code : reason._tag, "INVALID_ARG_TOPIC")
    }).pipe(cluster))
})

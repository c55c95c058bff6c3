import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { Info } from "../../../src/protocol/http/InfoResponse.ts"
import * as LookupResponse from "../../../src/protocol/http/LookupResponse.ts"
import { SampledStats, Topic } from "../../../src/protocol/http/StatsResponse.ts"

const decode = <A, I>(schema: Schema.Codec<A, I>, json: unknown) => Schema.decodeUnknownEffect(schema)(json)

describe("responses of other daemons", () => {
  it.effect("keys that an older nsqd omits have defaults, and lists that Go writes as null are empty", () =>
    Effect.gen(function*() {
      const topic = yield* decode(Topic, { topic_name: "t", channels: [{ channel_name: "c", clients: [{}] }] })
      const [channel] = topic.channels
      assert.deepStrictEqual([topic.depth, topic.paused, channel?.timeout_count], [0, false, 0])
      assert.deepStrictEqual(topic.e2e_processing_latency, { count: 0, percentiles: null })
      assert.deepStrictEqual([channel?.clients?.[0]?.hostname, channel?.clients?.[0]?.tls], ["", false])
      for (const json of [{ topic_name: "t" }, { topic_name: "t", channels: null }]) {
        assert.deepStrictEqual((yield* decode(Topic, json)).channels, [])
      }
      assert.isNull((yield* decode(Topic, { topic_name: "t", channels: [{ channel_name: "c" }] })).channels[0]?.clients)
      const { broadcast_address, http_port } = yield* decode(Info, { version: "0.2.16" })
      assert.deepStrictEqual([broadcast_address, http_port], ["", 0])
    }))

  it.effect("sampled figures may be missing, and are refused with another type", () =>
    Effect.gen(function*() {
      const channel = { channel_name: "c", depth: 1, timeout_count: 2, paused: true }
      const topics = [
        { topic_name: "t" },
        { topic_name: "t", channels: null },
        { topic_name: "t", depth: 1, paused: false, channels: [channel, { channel_name: "d", clients: null }] }
      ]
      for (const topic of topics) assert.deepStrictEqual(yield* decode(SampledStats.topic, topic), topic)
      const wrong = [
        null,
        [],
        {},
        { topic_name: 1 },
        { topic_name: "t", depth: "1" },
        { topic_name: "t", message_count: null },
        { topic_name: "t", paused: 0 },
        { topic_name: "t", channels: {} },
        { topic_name: "t", channels: [{}] },
        { topic_name: "t", channels: [channel, { ...channel, expired_count: "2" }] },
        { topic_name: "t", channels: [{ ...channel, paused: null }] }
      ]
      for (const topic of wrong) yield* Effect.flip(decode(SampledStats.topic, topic))
    }))

  it.effect("keys that a newer daemon adds are ignored", () =>
    Effect.gen(function*() {
      assert.notProperty(yield* decode(Topic, { topic_name: "t", color: "red" }), "color")
    }))

  it.effect("the responses of nsqlookupd need their lists, which may be null", () =>
    Effect.gen(function*() {
      const { Channels, Lookup, Nodes, Topics } = LookupResponse
      assert.deepStrictEqual(yield* decode(Lookup, { channels: null, producers: null }), {
        channels: [],
        producers: []
      })
      assert.deepStrictEqual(yield* decode(Topics, { topics: null }), { topics: [] })
      assert.deepStrictEqual(yield* decode(Channels, { channels: null }), { channels: [] })
      const { producers } = yield* decode(Nodes, { producers: [{ broadcast_address: "a", topics: null }] })
      assert.deepStrictEqual(producers.map(({ tombstones, topics }) => [topics, tombstones]), [[[], []]])
      for (const schema of [Lookup, Nodes, Topics, Channels]) {
        yield* Effect.flip(decode<unknown, unknown>(schema, { message: "TOPIC_NOT_FOUND" }))
      }
      yield* Effect.flip(decode(Lookup, { channels: [1], producers: [] }))
      yield* Effect.flip(decode(Lookup, { channels: "none", producers: [] }))
    }))

  it.effect("consumers need a port of each producer, and accept the form of servers before NSQ 1.0", () =>
    Effect.gen(function*() {
      const addresses = { producers: [{ broadcast_address: "a", tcp_port: 4150 }] }
      const old = { status_code: 200, status_txt: "OK", data: { channels: [], ...addresses } }
      assert.deepStrictEqual(yield* decode(LookupResponse.AnyAddresses, old), { data: addresses })
      assert.deepStrictEqual(yield* decode(LookupResponse.AnyAddresses, { channels: [], ...addresses }), addresses)
      for (const producers of [null, [{ broadcast_address: "a" }], [{ tcp_port: 4150 }]]) {
        yield* Effect.flip(decode(LookupResponse.AnyAddresses, { producers }))
      }
    }))
})

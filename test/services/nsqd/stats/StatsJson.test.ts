import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { Info } from "../../../../src/protocol/http/InfoResponse.ts"
import { Stats } from "../../../../src/protocol/http/StatsResponse.ts"
import { Broker } from "../../../../src/services/nsqd/broker/Broker.ts"
import { ClientState, type ClientStats } from "../../../../src/services/nsqd/broker/Clients.ts"
import * as Locality from "../../../../src/services/nsqd/broker/Locality.ts"
import { until } from "../../../../src/testing/index.ts"
import { decodeExactly } from "../../../protocol/http/exactly.ts"
import { channelOf, join, quiet } from "../broker/testing.ts"
import { type Api, serve } from "../http/api.ts"

const here = { enableExperiment: ["topology-aware-consumption"], topologyZone: "z1", topologyRegion: "r1" }

const options = {
  ...here,
  e2eProcessingLatencyPercentiles: [0.99, 0.5],
  e2eProcessingLatencyWindowTime: Duration.minutes(1)
}

/** What the connection has negotiated. */
const settings = {
  heartbeatInterval: 30_000,
  msgTimeout: 60_000,
  outputBufferSize: 16_384,
  outputBufferTimeout: 250,
  deflateLevel: 0
}

/** A connection with a value for every key that is omitted when it is empty. */
const connection: ClientStats = {
  clientId: "id",
  hostname: "<host>",
  userAgent: "ua/1",
  version: "V2",
  remoteAddress: "127.0.0.1:5",
  state: ClientState.subscribed,
  readyCount: 1,
  inFlightCount: 2,
  messageCount: 3,
  finishCount: 4,
  requeueCount: 5,
  connectTime: 7,
  sampleRate: 50,
  deflate: true,
  snappy: false,
  tls: { version: "TLS1.3", cipherSuite: "TLS_AES_128_GCM_SHA256" },
  identity: { identity: "i", identityUrl: "http://i" },
  topologyZone: "z",
  topologyRegion: "r",
  published: new Map([["t", 3]]),
  unfinishedBytes: 0
}

/** The response of `/stats`, which has exactly the keys of its Schema. */
const statsOf = (api: Api, query = "") =>
  Effect.flatMap(
    api.request("GET", `/stats?format=json${query}`),
    ({ text }) => decodeExactly(Stats, text)
  )

/** Runs a step with the broker of the API. */
const on = (api: Api) => Effect.provideService(Broker, api.broker)

describe("the Schema of /stats", () => {
  it.live("nsqd without topics writes the keys of the Schema in its order", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      assert.deepStrictEqual((yield* statsOf(api)).topics, [])
      const none = yield* statsOf(api, "&topic=none&include_mem=false&include_clients=false")
      assert.deepStrictEqual([none.topics, none.memory, none.producers], [null, undefined, null])
    }))

  it.live("nsqd with clients, deliveries and latencies writes the keys of the Schema in its order", () =>
    Effect.gen(function*() {
      const api = yield* serve(options)
      const localities = [["z1", "r1"], ["z2", "r1"], ["z9", "r9"]] as const
      const joined = yield* Effect.forEach(
        localities,
        ([zone, region]) => join("t", "c", 1, { locality: Locality.of(here, zone, region) })
      ).pipe(on(api))
      const channel = joined[0]!.channel
      yield* api.clients.add({ ...joined[0]!.recording.consumer, stats: () => connection, settings: () => settings })
      yield* api.request("POST", "/mpub?topic=t", "1\n2\n3")
      yield* until(() => channel.inFlightCount === 3)
      const consumer = { ...joined[0]!.recording.consumer, stats: () => connection, settings: () => settings }
      channel.subscribe(consumer, { msgTimeout: 1000, sampleRate: 0 })
      yield* api.clients.add(consumer)

      const { producers, topics } = yield* statsOf(api)
      const [shown] = topics?.[0]?.channels ?? []
      assert.deepStrictEqual(
        [shown?.zone_local_msg_count, shown?.region_local_msg_count, shown?.global_msg_count],
        [1, 1, 1]
      )
      assert.deepStrictEqual(shown?.clients?.map(({ auth_identity }) => auth_identity), ["i"])
      assert.deepStrictEqual(producers?.map(({ pub_counts }) => pub_counts), [
        [{ topic: "t", count: 3 }],
        [{ topic: "t", count: 3 }]
      ])
      assert.deepStrictEqual(shown?.e2e_processing_latency.percentiles?.map(({ quantile }) => quantile), [0.99, 0.5])
    }).pipe(Effect.provide(quiet)))

  it.live("a topic that is written channel by channel has the keys of the Schema in its order", () =>
    Effect.gen(function*() {
      const api = yield* serve(options)
      for (let i = 0; i < 65; i++) yield* on(api)(channelOf("t", `c${i}`))
      const { topics } = yield* statsOf(api)
      assert.strictEqual(topics?.[0]?.channels.length, 65)
    }).pipe(Effect.provide(quiet)))
})

describe("the durability in /stats", () => {
  it.live("a durable topic has its durability as the last key, and on its line of the text", () =>
    Effect.gen(function*() {
      const api = yield* serve({ durability: "written", topicDurability: ["safe=synced", "plain=memory"] })
      for (const topic of ["plain", "safe", "usual"]) yield* api.request("POST", `/topic/create?topic=${topic}`)
      const { topics } = yield* statsOf(api)
      assert.deepStrictEqual(
        topics?.map((topic) => [topic.topic_name, topic.durability, Object.keys(topic).at(-1)]),
        [
          ["plain", undefined, "e2e_processing_latency"],
          ["safe", "synced", "durability"],
          ["usual", "written", "durability"]
        ]
      )
      const { text } = yield* api.request("GET", "/stats")
      assert.match(text, /\[plain .*e2e%: \n/)
      assert.match(text, /\[safe .*e2e%:  durability: synced\n/)
    }).pipe(Effect.provide(quiet)))
})

describe("the Schema of /info", () => {
  it.live("nsqd writes the keys of the Schema in its order", () =>
    Effect.gen(function*() {
      const api = yield* serve({ topologyZone: "<z>" })
      const { text } = yield* api.request("GET", "/info")
      assert.strictEqual((yield* decodeExactly(Info, text)).topology_zone, "<z>")
    }))
})

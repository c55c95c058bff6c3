import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { NodeStatus } from "../../../../src/protocol/http/NodeResponse.ts"
import { packageVersion, version } from "../../../../src/services/core/Version.ts"
import { Broker } from "../../../../src/services/nsqd/broker/Broker.ts"
import { startNsqd } from "../../nsqadmin/nsqds.ts"
import { channelOf, quiet } from "../broker/testing.ts"
import { type Api, requestTo, serve } from "./api.ts"

const decode = Schema.decodeEffect(Schema.fromJsonString(NodeStatus))

const statusOf = (api: Api) => Effect.flatMap(api.request("GET", "/node"), ({ text }) => decode(text))

describe("/node", () => {
  it.live("nsqd reports its versions, its health, its process and its connections", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const status = yield* statusOf(api)
      assert.deepStrictEqual(
        [status.version, status.effect_nsq_version, status.node_version, status.health, status.connection_count],
        [version, packageVersion, process.versions.node, "OK", 0]
      )
      assert.strictEqual(status.start_time, api.broker.startTime)
      assert.isAbove(status.memory.rss_bytes, 0)
      assert.isAbove(status.memory.heap_limit_bytes, status.memory.heap_used_bytes)
      // Storage in memory has no data directory, and the first interval is not over.
      assert.deepStrictEqual([status.disk, status.event_loop_delay, status.drain], [null, null, null])
    }).pipe(Effect.provide(quiet)))

  it.live("the reason for bad health is part of the figures", () =>
    Effect.gen(function*() {
      const api = yield* serve({}, undefined, "disk is full")
      assert.strictEqual((yield* statusOf(api)).health, "NOK - disk is full")
    }).pipe(Effect.provide(quiet)))

  it.live("the disk is that of the data directory", () =>
    Effect.gen(function*() {
      const { http } = yield* startNsqd()
      const [host = "", port = ""] = http.split(":")
      const { disk } = yield* Effect.flatMap(requestTo({ host, port }, "GET", "/node"), ({ text }) => decode(text))
      assert.isAbove(disk?.total_bytes ?? 0, 0)
      assert.strictEqual(disk?.total_bytes, (disk?.free_bytes ?? 0) + (disk?.used_bytes ?? 0))
    }))

  it.live("a drain has the messages that are left in all topics", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      for (const topic of ["a", "b"]) {
        yield* Effect.provideService(channelOf(topic, "c"), Broker, api.broker)
        yield* api.request("POST", `/mpub?topic=${topic}`, "1\n2")
      }
      yield* api.request("POST", "/pub?topic=a&defer=3600000", "later")
      yield* api.request("PUT", "/drain")
      const counts = { depth: 4, in_flight_count: 0, deferred_count: 1 }
      const since = api.broker.drain.since()
      assert.deepStrictEqual((yield* statusOf(api)).drain, { since, drained: false, ...counts })
      for (const topic of ["a", "b"]) yield* api.request("POST", `/channel/empty?topic=${topic}&channel=c`)
      assert.deepStrictEqual((yield* statusOf(api)).drain, {
        since,
        drained: true,
        depth: 0,
        in_flight_count: 0,
        deferred_count: 0
      })
      yield* api.request("DELETE", "/drain")
      assert.isNull((yield* statusOf(api)).drain)
    }).pipe(Effect.provide(quiet)))
})

import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Broker } from "../../../../src/services/nsqd/broker/Broker.ts"
import { channelOf, quiet } from "../broker/testing.ts"
import { outcome, refusal, serve } from "./api.ts"

describe("/drain", () => {
  it.live("PUT begins a drain, which publishes and /ready report, and DELETE ends it", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const line = (method: string, path: string, body?: string) => Effect.map(api.request(method, path, body), outcome)
      assert.strictEqual(yield* line("GET", "/drain"), `200 {"draining":false,"since":0,"drained":false,"topics":[]}`)
      api.daemon.running()
      yield* line("PUT", "/drain")
      const draining = refusal(503, "DRAINING: draining, publish to another nsqd")
      assert.strictEqual(yield* line("POST", "/pub?topic=t", "message"), draining)
      assert.strictEqual(yield* line("POST", "/mpub?topic=t", "one\ntwo"), draining)
      assert.strictEqual(yield* line("GET", "/ready"), "503 NOT READY - draining")
      assert.strictEqual(yield* line("GET", "/ping"), "200 OK")
      yield* line("DELETE", "/drain")
      assert.strictEqual(yield* line("POST", "/pub?topic=t", "message"), "200 OK")
      assert.strictEqual(yield* line("GET", "/ready"), "200 OK")
    }).pipe(Effect.provide(quiet)))

  it.live("the progress has the messages of each topic, and when the drain began", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      yield* Effect.provideService(channelOf("t", "c"), Broker, api.broker)
      yield* api.request("POST", "/pub?topic=t", "message")
      yield* api.request("POST", "/pub?topic=t&defer=30000", "deferred")
      yield* api.request("POST", "/topic/create?topic=empty")
      const { text } = yield* api.request("PUT", "/drain")
      const since = api.broker.drain.since()
      assert.isAbove(since, 0)
      const topic = `{"topic_name":"t","depth":1,"in_flight_count":0,"deferred_count":1,"waited_for":true}`
      assert.strictEqual(text, `{"draining":true,"since":${since},"drained":false,"topics":[${topic}]}`)
    }).pipe(Effect.provide(quiet)))
})

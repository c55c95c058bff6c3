import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Broker } from "../../../../src/services/nsqd/broker/Broker.ts"
import { channelOf, quiet } from "../broker/testing.ts"
import { outcome, refusal, serve } from "./api.ts"

describe("/topic/durability", () => {
  it.live("PUT and POST change the durability of a topic, and respond with it", () =>
    Effect.gen(function*() {
      const api = yield* serve({ durability: "written" })
      yield* Effect.provideService(channelOf("t", "c"), Broker, api.broker)
      yield* api.request("POST", "/pub?topic=t", "message")
      const change = (method: string, durability: string) =>
        Effect.map(api.request(method, `/topic/durability?topic=t&durability=${durability}`), outcome)
      assert.strictEqual(yield* change("PUT", "memory"), `200 {"durability":"memory"}`)
      assert.notInclude(yield* api.stats(), `"durability"`)
      assert.strictEqual(yield* change("POST", "synced"), `200 {"durability":"synced"}`)
      assert.include(yield* api.stats(), `"durability":"synced"`)
      assert.strictEqual(yield* change("PUT", "default"), `200 {"durability":"written"}`)
      assert.strictEqual(api.broker.findTopic("t")?.channel("c")?.depth, 1)
    }).pipe(Effect.provide(quiet)))

  it.live("a request without a valid topic or durability is refused", () =>
    Effect.gen(function*() {
      const api = yield* serve({ durability: "written" })
      yield* api.request("POST", "/topic/create?topic=t")
      yield* api.request("POST", "/topic/create?topic=e%23ephemeral")
      const change = (query: string) => Effect.map(api.request("PUT", `/topic/durability?${query}`), outcome)
      assert.strictEqual(yield* change("durability=synced"), refusal(400, "MISSING_ARG_TOPIC"))
      assert.strictEqual(yield* change("topic=%24&durability=synced"), refusal(400, "INVALID_TOPIC"))
      assert.strictEqual(yield* change("topic=t"), refusal(400, "MISSING_ARG_DURABILITY"))
      assert.strictEqual(yield* change("topic=t&durability=high"), refusal(400, "INVALID_ARG_DURABILITY"))
      assert.strictEqual(yield* change("topic=none&durability=synced"), refusal(404, "TOPIC_NOT_FOUND"))
      const ephemeral = "topic=e%23ephemeral&durability="
      assert.strictEqual(yield* change(`${ephemeral}synced`), refusal(400, "INVALID_ARG_DURABILITY"))
      assert.strictEqual(yield* change(`${ephemeral}memory`), `200 {"durability":"memory"}`)
    }).pipe(Effect.provide(quiet)))
})

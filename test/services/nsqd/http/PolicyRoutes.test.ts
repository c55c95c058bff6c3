import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Broker } from "../../../../src/services/nsqd/broker/Broker.ts"
import { channelOf, quiet } from "../broker/testing.ts"
import { outcome, refusal, serve } from "./api.ts"

describe("/policies", () => {
  it.live("PUT sets a policy, GET and /stats show it with its origin, and DELETE deletes it", () =>
    Effect.gen(function*() {
      const api = yield* serve({ policies: [{ match: "*", max_attempts: 3 }] })
      yield* Effect.provideService(channelOf("t", "c"), Broker, api.broker)
      const line = (method: string, path: string, body?: string) => Effect.map(api.request(method, path, body), outcome)
      const put = `{"match":"t*","max_depth":5,"source":"api"}`
      assert.strictEqual(yield* line("PUT", "/policies", `{"match":"t*","max_depth":5}`), `200 ${put}`)
      assert.strictEqual(
        yield* line("GET", "/policies"),
        `200 {"policies":[${put},{"match":"*","max_attempts":3,"source":"config"}]}`
      )
      const ofTopic = `{"max_depth":{"value":5,"match":"t*","source":"api"}}`
      const ofChannel = `{"max_attempts":{"value":3,"match":"*","source":"config"}}`
      assert.strictEqual(yield* line("GET", "/policies?topic=t"), `200 {"topic":"t","fields":${ofTopic}}`)
      assert.strictEqual(
        yield* line("GET", "/policies?topic=t&channel=c"),
        `200 {"topic":"t","channel":"c","fields":${ofChannel}}`
      )
      const stats = yield* api.stats()
      assert.include(stats, `"policy":${ofTopic}`)
      assert.include(stats, `"policy":${ofChannel}`)
      assert.strictEqual(yield* line("DELETE", "/policies?match=t*"), "200")
      assert.strictEqual(yield* line("GET", "/policies?topic=t"), `200 {"topic":"t","fields":{}}`)
      assert.notInclude(yield* api.stats(), `"policy":${ofTopic}`)
    }).pipe(Effect.provide(quiet)))

  it.live("a request that is not valid is refused with the reason", () =>
    Effect.gen(function*() {
      const api = yield* serve({ policies: [{ match: "*", max_attempts: 3 }] })
      const line = (method: string, path: string, body?: string) => Effect.map(api.request(method, path, body), outcome)
      const put = (body: string) => line("PUT", "/policies", body)
      assert.strictEqual(yield* put("{"), refusal(400, "INVALID_POLICY: policy: must be a JSON object"))
      assert.strictEqual(
        yield* put(`{"match":"t","max_depth":-1}`),
        refusal(400, "INVALID_POLICY: max_depth: must be a whole number from 0 on; 0 for none")
      )
      assert.strictEqual(yield* put(" ".repeat(70_000)), refusal(413, "BODY_TOO_BIG"))
      assert.strictEqual(yield* line("DELETE", "/policies"), refusal(400, "MISSING_ARG_MATCH"))
      assert.strictEqual(yield* line("DELETE", "/policies?match=t"), refusal(404, "POLICY_NOT_FOUND"))
      assert.include(yield* line("DELETE", "/policies?match=*"), "409 {\"message\":\"POLICY_OF_CONFIG: ")
      assert.strictEqual(yield* line("GET", "/policies?channel=c"), refusal(400, "MISSING_ARG_TOPIC"))
      assert.strictEqual(yield* line("GET", "/policies?topic=$"), refusal(400, "INVALID_ARG_TOPIC"))
      assert.strictEqual(yield* line("GET", "/policies?topic=t&channel=$"), refusal(400, "INVALID_ARG_CHANNEL"))
    }).pipe(Effect.provide(quiet)))
})

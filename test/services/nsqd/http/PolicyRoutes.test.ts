import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Broker } from "../../../../src/services/nsqd/broker/Broker.ts"
import { until } from "../../../../src/testing/index.ts"
import { channelOf, join, quiet } from "../broker/testing.ts"
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

describe("/message/reject", () => {
  it.live("makes a message in flight a dead letter, with the reason", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const line = (path: string) => Effect.map(api.request("POST", path), outcome)
      yield* Effect.gen(function*() {
        const { channel, recording } = yield* join("t", "c", 1)
        yield* api.request("POST", "/pub?topic=t", "message")
        yield* until(() => recording.bodies().length === 1)
        const { id } = recording.take()[0]!
        const reject = (query: string) => line(`/message/reject?topic=t&channel=c${query}`)
        assert.strictEqual(yield* reject(""), refusal(400, "MISSING_ARG_ID"))
        assert.strictEqual(yield* reject("&id=1"), refusal(400, "INVALID_ARG_ID"))
        assert.strictEqual(yield* reject(`&id=${"0".repeat(16)}`), refusal(404, "MESSAGE_NOT_IN_FLIGHT"))
        assert.strictEqual(yield* reject(`&id=${id}&reason=not%20JSON`), "200")
        yield* until(() => channel.deadLetterCount === 1)
        assert.include(yield* api.stats(), `"dead_letter_count":1`)
        assert.strictEqual(api.broker.findTopic("t.dlq")?.messageCount, 1)
      }).pipe(Effect.provideService(Broker, api.broker))
    }).pipe(Effect.provide(quiet)))

  it.live("publishes beyond a limit get 503 or 429, and the statistics count them", () =>
    Effect.gen(function*() {
      const api = yield* serve({ policies: [{ match: "full", max_depth: 1 }, { match: "fast", publish_rate: 1 }] })
      const pub = (topic: string) => Effect.map(api.request("POST", `/pub?topic=${topic}`, "message"), outcome)
      assert.strictEqual(yield* pub("full"), "200 OK")
      const full = "topic full has 1 unfinished messages of 1 (max_depth)"
      assert.strictEqual(yield* pub("full"), refusal(503, `TOPIC_FULL: ${full}`))
      assert.strictEqual(yield* pub("fast"), "200 OK")
      const fast = "topic fast takes 1 messages per second (publish_rate)"
      assert.strictEqual(yield* pub("fast"), refusal(429, `RATE_LIMITED: ${fast}`))
      assert.include(yield* api.stats("topic=full"), `"rejected_count":1`)
    }).pipe(Effect.provide(quiet)))
})

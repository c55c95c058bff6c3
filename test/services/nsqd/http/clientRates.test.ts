/** `client_publish_rate` for publishes over HTTP. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { outcome, refusal, serve } from "./api.ts"

describe("client_publish_rate over HTTP", () => {
  it.live("refuses what is beyond it with 429, with and without Node's parser, and counts it", () =>
    Effect.gen(function*() {
      const api = yield* serve({ policies: [{ match: "t", client_publish_rate: 0.01 }, { match: "u", max_depth: 10 }] })
      const refused = refusal(
        429,
        "RATE_LIMITED: topic t takes 0.01 messages per second of each client (client_publish_rate)"
      )
      const post = (path: string, body: string) => Effect.map(api.request("POST", path, body), outcome)
      assert.strictEqual(yield* post("/pub?topic=t", "a"), "200 OK")
      // The default headers of Node's client lead to its parser, those of this request do not.
      assert.strictEqual(yield* post("/pub?topic=t", "b"), refused)
      const quick = "POST /pub?topic=t HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nb"
      assert.match(yield* api.raw(quick), /^HTTP\/1\.1 429 [^]*Retry-After: 1\r\n/)
      assert.strictEqual(yield* post("/mpub?topic=t", "c\nd"), refused)
      assert.strictEqual(yield* post("/mpub?topic=u", "c\nd"), "200 OK")
      assert.include(yield* api.stats("&topic=t"), "\"rejected_count\":4")
      assert.include((yield* api.request("GET", "/metrics")).text, "nsqd_topic_rejected_total{topic=\"t\"} 4")
    }))
})

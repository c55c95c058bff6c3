/** Headers of messages over HTTP: those of publishing requests, and those in the events of `/sub`. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Api, outcome, refusal, requestTo, serve } from "./api.ts"
import { subscribe } from "./subscriber.ts"

const publish = ({ port }: Api, path: string, body: string, headers: Record<string, string | Array<string>>) =>
  Effect.map(requestTo({ host: "127.0.0.1", port }, "POST", path, Buffer.from(body), headers), outcome)

const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

describe("headers over HTTP", () => {
  it.live("Nsq-Header-* and the trace context of /pub are headers of the message, and no other header is", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const consumer = yield* subscribe(api.port, "&rdy=10")
      const headers = {
        "Nsq-Header-Content-Type": "text/plain",
        "nsq-header-city": Buffer.from("Zürich").toString("latin1"),
        "Nsq-Header-Many": ["1", "2"],
        traceparent: trace,
        TraceState: "a=b",
        "X-Other": "x",
        "Content-Type": "application/json"
      }
      assert.strictEqual(yield* publish(api, "/pub?topic=t", "tea", headers), "200 OK")
      const { data } = yield* consumer.next
      assert.deepStrictEqual(Object.keys(data), ["id", "timestamp", "attempts", "headers", "body"])
      assert.strictEqual(data["body"], "tea")
      assert.deepStrictEqual(data["headers"], {
        "content-type": "text/plain",
        city: "Zürich",
        many: "1, 2",
        traceparent: trace,
        tracestate: "a=b"
      })
      assert.strictEqual(yield* publish(api, "/pub?topic=t", "plain", {}), "200 OK")
      assert.notProperty((yield* consumer.next).data, "headers")
    }))

  it.live("all messages of /mpub have the headers of the request, as lines and in binary", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const consumer = yield* subscribe(api.port, "&rdy=10")
      const headers = { "Nsq-Header-Key": "1" }
      assert.strictEqual(yield* publish(api, "/mpub?topic=t", "a\nb", headers), "200 OK")
      const binary = "\0\0\0\u0001\0\0\0\u0001c"
      assert.strictEqual(yield* publish(api, "/mpub?topic=t&binary=true", binary, headers), "200 OK")
      for (const body of ["a", "b", "c"]) {
        const { data } = yield* consumer.next
        assert.deepInclude({ ...data }, { body, headers: { key: "1" } })
      }
    }))

  it.live("headers that are not valid or too large are refused, and nothing is published", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      assert.strictEqual(
        yield* publish(api, "/pub?topic=t", "tea", { "Nsq-Header-Key": "\u00ff" }),
        "400 {\"message\":\"INVALID_HEADERS: the value of \\\"key\\\" is not valid UTF-8\"}"
      )
      assert.strictEqual(
        yield* publish(api, "/pub?topic=t", "tea", { "Nsq-Header-Key": "x".repeat(8190) }),
        refusal(400, "INVALID_HEADERS: 8195 bytes are more than the maximum of 8192")
      )
      assert.strictEqual(
        yield* publish(api, "/mpub?topic=t&ttl=30s", "tea", { "Nsq-Header-Nsq-Origin-Topic": "orders" }),
        "400 {\"message\":\"INVALID_HEADERS: only nsqd sets \\\"nsq-origin-topic\\\"\"}"
      )
      assert.isUndefined(api.broker.findTopic("t"))
    }))

  it.live("a publish with the same key, in a header or in the query, is accepted and not stored again", () =>
    Effect.gen(function*() {
      const api = yield* serve({ policies: [{ match: "t", dedup_window: "60s" }] })
      const key = { "Nsq-Dedup-Key": "a b" }
      for (
        const [path, headers] of [
          ["/pub?topic=t", key],
          ["/pub?topic=t", key],
          ["/pub?topic=t&dedup_key=a%20b", {}],
          ["/pub?topic=t&dedup_key=c", key],
          ["/mpub?topic=t&dedup_key=d", {}],
          ["/mpub?topic=t&dedup_key=d", {}],
          ["/pub?topic=t", {}]
        ] as const
      ) {
        assert.strictEqual(yield* publish(api, path, "1\n2", headers), "200 OK", path)
      }
      const topic = api.broker.findTopic("t")
      assert.deepStrictEqual([topic?.messageCount, topic?.duplicateCount], [5, 4])
      assert.include(yield* api.stats(), "\"duplicate_count\":4")
      assert.strictEqual(
        yield* publish(api, "/pub?topic=t&dedup_key=%0A", "x", {}),
        "400 {\"message\":\"INVALID_HEADERS: the value of \\\"nsq-dedup-key\\\" begins or ends with white space\"}"
      )
    }))

  it.live("a connection without headers before and after one with headers publishes all of its requests", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const consumer = yield* subscribe(api.port, "&rdy=10")
      const request = (header: string, body: string) =>
        `POST /pub?topic=t HTTP/1.1\r\nHost: x\r\n${header}Content-Length: 1\r\n\r\n${body}`
      yield* api.raw(request("", "a") + request("Nsq-Header-Key: 1\r\n", "b") + request("", "c"), 3)
      const events = [yield* consumer.next, yield* consumer.next, yield* consumer.next]
      assert.deepStrictEqual(events.map(({ data }) => [data["body"], data["headers"]]), [
        ["a", undefined],
        ["b", { key: "1" }],
        ["c", undefined]
      ])
    }))
})

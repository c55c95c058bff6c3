/** `GET /messages/stream`: a range of a durable topic's log. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Http from "node:http"
import { ChannelName, TopicName } from "../../../../src/protocol/client/Names.ts"
import { BrowsedMessage } from "../../../../src/protocol/http/MessagesResponse.ts"
import { quiet } from "../broker/testing.ts"
import { type Api, outcome, refusal, requestTo, serve } from "./api.ts"

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(BrowsedMessage))

const get = ({ port }: Api, query: string, headers: Http.OutgoingHttpHeaders = {}) =>
  requestTo({ host: "127.0.0.1", port }, "GET", `/messages/stream?${query}`, undefined, headers)

const messagesOf = (api: Api, query: string) =>
  Effect.map(get(api, query), ({ text }) => text.split("\n").slice(0, -1).map((line) => decode(line)))

const bodiesOf = (api: Api, query: string) =>
  Effect.map(messagesOf(api, query), (messages) => messages.map(({ body }) => body))

const start = serve({ durability: "written" })

/** Publishes more than the buffers of a connection hold. */
const fill = (api: Api) =>
  Effect.forEach(Array.from({ length: 40 }), () => api.request("POST", "/pub?topic=t", "x".repeat(1_000_000)))

/** A stream of the whole topic that its client does not read. */
const unread = ({ port }: Api) =>
  Effect.acquireRelease(
    Effect.callback<Http.IncomingMessage>((resume) => {
      const request = { host: "127.0.0.1", port, path: "/messages/stream?topic=t", agent: false }
      Http.get(request, (got) => resume(Effect.succeed(got)))
    }),
    (got) => Effect.sync(() => void got.destroy())
  )

describe("/messages/stream", () => {
  it.live("reads a range with whole bodies and headers, and no channel notices", () =>
    Effect.gen(function*() {
      const api = yield* start
      const channel = yield* api.broker.channel(TopicName.make("t"), ChannelName.make("c"))
      const big = "x".repeat(900_000)
      yield* api.request("POST", "/mpub?topic=t", ["one", "two", "three"].join("\n"))
      yield* requestTo({ host: "127.0.0.1", port: api.port }, "POST", "/pub?topic=t", big, { "Nsq-Header-Key": "v" })
      yield* api.request("POST", "/pub?topic=t", Buffer.from([0xff, 0]))
      const { headers, status } = yield* get(api, "topic=t")
      assert.deepStrictEqual([status, headers["content-type"]], [200, "application/x-ndjson; charset=utf-8"])
      const all = yield* messagesOf(api, "topic=t")
      assert.deepStrictEqual(all.map(({ sequence }) => sequence), [1, 2, 3, 4, 5])
      assert.deepStrictEqual([all[3]?.headers, all[3]?.body, all[3]?.body_size], [{ key: "v" }, big, 900_000])
      assert.strictEqual(all[4]?.body_base64, "/wA=")
      assert.deepStrictEqual(yield* bodiesOf(api, "topic=t&from=2&to=4"), ["two", "three"])
      assert.deepStrictEqual(yield* bodiesOf(api, "topic=t&from=2&to=3"), ["two"])
      assert.deepStrictEqual(yield* bodiesOf(api, "topic=t&from=3&to=3"), [])
      assert.deepStrictEqual(yield* bodiesOf(api, "topic=t&from=end"), [])
      assert.deepStrictEqual(yield* bodiesOf(api, "topic=t&from=2020-01-01T00:00:00Z&to=2"), ["one"])
      assert.deepStrictEqual(yield* bodiesOf(api, "topic=t&to=2020-01-01T00:00:00Z"), [])
      assert.deepStrictEqual(yield* bodiesOf(api, "topic=t&contains=w"), ["two"])
      assert.deepStrictEqual([channel.depth, channel.inFlightCount], [5, 0])
    }))

  it.live("reads many pages in order, and messages that wait in a topic without channels", () =>
    Effect.gen(function*() {
      const api = yield* start
      for (let i = 0; i < 5; i++) {
        const bodies = Array.from({ length: 1000 }, (_, j) => `m${i * 1000 + j}`)
        yield* api.request("POST", "/mpub?topic=t", bodies.join("\n"))
      }
      const bodies = yield* bodiesOf(api, "topic=t&from=100&to=4900")
      assert.deepStrictEqual(bodies, Array.from({ length: 4800 }, (_, i) => `m${i + 99}`))
    }))

  it.live("as server-sent events it continues behind the last event, and ends with an event", () =>
    Effect.gen(function*() {
      const api = yield* start
      yield* api.request("POST", "/mpub?topic=t", "one\ntwo\nthree")
      const accept = "text/event-stream"
      const { headers, text } = yield* get(api, "topic=t", { accept, "last-event-id": "1" })
      assert.strictEqual(headers["content-type"], accept)
      const [two = "", three = "", end] = text.split("\n\n")
      assert.match(two, /^id: 2\nevent: message\ndata: \{"sequence":2,.*"body":"two"\}$/)
      assert.match(three, /^id: 3\n/)
      assert.strictEqual(end, "event: end\ndata: {}")
    }))

  it.live("a client that disconnects in the middle of its range leaves nsqd free for others", () =>
    Effect.gen(function*() {
      const api = yield* start
      yield* fill(api)
      const response = yield* unread(api)
      yield* Effect.callback<void>((resume) => void response.once("readable", () => resume(Effect.void)))
      response.destroy()
      assert.strictEqual((yield* messagesOf(api, "topic=t&from=40")).length, 1)
    }))

  it.live("a stream beyond 16 is refused, and one that ends makes room", () =>
    Effect.gen(function*() {
      const api = yield* start
      yield* fill(api)
      for (let i = 0; i < 20; i++) assert.strictEqual((yield* messagesOf(api, "topic=t&to=2")).length, 1)
      const [first] = yield* Effect.forEach(Array.from({ length: 16 }), () => unread(api))
      const short = get(api, "topic=t&to=2")
      assert.strictEqual(outcome(yield* short), refusal(503, "TOO_MANY_READERS"))
      assert.strictEqual((yield* get(api, "topic=missing")).status, 404)
      assert.strictEqual((yield* api.request("GET", "/messages?topic=t&limit=1")).status, 200)
      first?.destroy()
      yield* Effect.repeat(short, { until: ({ status }) => status === 200 })
    }))

  it.live("errors are ordinary responses", () =>
    Effect.gen(function*() {
      const api = yield* start
      yield* api.request("POST", "/pub?topic=t", "one")
      const line = (query: string) => Effect.map(get(api, query), outcome)
      assert.strictEqual(yield* line(""), refusal(400, "MISSING_ARG_TOPIC"))
      assert.strictEqual(yield* line("topic=missing"), refusal(404, "TOPIC_NOT_FOUND"))
      const place = "must be beginning, end, a sequence, or a time such as 2026-11-29T08:00:00Z"
      assert.strictEqual(yield* line("topic=t&from=noon"), refusal(400, `INVALID_ARG_FROM: ${place}`))
      assert.strictEqual(yield* line("topic=t&to=noon"), refusal(400, `INVALID_ARG_TO: ${place}`))
      const regex = "INVALID_ARG_REGEX: must be a regular expression in the syntax of RE2"
      assert.strictEqual(yield* line("topic=t&regex=("), refusal(400, regex))
      const crossSite = yield* get(api, "topic=t", { origin: "http://evil.example" })
      assert.strictEqual(crossSite.status, 403)
      yield* api.request("PUT", "/topic/durability?topic=t&durability=memory")
      assert.include(yield* line("topic=t"), "NOT_DURABLE")
    }).pipe(Effect.provide(quiet)))
})

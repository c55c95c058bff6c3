import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Queue } from "effect"
import { TestClock } from "effect/testing"
import * as Http from "node:http"
import * as LookupResponse from "../../../src/protocol/http/LookupResponse.ts"
import { DaemonState } from "../../../src/services/core/DaemonState.ts"
import { LogOutput } from "../../../src/services/logging/LogOutput.ts"
import * as NsqLogger from "../../../src/services/logging/NsqLogger.ts"
import { LookupHttp } from "../../../src/services/nsqlookupd/LookupHttp.ts"
import * as NsqlookupdOptions from "../../../src/services/nsqlookupd/NsqlookupdOptions.ts"
import { Registrations } from "../../../src/services/nsqlookupd/Registrations.ts"
import { decodeExactly } from "../../protocol/http/exactly.ts"
import { outcome, refusal, requestTo } from "../nsqd/http/api.ts"
import { identity } from "./identity.ts"

/** Collects log lines in the queue. */
const api = (lines: (line: string) => void = () => {}) =>
  Effect.provide(
    LookupHttp.layer.pipe(
      Layer.provideMerge(Layer.mergeAll(Registrations.layer, DaemonState.layer)),
      Layer.provide(NsqlookupdOptions.layer({ httpAddress: "127.0.0.1:0" })),
      Layer.provide(NsqLogger.layer({ level: "warn", prefix: "", format: "nsq" })),
      Layer.provide(Layer.succeed(LogOutput, { write: lines }))
    )
  )

const request = (method: string, path: string) =>
  Effect.flatMap(LookupHttp, ({ port }) => requestTo({ host: "127.0.0.1", port }, method, path))

/** Watches a topic: the head of the response and its body. */
const watch = Effect.fnUntraced(function*(path: string) {
  const { port } = yield* LookupHttp
  const chunks = yield* Queue.unbounded<string>()
  const response = yield* Effect.acquireRelease(
    Effect.callback<Http.IncomingMessage>((resume) => {
      Http.get({ host: "127.0.0.1", port, path, agent: false }, (response) => resume(Effect.succeed(response)))
    }),
    (response) => Effect.sync(() => void response.destroy())
  )
  const read = Effect.sync(() => {
    response.setEncoding("utf8").on("data", (chunk: string) => Queue.offerUnsafe(chunks, chunk))
    response.on("error", () => {})
  })
  const closed = Effect.callback<void>((resume) => void response.once("close", () => resume(Effect.void)))
  return { response, read, next: Queue.take(chunks), closed }
})

describe("nsqlookupd's HTTP API", () => {
  it.live("/debug shows integers that exceed the exact range of JavaScript numbers", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const a = db.identify("1:1", identity("a"))
      db.register(a, "t", "c")
      const { text } = yield* request("GET", "/debug")
      assert.match(text, /^\{"channel:t:c":\[.*\],"client::":\[.*\],"topic:t:":\[.*\]\}$/)
      const entry = `{"broadcast_address":"a","hostname":"a","http_port":4151,"id":"1:1",` +
        `"last_update":${a.lastUpdate.wall},"tcp_port":4150,"tombstoned":false,` +
        `"tombstoned_at":-6795364578871345152,"topology_region":"","topology_zone":"","version":"1.3.0"}`
      assert.isTrue(text.includes(entry))
    }).pipe(api()))

  it.live("/debug is sent in pieces, in the order of its keys, however large it is", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      assert.strictEqual(outcome(yield* request("GET", "/debug")), "200 {}")
      const a = db.identify("1:1", identity("a"))
      for (let i = 0; i < 2000; i++) db.register(a, `t${i % 2 === 0 ? "" : "-"}${i}`, "c")
      const { headers, text } = yield* request("GET", "/debug")
      assert.strictEqual(headers["transfer-encoding"], "chunked")
      assert.strictEqual(headers["content-type"], "application/json; charset=utf-8")
      const keys = Object.keys(JSON.parse(text))
      assert.strictEqual(keys.length, 4001)
      assert.deepStrictEqual(keys, keys.toSorted())
    }).pipe(api()))

  it.live("* means all topics where it does in NSQ", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      db.createChannel("t", "c")
      db.createChannel("u", "c")
      assert.strictEqual(outcome(yield* request("GET", "/channels?topic=*")), `200 {"channels":["c","c"]}`)
      assert.strictEqual(outcome(yield* request("GET", "/lookup?topic=*")), `200 {"channels":["c","c"],"producers":[]}`)
      assert.strictEqual(outcome(yield* request("POST", "/topic/create?topic=*")), refusal(400, "INVALID_ARG_TOPIC"))
      assert.strictEqual(outcome(yield* request("POST", "/topic/delete?topic=*")), "200")
      assert.deepStrictEqual(db.topics(), [])
    }).pipe(api()))

  it.live("the responses have the keys of their Schemas in their order", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const a = db.identify("1:1", { ...identity("a"), topology_zone: "<z>" })
      db.register(a, "t", "c")
      db.register(a, "u", undefined)
      const body = (path: string) => Effect.map(request("GET", path), ({ text }) => text)
      const { channels, producers } = yield* decodeExactly(LookupResponse.Lookup, yield* body("/lookup?topic=t"))
      assert.deepStrictEqual([channels, producers.map(({ remote_address }) => remote_address)], [["c"], ["1:1"]])
      db.tombstone("u", "a:4151")
      const nodes = yield* decodeExactly(LookupResponse.Nodes, yield* body("/nodes"))
      assert.deepStrictEqual(nodes.producers.map(({ tombstones, topics }) => [topics, tombstones]), [
        [["t", "u"], [false, true]]
      ])
      assert.deepStrictEqual(yield* decodeExactly(LookupResponse.Topics, yield* body("/topics")), {
        topics: ["t", "u"]
      })
      assert.deepStrictEqual(
        yield* decodeExactly(LookupResponse.Channels, yield* body("/channels?topic=t")),
        { channels: ["c"] }
      )
    }).pipe(api()))

  it.live("the profiles are at /debug/pprof, to which the path with a slash redirects", () =>
    Effect.gen(function*() {
      const page = yield* request("GET", "/debug/pprof")
      assert.strictEqual(page.status, 200)
      assert.include(page.text, `<a href="pprof/heap">`)
      const redirect = yield* request("GET", "/debug/pprof/")
      assert.deepStrictEqual([redirect.status, redirect.headers.location], [301, "/debug/pprof"])
      assert.strictEqual((yield* request("PUT", "/debug/setblockrate?rate=1")).status, 404)
    }).pipe(api()))

  it.live("a watch of an invalid topic name is refused", () =>
    Effect.gen(function*() {
      assert.strictEqual(outcome(yield* request("GET", "/watch")), refusal(400, "MISSING_ARG_TOPIC"))
      assert.strictEqual(outcome(yield* request("GET", "/watch?topic=*")), refusal(400, "INVALID_ARG_TOPIC"))
      assert.strictEqual(outcome(yield* request("POST", "/watch?topic=t")), refusal(405, "METHOD_NOT_ALLOWED"))
    }).pipe(api()))

  it.live("watchers receive the response of /lookup at once and after a change", () =>
    Effect.gen(function*() {
      const db = yield* Registrations
      const watcher = yield* watch("/watch?topic=t")
      assert.deepStrictEqual(
        [watcher.response.statusCode, watcher.response.headers["content-type"]],
        [200, "text/event-stream"]
      )
      yield* watcher.read
      assert.strictEqual(yield* watcher.next, `event: producers\ndata: {"channels":[],"producers":[]}\n\n`)
      db.register(db.identify("1:1", identity("a")), "t", "c")
      const { text } = yield* request("GET", "/lookup?topic=t")
      assert.strictEqual(yield* watcher.next, `event: producers\ndata: ${text}\n\n`)
    }).pipe(api()))

  it.effect("watchers receive a comment every 15 s, so that the connection does not look dead", () =>
    Effect.gen(function*() {
      const watcher = yield* watch("/watch?topic=t")
      yield* watcher.read
      yield* watcher.next
      for (let i = 0; i < 3; i++) {
        yield* TestClock.adjust("15 seconds")
        assert.strictEqual(yield* watcher.next, ": keep-alive\n\n")
      }
    }).pipe(api()))

  it.effect("a watcher that does not read its events is closed, and no other watcher", () => {
    let closing = (_: string): void => {}
    const logged = new Promise<string>((resolve) => (closing = resolve))
    return Effect.gen(function*() {
      const db = yield* Registrations
      const slow = yield* watch("/watch?topic=big")
      const other = yield* watch("/watch?topic=big")
      yield* other.read
      yield* other.next
      // More than the buffers of a socket hold.
      const hostname = "x".repeat(60_000)
      for (let i = 0; i < 300; i++) db.register(db.identify(`1:${i}`, { ...identity("a"), hostname }), "big", undefined)
      yield* TestClock.adjust("100 millis")
      let received = ""
      while (!received.endsWith("\n\n")) received += yield* other.next
      yield* TestClock.adjust("10 seconds")
      assert.match(yield* Effect.promise(() => logged), /WARNING: closing a watcher of topic\(big\)/)
      yield* slow.read
      yield* slow.closed
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(yield* other.next, ": keep-alive\n\n")
    }).pipe(api((line) => closing(line)))
  })
})

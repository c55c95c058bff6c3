/**
 * Responses that describe a large installation: produced and sent in pieces, while other requests are served.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Net from "node:net"
import { ChannelName, TopicName } from "../../../../src/protocol/client/Names.ts"
import { Stats } from "../../../../src/protocol/http/StatsResponse.ts"
import { Turns } from "../../../../src/services/core/Turns.ts"
import { decodeExactly } from "../../../protocol/http/exactly.ts"
import { makeTurns } from "../../core/turns.ts"
import { quiet } from "../broker/testing.ts"
import { outcome, serve } from "./api.ts"

const channels = ["c1", "c2", "c3"]
const name = (i: number): string => `topic-${String(i).padStart(4, "0")}`

/** The API over a broker with many topics, the first with many channels. */
const serveMany = (topics: number, channelsOfFirst = 0) =>
  Effect.gen(function*() {
    const turns = makeTurns()
    const api = yield* serve({}).pipe(Effect.provideService(Turns, turns.turns))
    for (let i = 0; i < topics; i++) {
      for (const channel of channels) yield* api.broker.channel(TopicName.make(name(i)), ChannelName.make(channel))
    }
    for (let i = 0; i < channelsOfFirst; i++) {
      yield* api.broker.channel(TopicName.make(name(0)), ChannelName.make(`more${String(i).padStart(4, "0")}`))
    }
    return { ...api, turns }
  }).pipe(Effect.provide(quiet))

/** All bytes of a connection until the server closes it. */
const untilEnd = (port: number, request: string): Effect.Effect<string> =>
  Effect.callback((resume) => {
    let text = ""
    const socket = Net.connect(port, "127.0.0.1", () => socket.write(request))
    socket.setEncoding("latin1")
    socket.on("data", (chunk) => (text += chunk.toString()))
    socket.on("close", () => resume(Effect.succeed(text)))
  })

const endpoints = [
  { path: "/stats?format=json", type: "application/json; charset=utf-8", has: "\"topic_name\":\"topic-0399\"" },
  { path: "/stats", type: "text/plain; charset=utf-8", has: "[topic-0399     ] depth:" },
  { path: "/metrics", type: "text/plain; version=0.0.4; charset=utf-8", has: "topic=\"topic-0399\"" }
]

describe("a long response", () => {
  for (const { has, path, type } of endpoints) {
    it.live(`a long response of ${path} is produced while other requests are served`, () =>
      Effect.gen(function*() {
        const { request, turns } = yield* serveMany(400)
        let answered = 0
        turns.meanwhile(Effect.suspend(() => {
          // A topic is a step: one request per hundred steps is enough.
          if (turns.taken() % 100 !== 0) return Effect.void
          return Effect.map(request("GET", "/ping"), (answer) => {
            assert.strictEqual(outcome(answer), "200 OK")
            answered++
          })
        }))
        const { headers, status, text } = yield* request("GET", path)
        assert.strictEqual(status, 200)
        assert.strictEqual(headers["content-type"], type)
        assert.strictEqual(headers["transfer-encoding"], "chunked")
        assert.isUndefined(headers["content-length"])
        assert.include(text, has)
        assert.isAtLeast(answered, 3)
      }))

    it.live(`a long response of ${path} reaches an HTTP/1.0 client completely, without Content-Length`, () =>
      Effect.gen(function*() {
        const { port } = yield* serveMany(400)
        const [head = "", body = ""] = (yield* untilEnd(port, `GET ${path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n`))
          .split("\r\n\r\n")
        assert.match(head, /^HTTP\/1\.[01] 200 OK/)
        assert.notMatch(head, /transfer-encoding/i)
        assert.match(head, /\r\nConnection: close/i)
        assert.include(body, has)
      }))

    it.live(`a short response of ${path} has a Content-Length`, () =>
      Effect.gen(function*() {
        const { request } = yield* serveMany(2)
        const { headers, text } = yield* request("GET", path)
        assert.strictEqual(headers["content-length"], String(Buffer.byteLength(text)))
        assert.isUndefined(headers["transfer-encoding"])
      }))
  }

  it.live("a long response of /stats is one complete JSON document in the order of names", () =>
    Effect.gen(function*() {
      const { request } = yield* serveMany(400, 200)
      const { text } = yield* request("GET", "/stats?format=json")
      const { topics } = yield* decodeExactly(Stats, text)
      assert.deepStrictEqual(
        topics?.map(({ topic_name }) => topic_name),
        Array.from({ length: 400 }, (_, i) => name(i))
      )
      // Written channel by channel, with the same result.
      assert.strictEqual(topics?.[0]?.channels.length, 203)
    }))

  it.live("a long response continues while topics are deleted and created", () =>
    Effect.gen(function*() {
      const { broker, request, turns } = yield* serveMany(400)
      let changed = false
      turns.meanwhile(Effect.suspend(() => {
        if (changed || turns.taken() < 50) return Effect.void
        changed = true
        return Effect.orDie(Effect.andThen(broker.deleteTopic(name(300)), broker.topic(TopicName.make("new"))))
      }))
      const { text } = yield* request("GET", "/stats?format=json")
      assert.isTrue(changed)
      assert.include(text, name(399))
      assert.doesNotThrow(() => JSON.parse(text))
    }))
})

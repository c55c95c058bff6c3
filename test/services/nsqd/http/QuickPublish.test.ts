import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Random } from "effect"
import * as Net from "node:net"
import { bodiesOf, Publisher } from "../../../../src/services/nsqd/broker/Publisher.ts"
import { serve } from "./api.ts"

/** A Publisher that records messages. */
const recording = (taken: Array<string>) =>
  Layer.succeed(Publisher, {
    publish: (topic, bodies, deferMillis) => {
      for (const body of bodiesOf(bodies)) taken.push(`${topic} ${deferMillis} ${body.toString()}`)
      return undefined
    }
  })

/** A Publisher that waits for every batch. */
const waiting = (taken: Array<string>) =>
  Layer.succeed(Publisher, {
    publish: (_, bodies) =>
      Effect.sync(() => {
        for (const body of bodiesOf(bodies)) taken.push(body.toString())
      }).pipe(Effect.delay("5 millis"))
  })

const post = (body: string, headers = "", target = "/pub?topic=t"): string =>
  `POST ${target} HTTP/1.1\r\nHost: localhost\r\n${headers}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`

/** A header that leads to `node:http`. */
const slow = "X-Other: 1\r\n"

const undated = (response: string): string => response.replaceAll(/Date: [^\r]*/g, "Date: -")

const statuses = (text: string): ReadonlyArray<string> => text.match(/HTTP\/1\.1 \d+/g) ?? []

/**
 * Writes pieces one after another, each after the previous one has been sent; returns the received bytes after
 * `count` responses.
 */
const conversation = (port: number, pieces: ReadonlyArray<Buffer>, count: number): Effect.Effect<string> =>
  Effect.callback((resume) => {
    let text = ""
    const socket = Net.connect({ port, host: "127.0.0.1", noDelay: true })
    const finish = (): void => {
      socket.destroy()
      resume(Effect.succeed(text))
    }
    const write = (index: number): void => {
      const piece = pieces[index]
      if (piece !== undefined) socket.write(piece, () => setImmediate(() => write(index + 1)))
    }
    socket.on("connect", () => write(0))
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1")
      if (statuses(text).length >= count && text.endsWith("OK")) finish()
    })
    socket.on("close", finish).on("error", finish)
  })

describe("a publishing request that arrives whole", () => {
  it.live("a quick request gets the same response as through node:http, except for its date", () =>
    Effect.gen(function*() {
      const { raw } = yield* serve()
      for (
        const target of ["/pub?topic=t", "/pub?topic=bad$", "/pub?topic=t&defer=x", "/pub?", "/pub?topic=t&defer=10"]
      ) {
        const quick = yield* raw(post("body", "", target))
        const other = yield* raw(post("body", slow, target))
        assert.match(quick, /^HTTP\/1\.1 \d+ [^]*Date: /)
        assert.strictEqual(undated(quick), undated(other), target)
      }
    }))

  it.live("a quick request is published with its delay", () =>
    Effect.gen(function*() {
      const taken: Array<string> = []
      const { raw } = yield* serve({}, recording(taken))
      yield* raw(post("now") + post("later", "", "/pub?topic=other&defer=250"), 2)
      assert.deepStrictEqual(taken, ["t 0 now", "other 250 later"])
    }))

  it.live("a quick request keeps its order among pipelined requests that wait or go through node:http", () =>
    Effect.gen(function*() {
      const taken: Array<string> = []
      const { raw } = yield* serve({}, waiting(taken))
      const answers = yield* raw(
        post("a") + post("b") + post("c", slow) + post("d") + "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n",
        5
      )
      assert.deepStrictEqual(taken, ["a", "b", "c", "d"])
      assert.strictEqual(statuses(answers).length, 5)
      assert.match(answers, /OK$/)
    }))

  it.live("a request has the same result however its bytes are split", () =>
    Effect.gen(function*() {
      const taken: Array<string> = []
      const { port } = yield* serve({}, recording(taken))
      const bodies = Array.from({ length: 12 }, (_, i) => `message ${i} ${"x".repeat(i * 37)}`)
      const bytes = Buffer.from(bodies.map((body, i) => post(body, i % 5 === 4 ? slow : "")).join(""))
      for (let round = 0; round < 20; round++) {
        taken.length = 0
        const pieces: Array<Buffer> = []
        for (let at = 0; at < bytes.length;) {
          const size = 1 + (yield* Random.nextIntBetween(0, 400))
          pieces.push(bytes.subarray(at, at + size))
          at += size
        }
        const text = yield* conversation(port, pieces, bodies.length)
        assert.deepStrictEqual(taken, bodies.map((body) => `t 0 ${body}`))
        assert.strictEqual(statuses(text).length, bodies.length)
      }
    }))

  it.live("an ambiguous request is refused and nothing of it is published", () =>
    Effect.gen(function*() {
      const taken: Array<string> = []
      const { raw } = yield* serve({}, recording(taken))
      const head = "POST /pub?topic=t HTTP/1.1\r\n"
      const odd = [
        `${head}Host: a\r\nHost: b\r\nContent-Length: 1\r\n\r\nx`,
        `${head}Host: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy`,
        `${head}Host: a\r\nContent-Length: +1\r\n\r\nx`,
        `${head}Host: a\r\nContent-Length : 1\r\n\r\nx`,
        `${head}Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx`,
        `${head}Host: a\r\nAccept: a\0b\r\nContent-Length: 1\r\n\r\nx`,
        `${head}Host: a\r\n Content-Length: 1\r\n\r\nx`,
        `${head}Content-Length: 1\r\n\r\nx`,
        "POST /pub?topic=t HTTP/1.2\r\nHost: a\r\nContent-Length: 1\r\n\r\nx"
      ]
      for (const request of odd) assert.match(yield* raw(request), /^(HTTP\/1\.1 4\d\d |$)/, request)
      assert.deepStrictEqual(taken, [])
    }))

  it.live("a request from a page of another site is refused", () =>
    Effect.gen(function*() {
      const taken: Array<string> = []
      const { raw } = yield* serve({}, recording(taken))
      const crossSite = "Origin: http://evil.example\r\nUser-Agent: Mozilla/5.0\r\n"
      assert.match(yield* raw(post("x", crossSite)), /^HTTP\/1\.1 403 /)
      const rebound = post("x", "User-Agent: Mozilla/5.0\r\n").replace("Host: localhost", "Host: evil.example")
      assert.match(yield* raw(rebound), /^HTTP\/1\.1 403 /)
      assert.deepStrictEqual(taken, [])
    }))

  it.live("a request of a client above --max-http-connections is refused", () =>
    Effect.gen(function*() {
      const { port, raw } = yield* serve({ maxHttpConnections: 1 })
      yield* Effect.acquireRelease(
        Effect.callback<Net.Socket>((resume) => {
          const socket = Net.connect(port, "127.0.0.1", () => resume(Effect.succeed(socket)))
        }),
        (socket) => Effect.sync(() => socket.destroy())
      )
      assert.match(yield* raw(post("x")), /^HTTP\/1\.1 503 .*--max-http-connections/s)
    }))

  it.live("a client that closes its side gets its response before the connection ends", () =>
    Effect.gen(function*() {
      const taken: Array<string> = []
      const { port } = yield* serve({}, waiting(taken))
      const text = yield* Effect.callback<string>((resume) => {
        let received = ""
        const socket = Net.connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () => socket.end(post("last")))
        socket.on("data", (chunk) => (received += chunk.toString("latin1")))
        socket.on("end", () => resume(Effect.succeed(received)))
      })
      assert.match(text, /^HTTP\/1\.1 200 OK[^]*OK$/)
      assert.deepStrictEqual(taken, ["last"])
    }))

  it.live("a client that disconnects before its response does not end the daemon", () =>
    Effect.gen(function*() {
      const taken: Array<string> = []
      const { port, raw } = yield* serve({}, waiting(taken))
      yield* Effect.callback<void>((resume) => {
        const socket = Net.connect(port, "127.0.0.1", () => {
          socket.write(post("gone") + post("gone too"), () => {
            socket.resetAndDestroy()
            resume(Effect.void)
          })
        })
      })
      assert.match(yield* raw(post("here")), /^HTTP\/1\.1 200 /)
    }))
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import * as Net from "node:net"
import { type Headers, readHeaders } from "../../../../src/protocol/client/Headers.ts"
import { Turns } from "../../../../src/services/core/Turns.ts"
import { brokerError, BrokerErrorReason } from "../../../../src/services/nsqd/broker/BrokerError.ts"
import { bodiesOf, joinBodies, Publisher } from "../../../../src/services/nsqd/broker/Publisher.ts"
import { outcome, refusal, requestTo, serve } from "./api.ts"

/** A Publisher that records messages. */
const recording = (taken: Array<string>) =>
  Layer.succeed(Publisher, {
    publish: (topic, bodies, deferMillis) => {
      for (const body of bodiesOf(bodies)) taken.push(`${topic} ${deferMillis} ${body.toString()}`)
      return undefined
    }
  })

const refusing = (reason: BrokerErrorReason) =>
  Layer.succeed(Publisher, { publish: () => Effect.fail(brokerError(reason)) })

describe("POST /pub", () => {
  it.live("/pub publishes the body with its delay", () =>
    Effect.gen(function*() {
      const taken: Array<string> = []
      const { request } = yield* serve({}, recording(taken))
      const answer = yield* request("POST", "/pub?topic=t", "one\ntwo")
      assert.strictEqual(outcome(answer), "200 OK")
      assert.strictEqual(answer.headers["content-type"], "text/plain; charset=utf-8")
      assert.strictEqual(answer.headers["x-nsq-content-type"], "nsq; version=1.0")
      yield* request("POST", "/pub?topic=t&defer=250", "later")
      assert.deepStrictEqual(taken, ["t 0 one\ntwo", "t 250 later"])
    }))

  it.live("/pub and /mpub give messages a time-to-live, and refuse one that is not positive", () =>
    Effect.gen(function*() {
      const headers: Array<Headers> = []
      const publisher = Layer.succeed(Publisher, {
        publish: (_, bodies) => {
          if (Buffer.isBuffer(bodies.headers)) headers.push(readHeaders(bodies.headers))
          return undefined
        }
      })
      const { port, request } = yield* serve({}, publisher)
      const before = Date.now()
      assert.strictEqual(outcome(yield* request("POST", "/pub?topic=t&ttl=1m30s", "one")), "200 OK")
      const withColour = { "nsq-header-colour": "red" }
      yield* requestTo({ port, host: "127.0.0.1" }, "POST", "/mpub?topic=t&ttl=1h", "two", withColour)
      const [first, second] = headers
      assert.closeTo(Number(first?.["nsq-expires"]) - before, 90_000, 60_000)
      assert.closeTo(Number(second?.["nsq-expires"]) - before, 3_600_000, 60_000)
      assert.strictEqual(second?.["colour"], "red")
      for (const ttl of ["", "0s", "-1s", "soon", "5"]) {
        assert.strictEqual(outcome(yield* request("POST", `/pub?topic=t&ttl=${ttl}`, "x")), refusal(400, "INVALID_TTL"))
      }
    }))

  it.live("/pub creates the topic, which counts every message", () =>
    Effect.gen(function*() {
      const { broker, request } = yield* serve()
      yield* Effect.forEach(Array.from({ length: 50 }, (_, i) => `m${i}`), (m) => request("POST", "/pub?topic=t", m), {
        concurrency: 10
      })
      assert.strictEqual(broker.findTopic("t")?.messageCount, 50)
    }))

  it.live("/pub refuses a body above the limit before any other check", () =>
    Effect.gen(function*() {
      const { chunked, raw, request } = yield* serve({ maxMsgSize: 10 })
      assert.strictEqual(outcome(yield* request("POST", "/pub?topic=t", "0123456789")), "200 OK")
      assert.strictEqual(outcome(yield* request("POST", "/pub", "0123456789a")), refusal(413, "MSG_TOO_BIG"))
      assert.strictEqual(outcome(yield* chunked("/pub?topic=t", ["01234", "56789"])), "200 OK")
      assert.strictEqual(outcome(yield* chunked("/pub?topic=t", ["01234", "56789", "a"])), refusal(413, "MSG_TOO_BIG"))
      // The response does not wait for the body.
      const announced = yield* raw("POST /pub?topic=t HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n")
      assert.match(announced, /^HTTP\/1\.1 413 [^]*\r\nConnection: close\r\n[^]*MSG_TOO_BIG/)
    }))

  it.live("/pub responds to a client that continues to send a refused body", () =>
    Effect.gen(function*() {
      const { request } = yield* serve({ maxMsgSize: 10 })
      const body = Buffer.alloc(3_000_000)
      assert.strictEqual(outcome(yield* request("POST", "/pub?topic=t", body)), refusal(413, "MSG_TOO_BIG"))
    }))

  it.live("/pub checks the body, then the query, the topic and the delay", () =>
    Effect.gen(function*() {
      const { broker, request } = yield* serve()
      assert.strictEqual(outcome(yield* request("POST", "/pub?topic=%zz", "")), refusal(400, "MSG_EMPTY"))
      assert.strictEqual(outcome(yield* request("POST", "/pub?topic=%zz", "x")), refusal(400, "INVALID_REQUEST"))
      assert.strictEqual(outcome(yield* request("POST", "/pub?defer=x", "x")), refusal(400, "MISSING_ARG_TOPIC"))
      assert.strictEqual(outcome(yield* request("POST", "/pub?topic=&defer=x", "x")), refusal(400, "INVALID_TOPIC"))
      for (const bad of ["x", "", "-1", "1.5", "3600001", "0x10", "10ms"]) {
        const answer = yield* request("POST", `/pub?topic=${"t"}&defer=${bad}`, "x")
        assert.strictEqual(outcome(answer), refusal(400, "INVALID_DEFER"), bad)
      }
      // As in NSQ, the topic has been created.
      assert.strictEqual(broker.findTopic("t")?.messageCount, 0)
    }))

  it.live("/pub responds to pipelined requests in order and closes the connection on request", () =>
    Effect.gen(function*() {
      const { broker, raw } = yield* serve()
      const one = (topic: string, close = "") =>
        `POST /pub?topic=${topic} HTTP/1.1\r\nHost: x\r\n${close}Content-Length: 1\r\n\r\nx`
      const answers = yield* raw(one("t") + one("bad$") + one("t", "Connection: close\r\n"), 3)
      assert.deepStrictEqual(answers.match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 200", "HTTP/1.1 400", "HTTP/1.1 200"])
      assert.strictEqual(broker.findTopic("t")?.messageCount, 2)
    }))

  it.live("/pub responds to Expect: 100-continue unless the body is too large", () =>
    Effect.gen(function*() {
      const { raw } = yield* serve({ maxMsgSize: 10 })
      const head = (size: number) =>
        `POST /pub?topic=t HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: ${size}\r\n\r\n`
      assert.match(yield* raw(head(4)), /^HTTP\/1\.1 100 Continue\r\n\r\n/)
      assert.match(yield* raw(`${head(4)}body`, 2), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/)
      assert.match(yield* raw(head(11)), /^HTTP\/1\.1 413 /)
    }))

  it.live("/pub responds with 503 if the message cannot be stored, and with 400 if a check refuses it", () =>
    Effect.gen(function*() {
      const exiting = yield* serve({}, refusing(BrokerErrorReason.Exiting()))
      assert.strictEqual(outcome(yield* exiting.request("POST", "/pub?topic=t", "x")), refusal(503, "EXITING"))
      const failing = yield* serve({}, refusing(BrokerErrorReason.DiskFailure({ description: "no" })))
      assert.strictEqual(outcome(yield* failing.request("POST", "/pub?topic=t", "x")), refusal(503, "EXITING"))
      const full = yield* serve({}, refusing(BrokerErrorReason.DiskFull({ description: "no" })))
      assert.strictEqual(outcome(yield* full.request("POST", "/pub?topic=t", "x")), refusal(503, "no"))
      const rejecting = yield* serve({}, refusing(BrokerErrorReason.Rejection({ description: "no" })))
      assert.strictEqual(outcome(yield* rejecting.request("POST", "/mpub?topic=t", "x")), refusal(400, "REJECTED no"))
    }))

  it.live("/pub responds with 500 on a defect, and further requests are served", () =>
    Effect.gen(function*() {
      const broken = Layer.succeed(Publisher, {
        publish: () => {
          throw new Error("broken")
        }
      })
      const { log, request } = yield* serve({}, broken)
      assert.strictEqual(outcome(yield* request("POST", "/pub?topic=t", "x")), refusal(500, "INTERNAL_ERROR"))
      assert.strictEqual(outcome(yield* request("POST", "/pub?topic=t", "x")), refusal(500, "INTERNAL_ERROR"))
      assert.isTrue(log.some((line) => line.includes("ERROR: publishing failed")), log.join("\n"))
    }))

  it.live("/pub and /mpub refuse other methods", () =>
    Effect.gen(function*() {
      const { request } = yield* serve()
      const answer = yield* request("GET", "/pub?topic=t")
      assert.strictEqual(outcome(answer), refusal(405, "METHOD_NOT_ALLOWED"))
      assert.strictEqual(answer.headers.allow, "OPTIONS, POST")
    }))
})

describe("POST /mpub", () => {
  it.live("/mpub publishes one message per line", () =>
    Effect.gen(function*() {
      const taken: Array<string> = []
      const { request } = yield* serve({}, recording(taken))
      assert.strictEqual(outcome(yield* request("POST", "/mpub?topic=t&defer=x", "a\n\nb\r\n")), "200 OK")
      assert.deepStrictEqual(taken, ["t 0 a", "t 0 b\r"])
    }))

  it.live("/mpub without a message creates the topic and stores nothing", () =>
    Effect.gen(function*() {
      const { broker, request } = yield* serve()
      assert.strictEqual(outcome(yield* request("POST", "/mpub?topic=t", "\n\n")), "200 OK")
      assert.strictEqual(broker.findTopic("t")?.messageCount, 0)
    }))

  it.live("/mpub reads a binary body unless binary is false or 0, and warns of other values once", () =>
    Effect.gen(function*() {
      const taken: Array<string> = []
      const { log, request } = yield* serve({}, recording(taken))
      const body = Buffer.concat([Buffer.from([0, 0, 0, 2]), joinBodies([Buffer.from("a\n"), Buffer.from("b")]).bytes])
      for (const value of ["binary=true", "binary=1", "binary=yes", "binary=yes", "binary"]) {
        taken.length = 0
        assert.strictEqual(outcome(yield* request("POST", `/mpub?topic=t&${value}`, body)), "200 OK", value)
        assert.deepStrictEqual(taken, ["t 0 a\n", "t 0 b"])
      }
      const warnings = log.filter((line) => line.includes("WARNING"))
      assert.deepStrictEqual(warnings.map((line) => line.replace(/^.*WARNING: /, "")), [
        "deprecated value 'yes' used for /mpub binary param",
        "deprecated value '' used for /mpub binary param"
      ])
      taken.length = 0
      yield* request("POST", "/mpub?topic=t&binary=0", "p\nq")
      assert.deepStrictEqual(taken, ["t 0 p", "t 0 q"])
    }))

  it.live("/mpub refuses a body that is too large and stores nothing of it", () =>
    Effect.gen(function*() {
      const { broker, chunked, request } = yield* serve({ maxMsgSize: 4, maxBodySize: 20 })
      assert.strictEqual(outcome(yield* request("POST", "/mpub?topic=t", "1\n12345\n2")), refusal(413, "MSG_TOO_BIG"))
      assert.strictEqual(
        outcome(yield* request("POST", "/mpub?topic=t", "123\n".repeat(5) + "1")),
        refusal(413, "BODY_TOO_BIG")
      )
      assert.strictEqual(
        outcome(yield* chunked("/mpub?topic=t", ["123\n".repeat(5), "1"])),
        refusal(413, "BODY_TOO_BIG")
      )
      assert.strictEqual(outcome(yield* request("POST", "/mpub?topic=t&binary=1", "")), refusal(413, "BAD_BODY"))
      const cut = Buffer.from("0000000200000001", "hex")
      assert.strictEqual(outcome(yield* request("POST", "/mpub?topic=t&binary=1", cut)), refusal(413, "BAD_MESSAGE"))
      assert.strictEqual(broker.findTopic("t")?.messageCount, 0)
      assert.strictEqual(outcome(yield* request("POST", "/mpub?topic=t", "123\n".repeat(5))), "200 OK")
      assert.strictEqual(broker.findTopic("t")?.messageCount, 5)
    }))
})

describe("the old names /put and /mput", () => {
  it.live("/put and /mput publish, and each logs its new name once", () =>
    Effect.gen(function*() {
      const taken: Array<string> = []
      const { log, request } = yield* serve({}, recording(taken))
      for (const path of ["/put?topic=t", "/put?topic=u", "/put?topic=t"]) {
        assert.strictEqual(outcome(yield* request("POST", path, "x")), "200 OK")
      }
      yield* request("POST", "/mput?topic=t", "y\nz")
      assert.deepStrictEqual(taken, ["t 0 x", "u 0 x", "t 0 x", "t 0 y", "t 0 z"])
      assert.deepStrictEqual(
        log.flatMap((line) => line.split("WARNING: ")[1] ?? []),
        ["deprecated path /put, use /pub", "deprecated path /mput, use /mpub"]
      )
    }))
})

describe("a large body", () => {
  /** Turns that are always over; between them a request of another client is served. */
  const served = (count: { value: number }, other: Effect.Effect<unknown>): Turns => ({
    isOver: () => true,
    next: Effect.tap(other, () => Effect.sync(() => count.value++)).pipe(Effect.asVoid)
  })

  const million = 1_000_000
  const binary = Buffer.alloc(4 + 5 * 500_000, Buffer.from([0, 0, 0, 1, 120]))
  binary.writeInt32BE(500_000, 0)
  binary.fill(Buffer.from([0, 0, 0, 1, 120]), 4)

  const bodies = [
    { name: "of a million short lines", path: "/mpub?topic=t", body: Buffer.alloc(2 * million, "x\n"), count: million },
    { name: "of empty lines", path: "/mpub?topic=t", body: Buffer.alloc(million, "\n"), count: 0 },
    { name: "of very many binary messages", path: "/mpub?topic=t&binary=true", body: binary, count: 500_000 }
  ]
  for (const { body, count, name, path } of bodies) {
    it.live(`a large body ${name} is published while other requests are served`, () =>
      Effect.gen(function*() {
        const others = { value: 0 }
        let port = 0
        const other = Effect.suspend(() => requestTo({ host: "127.0.0.1", port }, "GET", "/ping"))
        const { broker, port: bound, request } = yield* serve({ memQueueSize: 100 }).pipe(
          Effect.provideService(Turns, served(others, other))
        )
        port = bound
        assert.strictEqual(outcome(yield* request("POST", path, body)), "200 OK")
        assert.strictEqual(broker.findTopic("t")?.messageCount, count)
        assert.isAbove(others.value, 2)
      }))
  }

  it.live("a large body is refused as a whole if one of its last lines is too long", () =>
    Effect.gen(function*() {
      const { broker, request } = yield* serve({ maxMsgSize: 10 })
      const body = Buffer.concat([Buffer.alloc(million, "x\n"), Buffer.from("12345678901\n")])
      assert.strictEqual(outcome(yield* request("POST", "/mpub?topic=t", body)), refusal(413, "MSG_TOO_BIG"))
      assert.strictEqual(broker.findTopic("t")?.messageCount, 0)
    }))
})

/** Writes the pieces one by one, and reads until the end. */
const inPieces = (port: number, pieces: ReadonlyArray<string>): Effect.Effect<string> =>
  Effect.callback((resume) => {
    let text = ""
    const socket = Net.connect({ port, host: "127.0.0.1", noDelay: true }, () => {
      for (const piece of pieces) socket.write(piece)
    })
    socket.on("data", (chunk) => (text += chunk.toString("latin1")))
    socket.on("close", () => resume(Effect.succeed(text)))
  })

describe("a body that arrives in small pieces", () => {
  it.live("a body that arrives in small pieces is assembled, with and without Content-Length", () =>
    Effect.gen(function*() {
      const taken: Array<string> = []
      const { chunked, port } = yield* serve({}, recording(taken))
      const pieces = Array.from({ length: 2000 }, (_, i) => `${i},`)
      assert.strictEqual(outcome(yield* chunked("/pub?topic=t", pieces)), "200 OK")
      const body = pieces.join("")
      const head =
        `POST /pub?topic=t HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`
      const answer = yield* inPieces(port, [head, ...pieces])
      assert.match(answer, /^HTTP\/1\.1 200 /)
      assert.deepStrictEqual(taken, [`t 0 ${body}`, `t 0 ${body}`])
    }))
})

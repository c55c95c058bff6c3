/** `/sub` as a WebSocket, with Node's own client, and with bytes on a socket for what that does not do. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Queue, Redacted, Scope } from "effect"
import { TestClock } from "effect/testing"
import * as Net from "node:net"
import * as Tls from "node:tls"
import { AuthError } from "../../../../src/services/nsqd/auth/AuthError.ts"
import { Authorizer } from "../../../../src/services/nsqd/auth/Authorizer.ts"
import { until } from "../../../../src/testing/index.ts"
import * as Certificates from "../../net/certificates.ts"
import { quiet } from "../broker/testing.ts"
import { serve as serveSecurely } from "../session/secureClient.ts"
import { type Api, outcome, refusal, requestTo, serve } from "./api.ts"

type Event = Readonly<Record<string, unknown>>

const publish = ({ request }: Api, ...bodies: ReadonlyArray<string | Buffer>) =>
  Effect.forEach(bodies, (body) => request("POST", "/pub?topic=t", body), { discard: true })
const channelOf = ({ broker }: Api) => broker.findTopic("t")?.channel("c")

/** A client, until the Scope closes. */
const connect = Effect.fnUntraced(function*(port: number, query = "") {
  const events = yield* Queue.unbounded<Event>()
  let closed: { readonly code: number; readonly wasClean: boolean } | undefined
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() => new WebSocket(`ws://127.0.0.1:${port}/sub?topic=t&channel=c${query}`)),
    (opened) => Effect.sync(() => opened.close())
  )
  socket.addEventListener("message", ({ data }) => {
    Queue.offerUnsafe(events, Object.fromEntries(Object.entries(Object(JSON.parse(String(data))))))
  })
  socket.addEventListener("close", ({ code, wasClean }) => {
    closed = { code, wasClean }
  })
  const next = Queue.take(events)
  return {
    socket,
    next,
    send: (command: Event) => socket.send(JSON.stringify(command)),
    closed: Effect.map(until(() => closed !== undefined), () => closed)
  }
})

const handshake = (headers = "", target = "/sub?topic=t&channel=c") =>
  `GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
  `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n${headers}\r\n`

/** A connection that has sent a handshake, and what it has received. */
const raw = Effect.fnUntraced(function*(port: number, query = "") {
  const chunks: Array<Buffer> = []
  let isClosed = false
  const socket = yield* Effect.acquireRelease(
    Effect.sync(() =>
      Net.connect(port, "127.0.0.1", () => socket.write(handshake("", `/sub?topic=t&channel=c${query}`)))
    ),
    (opened) => Effect.sync(() => opened.destroy())
  )
  socket.on("data", (chunk: Buffer) => chunks.push(chunk))
  socket.on("error", () => {})
  socket.on("close", () => {
    isClosed = true
  })
  const received = () => Buffer.concat(chunks)
  yield* until(() => received().includes("subscribed"))
  return { socket, received, isClosed: () => isClosed }
})

/** A masked frame with a short payload. */
const frame = (first: number, payload: Buffer): Buffer =>
  Buffer.concat([Buffer.from([first, 0x80 | payload.length, 0, 0, 0, 0]), payload])

describe("GET /sub as a WebSocket", () => {
  it.live("sends the subscription and the messages, and takes acknowledgements and the ready count", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const { next, send } = yield* connect(api.port, "&rdy=1&client_id=me")
      const { subscription, ...settings } = yield* next
      assert.deepStrictEqual(settings, { event: "subscribed", rdy: 1, msg_timeout: 60_000, heartbeat: 30_000 })
      assert.match(String(subscription), /^[0-9a-f]{32}$/)
      yield* publish(api, "<ü>", Buffer.from([0xff, 0]), "third", "fourth", "fifth")
      const first = yield* next
      assert.deepInclude(first, { event: "message", attempts: 1, body: "<ü>" })
      send({ command: "touch", id: first["id"] })
      send({ command: "finish", id: first["id"] })
      const second = yield* next
      assert.deepInclude(second, { event: "message", body_base64: "/wA=" })
      send({ command: "requeue", id: second["id"], defer: 60_000 })
      const third = yield* next
      yield* until(() => channelOf(api)?.deferredCount === 1)
      send({ command: "ready", rdy: 10 })
      assert.deepStrictEqual([(yield* next)["body"], (yield* next)["body"]], ["fourth", "fifth"])
      // The requests of server-sent events act on the same subscription.
      const path = `/sub/finish?subscription=${String(subscription)}&id=${String(third["id"])}`
      assert.strictEqual(outcome(yield* api.request("POST", path, "")), "200")
      assert.strictEqual(channelOf(api)?.inFlightCount, 2)
      assert.match(yield* api.stats(), /"client_id":"me","hostname":"127.0.0.1","version":"HTTP"/)
    }))

  it.live("a command with an error gets an event, and the connection stays open", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const { next, send, socket } = yield* connect(api.port)
      yield* next
      const id = "0123456789abcdef"
      const error = Effect.map(next, ({ event, ...rest }) => [event, rest])
      socket.send("not JSON")
      assert.deepStrictEqual(yield* error, ["error", { error: "INVALID_REQUEST" }])
      send({ command: "publish" })
      assert.deepStrictEqual(yield* error, ["error", { error: "INVALID_REQUEST" }])
      send({ command: "finish", id: "x" })
      assert.deepStrictEqual(yield* error, ["error", { error: "INVALID_ARG_ID", command: "finish" }])
      send({ command: "finish", id })
      assert.deepStrictEqual(yield* error, ["error", { error: "MESSAGE_NOT_IN_FLIGHT", command: "finish", id }])
      send({ command: "requeue", id, defer: -1 })
      assert.deepStrictEqual(yield* error, ["error", { error: "INVALID_DEFER", command: "requeue", id }])
      send({ command: "reject", id, reason: 5 })
      assert.deepStrictEqual(yield* error, ["error", { error: "INVALID_ARG_REASON", command: "reject", id }])
      send({ command: "ready", rdy: 1e6 })
      assert.deepStrictEqual(yield* error, ["error", { error: "INVALID_ARG_RDY", command: "ready" }])
      yield* publish(api, "x")
      assert.strictEqual((yield* next)["body"], "x")
    }))

  it.live("a rejected message becomes a dead letter", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const { next, send } = yield* connect(api.port)
      yield* next
      for (const more of [{ reason: "bad" }, {}]) {
        yield* publish(api, "x")
        send({ command: "reject", id: (yield* next)["id"], ...more })
      }
      yield* until(() => channelOf(api)?.deadLetterCount === 2)
    }))

  it.live("the messages of a client that disconnects, in order or not, are requeued", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      yield* publish(api, "x")
      const scope = yield* Scope.make()
      const first = yield* Scope.provide(connect(api.port), scope)
      yield* first.next
      assert.strictEqual((yield* first.next)["attempts"], 1)
      first.socket.close(1000, "done")
      assert.deepStrictEqual(yield* first.closed, { code: 1000, wasClean: true })
      yield* Scope.close(scope, Exit.void)
      const abrupt = yield* raw(api.port)
      yield* until(() => abrupt.received().includes("\"attempts\":2"))
      abrupt.socket.resetAndDestroy()
      const last = yield* connect(api.port)
      yield* last.next
      assert.strictEqual((yield* last.next)["attempts"], 3)
      yield* until(() => channelOf(api)?.subscriptions.length === 1)
    }))

  it.live("a message larger than 4096 bytes, a binary one and a violation of the standard close the connection with their codes", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const big = yield* connect(api.port)
      yield* big.next
      big.socket.send("x".repeat(4097))
      assert.strictEqual((yield* big.closed)?.code, 1009)
      const binary = yield* connect(api.port)
      yield* binary.next
      binary.socket.send(new Uint8Array(3))
      assert.strictEqual((yield* binary.closed)?.code, 1003)
      const invalid: ReadonlyArray<readonly [sent: Buffer, code: number]> = [
        [Buffer.from([0x81, 1, 97]), 1002],
        [frame(0xc1, Buffer.from("compressed")), 1002],
        [frame(0x81, Buffer.from([0xff])), 1007],
        [
          Buffer.concat([
            frame(0x01, Buffer.from("in ")),
            frame(0x89, Buffer.from("")),
            frame(0x82, Buffer.from("parts"))
          ]),
          1002
        ]
      ]
      for (const [sent, code] of invalid) {
        const client = yield* raw(api.port)
        client.socket.write(sent)
        yield* until(client.isClosed)
        assert.deepStrictEqual([...client.received().subarray(-4)], [0x88, 2, code >> 8, code & 0xff])
      }
      yield* until(() => channelOf(api)?.subscriptions.length === 0)
    }))

  it.live("a ping gets its pong, and the accept header proves the key", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const client = yield* raw(api.port)
      assert.include(
        client.received().toString("latin1"),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
          "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
      )
      client.socket.write(frame(0x89, Buffer.from("hi")))
      yield* until(() => client.received().subarray(-4).equals(Buffer.from([0x8a, 2, 104, 105])))
    }))

  it.effect("a client that does not respond to a ping is closed at the next heartbeat", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const lively = yield* connect(api.port, "&heartbeat=1000")
      yield* lively.next
      const silent = yield* raw(api.port)
      yield* until(() => channelOf(api)?.subscriptions.length === 2)
      while (!silent.isClosed()) {
        yield* TestClock.adjust("1 second")
        // The ping of the other client arrives before the first of these responses, and its pong before the second one.
        for (let i = 0; i < 2; i++) yield* api.request("GET", "/ping")
      }
      assert.isTrue(silent.received().includes(Buffer.from([0x89, 0])))
      assert.isTrue(api.log.some((line) => line.includes("it has not responded to a ping")))
      assert.strictEqual(channelOf(api)?.subscriptions.length, 1)
    }).pipe(Effect.provide(quiet)))

  it.effect("a client that is gone is closed as well while messages time out and are sent to it again", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const silent = yield* raw(api.port, "&heartbeat=1000&msg_timeout=400")
      yield* publish(api, "x")
      yield* until(() => silent.received().includes("\"attempts\":1"))
      for (let i = 0; i < 40 && !silent.isClosed(); i++) {
        yield* TestClock.adjust("100 millis")
        for (let round = 0; round < 20; round++) yield* Effect.yieldNow
      }
      yield* until(silent.isClosed)
      assert.isTrue(api.log.some((line) => line.includes("it has not responded to a ping")))
    }).pipe(Effect.provide(quiet)))

  it.live("a defect of a command ends its connection, and nothing else", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const client = yield* connect(api.port)
      yield* client.next
      yield* publish(api, "x")
      const { id } = yield* client.next
      Reflect.set(channelOf(api)?.subscriptions[0] ?? {}, "finish", () => {
        throw new Error("broken")
      })
      client.send({ command: "finish", id })
      assert.isFalse((yield* client.closed)?.wasClean)
      assert.isTrue(api.log.some((line) => line.includes("ERROR: HTTP: a WebSocket failed")))
      const second = yield* connect(api.port)
      yield* second.next
      assert.strictEqual((yield* second.next)["attempts"], 2)
    }))

  it.live("the connection ends with 1001 when its channel is deleted", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const client = yield* connect(api.port)
      yield* client.next
      yield* api.request("POST", "/channel/delete?topic=t&channel=c", "")
      assert.deepStrictEqual(yield* client.closed, { code: 1001, wasClean: true })
    }))

  it.live("the connection ends with 1001 when nsqd stops", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const api = yield* Scope.provide(serve(), scope)
      const client = yield* connect(api.port)
      yield* client.next
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual((yield* client.closed)?.code, 1001)
    }))

  it.live("a command in parts is executed, and nothing that follows the end of the connection", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const client = yield* raw(api.port)
      const ready = (rdy: number): string => JSON.stringify({ command: "ready", rdy })
      const readyCount = () => channelOf(api)?.subscriptions[0]?.readyCount
      client.socket.write(frame(0x01, Buffer.from(ready(7).slice(0, 9))))
      client.socket.write(frame(0x80, Buffer.from(ready(7).slice(9))))
      yield* until(() => readyCount() === 7)
      yield* publish(api, "x")
      yield* until(() => client.received().includes("\"body\""))
      const [, id] = /"id":"([0-9a-f]{16})"/.exec(client.received().toString("latin1")) ?? []
      const finish = JSON.stringify({ command: "finish", id })
      client.socket.write(Buffer.concat([frame(0x82, Buffer.from("binary")), frame(0x81, Buffer.from(finish))]))
      yield* until(() => client.received().subarray(-4).equals(Buffer.from([0x88, 2, 3, 0xeb])))
      client.socket.end()
      yield* until(() => channelOf(api)?.depth === 1)
    }))

  it.live("a slow reader receives everything in the end, the channel keeps what the connection cannot take, and all commands are executed", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const slow = yield* raw(api.port)
      slow.socket.pause()
      slow.socket.write(frame(0x81, Buffer.from(JSON.stringify({ command: "ready", rdy: 100 }))))
      const big = "x".repeat(1_000_000)
      for (let i = 0; i < 20; i++) yield* api.request("POST", "/pub?topic=t", big)
      assert.isAbove(channelOf(api)?.depth ?? 0, 0)
      // More than one read, so that the last command comes after the first errors.
      slow.socket.write(Buffer.concat(Array.from({ length: 10_000 }, () => frame(0x81, Buffer.from("x")))))
      slow.socket.write(frame(0x81, Buffer.from(JSON.stringify({ command: "ready", rdy: 70 }))))
      yield* until(() => slow.socket.writableLength === 0)
      slow.socket.resume()
      yield* until(() => channelOf(api)?.subscriptions[0]?.readyCount === 70)
      yield* until(() => slow.received().length > 20_000_000 + 10_000 * "{\"event\":\"error\"}".length)
    }))

  it.live("a handshake that is not valid, and other upgrades, get ordinary responses", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const status = (request: string) => Effect.map(api.raw(request), (text) => text.slice(9, 12))
      assert.strictEqual(yield* status(handshake().replace("Version: 13", "Version: 8")), "426")
      assert.strictEqual(yield* status(handshake().replace("dGhlIHNhbXBsZSBub25jZQ==", "short")), "400")
      assert.strictEqual(yield* status(handshake("", "/sub?topic=t")), "400")
      assert.strictEqual(yield* status(handshake("", "/stats")), "200")
      // nsqd has no subprotocols.
      for (const protocols of ["mqtt, stomp", "a,,b"]) {
        const accepted = yield* api.raw(handshake(`Sec-WebSocket-Protocol: ${protocols}\r\n`))
        assert.match(accepted, /^HTTP\/1\.1 101 /)
        assert.notInclude(accepted, "Protocol:")
      }
      const upgrading = "POST /pub?topic=t HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n" +
        "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nContent-Length: 2\r\n\r\nhi"
      assert.strictEqual(yield* status(upgrading), "200")
      assert.strictEqual(api.broker.findTopic("t")?.messageCount, 1)
    }))

  it.live("a page of another site is refused, and the daemon's own is not", () =>
    Effect.gen(function*() {
      const api = yield* serve()
      const status = (headers: string) => Effect.map(api.raw(handshake(headers)), (text) => text.slice(9, 12))
      assert.strictEqual(yield* status("Origin: http://evil.example\r\n"), "403")
      assert.strictEqual(yield* status("Sec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: websocket\r\n"), "403")
      assert.isUndefined(api.broker.findTopic("t"))
      assert.strictEqual(yield* status("Origin: http://localhost\r\n"), "101")
    }))

  it.live("the permissions are those of SUB", () =>
    Effect.gen(function*() {
      const authorizer: Authorizer = {
        query: ({ secret }) =>
          Redacted.value(secret).toString() === "good"
            ? Effect.succeed({
              identity: "me",
              identityUrl: "",
              permissionCount: 1,
              ttlMillis: 1000,
              permits: (topic) => topic === "t"
            })
            : Effect.fail(AuthError.refusal("unknown secret"))
      }
      const api = yield* Effect.provideService(serve(), Authorizer, authorizer)
      const status = (headers: string, topic = "t") =>
        Effect.map(api.raw(handshake(headers, `/sub?topic=${topic}&channel=c`)), (text) => text.slice(9, 12))
      assert.strictEqual(yield* status(""), "401")
      assert.strictEqual(yield* status("Authorization: Bearer bad\r\n"), "401")
      assert.strictEqual(yield* status("Authorization: Bearer good\r\n", "u"), "403")
      assert.strictEqual(yield* status("Authorization: Bearer good\r\n"), "101")
    }))

  it.live("it works over HTTPS, and is refused over plain HTTP if TLS is required", () =>
    Effect.gen(function*() {
      const files = yield* Certificates.files
      const { httpPort, httpsPort } = yield* serveSecurely({ ...files.options, tlsRequired: true })
      const answerOf = (socket: Net.Socket) =>
        Effect.gen(function*() {
          let text = ""
          yield* Effect.addFinalizer(() => Effect.sync(() => socket.destroy()))
          socket.on("data", (chunk: Buffer) => {
            text += chunk.toString("latin1")
          })
          socket.write(handshake())
          yield* until(() => text.includes("}"))
          return text
        })
      const plain = yield* answerOf(Net.connect(httpPort, "127.0.0.1"))
      assert.match(plain, /^HTTP\/1\.1 403 [^]*TLS_REQUIRED/)
      const secure = yield* answerOf(Tls.connect({ port: httpsPort, host: "127.0.0.1", rejectUnauthorized: false }))
      assert.match(secure, /^HTTP\/1\.1 101 [^]*"event":"subscribed"/)
    }))

  it.live("--max-http-consumers counts WebSockets too", () =>
    Effect.gen(function*() {
      const api = yield* serve({ maxHttpConsumers: 1 })
      const first = yield* connect(api.port)
      yield* first.next
      assert.match(yield* api.raw(handshake()), /^HTTP\/1\.1 503 [^]*TOO_MANY_CONSUMERS/)
      const address = { host: "127.0.0.1", port: api.port }
      assert.strictEqual(
        outcome(yield* requestTo(address, "GET", "/sub?topic=t&channel=c")),
        refusal(503, "TOO_MANY_CONSUMERS")
      )
    }))
})

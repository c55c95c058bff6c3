import { assert, describe, it } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Fiber, Layer, Logger, Scope } from "effect"
import { TestClock } from "effect/testing"
import { existsSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as HttpServer from "../../../src/services/http/HttpServer.ts"
import { Publisher } from "../../../src/services/nsqd/broker/Publisher.ts"
import { NsqdHttp } from "../../../src/services/nsqd/http/NsqdHttp.ts"
import { until } from "../../../src/testing/index.ts"
import { layer, outcome, requestTo, serve } from "../nsqd/http/api.ts"

/** Connects and sends `bytes`; completes when a response arrives, or at once without `bytes`. */
const connect = (port: number, bytes = ""): Effect.Effect<Net.Socket> =>
  Effect.callback((resume) => {
    const socket = Net.connect(port, "127.0.0.1", () => {
      if (bytes === "") return resume(Effect.succeed(socket))
      socket.write(bytes)
      socket.once("data", () => resume(Effect.succeed(socket)))
    })
    socket.on("error", () => {})
  })

const quietly = (httpAddress: string) => layer({ httpAddress }).pipe(Layer.provide(Logger.layer([])))

const tempDirectory = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "http-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true }))
)

describe("the HTTP server", () => {
  it.effect("the HTTP server ends without waiting for any time, regardless of its open connections", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const { log, port } = yield* Scope.provide(serve(), scope)
      const ping = "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"
      const idle = yield* Effect.forEach(Array.from({ length: 20 }), () => connect(port, ping))
      const silent = yield* connect(port)
      const sending = yield* connect(port)
      sending.write("POST /pub?topic=t HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
      // The clock stands still.
      yield* Scope.close(scope, Exit.void)
      yield* until(() => [...idle, silent, sending].every((socket) => socket.destroyed || socket.readableEnded))
      assert.isTrue(log.some((line) => line.endsWith(`HTTP: listening on 127.0.0.1:${port}`)))
      assert.isTrue(log.some((line) => line.endsWith(`HTTP: closing 127.0.0.1:${port}`)))
    }))

  it.effect("the HTTP server waits only briefly for a running handler when it ends", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const running = yield* Deferred.make<void>()
      const publish = () => Effect.andThen(Deferred.succeed(running, undefined), Effect.never)
      const { port } = yield* Scope.provide(serve({}, Layer.succeed(Publisher, { publish })), scope)
      const socket = yield* connect(port)
      socket.write("POST /pub?topic=t HTTP/1.1\r\nHost: x\r\nX-Other: 1\r\nContent-Length: 1\r\n\r\nx")
      yield* Deferred.await(running)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      assert.isUndefined(closing.pollUnsafe())
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(closing)
    }))

  it.live("the error of a listener that cannot listen states the reason", () =>
    Effect.gen(function*() {
      const { port } = yield* serve()
      const httpAddress = `127.0.0.1:${port}`
      const error = yield* Effect.flip(Layer.build(quietly(httpAddress)))
      assert.strictEqual(error._tag, "NetError")
      assert.match(error.message, new RegExp(`^listen \\(${httpAddress}\\) failed - .*address already in use`))
    }))

  it.live("the HTTP server listens on a unix socket and removes its file", () =>
    Effect.gen(function*() {
      const socketPath = join(yield* tempDirectory, "nsqd.sock")
      yield* Effect.scoped(Effect.gen(function*() {
        const context = yield* Layer.build(quietly(socketPath))
        assert.strictEqual(Context.get(context, NsqdHttp).port, -1)
        assert.include((yield* requestTo({ socketPath }, "GET", "/info")).text, "\"http_port\":-1")
        assert.strictEqual(outcome(yield* requestTo({ socketPath }, "POST", "/pub?topic=t", "x")), "200 OK")
      }))
      assert.isFalse(existsSync(socketPath))
    }))

  it.live("without an address no HTTP server listens", () =>
    Effect.gen(function*() {
      const context = yield* Layer.build(quietly(""))
      assert.strictEqual(Context.get(context, NsqdHttp).port, 0)
    }))

  it.live("the HTTP server responds to invalid HTTP with 400", () =>
    Effect.gen(function*() {
      const { raw, request } = yield* serve()
      assert.match(yield* raw("  V2\r\n\r\n"), /^HTTP\/1\.1 400 /)
      assert.match(yield* raw("GET /ping HTTP/1.1\r\n\r\n"), /^HTTP\/1\.1 400 /)
      assert.match(
        yield* raw("POST /pub?topic=t HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n"),
        /^HTTP\/1\.1 400 /
      )
      assert.strictEqual(outcome(yield* request("GET", "/ping")), "200 OK")
    }))

  it.live("the HTTP server serves HTTP/1.0 and closes the connection", () =>
    Effect.gen(function*() {
      const { raw } = yield* serve()
      const answer = yield* raw("POST /pub?topic=t HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi")
      assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nOK$/)
    }))

  it.live("the HTTP server closes a connection whose large body is not read", () =>
    Effect.gen(function*() {
      const { raw } = yield* serve()
      const answer = yield* raw("POST /topic/create?topic=t HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
      assert.match(answer, /^HTTP\/1\.1 200 OK\r\n[^]*Connection: close/)
    }))
})

describe("slow peers", () => {
  /** Far longer than a test. */
  const never = 600_000
  const patient = {
    headersMillis: never,
    requestMillis: never,
    idleMillis: never,
    stalledMillis: never,
    checkIntervalMillis: 20
  }

  /** A server that responds to every complete request with a body of `size` bytes. */
  const server = (timeouts: Partial<HttpServer.Timeouts>, size = 0) =>
    HttpServer.listen({
      name: "HTTP",
      address: "127.0.0.1:0",
      onRequest: (incoming, outgoing) => void incoming.resume().on("end", () => outgoing.end(Buffer.alloc(size))),
      guard: () => undefined,
      maxConnections: 0,
      quiet: Effect.void,
      timeouts: { ...patient, ...timeouts }
    })

  /** Sends `bytes`, and returns the first line that the server sends before it ends the connection. */
  const received = (port: number, bytes: string) =>
    Effect.callback<string>((resume) => {
      let text = ""
      const socket = Net.connect(port, "127.0.0.1", () => socket.write(bytes))
      socket.on("data", (chunk) => text += chunk).on("error", () => {})
      socket.on("close", () => resume(Effect.succeed(text.split("\r\n")[0] ?? "")))
    })

  const request = "GET / HTTP/1.1\r\nHost: x\r\n"

  it.live("a peer that sends its headers too slowly gets 408 and is disconnected", () =>
    Effect.gen(function*() {
      const { port } = yield* server({ headersMillis: 50 })
      assert.strictEqual(yield* received(port, request), "HTTP/1.1 408 Request Timeout")
    }))

  it.live("a peer that sends its body too slowly gets 408 and is disconnected", () =>
    Effect.gen(function*() {
      const { port } = yield* server({ headersMillis: 40, requestMillis: 50 })
      const half = `${request}Content-Length: 10\r\n\r\nhalf`
      assert.strictEqual(yield* received(port, half), "HTTP/1.1 408 Request Timeout")
    }))

  it.live("a peer that waits too long before its next request is disconnected", () =>
    Effect.gen(function*() {
      const { port } = yield* server({ idleMillis: 50 })
      assert.strictEqual(yield* received(port, `${request}\r\n`), "HTTP/1.1 200 OK")
    }))

  it.live("a peer that reads its response too slowly is disconnected", () =>
    Effect.gen(function*() {
      const { port } = yield* server({ stalledMillis: 100 }, 64 * 1024 * 1024)
      const ended = yield* Effect.callback<boolean>((resume) => {
        const socket = Net.connect(port, "127.0.0.1", () => socket.write(`${request}\r\n`))
        socket.pause()
        // A socket that does not read notices its end only by writing.
        const writing = setInterval(() => void socket.write(" "), 20)
        socket.on("error", () => {})
        socket.on("close", () => {
          clearInterval(writing)
          resume(Effect.succeed(true))
        })
      })
      assert.isTrue(ended)
    }))
})

import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, type Scope } from "effect"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { HttpGet, type HttpGetLimits } from "../../../src/services/http/HttpGet.ts"

const limits: HttpGetLimits = {
  connectTimeout: Duration.seconds(10),
  requestTimeout: Duration.seconds(10),
  maxBytes: 100
}

/** Returns the URL of a server with this handler, which listens until the Scope closes. */
const serve = (answer: Http.RequestListener): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Http.Server>((resume) => {
      const server = Http.createServer(answer)
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  ).pipe(Effect.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}/`))

const get = (url: string, changed: Partial<HttpGetLimits> = {}) =>
  HttpGet.use(({ text }) => text(url, { ...limits, ...changed }))

const reason = (url: string, changed: Partial<HttpGetLimits> = {}) =>
  Effect.map(Effect.flip(get(url, changed)), ({ message }) => message)

const http = Effect.provide(HttpGet.layer)

describe("HTTP requests to another daemon", () => {
  it.live("a request to another daemon returns the body of a 200", () =>
    Effect.gen(function*() {
      const url = yield* serve((request, response) => {
        response.write(String(request.headers.accept))
        response.end("!")
      })
      assert.strictEqual(yield* get(url), "application/vnd.nsq; version=1.0!")
    }).pipe(http))

  it.live("a request to another daemon fails for other statuses and for bodies that are too large", () =>
    Effect.gen(function*() {
      const missing = yield* serve((_, response) => void response.writeHead(404).end())
      assert.strictEqual(yield* reason(missing), `${missing} - got response 404`)
      const endless = yield* serve((_, response) => {
        const timer = setInterval(() => response.write("x".repeat(60)), 1)
        response.once("close", () => clearInterval(timer))
      })
      assert.strictEqual(yield* reason(endless), `${endless} - response is larger than 100 bytes`)
    }).pipe(http))

  it.live("a request to another daemon fails if the port is closed, the response ends prematurely, or the URL is not valid", () =>
    Effect.gen(function*() {
      assert.match(yield* reason("http://127.0.0.1:1/"), /^http:\/\/127.0.0.1:1\/ - .*ECONNREFUSED/)
      const broken = yield* serve((_, response) => {
        response.writeHead(200, { "content-length": "50" })
        response.write("x", () => response.destroy())
      })
      assert.match(yield* reason(broken), /aborted|closed|hang up/)
      assert.strictEqual(yield* reason("http://[/"), "http://[/ - not a valid URL")
    }).pipe(http))

  it.live("an announced address is requested only if it is allowed, also after name resolution", () =>
    Effect.gen(function*() {
      let asked = 0
      const url = yield* serve((_, response) => {
        asked++
        response.end("!")
      })
      const named = (url: string, namer: string) => HttpGet.use(({ text }) => text(url, limits, namer))
      assert.strictEqual(yield* named(url, "127.0.0.1:4160"), "!")
      assert.strictEqual(yield* named(url.replace("127.0.0.1", "localhost"), "[::1]:4160"), "!")
      for (const host of ["127.0.0.1", "localhost", "169.254.169.254", "0.0.0.0", "[::]", "[fe80::1]"]) {
        const refused = yield* Effect.flip(named(url.replace("127.0.0.1", host), "203.0.113.7:4160"))
        assert.include(refused.message, "--allowed-daemon-networks", host)
      }
      assert.strictEqual(asked, 2)
    }).pipe(http))

  it.live("a request to another daemon fails after the request timeout", () =>
    Effect.gen(function*() {
      const silent = yield* serve(() => {})
      const message = yield* reason(silent, { requestTimeout: Duration.millis(20) })
      assert.strictEqual(message, `${silent} - request timeout`)
    }).pipe(http))
})

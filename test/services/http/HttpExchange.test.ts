import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Stream } from "effect"
import { HttpClient, HttpClientError, HttpClientRequest, HttpClientResponse } from "effect/http"
import { TestClock } from "effect/testing"
import type { HttpError } from "../../../src/services/http/HttpError.ts"
import * as HttpExchange from "../../../src/services/http/HttpExchange.ts"
import { addressRefusal } from "../../../src/services/net/NetError.ts"

const limits = { timeout: Duration.seconds(5), maxBytes: 100 }

type Reply = Response | Error

/** A client with these replies, in order, and the requests that it received. */
const clientWith = (...replies: ReadonlyArray<Reply>) => {
  const seen: Array<string> = []
  const client = HttpClient.make((request, url) => {
    const reply = replies[seen.length]
    const { accept, authorization } = request.headers
    seen.push([request.method, url.href, accept, authorization].filter((part) => part !== undefined).join(" "))
    if (reply === undefined) return Effect.never
    return reply instanceof Error
      ? Effect.fail(
        new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause: reply }) })
      )
      : Effect.succeed(HttpClientResponse.fromWeb(request, reply))
  })
  return { client, seen }
}

const get = (url: string) => HttpClientRequest.get(url)

const reasonOf = (exchange: Effect.Effect<unknown, HttpError>) =>
  Effect.map(Effect.flip(exchange), ({ reason }) => reason)

const redirect = (location: string, status = 307) => new Response(null, { status, headers: { location } })

describe("an exchange with another server", () => {
  it.effect("the response has status, headers and body, and the status does not matter", () =>
    Effect.gen(function*() {
      const { client } = clientWith(new Response("gone", { status: 410, headers: { "x-a": "1" } }))
      const { body, headers, status } = yield* HttpExchange.send(client, get("http://web/"), limits)
      assert.deepStrictEqual([status, headers["x-a"], body.toString()], [410, "1", "gone"])
    }))

  it.effect("the user information of a URL is sent as basic authentication, and no error contains it", () =>
    Effect.gen(function*() {
      const { client, seen } = clientWith(new Error("broken"))
      const error = yield* Effect.flip(HttpExchange.send(client, get("http://al%69ce:p%40ss@web:1/x?secret=s"), limits))
      assert.deepStrictEqual(seen, [
        `GET http://web:1/x?secret=s Basic ${Buffer.from("alice:p@ss").toString("base64")}`
      ])
      assert.strictEqual(error.address, "web:1")
      assert.strictEqual(error.message, `Get "http://web:1/x?secret=***": broken`)
    }))

  it.effect("a failed connection has the text and the code of the innermost error, of the first address if several failed", () =>
    Effect.gen(function*() {
      const refused = (address: string) =>
        Object.assign(new Error(`connect ECONNREFUSED ${address}`), { code: "ECONNREFUSED" })
      const both = new AggregateError([refused("::1:1"), refused("127.0.0.1:1")])
      for (const cause of [refused("::1:1"), both, new TypeError("fetch failed", { cause: both })]) {
        const { client } = clientWith(cause)
        assert.deepStrictEqual(yield* reasonOf(HttpExchange.send(client, get("http://web/"), limits)), {
          _tag: "ConnectionFailure",
          description: "connect ECONNREFUSED ::1:1",
          code: "ECONNREFUSED"
        })
      }
    }))

  it.effect("an invalid URL and a refused address are reasons of their own", () =>
    Effect.gen(function*() {
      const { client, seen } = clientWith()
      assert.strictEqual((yield* reasonOf(HttpExchange.send(client, get("http://["), limits)))._tag, "InvalidUrl")
      const refused = addressRefusal("web:80: not allowed")
      const permitted = Effect.fail(refused)
      const expected = { _tag: "AddressRefusal", description: "web:80: not allowed" } as const
      assert.deepStrictEqual(
        yield* reasonOf(HttpExchange.send(client, get("http://web/"), { ...limits, permitted })),
        expected
      )
      assert.deepStrictEqual(seen, [])
      // The name has changed since the check, and the socket's own one refuses it.
      const { client: late } = clientWith(refused)
      assert.deepStrictEqual(yield* reasonOf(HttpExchange.send(late, get("http://web/"), limits)), expected)
    }))

  it.effect("a response larger than the limit fails", () =>
    Effect.gen(function*() {
      const { client } = clientWith(new Response("x".repeat(101)), new Response("x".repeat(100)))
      const error = yield* Effect.flip(HttpExchange.send(client, get("http://web/"), limits))
      assert.strictEqual(error.reason._tag, "ResponseTooLarge")
      assert.strictEqual(error.description, "the response has more than 100 bytes (fixed limit)")
      assert.strictEqual((yield* HttpExchange.send(client, get("http://web/"), limits)).body.length, 100)
    }))

  it.effect("the timeout includes the body", () =>
    Effect.gen(function*() {
      const client = HttpClient.make((request) =>
        Effect.succeed(HttpClientResponse.fromWeb(request, new Response(Stream.toReadableStream(Stream.never))))
      )
      const fiber = yield* Effect.forkChild(reasonOf(HttpExchange.send(client, get("http://web/"), limits)))
      yield* TestClock.adjust(limits.timeout)
      assert.deepStrictEqual(yield* Fiber.join(fiber), { _tag: "Timeout" })
    }))
})

describe("redirects", () => {
  it.effect("no redirect is followed by default", () =>
    Effect.gen(function*() {
      const { client, seen } = clientWith(redirect("http://web/other"))
      assert.strictEqual((yield* HttpExchange.send(client, get("http://web/"), limits)).status, 307)
      assert.strictEqual(seen.length, 1)
    }))

  it.effect("redirects on the same host are followed if the rule says so, and others fail", () =>
    Effect.gen(function*() {
      const rule = { ...limits, redirects: "same host" } as const
      const { client, seen } = clientWith(redirect("//web:8080/a"), redirect("https://web/b", 301), new Response("ok"))
      assert.strictEqual((yield* HttpExchange.send(client, get("http://web/"), rule)).body.toString(), "ok")
      assert.deepStrictEqual(seen, ["GET http://web/", "GET http://web:8080/a", "GET https://web/b"])
      for (const location of ["http://elsewhere/", "http://web/", "ftp://web/", "http://["]) {
        const { client } = clientWith(redirect(location, 302))
        assert.deepStrictEqual(
          yield* reasonOf(HttpExchange.send(client, get("https://web/"), rule)),
          { _tag: "RedirectRefusal", status: 302 },
          location
        )
      }
    }))

  it.effect("ten redirects are followed at most", () =>
    Effect.gen(function*() {
      const { client, seen } = clientWith(...Array.from({ length: 20 }, () => redirect("/again")))
      yield* HttpExchange.open(client, get("http://web/"), { redirects: "any host" })
      assert.strictEqual(seen.length, 11)
    }))
})

describe("an exchange with one of NSQ's daemons", () => {
  const tlsRequired = (https_port: number) =>
    new Response(JSON.stringify({ message: "TLS_REQUIRED", https_port }), { status: 403 })

  it.effect("a request is repeated once over HTTPS if the daemon requires it", () =>
    Effect.gen(function*() {
      const { client, seen } = clientWith(tlsRequired(4152), tlsRequired(4153))
      const error = yield* Effect.flip(HttpExchange.sendToDaemon(client, get("http://web:4151/ping"), limits))
      const version = "application/vnd.nsq; version=1.0"
      assert.deepStrictEqual(seen, [`GET http://web:4151/ping ${version}`, `GET https://web:4152/ping ${version}`])
      assert.strictEqual(error.message, "got response 403 Forbidden TLS_REQUIRED of web:4152")
    }))

  it.effect("a 403 without a valid port, and any status but 200, is a failure with NSQ's code", () =>
    Effect.gen(function*() {
      for (const response of [tlsRequired(0), tlsRequired(65_536)]) {
        const { client } = clientWith(response)
        const exchange = HttpExchange.sendToDaemon(client, get("http://web/"), limits)
        const expected = { _tag: "UnexpectedStatus", status: 403, code: "TLS_REQUIRED" } as const
        assert.deepStrictEqual(yield* reasonOf(exchange), expected)
      }
      for (
        const [status, message, code] of [[400, "INVALID_TOPIC: x", "INVALID_TOPIC"], [201, "SECRET", ""]] as const
      ) {
        const { client } = clientWith(new Response(JSON.stringify({ message }), { status }))
        const exchange = HttpExchange.sendToDaemon(client, get("http://web/"), limits)
        assert.deepStrictEqual(yield* reasonOf(exchange), { _tag: "UnexpectedStatus", status, code })
      }
    }))
})

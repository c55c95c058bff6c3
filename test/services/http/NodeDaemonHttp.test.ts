import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Schema } from "effect"
import { DaemonHttp } from "../../../src/services/http/DaemonHttp.ts"
import * as NodeDaemonHttp from "../../../src/services/http/NodeDaemonHttp.ts"
import { DaemonNetworks } from "../../../src/services/net/DaemonNetworks.ts"
import { fakeServer } from "./fakeServer.ts"

const options = {
  httpClientConnectTimeout: Duration.seconds(10),
  httpClientRequestTimeout: Duration.seconds(10),
  maxDaemonResponseSize: 100,
  responseSizeOption: "fixed limit"
}

/** Clients as nsqd has: one connection for each request. */
const http = (changed: Partial<typeof options> = {}) =>
  Effect.provide(NodeDaemonHttp.layer({ ...options, ...changed }, {}, { keepAlive: false }))

const get = (address: string, namer?: string) =>
  Effect.gen(function*() {
    const { originBy } = yield* DaemonNetworks
    const origin = namer === undefined ? "configured" : yield* originBy(namer)
    return yield* DaemonHttp.use((daemons) => daemons.get(Schema.Unknown, address, "/", origin))
  })

const reason = (address: string) => Effect.map(Effect.flip(get(address)), ({ reason }) => reason)

const text = (address: string) => Effect.map(Effect.flip(get(address)), ({ description }) => description)

describe("requests of nsqd to an nsqlookupd", () => {
  it.live("each request has its own connection, NSQ's version header and no others", () =>
    Effect.gen(function*() {
      const address = yield* fakeServer(({ headers }, response) => response.end(JSON.stringify(headers)))
      for (let i = 0; i < 2; i++) {
        assert.deepStrictEqual(yield* get(address), {
          accept: "application/vnd.nsq; version=1.0",
          connection: "close",
          host: address
        })
      }
    }).pipe(http()))

  it.live("a request fails for other statuses and for bodies that are too large", () =>
    Effect.gen(function*() {
      const missing = yield* fakeServer((_, response) => void response.writeHead(404).end())
      assert.strictEqual(yield* text(missing), "got response 404")
      const endless = yield* fakeServer((_, response) => {
        const timer = setInterval(() => response.write("x".repeat(60)), 1)
        response.once("close", () => clearInterval(timer))
      })
      assert.strictEqual(yield* text(endless), "the response has more than 100 bytes (fixed limit)")
    }).pipe(http()))

  it.live("a request fails if the port is closed, the response ends prematurely or is not JSON, or the address is not valid", () =>
    Effect.gen(function*() {
      assert.match(yield* text("127.0.0.1:1"), /ECONNREFUSED/)
      const broken = yield* fakeServer((_, response) => {
        response.writeHead(200, { "content-length": "50" })
        response.write("x", () => response.destroy())
      })
      assert.strictEqual((yield* reason(broken))._tag, "ConnectionFailure")
      assert.strictEqual((yield* reason(yield* fakeServer((_, response) => response.end("{"))))._tag, "InvalidResponse")
      assert.strictEqual(yield* text("["), "not a valid URL")
    }).pipe(http()))

  it.live("an announced address is requested only if it is allowed, also after name resolution", () =>
    Effect.gen(function*() {
      let asked = 0
      const address = yield* fakeServer((_, response) => {
        asked++
        response.end("true")
      })
      assert.isTrue(yield* get(address, "127.0.0.1:4160"))
      assert.isTrue(yield* get(address.replace("127.0.0.1", "localhost"), "[::1]:4160"))
      for (const host of ["127.0.0.1", "localhost", "169.254.169.254", "0.0.0.0", "[::]", "[fe80::1]"]) {
        const refused = yield* Effect.flip(get(address.replace("127.0.0.1", host), "203.0.113.7:4160"))
        assert.strictEqual(refused.reason._tag, "AddressRefusal", host)
        assert.include(refused.message, "--allowed-daemon-networks", host)
      }
      assert.strictEqual(asked, 2)
    }).pipe(http()))

  it.live("a request fails after the request timeout", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* text(yield* fakeServer(() => {})), "request timeout")
    }).pipe(http({ httpClientRequestTimeout: Duration.millis(20) })))
})

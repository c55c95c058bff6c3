import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Net from "node:net"
import { hostname } from "node:os"
import * as HostNames from "../../../src/services/http/HostNames.ts"
import { files } from "../net/certificates.ts"
import { outcome, requestTo, serve } from "../nsqd/http/api.ts"
import { serve as serveSecurely } from "../nsqd/session/secureClient.ts"
import { halfClosed, halfClosedTls } from "./halfClosed.ts"

const browser = { "user-agent": "Mozilla/5.0 (X11; Linux x86_64)" }

describe("allowed names of a Host header", () => {
  it("a Host header may have private names, those of the machine, and allowed ones", () => {
    const isAllowed = HostNames.makeCheck(["nsq.example.com", "Other.Example.com.", ...HostNames.ofMachine("box", "")])
    const names = [
      "127.0.0.1",
      "[::1]",
      "10.1.2.3:4151",
      "localhost:4151",
      "nsqd",
      "box",
      "nsqd-0.nsqd.default.svc",
      "nsqd.default.svc.cluster.local",
      "printer.local",
      "a.internal",
      "a.lan",
      "a.home.arpa",
      "a.test",
      "x.localhost",
      "NSQ.example.com:80",
      "other.example.com"
    ]
    for (const name of names) assert.isTrue(isAllowed(HostNames.nameOf(name) ?? "?."), name)
    for (const name of ["evil.example", "nsq.example.com.evil.example", "evillan.example", "1.2.3.4.evil.example"]) {
      assert.isFalse(isAllowed(HostNames.nameOf(name) ?? ""), name)
    }
    assert.isUndefined(HostNames.nameOf("a:b:c"))
    assert.isTrue(HostNames.makeCheck(["*"])("evil.example"))
  })

  it("a Host header may have the machine's names in the hosts file, and no other names of it", () => {
    const hosts = "127.0.0.1 localhost\n127.0.1.1 box.example.com box # this machine\n10.0.0.1 other.example.com\n"
    assert.deepStrictEqual(HostNames.ofMachine("box", hosts), ["box", "box.example.com", "box"])
    assert.include(HostNames.ofMachine(), hostname())
  })
})

describe("the guard of nsqd's HTTP listener", () => {
  it.live("the guard refuses changes by other sites' pages, and accepts those of clients that are not browsers", () =>
    Effect.gen(function*() {
      const { port } = yield* serve()
      const create = (headers: Record<string, string>) =>
        requestTo({ host: "127.0.0.1", port }, "POST", "/topic/create?topic=t", "", headers)
      const anotherSite = "403 {\"message\":\"FORBIDDEN: the request comes from another site\"}"
      const own = `http://127.0.0.1:${port}`
      const cells: ReadonlyArray<readonly [Record<string, string>, string]> = [
        [{}, "200"],
        [{ "user-agent": "curl/8.5.0", "host": "nsqd.example.com" }, "200"],
        [{ "user-agent": "node", "sec-fetch-mode": "cors", "host": "nsqd.example.com" }, "200"],
        [{ ...browser, origin: own }, "200"],
        [{ ...browser, "sec-fetch-site": "same-origin" }, "200"],
        [{ ...browser, origin: "http://evil.example" }, anotherSite],
        [{ ...browser, origin: "null" }, anotherSite],
        [{ ...browser, origin: `http://127.0.0.1:${port + 1}` }, anotherSite],
        [{ "sec-fetch-site": "cross-site" }, anotherSite],
        [{ "sec-fetch-site": "same-site", "origin": own }, anotherSite]
      ]
      for (const [headers, expected] of cells) {
        assert.strictEqual(outcome(yield* create(headers)), expected, JSON.stringify(headers))
      }
    }))

  it.live("the guard refuses browsers' GETs that change something, and other sites' GETs that start something", () =>
    Effect.gen(function*() {
      const { broker, port } = yield* serve()
      const get = (path: string, headers: Record<string, string>) =>
        Effect.map(requestTo({ host: "127.0.0.1", port }, "GET", path, undefined, headers), ({ status }) => status)
      const own = { ...browser, referer: `http://127.0.0.1:${port}/debug/pprof/` }
      const link = {
        ...browser,
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "navigate",
        "sec-fetch-dest": "document"
      }
      const image = {
        ...browser,
        "sec-fetch-site": "cross-site",
        "sec-fetch-mode": "no-cors",
        "sec-fetch-dest": "image"
      }
      assert.strictEqual(yield* get("/create_topic?topic=t", browser), 403)
      assert.strictEqual(yield* get("/%63reate_topic?topic=t", { ...browser, "sec-fetch-site": "none" }), 403)
      assert.deepStrictEqual(broker.topics(), [])
      assert.strictEqual(yield* get("/create_topic?topic=t", {}), 200)
      assert.strictEqual(yield* get("/debug/pprof/block", browser), 403)
      assert.strictEqual(yield* get("/debug/pprof/block", { ...browser, referer: "http://evil.example/" }), 403)
      assert.strictEqual(yield* get("/debug/pprof/block", own), 200)
      assert.strictEqual(yield* get("/debug/pprof/block", link), 403)
      assert.strictEqual(yield* get("/debug/pprof/block", {}), 200)
      assert.strictEqual(yield* get("/stats", link), 200)
      assert.strictEqual(yield* get("/stats", image), 403)
      assert.strictEqual(yield* get("/stats", { ...browser, "sec-fetch-site": "none" }), 200)
    }))

  it.live("a browser with an unknown host name gets a page that names the host and the flag", () =>
    Effect.gen(function*() {
      const { log, port } = yield* serve({ httpAllowedHosts: ["nsq.example.com"], broadcastAddress: "b.example.com" })
      const stats = (host: string, headers: Record<string, string> = browser) =>
        requestTo({ host: "127.0.0.1", port }, "GET", "/stats", undefined, { host, ...headers })
      const refused = yield* stats("evil.example:4151")
      assert.strictEqual(refused.status, 403)
      assert.match(refused.text, /nsqd does not serve the host "evil\.example"/)
      assert.include(refused.text, "DNS rebinding")
      assert.include(refused.text, "--http-allowed-host=evil.example")
      assert.isTrue(log.some((line) => line.includes("refused: 403 Forbidden: nsqd does not serve")))
      for (const host of ["nsq.example.com:4151", "b.example.com", "localhost", "nsqd", "10.0.0.1"]) {
        assert.strictEqual((yield* stats(host)).status, 200, host)
      }
      assert.strictEqual((yield* stats("evil.example", {})).status, 200)
    }))

  it.live("the guard refuses a request with two Host headers", () =>
    Effect.gen(function*() {
      const { port } = yield* serve()
      const text = yield* halfClosed(port, "GET /ping HTTP/1.1\r\nHost: localhost\r\nhost: evil.example\r\n\r\n")
      assert.match(text, /^HTTP\/1\.1 400 /)
    }))

  it.live("every response forbids browsers to render, sniff or cache it", () =>
    Effect.gen(function*() {
      const { request } = yield* serve()
      for (const path of ["/ping", "/stats", "/none", "/PING", "/debug/pprof", "/metrics"]) {
        const { headers } = yield* request("GET", path)
        assert.strictEqual(headers["x-content-type-options"], "nosniff", path)
        assert.strictEqual(headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'", path)
        assert.strictEqual(headers["cache-control"], "no-store", path)
      }
    }))
})

describe("clients that close their side after the request", () => {
  it.live("a client that closes its side gets its response, and its messages are stored", () =>
    Effect.gen(function*() {
      const { broker, port } = yield* serve()
      const head = "POST /pub?topic=t HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
      const answers = [
        yield* halfClosed(port, `${head}Content-Length: 5\r\n\r\nhello`),
        yield* halfClosed(port, `${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`),
        yield* halfClosed(port, `${head}Content-Length: 900000\r\n\r\n${"x".repeat(900_000)}`),
        yield* halfClosed(port, "POST /pub?topic=t HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello")
      ]
      for (const text of answers) assert.match(text, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nOK$/)
      assert.strictEqual(broker.topics()[0]?.depth, 4)
    }))

  it.live("a client that closes its side gets its response over HTTPS, too", () =>
    Effect.gen(function*() {
      const { httpsPort } = yield* serveSecurely((yield* files).options)
      const head = "POST /pub?topic=t HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
      for (const body of ["hello", "x".repeat(900_000)]) {
        const text = yield* halfClosedTls(httpsPort, `${head}Content-Length: ${body.length}\r\n\r\n${body}`)
        assert.match(text, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nOK$/)
      }
    }))

  it.live("a client that closes its side in the middle of its body is refused", () =>
    Effect.gen(function*() {
      const { port } = yield* serve()
      const text = yield* halfClosed(port, "POST /pub?topic=t HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
      assert.match(text, /^HTTP\/1\.1 400 /)
    }))
})

describe("connections beyond --max-http-connections", () => {
  it.live("connections beyond the limit get a response that names the flag, until others have closed", () =>
    Effect.gen(function*() {
      const { log, port } = yield* serve({ maxHttpConnections: 1 })
      const open = yield* Effect.callback<Net.Socket>((resume) => {
        const socket = Net.connect(port, "127.0.0.1", () => resume(Effect.succeed(socket)))
      })
      const request = "GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
      const refused = yield* halfClosed(port, request)
      assert.match(refused, /^HTTP\/1\.1 503 [^]*--max-http-connections/)
      assert.strictEqual(log.filter((line) => line.includes("--max-http-connections")).length, 1)
      yield* Effect.callback<void>((resume) => void open.once("close", () => resume(Effect.void)).destroy())
      const taken = Effect.filterOrFail(halfClosed(port, request), (text) => text.startsWith("HTTP/1.1 200"))
      assert.match(yield* Effect.eventually(taken), /OK$/)
    }))

  it.live("with --max-http-connections=0 connections are not limited", () =>
    Effect.gen(function*() {
      const { port } = yield* serve({ maxHttpConnections: 0 })
      const connect = Effect.acquireRelease(
        Effect.callback<Net.Socket>((resume) => {
          const socket = Net.connect(port, "127.0.0.1", () => resume(Effect.succeed(socket)))
        }),
        (socket) => Effect.sync(() => void socket.destroy())
      )
      yield* Effect.replicateEffect(connect, 50)
      assert.match(yield* halfClosed(port, "GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), /OK$/)
    }))
})

import { assert, describe, it } from "@effect/vitest"
import { Context, Duration, Effect, Layer, type Schema, type Scope } from "effect"
import type * as Http from "node:http"
import * as Net from "node:net"
import { ActionResponse, TopicsResponse } from "../../../src/protocol/http/admin/AdminApi.ts"
import { NodeResponse, NodesResponse } from "../../../src/protocol/http/admin/AdminNodes.ts"
import { ChannelResponse, CounterResponse, TopicResponse } from "../../../src/protocol/http/admin/AdminStats.ts"
import type { Info } from "../../../src/protocol/http/InfoResponse.ts"
import type { Stats } from "../../../src/protocol/http/StatsResponse.ts"
import { LogOutput } from "../../../src/services/logging/LogOutput.ts"
import * as NsqLogger from "../../../src/services/logging/NsqLogger.ts"
import { Nsqadmin } from "../../../src/services/nsqadmin/Nsqadmin.ts"
import type { NsqadminError } from "../../../src/services/nsqadmin/NsqadminError.ts"
import type { NsqadminOptions } from "../../../src/services/nsqadmin/NsqadminOptions.ts"
import { Nsqd } from "../../../src/services/nsqd/Nsqd.ts"
import { decodeExactly } from "../../protocol/http/exactly.ts"
import { fakeServer } from "../http/fakeServer.ts"
import { halfClosed } from "../http/halfClosed.ts"
import * as Certificates from "../net/certificates.ts"
import { quiet } from "../nsqd/broker/testing.ts"
import { type Reply, requestTo } from "../nsqd/http/api.ts"

/** A fake nsqd with topic `t` and its channel `c`, which omits its address from `/info`, and the requests that it received. */
const fakeNsqd = Effect.gen(function*() {
  const requests: Array<string> = []
  const channel = { channel_name: "c", zone_local_msg_count: 1, clients: [{ client_id: "id", topology_zone: "z" }] }
  const stats: typeof Stats.Encoded = {
    version: "1.3.0",
    health: "OK",
    topics: [{ topic_name: "t", channels: [channel] }]
  }
  const info: typeof Info.Encoded = { version: "1.3.0", hostname: "host" }
  const address = yield* fakeServer(({ method, url = "" }, response) => {
    requests.push(`${method} ${url}`)
    response.end(JSON.stringify(url.startsWith("/stats") ? stats : info))
  })
  return { requests, address }
})

interface Admin {
  readonly nsqd: { readonly requests: ReadonlyArray<string>; readonly address: string }
  readonly log: ReadonlyArray<string>
  readonly url: string
  readonly request: (
    method: string,
    path: string,
    body?: string,
    headers?: Http.OutgoingHttpHeaders
  ) => Effect.Effect<Reply>
}

const start = Effect.fnUntraced(function*(
  options: Partial<NsqadminOptions> = {}
): Effect.fn.Return<Admin, NsqadminError, Scope.Scope> {
  const log: Array<string> = []
  const daemon = yield* fakeNsqd
  const context = yield* Nsqadmin.layerWith({
    httpAddress: "127.0.0.1:0",
    nsqdHttpAddresses: [daemon.address],
    ...options
  }).pipe(
    Layer.provide(NsqLogger.layer({ level: "info", prefix: "", format: "nsq" })),
    Layer.provide(Layer.succeed(LogOutput, { write: (line) => void log.push(line) })),
    Layer.build
  )
  const { httpAddress } = Context.get(context, Nsqadmin)
  const port = Number(httpAddress.split(":")[1])
  return {
    nsqd: daemon,
    log,
    url: `http://127.0.0.1:${port}`,
    request: (method, path, body, headers) => requestTo({ host: "127.0.0.1", port }, method, path, body, headers)
  }
})

const messageOf = ({ status, text }: Reply): string => `${status} ${JSON.parse(text).message}`

const posts = (requests: ReadonlyArray<string>) => requests.filter((line) => line.startsWith("POST"))

describe("nsqadmin", () => {
  it.live("requests from pages of other sites are refused, those from its own pages and from scripts accepted", () =>
    Effect.gen(function*() {
      const { nsqd, request } = yield* start()
      const pause = (headers: Http.OutgoingHttpHeaders) =>
        request("POST", "/api/topics/t", "{\"action\":\"pause\"}", { host: "admin.test", ...headers })
      for (
        const headers of [
          { "sec-fetch-site": "cross-site" },
          { "sec-fetch-site": "same-site", "origin": "http://admin.test" },
          { origin: "http://evil.example" },
          { origin: "http://admin.test.evil.example" },
          { origin: "null" }
        ]
      ) {
        const reply = yield* pause(headers)
        assert.strictEqual(messageOf(reply), "403 FORBIDDEN: the request comes from another site")
      }
      assert.deepStrictEqual(posts(nsqd.requests), [])
      for (
        const headers of [
          {},
          { "sec-fetch-site": "same-origin" },
          { origin: "https://admin.test" },
          { "origin": "https://front.test", "x-forwarded-host": "front.test" }
        ]
      ) {
        const { status, text } = yield* pause(headers)
        assert.strictEqual(status, 200, text)
      }
      const refused = yield* request("PUT", "/config/log_level", "debug", { "sec-fetch-site": "cross-site" })
      assert.strictEqual(refused.status, 403)
      const tail = yield* request("GET", "/api/messages/t", undefined, { "sec-fetch-site": "cross-site" })
      assert.strictEqual(tail.status, 403)
    }))

  it.live("the page has a Content-Security-Policy that forbids inline and foreign scripts", () =>
    Effect.gen(function*() {
      const { request } = yield* start({ adminUsers: ["<script>alert(1)</script>"], basePath: "/a\"b" })
      const { headers, status, text } = yield* request("GET", "/a\"b/topics/x")
      assert.strictEqual(status, 200)
      const policy = headers["content-security-policy"]
      assert.include(policy, "default-src 'none'")
      assert.include(policy, "script-src 'self'")
      assert.include(policy, "frame-ancestors 'none'")
      assert.notMatch(String(policy), /unsafe|https?:/)
      assert.strictEqual(headers["x-content-type-options"], "nosniff")
      // The page has no inline script, and its settings cannot break out of their attribute.
      assert.notMatch(text, /<script(?![^>]*\bsrc=)/)
      assert.include(text, "\"/a&#34;b/static/")
      assert.include(text, "&#34;isAdmin&#34;:false")
    }))

  it.live("the Content-Security-Policy permits pictures from Graphite unless nsqadmin proxies them", () =>
    Effect.gen(function*() {
      const direct = yield* start({ graphiteUrl: "https://graphite.example/deep" })
      const page = yield* direct.request("GET", "/")
      assert.include(page.headers["content-security-policy"], "img-src 'self' data: https://graphite.example;")
      const proxy = yield* start({ graphiteUrl: "https://graphite.example/deep", proxyGraphite: true })
      assert.notInclude((yield* proxy.request("GET", "/")).headers["content-security-policy"], "graphite.example")
    }))

  it.live("an unknown channel responds with 404 CHANNEL_NOT_FOUND", () =>
    Effect.gen(function*() {
      const { request } = yield* start()
      assert.strictEqual(messageOf(yield* request("GET", "/api/topics/t/none")), "404 CHANNEL_NOT_FOUND")
    }))

  it.live("a path that differs by a trailing slash redirects", () =>
    Effect.gen(function*() {
      const { request } = yield* start({ basePath: "nsq" })
      const moved = yield* request("GET", "/nsq/topics/?t=1h")
      assert.deepStrictEqual([moved.status, moved.headers["location"]], [301, "/nsq/topics?t=1h"])
      const options = yield* request("OPTIONS", "/nsq/api/topics")
      assert.deepStrictEqual([options.status, options.headers["allow"]], [200, "GET, OPTIONS, POST"])
      assert.strictEqual((yield* request("HEAD", "/nsq/ping")).status, 405)
    }))

  it.live("a failed notification is logged and does not fail the action", () =>
    Effect.gen(function*() {
      const { log, request } = yield* start({ notificationHttpEndpoint: "http://127.0.0.1:1/hook" })
      for (let i = 0; i < 2; i++) {
        const { status } = yield* request("POST", "/api/topics/t", "{\"action\":\"pause\"}")
        assert.strictEqual(status, 200)
      }
      yield* Effect.sync(() => log.some((line) => line.includes("ERROR: failed to POST notification"))).pipe(
        Effect.repeat({ until: (told) => told })
      )
      assert.strictEqual((yield* request("GET", "/ping")).text, "OK")
    }))

  it.live("each request is logged with status, method, target, address and duration", () =>
    Effect.gen(function*() {
      const { log, request } = yield* start({ basePath: "/nsq" })
      yield* request("GET", "/nsq/api/topics?inactive=true")
      yield* request("GET", "/nope")
      const lines = log.filter((line) => line.includes(" GET ")).map((line) => line.replace(/^\S+ \S+ /, ""))
      assert.match(
        lines[0] ?? "",
        /^INFO: 200 GET \/nsq\/api\/topics\?inactive=true \(127\.0\.0\.1:\d+\) [\d.]+(µs|ms)$/
      )
      assert.match(lines[1] ?? "", /^INFO: 404 GET \/nope /)
    }))

  it.live("the responses of the API have the keys of their Schemas in their order", () =>
    Effect.gen(function*() {
      const { nsqd, request } = yield* start()
      const decode = <A, I>(schema: Schema.Codec<A, I>, path: string) =>
        Effect.flatMap(request("GET", path), ({ text }) => decodeExactly(schema, text))
      assert.deepStrictEqual((yield* decode(TopicsResponse, "/api/topics")).topics, ["t"])
      assert.deepStrictEqual((yield* decode(TopicsResponse, "/api/topics?inactive=true")).topics, {})
      assert.strictEqual((yield* decode(TopicResponse, "/api/topics/t")).nodes.length, 1)
      assert.strictEqual((yield* decode(ChannelResponse, "/api/topics/t/c")).clients?.[0]?.client_id, "id")
      assert.strictEqual((yield* decode(NodesResponse, "/api/nodes")).nodes?.[0]?.hostname, "host")
      assert.strictEqual((yield* decode(NodeResponse, `/api/nodes/${nsqd.address}`)).total_clients, 1)
      assert.deepStrictEqual(Object.keys((yield* decode(CounterResponse, "/api/counter")).stats), [
        `t:c:${nsqd.address}`
      ])
      const { text } = yield* request("POST", "/api/topics/t", "{\"action\":\"pause\"}")
      assert.deepStrictEqual(yield* decodeExactly(ActionResponse, text), { message: "" })
    }))

  it.live("invalid and oversized request bodies are refused before any daemon is contacted", () =>
    Effect.gen(function*() {
      const { nsqd, request } = yield* start()
      const large = yield* request("POST", "/api/topics", JSON.stringify({ topic: "x".repeat(3_000_000) }))
      assert.strictEqual(large.status, 400)
      assert.strictEqual(messageOf(yield* request("POST", "/api/topics", "")), "400 EOF")
      assert.strictEqual((yield* request("POST", "/api/topics", "{\"topic\":[]}")).status, 400)
      assert.strictEqual(
        messageOf(yield* request("DELETE", "/api/nodes/a:1%2Fx", "{\"topic\":\"t\"}")),
        "400 INVALID_NODE"
      )
      const config = yield* request("PUT", "/config/log_level", "x".repeat(3_000_000))
      assert.strictEqual(messageOf(config), "413 INVALID_VALUE")
      assert.deepStrictEqual(posts(nsqd.requests), [])
    }))

  it.live("an nsqd that requires TLS is queried over HTTPS with the client certificate and the given authorities", () =>
    Effect.gen(function*() {
      const { caFile, directory, options: { tlsCert, tlsKey } } = yield* Certificates.files
      const context = yield* Nsqd.layerWith({
        tcpAddress: "127.0.0.1:0",
        httpAddress: "127.0.0.1:0",
        httpsAddress: "127.0.0.1:0",
        broadcastAddress: "127.0.0.1",
        dataPath: directory,
        tlsCert,
        tlsKey,
        tlsRootCaFile: caFile,
        tlsClientAuthPolicy: "require-verify",
        tlsRequired: true
      }).pipe(Layer.provide(quiet), Layer.build)
      const nsqdHttpAddresses = [`127.0.0.1:${Context.get(context, Nsqd).httpPort}`]
      const trusting = yield* start({
        nsqdHttpAddresses,
        httpClientTlsRootCaFile: caFile,
        httpClientTlsCert: tlsCert,
        httpClientTlsKey: tlsKey
      })
      const created = yield* trusting.request("POST", "/api/topics", "{\"topic\":\"t\"}")
      assert.deepStrictEqual([created.status, created.text], [200, "{\"message\":\"\"}"])
      assert.strictEqual((yield* trusting.request("GET", "/api/topics")).text, "{\"topics\":[\"t\"],\"message\":\"\"}")
      const distrustful = yield* start({ nsqdHttpAddresses })
      const refused = yield* distrustful.request("GET", "/api/topics")
      assert.match(messageOf(refused), /^502 UPSTREAM_ERROR: failed to query any nsqd: .*certificate/)
    }))

  it.live("a stream of events tells proxies not to buffer it", () =>
    Effect.gen(function*() {
      const { url } = yield* start({ basePath: "/nsq" })
      const { event, headers } = yield* Effect.promise(async (signal) => {
        const response = await fetch(`${url}/nsq/api/live`, { signal })
        const first = await response.body?.getReader().read()
        return { headers: response.headers, event: Buffer.from(first?.value ?? []).toString() }
      })
      assert.deepStrictEqual(
        ["content-type", "cache-control", "x-accel-buffering"].map((name) => headers.get(name)),
        ["text/event-stream", "no-store", "no"]
      )
      assert.match(event, /^data: \{"at":\d+,"full":true,/)
    }))

  it.live("the Graphite proxy passes raster images and refuses types that can contain scripts", () =>
    Effect.gen(function*() {
      let type = ""
      const graphite = yield* fakeServer((_, response) => {
        response.writeHead(200, { "content-type": type }).end("<svg onload=alert(1)>")
      })
      const { request } = yield* start({ graphiteUrl: `http://${graphite}`, proxyGraphite: true })
      for (type of ["image/png", "image/jpeg", "image/gif; x=y", "image/webp"]) {
        const picture = yield* request("GET", "/render?target=x")
        assert.strictEqual(picture.status, 200, type)
        assert.strictEqual(picture.headers["x-content-type-options"], "nosniff")
      }
      for (type of ["image/svg+xml", "text/html", "application/pdf", ""]) {
        const refused = yield* request("GET", "/render?target=x")
        assert.deepStrictEqual([refused.status, refused.text.includes("svg")], [502, false], type)
      }
    }))

  it.live("a picture from Graphite fails after the request timeout and beyond 16 MiB", () =>
    Effect.gen(function*() {
      const chunk = Buffer.alloc(1024 * 1024)
      const graphites = { areEndless: true }
      const graphite = yield* fakeServer((_, response) => {
        response.writeHead(200, { "content-type": "image/png" })
        const more = (): void => {
          while (graphites.areEndless && !response.destroyed && response.write(chunk));
        }
        response.on("drain", more)
        response.write("x")
        more()
      })
      const { request } = yield* start({
        graphiteUrl: `http://${graphite}`,
        proxyGraphite: true,
        httpClientRequestTimeout: Duration.seconds(10)
      })
      const endless = yield* request("GET", "/render?target=x")
      assert.strictEqual(endless.status, 502)
      assert.include(endless.text, "the response has more than 16777216 bytes (Graphite's pictures)")
      graphites.areEndless = false
      const slow = yield* start({
        graphiteUrl: `http://${graphite}`,
        proxyGraphite: true,
        httpClientRequestTimeout: Duration.millis(300)
      })
      assert.strictEqual((yield* slow.request("GET", "/render?target=x")).status, 502)
    }))

  it.live("only administrators may change the configuration", () =>
    Effect.gen(function*() {
      const { request } = yield* start({ adminUsers: ["alice"] })
      const put = (headers: Http.OutgoingHttpHeaders) => request("PUT", "/config/log_level", "debug", headers)
      assert.strictEqual((yield* put({})).status, 403)
      assert.strictEqual((yield* put({ "x-forwarded-user": "mallory" })).status, 403)
      assert.strictEqual((yield* put({ "x-forwarded-user": "alice" })).status, 200)
    }))

  it.live("responses are compressed with an encoding that the client accepts", () =>
    Effect.gen(function*() {
      const { request } = yield* start()
      const file = /"(\/static\/[^"]+\.js)"/.exec((yield* request("GET", "/topics")).text)?.[1] ?? ""
      for (const path of ["/topics", "/api/topics", file]) {
        const encoding = (accepted: string) =>
          Effect.map(request("GET", path, undefined, { "accept-encoding": accepted }), ({ headers }) => {
            assert.match(headers["vary"] ?? "", /accept-encoding/i, path)
            return headers["content-encoding"]
          })
        assert.strictEqual(yield* encoding("br, gzip"), "gzip")
        assert.strictEqual(yield* encoding("deflate"), "deflate")
        assert.strictEqual(yield* encoding("deflate;q=0.1, gzip;q=0.5"), "gzip")
        assert.strictEqual(yield* encoding("gzip;q=0, deflate"), "deflate")
        assert.isUndefined(yield* encoding("br"))
      }
    }))

  it.live("every response of the API forbids browsers to sniff, render or cache it", () =>
    Effect.gen(function*() {
      const { request } = yield* start()
      for (const path of ["/api/topics", "/api/none", "/none", "/ping", "/config/log_level", "/api/history"]) {
        const { headers } = yield* request("GET", path)
        assert.strictEqual(headers["x-content-type-options"], "nosniff", path)
        assert.strictEqual(headers["cache-control"], "no-store", path)
        assert.strictEqual(headers["content-security-policy"], "default-src 'none'; frame-ancestors 'none'", path)
      }
    }))

  it.live("a client that disconnects during its request is not logged as a failure", () =>
    Effect.gen(function*() {
      const { log, url } = yield* start()
      const port = Number(new URL(url).port)
      yield* Effect.callback<void>((resume) => {
        const socket = Net.connect(port, "127.0.0.1", () => {
          socket.write("POST /api/topics HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
          setTimeout(() => socket.resetAndDestroy(), 50)
        })
        socket.on("error", () => {}).on("close", () => resume(Effect.void))
      })
      const { request } = yield* start()
      yield* request("GET", "/ping")
      assert.deepStrictEqual(log.filter((line) => /ERROR|WARNING/.test(line)), [])
    }))

  it.live("a half-closed client receives its response, and a half-closed stream ends", () =>
    Effect.gen(function*() {
      const { url } = yield* start({ maxLiveClients: 1 })
      const port = Number(new URL(url).port)
      const head = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`
      assert.match(yield* halfClosed(port, head("/api/topics")), /^HTTP\/1\.1 200 [^]*"topics"/)
      // The limit is one stream, so each stream must have freed its place.
      for (let i = 0; i < 3; i++) {
        const live = yield* Effect.callback<Net.Socket>((resume) => {
          const socket = Net.connect({ port, host: "127.0.0.1", allowHalfOpen: true })
          socket.write(head("/api/live"))
          socket.once("data", () => resume(Effect.succeed(socket)))
        })
        assert.match(yield* halfClosed(port, head("/api/live")), /^HTTP\/1\.1 503 [^]*--max-live-clients/)
        yield* Effect.callback<void>((resume) => {
          live.on("error", () => {}).once("close", () => resume(Effect.void)).end()
          live.resume()
        })
      }
    }))
})

/**
 * Attacks from the network and from web pages, at a small scale: they must not stop a daemon, fill its memory, or make it act for
 * the attacker. The comments name the tests that cover an attack in more detail.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Layer, Redacted, Result } from "effect"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"
import type * as Http from "node:http"
import * as Net from "node:net"
import * as Zlib from "node:zlib"
import { encodeFrame, FrameType } from "../../src/protocol/client/Frame.ts"
import * as LookupResponse from "../../src/protocol/http/LookupResponse.ts"
import { Stats } from "../../src/protocol/http/StatsResponse.ts"
import { Topic } from "../../src/services/client/index.ts"
import * as Links from "../../src/services/client/Links.ts"
import { DaemonHttp } from "../../src/services/http/DaemonHttp.ts"
import * as NodeDaemonHttp from "../../src/services/http/NodeDaemonHttp.ts"
import * as DaemonNetworks from "../../src/services/net/DaemonNetworks.ts"
import * as NodeTransport from "../../src/services/net/NodeTransport.ts"
import * as AuthServers from "../../src/services/nsqd/auth/AuthServers.ts"
import { Broker } from "../../src/services/nsqd/broker/Broker.ts"
import * as NsqdOptions from "../../src/services/nsqd/options/NsqdOptions.ts"
import { Idle, MemoryTransport, ProtocolClient, TestBroker, untilIdle } from "../../src/testing/index.ts"
import { decodeExactly } from "../protocol/http/exactly.ts"
import { fakeServer } from "../services/http/fakeServer.ts"
import { startNsqd } from "../services/nsqadmin/nsqds.ts"
import { brokerWith, send, topicOf } from "../services/nsqd/broker/testing.ts"
import { outcome, serve } from "../services/nsqd/http/api.ts"
import * as LookupCluster from "../services/nsqlookupd/cluster.ts"
import { identity } from "../services/nsqlookupd/identity.ts"
import {
  connection,
  fakeNsqd,
  heard,
  identify,
  info,
  json,
  portOf,
  request,
  sized,
  startAdmin,
  startLookupd,
  victim
} from "./attackers.ts"

describe("attacks by a client of nsqd's TCP port", () => {
  const connect = ProtocolClient.connect(TestBroker.address)
  const alive = Effect.gen(function*() {
    const client = yield* connect
    yield* client.raw(Buffer.concat([Buffer.from("PUB alive\n"), sized("x")]))
    assert.strictEqual(yield* client.text, "OK")
  })

  it.effect("compressed, large or nested IDENTIFYs cannot fill nsqd's memory", () =>
    Effect.gen(function*() {
      const huge = "x".repeat(5_200_000)
      const bomb = Zlib.deflateRawSync(identify({ user_agent: huge }), { finishFlush: Zlib.constants.Z_SYNC_FLUSH })
      for (let i = 0; i < 20; i++) {
        const deflated = yield* connect
        yield* deflated.raw(identify({ feature_negotiation: true, deflate: true }))
        assert.include(yield* deflated.text, `"deflate":true`)
        yield* deflated.raw(bomb)
        while ((yield* deflated.peer.read) !== undefined);
        // Only its size has been sent.
        const large = yield* connect
        yield* large.raw(Buffer.concat([Buffer.from("IDENTIFY\n"), sized("", 5 * 1024 * 1024)]))
        assert.strictEqual(yield* large.text, "E_BAD_BODY IDENTIFY body too big 5242880 > 65536 (--max-identify-size)")
        const nested = yield* connect
        yield* nested.raw(Buffer.concat([Buffer.from("IDENTIFY\n"), sized(`{"x":${"[".repeat(30_000)}`)]))
        assert.match(String(yield* nested.text), /^E_BAD_BODY IDENTIFY/)
      }
      yield* alive
    }).pipe(Effect.provide(TestBroker.layer())))

  it.live("IDENTIFY data of a client cannot make /stats too large", () =>
    Effect.gen(function*() {
      const { http, tcp } = yield* startNsqd()
      const refused = yield* connection(
        tcp,
        Buffer.concat([Buffer.from("  V2"), identify({ user_agent: "x".repeat(513) })])
      )
      assert.include(yield* heard(refused, /E_/), "E_BAD_BODY IDENTIFY user_agent too long 513 > 512")
      for (let i = 0; i < 120; i++) {
        const consumer = yield* connection(
          tcp,
          Buffer.concat([Buffer.from("  V2"), identify({ user_agent: "x".repeat(512) }), Buffer.from("SUB t c\n")])
        )
        yield* heard(consumer, /OK[^]*OK/)
      }
      const { status, text } = yield* request(http, "GET", "/stats?format=json")
      const { topics } = yield* decodeExactly(Stats, text)
      assert.deepStrictEqual([status, topics?.[0]?.channels[0]?.clients?.length], [200, 120])
    }))

  // limits.test.ts, UnusedTopics.test.ts
  it.effect("a client cannot create topics without limit, and ephemeral topics free their places", () =>
    Effect.gen(function*() {
      yield* topicOf("orders")
      let refused = 0
      for (let i = 0; i < 50; i++) {
        const sent = yield* Effect.result(send(`flood-${i}#ephemeral`, "x"))
        if (Result.isFailure(sent)) refused++
      }
      assert.strictEqual(refused, 41)
      yield* send("orders", "x")
      yield* TestClock.adjust("12 minutes")
      yield* untilIdle
      yield* topicOf("honest")
    }).pipe(Effect.provide(brokerWith({ maxTopics: 10 }))))
})

describe("attacks by a client of an HTTP port", () => {
  it.live("a client cannot open more HTTP connections than --max-http-connections", () =>
    Effect.gen(function*() {
      const { port } = yield* serve({ maxHttpConnections: 2 })
      const idle = "GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"
      for (let i = 0; i < 2; i++) yield* heard(yield* connection(`127.0.0.1:${port}`, idle), /OK/)
      const third = yield* connection(`127.0.0.1:${port}`, idle)
      assert.match(yield* heard(third, /max-http-connections/), /^HTTP\/1\.1 503 [^]*--max-http-connections/)
    }))

  // LiveFeed.test.ts, TailFeed.test.ts; ConnectionLimit closes clients that do not read.
  it.live("a client cannot open more of nsqadmin's live figures and tails than its limits, whether it reads them or not", () =>
    Effect.gen(function*() {
      const nsqd = yield* startNsqd()
      yield* request(nsqd.http, "POST", "/topic/create?topic=t", "")
      const admin = yield* startAdmin({ nsqdHttpAddresses: [nsqd.http], maxLiveClients: 3, maxTails: 2 })
      const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`
      for (const [path, most, option] of [["/api/live", 3, "live-clients"], ["/api/messages/t", 2, "tails"]] as const) {
        for (let i = 0; i < most; i++) {
          const client = yield* connection(admin, get(path))
          yield* Effect.callback<void>((resume) => void client.once("readable", () => resume(Effect.void)))
        }
        const { status, text } = yield* request(admin, "GET", path)
        assert.strictEqual(status, 503)
        assert.include(text, `--max-${option}`)
      }
      assert.strictEqual((yield* request(admin, "GET", "/api/topics")).status, 200)
    }))
})

describe("attacks by a producer on nsqlookupd", () => {
  const producer = { broadcast_address: "a", hostname: "h", http_port: 1, tcp_port: 1, version: "1" }

  // LookupHttp.test.ts: /debug is streamed.
  it.live("a producer cannot stop nsqlookupd with a long version, many registrations and /debug", () =>
    Effect.gen(function*() {
      const { httpAddress, tcpAddress } = yield* startLookupd({ maxRegistrationsPerProducer: 50 })
      const hello = (fields: object) => Buffer.concat([Buffer.from("  V1"), identify({ ...producer, ...fields })])
      const large = yield* connection(tcpAddress, hello({ version: "x".repeat(60_000) }))
      assert.match(yield* heard(large, /E_\w+ .*version.*/), /E_BAD_BODY IDENTIFY .*version/)
      const lines = Array.from({ length: 60 }, (_, i) => `REGISTER topic_${i}\n`).join("")
      const greedy = yield* connection(tcpAddress, Buffer.concat([hello({}), Buffer.from(lines)]))
      const answers = yield* heard(greedy, /(?:max-registrations-per-producer[^]*){10}/)
      assert.match(answers, /E_INVALID REGISTER too many registrations/)
      const { status, text } = yield* request(httpAddress, "GET", "/debug")
      assert.strictEqual(status, 200)
      assert.lengthOf(Object.keys(JSON.parse(text)).filter((key) => key.startsWith("topic:")), 50)
    }))

  // RegistrationDatabase.test.ts
  it.effect("a hostile producer with many names cannot exclude an honest nsqd", () =>
    Effect.gen(function*() {
      const db = yield* LookupCluster.lookupd("l1", { maxRegistrations: 100, maxUnusedNames: 100 })
      for (let i = 0; i < 200; i++) {
        const hostile = db.identify(`6.6.6.6:${i}`, identity(`s${i}`))
        for (let j = 0; j < 20; j++) db.register(hostile, `junk_${i}_${j}`, undefined)
        if (i % 2 === 0) db.disconnect(hostile)
      }
      const honest = yield* LookupCluster.nsqd("honest", [LookupCluster.lookupdAddress("l1")])
      yield* Effect.forkChild(honest.topic("orders"))
      for (let i = 0; i < 100 && LookupCluster.producersOf(db, "orders").length === 0; i++) {
        yield* TestClock.adjust("500 millis")
        yield* untilIdle
      }
      assert.deepStrictEqual(LookupCluster.producersOf(db, "orders"), ["honest"])
    }).pipe(Effect.provide(Layer.provideMerge(MemoryTransport.layer, Idle.layer))))
})

describe("attacks by daemons on nsqadmin", () => {
  it.live("unresponsive nsqds cannot make nsqadmin wait for each of them in turn", () =>
    Effect.gen(function*() {
      const waiting: Array<Http.ServerResponse> = []
      const nsqds = yield* Effect.forEach(Array.from({ length: 12 }), () =>
        fakeNsqd((_, response) => {
          // None responds before all have received their requests.
          waiting.push(response)
          if (waiting.length === 12) waiting.forEach((response) => response.end())
        }))
      const admin = yield* startAdmin({ nsqdHttpAddresses: nsqds })
      assert.strictEqual((yield* request(admin, "POST", "/api/topics/t", `{"action":"pause"}`)).status, 200)
      const silent = yield* Effect.forEach(Array.from({ length: 12 }), () => fakeNsqd(() => {}))
      const limited = yield* startAdmin({
        nsqdHttpAddresses: silent,
        httpClientRequestTimeout: Duration.millis(500)
      })
      const { text } = yield* request(limited, "POST", "/api/topics/t", `{"action":"pause"}`)
      for (const address of silent) assert.include(text, address)
    }))

  // DaemonHttp.test.ts
  it.live("a daemon can neither fill nsqadmin's memory with a response nor have an error body shown", () =>
    Effect.gen(function*() {
      const endless = yield* fakeServer((_, response) => {
        const more = (): void => {
          while (!response.destroyed && response.write("x".repeat(10_000)));
        }
        response.on("drain", more)
        more()
      })
      const filled = yield* startAdmin({ lookupdHttpAddresses: [endless], maxDaemonResponseSize: 100_000 })
      assert.include((yield* request(filled, "GET", "/api/topics")).text, "--max-daemon-response-size")
      const secret = yield* fakeServer((_, response) => response.writeHead(500).end(`{"message":"SECRET"}`))
      const shown = yield* request(yield* startAdmin({ lookupdHttpAddresses: [secret] }), "GET", "/api/topics")
      assert.deepStrictEqual([shown.status, shown.text.includes("SECRET")], [502, false])
    }))

  // DaemonHttp.test.ts, DaemonNetworks.test.ts
  it.live("a daemon cannot direct nsqadmin to addresses that it may not name", () =>
    Effect.gen(function*() {
      const { address, requests } = yield* victim
      const lookupd = yield* fakeServer(json({
        producers: ["127.0.0.1", "localhost", "169.254.169.254", "[::1]", "0.0.0.0"].map((host) => ({
          ...info,
          broadcast_address: host,
          http_port: portOf(address)
        })),
        topics: ["t"],
        channels: []
      }))
      const admin = yield* startAdmin({
        lookupdHttpAddresses: [lookupd],
        // As if the nsqlookupd were not on loopback.
        allowedDaemonNetworks: ["203.0.113.0/24"]
      })
      yield* request(admin, "GET", "/api/topics/t")
      yield* request(admin, "GET", `/api/nodes/127.0.0.1:${portOf(address)}`)
      const paused = yield* request(admin, "POST", "/api/topics/t", `{"action":"pause"}`)
      assert.include(paused.text, "--allowed-daemon-networks")
      assert.deepStrictEqual(requests, [])
    }))

  it.live("a host name cannot resolve to link-local or loopback addresses", () =>
    Effect.gen(function*() {
      const { resolve } = DaemonNetworks.make([])
      for (const ip of ["169.254.169.254", "127.0.0.1", "::1", "::ffff:127.0.0.1", "fe80::1", "0.0.0.0", "224.0.0.1"]) {
        const refused = yield* Effect.flip(resolve("rebound.example:80", "remote")).pipe(
          Effect.provideService(DaemonNetworks.HostResolver, () => Effect.succeed([ip]))
        )
        assert.include(refused.message, "--allowed-daemon-networks", ip)
      }
    }))

  // AuthServers.test.ts, WebRequests.test.ts, Discovery.test.ts
  it.live("a redirect cannot send a secret to another host", () =>
    Effect.gen(function*() {
      const { address, requests } = yield* victim
      const elsewhere = `http://localhost:${portOf(address)}/`
      const notified = yield* Deferred.make<void>()
      const thief = yield* fakeServer(({ method }, response) => {
        response.writeHead(307, { location: elsewhere }).end()
        if (method === "POST") Deferred.doneUnsafe(notified, Effect.void)
      })
      const nsqd = yield* fakeNsqd((_, response) => response.end())
      const withPassword = `http://alice:hunter2@${thief}`
      const admin = yield* startAdmin({
        nsqdHttpAddresses: [nsqd],
        graphiteUrl: withPassword,
        proxyGraphite: true,
        notificationHttpEndpoint: withPassword
      })
      assert.strictEqual((yield* request(admin, "GET", "/render?target=t")).status, 502)
      assert.isAtLeast((yield* request(admin, "GET", "/api/graphite?metric=rate&target=t")).status, 500)
      yield* request(admin, "POST", "/api/topics/t", `{"action":"pause"}`)
      yield* Deferred.await(notified)
      for (const authHttpRequestMethod of ["get", "post"]) {
        const options = { ...NsqdOptions.defaults(), authHttpAddresses: [thief], authHttpRequestMethod }
        const client = { secret: Redacted.make(Buffer.from("hunter2")), remoteIp: "", tls: false, commonName: "" }
        const servers = yield* AuthServers.make(options)
        const failed = servers === undefined ? undefined : yield* Effect.flip(servers.query(client))
        assert.include(failed?.message, "redirect to another host")
      }
      assert.deepStrictEqual(requests, [])
    }))

  // Nsqadmin.test.ts
  it.live("Graphite cannot pass a script through nsqadmin as an image", () =>
    Effect.gen(function*() {
      const graphite = yield* fakeServer((_, response) =>
        response.writeHead(200, { "content-type": "image/svg+xml" }).end("<svg onload=alert(1)>")
      )
      const nsqd = yield* fakeNsqd((_, response) => response.end())
      const admin = yield* startAdmin({
        nsqdHttpAddresses: [nsqd],
        graphiteUrl: `http://${graphite}`,
        proxyGraphite: true
      })
      const { status, text } = yield* request(admin, "GET", "/render?target=t")
      assert.deepStrictEqual([status, text.includes("svg")], [502, false])
    }))
})

describe("attacks by an nsqlookupd", () => {
  // DaemonHttp.test.ts
  it.live("an nsqlookupd cannot direct nsqd to an address that it may not name", () =>
    Effect.gen(function*() {
      const { address, requests } = yield* victim
      const { originBy } = yield* DaemonNetworks.DaemonNetworks
      const origin = yield* originBy("203.0.113.1:4160")
      const named = DaemonHttp.use(({ get }) => get(LookupResponse.Channels, address, "/channels", origin))
      assert.include((yield* Effect.flip(named)).message, "--allowed-daemon-networks")
      assert.deepStrictEqual(requests, [])
    }).pipe(Effect.provide(NodeDaemonHttp.layer({
      httpClientConnectTimeout: Duration.seconds(5),
      httpClientRequestTimeout: Duration.seconds(5),
      maxDaemonResponseSize: 1000
    }))))

  // named.test.ts
  it.live("an nsqlookupd cannot make a consumer send its secret without TLS, nor connect to an address that it may not name", () =>
    Effect.gen(function*() {
      const received: Array<string> = []
      const thief = yield* Effect.acquireRelease(
        Effect.callback<Net.Server>((resume) => {
          const server = Net.createServer((socket) => {
            socket.on("error", () => {}).on("data", (chunk) => {
              received.push(chunk.toString("latin1"))
              socket.write(encodeFrame(FrameType.response, Buffer.from(`{"auth_required":true}`)))
            })
          })
          server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
        }),
        (server) => Effect.sync(() => void server.close())
      )
      const bound = thief.address()
      const port = typeof bound === "object" && bound !== null ? bound.port : 0
      const lookupd = yield* fakeServer((incoming, response) => {
        if (incoming.url?.startsWith("/lookup") !== true) return void response.writeHead(404).end()
        json({ producers: [{ broadcast_address: "127.0.0.1", tcp_port: port }] })(incoming, response)
      })
      const reasonFor = Effect.fnUntraced(function*(allowedNetworks: ReadonlyArray<string>) {
        const failed = yield* Deferred.make<string>()
        yield* Links.run({
          servers: { lookupd: [lookupd], allowedNetworks },
          connection: { authSecret: Redacted.make("hunter2") },
          topic: Topic.bytes("t").name,
          use: () => Effect.never,
          onUnavailable: (_, { message }) => void Deferred.doneUnsafe(failed, Effect.succeed(message))
        })
        return yield* Deferred.await(failed)
      }, Effect.provide([FetchHttpClient.layer, NodeTransport.layer]))
      assert.include(yield* reasonFor(["203.0.113.0/24"]), "--allowed-daemon-networks")
      assert.deepStrictEqual(received, [])
      assert.include(yield* reasonFor([]), "the auth secret is not sent without TLS")
      assert.notInclude(received.join(), "hunter2")
    }))
})

describe("attacks by a web page", () => {
  const evil = "evil.example"
  const mozilla = { "user-agent": "Mozilla/5.0" }
  /** Headers that a browser sends for the page. */
  const pages: Readonly<Record<string, Http.OutgoingHttpHeaders>> = {
    "with a form": { ...mozilla, "origin": `http://${evil}`, "content-type": "application/x-www-form-urlencoded" },
    "with a form, over HTTPS": { ...mozilla, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
    "in a sandbox": { ...mozilla, origin: "null" },
    "with a rebound name": { ...mozilla, host: evil, origin: `http://${evil}` },
    "with a rebound name, without a browser's User-Agent": {
      "user-agent": "curl/8",
      "host": evil,
      "accept-language": "en"
    }
  }
  const daemons = Effect.gen(function*() {
    const nsqd = yield* serve({ logLevel: "fatal" })
    const address = `127.0.0.1:${nsqd.port}`
    const lookupd = yield* startLookupd()
    const admin = yield* startAdmin({ nsqdHttpAddresses: [address] })
    return { nsqd: address, broker: nsqd.broker, lookupd: lookupd.httpAddress, admin }
  })

  // whoMayAsk.test.ts covers every route of every daemon.
  it.live("a web page cannot change anything", () =>
    Effect.gen(function*() {
      const { admin, broker, lookupd, nsqd } = yield* daemons
      yield* Effect.provideService(topicOf("kept"), Broker, broker)
      const changes = [
        [nsqd, "POST", "/pub?topic=evil"],
        [nsqd, "POST", "/topic/delete?topic=kept"],
        [nsqd, "GET", "/delete_topic?topic=kept"],
        [nsqd, "PUT", "/config/nsqlookupd_tcp_addresses"],
        [lookupd, "POST", "/topic/create?topic=evil"],
        [admin, "POST", "/api/topics"],
        [admin, "DELETE", "/api/topics/kept"],
        [admin, "PUT", "/config/log_level"]
      ] as const
      for (const [page, headers] of Object.entries(pages)) {
        for (const [address, method, path] of changes) {
          const { status } = yield* request(address, method, path, method === "GET" ? undefined : "x", headers)
          assert.strictEqual(status, 403, `${method} ${path} of a page ${page}`)
        }
      }
      assert.deepStrictEqual(broker.topics().map(({ name }) => name), ["kept"])
      assert.strictEqual(outcome(yield* request(lookupd, "GET", "/topics")), `200 {"topics":[]}`)
    }))

  it.live("a web page can neither read tails and figures by rebinding nor start profiles and tails from another site", () =>
    Effect.gen(function*() {
      const { admin, lookupd, nsqd } = yield* daemons
      const starts = [
        [nsqd, "/debug/pprof/profile?seconds=1"],
        [lookupd, "/watch?topic=t"],
        [admin, "/api/messages/t"],
        [admin, "/api/live"]
      ] as const
      for (const [address, path] of starts) {
        for (const headers of Object.values(pages)) {
          assert.strictEqual((yield* request(address, "GET", path, undefined, headers)).status, 403, path)
        }
      }
      for (const page of ["with a rebound name", "with a rebound name, without a browser's User-Agent"]) {
        for (const [address, path] of [[nsqd, "/stats"], [lookupd, "/nodes"], [admin, "/api/topics"]] as const) {
          const refused = yield* request(address, "GET", path, undefined, pages[page])
          assert.strictEqual(refused.status, 403)
          assert.include(refused.text, "--http-allowed-host=evil.example")
        }
      }
    }))

  it.live("a second Host header gives a web page no access", () =>
    Effect.gen(function*() {
      const { admin, lookupd, nsqd } = yield* daemons
      for (const address of [nsqd, lookupd, admin]) {
        const twice = `GET /ping HTTP/1.1\r\nHost: localhost\r\nHost: ${evil}\r\nConnection: close\r\n\r\n`
        assert.match(yield* heard(yield* connection(address, twice), /\r\n\r\n/), /^HTTP\/1\.1 400 /)
      }
    }))
})

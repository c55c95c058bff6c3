/**
 * Requests of independent programs, byte for byte as recorded: the daemons serve them with the guard's defaults, whatever name
 * the programs use for the daemon. `docs/compatibility.md` lists these programs.
 */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { DaemonState } from "../../src/services/core/DaemonState.ts"
import * as LookupHttp from "../../src/services/nsqlookupd/LookupHttp.ts"
import * as NsqlookupdOptions from "../../src/services/nsqlookupd/NsqlookupdOptions.ts"
import { Registrations } from "../../src/services/nsqlookupd/Registrations.ts"
import { halfClosed } from "../services/http/halfClosed.ts"
import { quiet } from "../services/nsqd/broker/testing.ts"
import * as Api from "../services/nsqd/http/api.ts"

/** Returns the head of a program's request for a method, target and host. */
type Program = (request: string, host: string) => string

const head = (...lines: ReadonlyArray<string>): string => [...lines, "", ""].join("\r\n")
const nsqV1 = "Accept: application/vnd.nsq; version=1.0"

/** NSQ 1.3.0's nsqadmin and nsq_stat, and consumers with go-nsq 1.1.0, built with Go 1.19. */
const go: Program = (request, host) =>
  head(
    `${request} HTTP/1.1`,
    `Host: ${host}`,
    "User-Agent: Go-http-client/1.1",
    ...(request.startsWith("POST") ? ["Content-Length: 0"] : []),
    nsqV1,
    "Accept-Encoding: gzip"
  )

const prometheus: Program = (request, host) =>
  head(
    `${request} HTTP/1.1`,
    `Host: ${host}`,
    "User-Agent: Prometheus/2.42.0+ds",
    "Accept: application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75," +
      "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding: gzip",
    "X-Prometheus-Scrape-Timeout-Seconds: 1"
  )

const pynsq: Program = (request, host) =>
  head(
    `${request} HTTP/1.1`,
    nsqV1,
    "Connection: close",
    `Host: ${host}`,
    "User-Agent: Tornado/6.2",
    "Accept-Encoding: gzip"
  )

const curl: Program = (request, host) =>
  head(`${request} HTTP/1.1`, `Host: ${host}`, "User-Agent: curl/7.88.1", "Accept: */*")

const curlHttp10: Program = (request, host) => curl(request, host).replace("HTTP/1.1", "HTTP/1.0")

/** curl requests HTTP/2 without TLS, which a server may ignore. */
const curlHttp2: Program = (request, host) =>
  head(
    `${request} HTTP/1.1`,
    `Host: ${host}`,
    "User-Agent: curl/7.88.1",
    "Accept: */*",
    "Connection: Upgrade, HTTP2-Settings",
    "Upgrade: h2c",
    "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA"
  )

const wget: Program = (request, host) =>
  head(
    `${request} HTTP/1.1`,
    `Host: ${host}`,
    "User-Agent: Wget/1.21.3",
    "Accept: */*",
    "Accept-Encoding: identity",
    "Connection: Keep-Alive"
  )

const curlPublishing = (host: string, size: number, expectation: ReadonlyArray<string> = []): string =>
  head(
    "POST /pub?topic=t HTTP/1.1",
    `Host: ${host}`,
    "User-Agent: curl/7.88.1",
    "Accept: */*",
    `Content-Length: ${size}`,
    "Content-Type: application/x-www-form-urlencoded",
    ...expectation
  ) + "x".repeat(size)

const status = (response: string): number => Number(/^HTTP\/1\.1 (\d+)/.exec(response)?.[1])

/** An address, the name of a container, and a name that is unknown to the daemon. */
const hosts = (port: number) => [`127.0.0.1:${port}`, "nsqd", "nsqd.example.com:4151"]

const answered = Effect.fnUntraced(function*(
  port: number,
  programs: ReadonlyArray<readonly [Program, ReadonlyArray<string>]>
) {
  for (const host of hosts(port)) {
    for (const [program, requests] of programs) {
      for (const request of requests) {
        const bytes = program(request, host)
        const response = yield* halfClosed(port, bytes)
        assert.strictEqual(status(response), 200, `${bytes}\n${response}`)
      }
    }
  }
})

const topic = "topic=t"
const channel = "topic=t&channel=c"

describe("recorded requests of independent programs", () => {
  it.live("nsqd serves the recorded requests of independent programs", () =>
    Effect.gen(function*() {
      const { port } = yield* Api.serve()
      yield* answered(port, [
        [go, [
          `POST /topic/create?${topic}`,
          `POST /channel/create?${channel}`,
          `POST /topic/pause?${topic}`,
          `POST /topic/unpause?${topic}`,
          `POST /channel/pause?${channel}`,
          `POST /channel/unpause?${channel}`,
          `GET /stats?format=json&${topic}&include_clients=false`,
          `GET /stats?format=json&${channel}&include_clients=false`,
          "GET /info",
          `POST /channel/empty?${channel}`,
          `POST /topic/empty?${topic}`,
          `POST /channel/delete?${channel}`,
          `POST /topic/delete?${topic}`
        ]],
        [prometheus, ["GET /metrics"]],
        [curl, ["GET /ping", "GET /stats"]],
        [curlHttp10, ["GET /ping", "GET /stats"]],
        [curlHttp2, ["GET /ping"]],
        [wget, ["GET /ping"]]
      ])
    }))

  it.live("nsqlookupd serves the recorded requests of independent programs", () =>
    Effect.gen(function*() {
      const context = yield* LookupHttp.LookupHttp.layer.pipe(
        Layer.provideMerge(Layer.mergeAll(Registrations.layer, DaemonState.layer)),
        Layer.provide(NsqlookupdOptions.layer({ httpAddress: "127.0.0.1:0" })),
        Layer.provide(quiet),
        Layer.build,
        Effect.orDie
      )
      yield* answered(Context.get(context, LookupHttp.LookupHttp).port, [
        [go, [
          `POST /topic/create?${topic}`,
          `POST /channel/create?${channel}`,
          "GET /topics",
          `GET /channels?${topic}`,
          `GET /lookup?${topic}`,
          "GET /nodes",
          `POST /topic/tombstone?${topic}&node=127.0.0.1%3A4151`
        ]],
        [pynsq, [`GET /lookup?${topic}`]],
        [curl, ["GET /ping", `GET /lookup?${topic}`]],
        [curlHttp10, [`GET /lookup?${topic}`]],
        [curlHttp2, [`GET /lookup?${topic}`]],
        [wget, [`GET /lookup?${topic}`]],
        [go, [`POST /channel/delete?${channel}`, `POST /topic/delete?${topic}`]]
      ])
    }))

  it.live("a program may announce a large body and wait for the permission to send it", () =>
    Effect.gen(function*() {
      const { port, stats } = yield* Api.serve()
      const expectation = ["Expect: 100-continue"]
      const response = yield* halfClosed(port, curlPublishing("nsqd.example.com", 900_000, expectation))
      assert.match(response, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n[^]*\r\n\r\nOK$/)
      assert.strictEqual(status(yield* halfClosed(port, curlPublishing("nsqd.example.com", 1))), 200)
      assert.match(yield* stats("?format=json"), /"message_count":2,"message_bytes":900001,/)
      // Refused before the body is sent.
      assert.strictEqual(status(yield* halfClosed(port, curlPublishing("x", 2_000_000, expectation))), 413)
    }))
})

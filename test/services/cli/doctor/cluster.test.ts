import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Context, Effect, FileSystem, Layer, Schedule, Stream } from "effect"
import * as Http from "node:http"
import { Consumer, NodeClient, Topic } from "../../../../src/services/client/index.ts"
import { Nsqd } from "../../../../src/services/nsqd/Nsqd.ts"
import type { Changes } from "../../../../src/services/nsqd/options/NsqdOptions.ts"
import { Nsqlookupd } from "../../../../src/services/nsqlookupd/Nsqlookupd.ts"
import { failureOf, runAlone } from "../cli.ts"
import { checksOf } from "./findings.ts"

/** An nsqlookupd on free ports. */
const lookupd = Effect.map(
  Layer.build(Layer.fresh(Nsqlookupd.layerWith({ tcpAddress: "127.0.0.1:0", httpAddress: "127.0.0.1:0" }))),
  Context.get(Nsqlookupd)
)

/** An nsqd on free ports, with a data directory of its own. */
const nsqd = Effect.fnUntraced(function*(changes: Changes) {
  const files = yield* FileSystem.FileSystem
  const dataPath = yield* files.makeTempDirectoryScoped()
  const own = { dataPath, tcpAddress: "127.0.0.1:0", httpAddress: "127.0.0.1:0", broadcastAddress: "127.0.0.1" }
  const built = yield* Layer.build(Layer.fresh(Nsqd.layerWith({ ...own, ...changes })))
  return Context.get(built, Nsqd)
}, Effect.provide(NodeServices.layer))

/** Waits until nsqlookupd has a number of nsqds. */
const registered = (httpAddress: string, count: number) =>
  Effect.tryPromise(async () => {
    const response: unknown = await (await fetch(`http://${httpAddress}/nodes`)).json()
    const nodes = JSON.stringify(response).match(/"broadcast_address"/g)?.length ?? 0
    if (nodes < count) throw new Error(`${nodes} of ${count} nsqds are registered`)
  }).pipe(Effect.retry(Schedule.spaced("20 millis")))

/** A server that responds to nsqd's requests as an nsqd of another version, whose clock is wrong. */
const otherNsqd = (version: string, skewMillis: number) =>
  Effect.gen(function*() {
    const now = yield* Clock.currentTimeMillis
    return yield* Effect.acquireRelease(
      Effect.callback<Http.Server>((resume) => {
        const server = Http.createServer((request, response) => {
          response.setHeader("Date", new Date(now + skewMillis).toUTCString())
          if (request.url?.startsWith("/config") === true) response.statusCode = 403
          response.end(request.url === "/ping" ? "OK" : JSON.stringify({ version, health: "NOK - disk", topics: [] }))
        })
        server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
      }),
      (server) => Effect.sync(() => server.close().closeAllConnections())
    )
  })

const addressOf = (server: Http.Server): string => {
  const address = server.address()
  return typeof address === "object" && address !== null ? `127.0.0.1:${address.port}` : ""
}

const doctor = (...args: ReadonlyArray<string>) => Effect.flatMap(runAlone(["doctor", "--json", ...args]), checksOf)

/** The findings about an nsqd that registers with these options. */
const findingsWith = (changes: Changes) =>
  Effect.gen(function*() {
    const { httpAddress, tcpAddress } = yield* lookupd
    yield* nsqd({ lookupdTcpAddresses: [tcpAddress], ...changes })
    yield* registered(httpAddress, 1)
    return yield* doctor(`--lookupd-http-address=${httpAddress}`)
  }).pipe(Effect.scoped)

describe("nsq doctor, of a cluster", () => {
  it.live("a healthy cluster has no findings, and the exit code is 0", () =>
    Effect.gen(function*() {
      const { httpAddress, tcpAddress } = yield* lookupd
      const first = yield* nsqd({ lookupdTcpAddresses: [tcpAddress] })
      yield* nsqd({ lookupdTcpAddresses: [tcpAddress] })
      yield* registered(httpAddress, 2)
      const consumer = yield* Consumer.make({
        topic: Topic.bytes("orders"),
        channel: "kitchen",
        servers: { nsqd: [`127.0.0.1:${first.tcpPort}`] }
      })
      yield* Effect.forkScoped(Stream.runDrain(consumer.messages))
      yield* consumer.awaitConnected
      const ran = yield* runAlone(["doctor", `--lookupd-http-address=${httpAddress}`])
      assert.deepStrictEqual([ran.out, failureOf(ran)], ["no findings", undefined])
    }).pipe(Effect.scoped, Effect.provide(NodeClient.layer)))

  it.live("a broadcast address that cannot be resolved is found", () =>
    Effect.gen(function*() {
      const checks = yield* findingsWith({ broadcastAddress: "nsqd.invalid" })
      assert.deepStrictEqual(checks.map(({ check }) => check), ["unresolvable-address"])
      assert.include(checks[0]?.cause, "nsqd.invalid")
    }))

  it.live("an entry whose host refuses connections is found", () =>
    Effect.gen(function*() {
      const checks = yield* findingsWith({ broadcastTcpPort: 1, broadcastHttpPort: 1 })
      assert.deepStrictEqual(checks.map(({ check, subject }) => [check, subject]), [["dead-entry", "nsqd 127.0.0.1:1"]])
    }))

  it.live("a registered TCP port that cannot be connected to is found, although HTTP responds", () =>
    Effect.gen(function*() {
      const checks = yield* findingsWith({ broadcastTcpPort: 1 })
      assert.deepStrictEqual(checks.map(({ check }) => check), ["unreachable-address"])
      assert.include(checks[0]?.cause, "127.0.0.1:1")
    }))

  it.live("an nsqd that is registered at one of two nsqlookupds is found", () =>
    Effect.gen(function*() {
      const [first, second] = [yield* lookupd, yield* lookupd]
      yield* nsqd({ lookupdTcpAddresses: [first.tcpAddress] })
      yield* registered(first.httpAddress, 1)
      const checks = yield* doctor(
        `--lookupd-http-address=${first.httpAddress}`,
        `--lookupd-http-address=${second.httpAddress}`
      )
      assert.deepStrictEqual(checks.map(({ check, severity }) => [severity, check]), [[
        "warning",
        "missing-registration"
      ]])
      assert.include(checks[0]?.cause, second.httpAddress)
    }).pipe(Effect.scoped))

  it.live("an unreachable nsqlookupd does not hide the findings about nsqds of another nsqlookupd", () =>
    Effect.gen(function*() {
      const { httpAddress, tcpAddress } = yield* lookupd
      yield* nsqd({ lookupdTcpAddresses: [tcpAddress], broadcastTcpPort: 1 })
      yield* registered(httpAddress, 1)
      const checks = yield* doctor(`--lookupd-http-address=${httpAddress}`, "--lookupd-http-address=127.0.0.1:1")
      assert.deepStrictEqual(checks.map(({ check }) => check), ["unreachable-nsqlookupd", "unreachable-address"])
    }).pipe(Effect.scoped))

  it.live("an nsqd that does not respond is found", () =>
    Effect.gen(function*() {
      const checks = yield* doctor("--nsqd-http-address=127.0.0.1:1")
      assert.deepStrictEqual(checks.map(({ check }) => check), ["unreachable-nsqd"])
    }))

  it.live("topics without channels and channels without consumers are found, and --skip leaves them out", () =>
    Effect.gen(function*() {
      const { httpPort } = yield* nsqd({})
      const at = `--nsqd-http-address=127.0.0.1:${httpPort}`
      yield* runAlone(["topic", "create", "audit", at])
      yield* runAlone(["topic", "create", "orders", at])
      yield* runAlone(["channel", "create", "orders", "kitchen", at])
      const checks = yield* doctor(at)
      assert.deepStrictEqual(checks.map(({ check, subject }) => [check, subject]), [
        ["topic-without-channel", "topic audit"],
        ["channel-without-consumer", "channel orders/kitchen"]
      ])
      const skipped = yield* doctor(at, "--skip=topic-without-channel", "--skip=channel-without-consumer")
      assert.deepStrictEqual(skipped, [])
    }).pipe(Effect.scoped))

  it.live("a wrong clock, mixed versions and an unhealthy nsqd are found; findings end with exit code 4", () =>
    Effect.gen(function*() {
      const { httpPort } = yield* nsqd({})
      const other = addressOf(yield* otherNsqd("1.2.1", -60_000))
      const args = [`--nsqd-http-address=127.0.0.1:${httpPort}`, `--nsqd-http-address=${other}`]
      const checks = yield* doctor(...args)
      assert.deepStrictEqual(checks.map(({ check, subject }) => [check, subject]), [
        ["unhealthy-nsqd", `nsqd ${other}`],
        ["clock-skew", `nsqd ${other}`],
        ["version-mix", "nsqd"]
      ])
      assert.match(checks[1]?.cause ?? "", /about (59|60|61) s behind/)
      assert.match(checks[2]?.cause ?? "", /^versions differ: 1\.2\.1 \(1\), 1\.3\.0 \(effect-nsq .*\) \(1\)$/)
      const ran = yield* runAlone(["doctor", ...args])
      assert.deepStrictEqual(failureOf(ran), [4, "3 findings"])
      assert.match(ran.out, /^error {4}nsqd 127\.0\.0\.1:\d+ {2}\(unhealthy-nsqd\)\n {9}NOK - disk\n/)
    }).pipe(Effect.scoped))

  it.live("a listener on all addresses without authentication is found", () =>
    Effect.gen(function*() {
      const { httpPort } = yield* nsqd({ tcpAddress: "0.0.0.0:0" })
      const checks = yield* doctor(`--nsqd-http-address=127.0.0.1:${httpPort}`)
      assert.deepStrictEqual(checks.map(({ check }) => check), ["insecure-listener"])
      assert.include(checks[0]?.cause, "(TCP)")
    }).pipe(Effect.scoped))
})

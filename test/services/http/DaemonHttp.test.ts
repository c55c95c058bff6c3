import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Result } from "effect"
import type { ServerResponse } from "node:http"
import { Topics } from "../../../src/protocol/http/LookupResponse.ts"
import * as StatsResponse from "../../../src/protocol/http/StatsResponse.ts"
import { Cluster } from "../../../src/services/cluster/Cluster.ts"
import { ClusterActions } from "../../../src/services/cluster/ClusterActions.ts"
import { ClusterSources, type Sources } from "../../../src/services/cluster/ClusterSources.ts"
import { DaemonHttp } from "../../../src/services/http/DaemonHttp.ts"
import * as NodeDaemonHttp from "../../../src/services/http/NodeDaemonHttp.ts"
import * as DaemonNetworks from "../../../src/services/net/DaemonNetworks.ts"
import { fakeServer } from "./fakeServer.ts"

const options = {
  httpClientConnectTimeout: Duration.seconds(5),
  httpClientRequestTimeout: Duration.seconds(5),
  maxDaemonResponseSize: 10_000
}

const cluster = (sources: Partial<Sources>, changes: Partial<typeof options> = {}) =>
  Effect.provide(
    ClusterActions.layer.pipe(
      Layer.provideMerge(Cluster.layer),
      Layer.provideMerge(Layer.merge(
        ClusterSources.layer({ lookupd: [], nsqd: [], ...sources }),
        NodeDaemonHttp.layer({ ...options, ...changes })
      ))
    )
  )

/** A server on it is reachable through all of 127.0.0.0/8. */
const everywhere = "0.0.0.0"

const portOf = (address: string): number => Number(address.split(":")[1])

/** An nsqlookupd that announces these hosts as nsqds, on the port of `nsqd`. */
const naming = (nsqd: string, hosts: ReadonlyArray<string>) =>
  fakeServer((_, response) => {
    const producers = hosts.map((host) => ({
      broadcast_address: host,
      hostname: host,
      http_port: portOf(nsqd),
      tcp_port: 1,
      version: "1.3.0"
    }))
    response.end(JSON.stringify({ producers, topics: ["t"], channels: [] }))
  })

const counting = Effect.gen(function*() {
  const requests: Array<string> = []
  const address = yield* fakeServer(({ headers, method, url }, response) => {
    requests.push(`${method} ${headers.host} ${url}`)
    response.end(`{"version":"1.3.0","health":"OK","topics":[]}`)
  })
  return { address, requests }
})

/** Treats nsqlookupd as if it were on another machine. */
const fromElsewhere = Effect.provideService(DaemonNetworks.DaemonNetworks, {
  ...DaemonNetworks.make([]),
  originBy: () => Effect.succeed("remote" as const)
})

describe("addresses that an nsqlookupd announces", () => {
  it.live("an nsqd on loopback gets requests if the nsqlookupd that announces it is on loopback", () =>
    Effect.gen(function*() {
      const { address, requests } = yield* counting
      const lookupd = yield* naming(address, ["127.0.0.1", "localhost"])
      yield* Effect.gen(function*() {
        const { nodes, stats } = yield* Cluster
        const { value } = yield* nodes
        const { failures } = yield* stats(value, { clients: false })
        assert.deepStrictEqual(failures, [])
        assert.strictEqual(requests.length, 2)
      }).pipe(cluster({ lookupd: [lookupd] }))
    }))

  it.live("an announced loopback or unusable address never gets a request if the nsqlookupd is remote", () =>
    Effect.gen(function*() {
      const { address, requests } = yield* counting
      const lookupd = yield* naming(address, ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "169.254.169.254"])
      yield* Effect.gen(function*() {
        const { nodes, producers, stats } = yield* Cluster
        const { act, tombstone } = yield* ClusterActions
        const { value } = yield* nodes
        const refused = yield* Effect.flip(stats(value, { clients: false }))
        assert.strictEqual(refused.reason.failures.length, 5)
        assert.include(refused.message, "--allowed-daemon-networks")
        yield* Effect.flip(stats((yield* producers("t")).value, { topic: "t", clients: false }))
        const notDone = yield* act("pause", "t", undefined)
        assert.strictEqual(notDone.length, 5)
        yield* Effect.flip(tombstone("t", `127.0.0.1:${portOf(address)}`))
        assert.deepStrictEqual(requests, [])
      }).pipe(cluster({ lookupd: [lookupd] }), fromElsewhere)
    }))

  it.live("a socket connects to an announced host only if the name resolves to an allowed address", () =>
    Effect.gen(function*() {
      const { address, requests } = yield* counting
      // The check before the request has passed, and then the name has changed its address.
      const changed = { ...DaemonNetworks.make([]), resolve: () => Effect.succeed(["203.0.113.9:1"]) }
      yield* Effect.gen(function*() {
        const { get } = yield* DaemonHttp
        const ask = (origin: DaemonNetworks.Origin) =>
          Effect.result(get(StatsResponse.Stats, `localhost:${portOf(address)}`, "/stats", origin))
        const refused = yield* ask("remote")
        assert.include(Result.isFailure(refused) ? refused.failure.message : "", "--allowed-daemon-networks")
        assert.deepStrictEqual(requests, [])
        assert.isTrue(Result.isSuccess(yield* ask("loopback")))
      }).pipe(cluster({}), Effect.provideService(DaemonNetworks.DaemonNetworks, changed))
    }))
})

describe("responses of daemons", () => {
  const failure = (answer: (response: ServerResponse) => void, changes: Partial<typeof options> = {}) =>
    Effect.gen(function*() {
      const address = yield* fakeServer((_, response) => answer(response))
      return yield* Effect.flip(DaemonHttp.use(({ get }) => get(Topics, address, "/topics"))).pipe(
        cluster({}, changes)
      )
    })

  it.live("an error response of a daemon is never shown, except for NSQ's codes", () =>
    Effect.gen(function*() {
      const secret = yield* failure((response) => response.writeHead(500).end("secret of an internal service"))
      assert.match(secret.message, /^got response 500 Internal Server Error of 127\.0\.0\.1:\d+$/)
      const json = yield* failure((response) => response.writeHead(404).end(`{"message":"SECRET"}`))
      assert.match(json.message, /^got response 404 Not Found of 127\.0\.0\.1:\d+$/)
      const code = yield* failure((response) => response.writeHead(404).end(`{"message":"TOPIC_NOT_FOUND"}`))
      assert.match(code.message, /^got response 404 Not Found TOPIC_NOT_FOUND of 127\.0\.0\.1:\d+$/)
      const invalid = yield* failure((response) => response.end("secret"))
      assert.match(invalid.message, /^Get "http:\/\/127\.0\.0\.1:\d+\/topics": invalid response$/)
    }))

  it.live("a daemon's response larger than the limit is an error that names the flag", () =>
    Effect.gen(function*() {
      const large = yield* failure((response) => response.end(JSON.stringify({ topics: ["x".repeat(10_001)] })))
      assert.include(large.message, "the response has more than 10000 bytes (--max-daemon-response-size)")
      const endless = yield* failure((response) => {
        const write = (): void => void (response.write("x".repeat(1000)) && setImmediate(write))
        response.on("drain", write)
        write()
      })
      assert.include(endless.message, "--max-daemon-response-size")
    }))

  it.live("the responses of all daemons together are limited in size", () =>
    Effect.gen(function*() {
      const address = yield* fakeServer(
        (_, response) => response.end(JSON.stringify({ topics: [], version: "x".repeat(9_000) })),
        everywhere
      )
      yield* Effect.gen(function*() {
        const { stats } = yield* Cluster
        const hosts = Array.from({ length: 12 }, (_, i) => `127.0.0.${i + 1}`)
        const { value: nodes } = yield* Cluster.use(({ nodes }) => nodes)
        assert.strictEqual(nodes.length, hosts.length)
        const { failures, value } = yield* stats(nodes, { clients: false })
        assert.deepStrictEqual([value.length, failures.length], [4, 8])
      }).pipe(cluster({
        lookupd: [yield* naming(address, Array.from({ length: 12 }, (_, i) => `127.0.0.${i + 1}`))]
      }))
    }).pipe(Effect.provideService(DaemonNetworks.HostResolver, (host) => Effect.succeed([host]))))

  it.live("an action sends its requests to all daemons at the same time", () =>
    Effect.gen(function*() {
      let waiting = 0
      const all = new Set<ServerResponse>()
      const address = yield* fakeServer((_, response) => {
        waiting++
        all.add(response)
        // Each response waits for all requests: sequential requests would never get a response.
        if (waiting === 12) { for (const each of all) each.end() }
      }, everywhere)
      const lookupd = yield* naming(address, Array.from({ length: 12 }, (_, i) => `127.0.0.${i + 1}`))
      yield* Effect.gen(function*() {
        const { act } = yield* ClusterActions
        assert.deepStrictEqual(yield* act("pause", "t", undefined), [])
        assert.strictEqual(waiting, 12)
      }).pipe(cluster({ lookupd: [lookupd] }))
    }))
})

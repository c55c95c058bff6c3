import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, Layer } from "effect"
import { TestClock } from "effect/testing"
import { Cluster } from "../../../src/services/cluster/Cluster.ts"
import { ClusterSources, type Sources } from "../../../src/services/cluster/ClusterSources.ts"
import * as Turns from "../../../src/services/core/Turns.ts"
import * as DaemonRequests from "../../../src/services/http/DaemonRequests.ts"
import * as Http from "../tools/cluster.ts"

const cluster = (sources: Partial<Sources>, respond: (url: URL) => Http.Reply) =>
  Cluster.layer.pipe(
    Layer.provide(ClusterSources.layer({ lookupd: [], nsqd: [], ...sources })),
    Layer.provide(DaemonRequests.layer({ httpClientRequestTimeout: Duration.seconds(5), maxDaemonResponseSize: 0 })),
    Layer.provide(Http.layer(respond))
  )

const producer = (name: string, more: object = {}) => ({
  hostname: name,
  broadcast_address: name,
  tcp_port: 4150,
  http_port: 4151,
  remote_address: `${name}:999`,
  version: "1.3.0",
  ...more
})

const lookups = ["l1:4161", "l2:4161"]

describe("Cluster with nsqlookupds", () => {
  it.effect("nodes lists each nsqd once, with every nsqlookupd that lists it", () =>
    Effect.gen(function*() {
      const { nodes } = yield* Cluster
      const { failures, value } = yield* nodes
      assert.deepStrictEqual(failures, [])
      assert.deepStrictEqual(
        value.map(({ hostname, out_of_date, remote_addresses }) => [
          hostname,
          out_of_date,
          remote_addresses
        ]),
        [
          ["a", false, ["l1:4161/a:999", "l2:4161/a:999"]],
          ["b", true, ["l2:4161/N/A"]]
        ]
      )
      assert.deepStrictEqual(value[0]?.topics, [{ topic: "t", tombstoned: false }, { topic: "u", tombstoned: true }])
    }).pipe(Effect.provide(cluster({ lookupd: lookups }, ({ host }) => ({
      producers: host === "l1:4161"
        ? [producer("a", { topics: ["u", "t"], tombstones: [true] })]
        : [producer("b", { remote_address: "", version: "1.2.9" }), producer("a")]
    })))))

  it.effect("a query returns the results of the nsqlookupds that respond, and the errors of the others", () =>
    Effect.gen(function*() {
      const { topics } = yield* Cluster
      const { failures, value } = yield* topics
      assert.deepStrictEqual(value, ["a", "b"])
      assert.deepStrictEqual(failures.map(({ address }) => address), ["l2:4161"])
      assert.match(failures[0]?.message ?? "", /^Get "http:\/\/l2:4161\/topics": .*ECONNREFUSED/)
    }).pipe(
      Effect.provide(
        cluster({ lookupd: lookups }, ({ host }) => host === "l1:4161" ? { topics: ["b", "a"] } : undefined)
      )
    ))

  it.effect("a query fails with the errors of all nsqlookupds if all fail", () =>
    Effect.gen(function*() {
      const { producers } = yield* Cluster
      const { message } = yield* Effect.flip(producers("x y"))
      const failed = "got response 404 Not Found TOPIC_NOT_FOUND of"
      assert.strictEqual(message, `failed to query any nsqlookupd: ${failed} l1:4161\n${failed} l2:4161`)
    }).pipe(Effect.provide(cluster({ lookupd: lookups }, ({ search }) => {
      assert.strictEqual(search, "?topic=x%20y")
      return [404, "{\"message\":\"TOPIC_NOT_FOUND\"}"]
    }))))

  it.effect("a query ends after the request timeout of an nsqlookupd that never responds", () =>
    Effect.gen(function*() {
      const { topics } = yield* Cluster
      const querying = yield* Effect.forkChild(topics)
      yield* TestClock.adjust("5 seconds")
      const { failures, value } = yield* Fiber.join(querying)
      assert.deepStrictEqual(value, ["a"])
      assert.match(failures[0]?.message ?? "", /request timeout$/)
    }).pipe(
      Effect.provide(cluster({ lookupd: lookups }, ({ host }) => host === "l1:4161" ? { topics: ["a"] } : "silent"))
    ))

  it.effect("inactiveTopics lists the topics without an nsqd, with their channels", () =>
    Effect.gen(function*() {
      const { inactiveTopics } = yield* Cluster
      assert.deepStrictEqual((yield* inactiveTopics).value, new Map([["dead", ["a", "b"]], ["hidden", []]]))
    }).pipe(Effect.provide(cluster({ lookupd: ["l1:4161"] }, ({ pathname, search }) => {
      if (pathname === "/topics") return { topics: ["dead", "live", "hidden"] }
      if (pathname === "/channels") return { channels: search === "?topic=dead" ? ["b", "a"] : null }
      return { producers: [producer("a", { topics: ["live", "hidden"], tombstones: [false, true] })] }
    }))))
})

describe("Cluster with nsqds", () => {
  it.effect("producers lists the nsqds that have the topic, at their broadcast addresses", () =>
    Effect.gen(function*() {
      const { inactiveTopics, producers, topics } = yield* Cluster
      assert.deepStrictEqual((yield* topics).value, ["t", "u"])
      const found = (yield* producers("u")).value
      assert.deepStrictEqual(found.map(({ broadcast_address, http_port }) => [broadcast_address, http_port]), [
        // An old nsqd, whose `/info` omits its address.
        ["b", 1]
      ])
      assert.strictEqual((yield* inactiveTopics).value.size, 0)
    }).pipe(Effect.provide(cluster({ nsqd: ["a:1", "b:1"] }, ({ host, pathname }) => {
      if (pathname === "/info") return { version: "1.3.0" }
      return { topics: host === "a:1" ? [{ topic_name: "t" }] : [{ topic_name: "t" }, { topic_name: "u" }] }
    }))))
})

describe("the connections of clients", () => {
  const node = {
    ...producer("n1"),
    origin: "configured" as const,
    remote_addresses: null,
    topics: null,
    out_of_date: false
  }
  const connections = (clients: ReadonlyArray<object>) =>
    Cluster.use((cluster) => cluster.connections([node], {})).pipe(
      Effect.provide(cluster({ nsqd: ["n1:4151"] }, () => ({ clients })))
    )
  const client = (i: number) => ({ client_id: `c${i}`, hostname: "h", remote_address: `10.0.0.1:${1000 + i}` })

  it.effect("many connections are decoded in turns", () => {
    let turns = 0
    const short = { isOver: () => true, next: Effect.sync(() => void turns++) }
    return Effect.gen(function*() {
      const { value } = yield* Effect.provideService(
        connections(Array.from({ length: 50 }, (_, i) => client(49 - i))),
        Turns.Turns,
        short
      )
      assert.deepStrictEqual(value.map(({ client_id }) => client_id), Array.from({ length: 50 }, (_, i) => `c${i}`))
      assert.isAtLeast(turns, 50)
    })
  })

  it.effect("a connection that is not valid fails the response of its nsqd", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(connections([client(1), { remote_address: 7 }]))
      assert.include(error.message, "invalid")
    }))
})

describe("the figures of nsqds", () => {
  const nodes = ["n1", "n2", "n3", "n4", "n5"].map((name) => ({
    ...producer(name),
    origin: "configured" as const,
    remote_addresses: null,
    topics: null,
    out_of_date: false
  }))
  /** Collects the names of the topics. */
  const names = () => (started: number) => {
    const result: Array<string> = [String(started)]
    return { add: ({ topic_name }: { readonly topic_name: string }) => void result.push(topic_name), result }
  }
  const topics = [{ topic_name: "t" }, { topic_name: "u" }]

  it.effect("the topics of each nsqd are collected after its start is known", () =>
    Effect.gen(function*() {
      const { figures } = yield* Cluster
      const { failures, value } = yield* figures(nodes.slice(0, 3), names)
      assert.deepStrictEqual(value.map(({ collected, node }) => [node.hostname, ...collected]), [
        ["n1", "7", "t", "u"],
        ["n2", "7"]
      ])
      assert.deepStrictEqual(failures.map(({ address }) => address), ["n3:4151"])
    }).pipe(Effect.provide(cluster({}, ({ host }) => ({
      start_time: 7,
      topics: host === "n1:4151" ? topics : host === "n2:4151" ? null : [...topics, { topic_name: 3 }]
    })))))

  it.effect("two nsqds are requested at a time, and one that does not respond soon makes room for the next", () => {
    const requested: Array<string> = []
    return Effect.gen(function*() {
      const { figures } = yield* Cluster
      const querying = yield* Effect.forkChild(figures(nodes, names))
      yield* TestClock.adjust("200 millis")
      assert.deepStrictEqual(requested, ["n1:4151", "n2:4151"])
      yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(requested, nodes.map(({ hostname }) => `${hostname}:4151`))
      yield* TestClock.adjust("5 seconds")
      const { failures, value } = yield* Fiber.join(querying)
      assert.deepStrictEqual(value.map(({ node }) => node.hostname), ["n3", "n4", "n5"])
      assert.deepStrictEqual(failures.map(({ address }) => address), ["n1:4151", "n2:4151"])
    }).pipe(Effect.provide(cluster({}, ({ host }) => {
      requested.push(host)
      return host < "n3" ? "silent" : { topics }
    })))
  })
})

/** The nsqds and clients of nsqadmin's API, with real nsqds and one as NSQ's, without an HTTP server of nsqadmin. */
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Schedule, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { HttpApiTest } from "effect/http-api"
import { AdminApi } from "../../../src/protocol/http/admin/AdminApi.ts"
import { ClusterActions } from "../../../src/services/cluster/ClusterActions.ts"
import { AdminAccess } from "../../../src/services/nsqadmin/AdminAccess.ts"
import * as ClientsHandlers from "../../../src/services/nsqadmin/ClientsHandlers.ts"
import * as NodesHandlers from "../../../src/services/nsqadmin/NodesHandlers.ts"
import { type AdminAction, Notifications } from "../../../src/services/nsqadmin/Notifications.ts"
import { Sampler } from "../../../src/services/nsqadmin/Sampler.ts"
import { request } from "../../integration/nsqadmin/cluster.ts"
import { consume } from "../../integration/nsqadmin/consumer.ts"
import { fakeServer } from "../http/fakeServer.ts"
import { quiet } from "../nsqd/broker/testing.ts"
import { administrator, visitor } from "./access.ts"
import { clusterOf, startNsqd } from "./nsqds.ts"

const client = HttpApiTest.groups(AdminApi, ["nodes", "clients"])

/** The API over these nsqds, which records notifications. */
const layer = (
  nsqds: ReadonlyArray<string>,
  { access = administrator, told = [] }: {
    readonly access?: AdminAccess["Service"]
    readonly told?: Array<AdminAction>
  } = {}
) =>
  Layer.mergeAll(NodesHandlers.layer, ClientsHandlers.layer, Sampler.layer({ sampleInterval: "20 millis" })).pipe(
    Layer.provide(ClusterActions.layer),
    Layer.provide([
      FetchHttpClient.layer,
      clusterOf(...nsqds),
      Layer.succeed(AdminAccess, access),
      Layer.succeed(Notifications, { tell: (action) => Effect.sync(() => void told.push(action)) })
    ]),
    Layer.provide(clusterOf(...nsqds)),
    Layer.merge(NodeHttpServer.layerHttpServices),
    Layer.provideMerge(quiet)
  )

const refusal = <A, E extends { readonly _tag: string; readonly message: string }, R>(call: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(call), ({ _tag, message }) => [_tag, message])

/** NSQ's nsqd: a consumer, a producer, and neither `/node` nor `/clients`. */
const goNsqd = Effect.gen(function*() {
  const requests: Array<string> = []
  const figures = { client_id: "go", remote_address: "10.0.0.1:5000", ready_count: 7 }
  const producer = { ...figures, remote_address: "10.0.0.2:5000", pub_counts: [{ topic: "t", count: 3 }] }
  const channels = [{ channel_name: "c", clients: [figures], client_count: 1 }]
  const address = yield* fakeServer(({ url = "" }, response) => {
    requests.push(url)
    const [host, port] = address.split(":")
    const body = url.startsWith("/stats")
      ? {
        version: "1.3.0",
        health: "OK",
        topics: [{ topic_name: "t", channels }],
        memory: { heap_objects: 5000 },
        producers: [producer]
      }
      : url === "/info"
      ? { version: "1.3.0", broadcast_address: host, hostname: "go", http_port: Number(port) }
      : undefined
    response.statusCode = body === undefined ? 404 : 200
    response.end(JSON.stringify(body ?? { message: "NOT_FOUND" }))
  })
  return { address, requests }
})

/** Waits for a sample that has the wanted nodes. */
const nodesWhere = (isRight: (nodes: ReadonlyArray<{ readonly status: object | null }>) => boolean) =>
  Sampler.use(({ samples }) =>
    Stream.runHead(Stream.filter(samples, ({ nodes }) => isRight(nodes))).pipe(
      Effect.flatMap(Effect.fromOption),
      Effect.map(({ nodes }) => nodes)
    )
  )

describe("nsqds in nsqadmin's API", () => {
  it.live("samples have the sums of each nsqd, and the process of each of effect-nsq", () =>
    Effect.gen(function*() {
      const nsqd = yield* startNsqd()
      const go = yield* goNsqd
      yield* Effect.gen(function*() {
        const nodes = yield* nodesWhere((all) => all.length === 2 && all.some(({ status }) => status !== null))
        const [ours, theirs] = [
          nodes.find(({ node }) => node === nsqd.http),
          nodes.find(({ node }) => node === go.address)
        ]
        assert.isAbove(ours?.status?.memory.rss_bytes ?? 0, 0)
        assert.deepStrictEqual([theirs?.status, theirs?.topic_count], [null, 1])
        // NSQ's nsqd logs each request for a path that it does not have.
        assert.notInclude(go.requests, "/node")
      }).pipe(Effect.provide(layer([nsqd.http, go.address])))
    }))

  it.live("a single topic of an nsqd has its channels and consumers, without the other topics", () =>
    Effect.gen(function*() {
      const nsqd = yield* startNsqd()
      yield* consume(nsqd.tcp, { topic: "t", channel: "c", ready: 1, does: "finish" })
      yield* request(`http://${nsqd.http}/topic/create?topic=other`, { method: "POST" })
      yield* Effect.gen(function*() {
        const { nodes } = yield* client
        const { topics, total_clients } = yield* nodes.getTopic({ params: { node: nsqd.http, topic: "t" } })
        assert.deepStrictEqual(
          topics.map(({ channels, topic_name }) => [topic_name, channels.map(({ clients }) => clients?.length)]),
          [["t", [1]]]
        )
        assert.strictEqual(total_clients, 1)
        assert.deepStrictEqual((yield* nodes.getTopic({ params: { node: nsqd.http, topic: "nope" } })).topics, [])
        assert.lengthOf((yield* nodes.get({ params: { node: nsqd.http } })).topics, 2)
      }).pipe(Effect.provide(layer([nsqd.http])))
    }))

  it.live("a drain begins and ends, and samples have its progress", () =>
    Effect.gen(function*() {
      const nsqd = yield* startNsqd()
      const told: Array<AdminAction> = []
      yield* Effect.gen(function*() {
        const { nodes } = yield* client
        const params = { node: nsqd.http }
        assert.deepStrictEqual(yield* nodes.drain({ params }), { message: "" })
        const isDraining = ({ status }: { readonly status: object | null }) =>
          status !== null && "drain" in status && status.drain !== null
        const [node] = yield* nodesWhere((all) => all.some(isDraining))
        assert.deepInclude(node?.status?.drain, { drained: true, depth: 0, in_flight_count: 0, deferred_count: 0 })
        yield* nodes.undrain({ params })
        yield* nodesWhere((all) => all.length > 0 && !all.some(isDraining))
        assert.deepStrictEqual(told, [
          { action: "drain_node", node: nsqd.http },
          { action: "undrain_node", node: nsqd.http }
        ])
      }).pipe(Effect.provide(layer([nsqd.http], { told })))
    }))

  it.live("only administrators drain nsqds and close clients, and only those of the cluster", () =>
    Effect.gen(function*() {
      const nsqd = yield* startNsqd()
      const other = yield* startNsqd()
      const drain = (node: string) => Effect.flatMap(client, ({ nodes }) => refusal(nodes.drain({ params: { node } })))
      const close = (node: string) =>
        Effect.flatMap(client, ({ clients }) => refusal(clients.close({ params: { node, client: "127.0.0.1:1" } })))
      yield* Effect.gen(function*() {
        assert.deepStrictEqual(yield* drain(other.http), ["NotFound", "NODE_NOT_FOUND"])
        assert.deepStrictEqual(yield* close(other.http), ["NotFound", "NODE_NOT_FOUND"])
        assert.deepStrictEqual(yield* close(nsqd.http), ["NotFound", "CLIENT_NOT_FOUND"])
      }).pipe(Effect.provide(layer([nsqd.http])))
      yield* Effect.gen(function*() {
        assert.deepStrictEqual(yield* drain(nsqd.http), ["Forbidden", "FORBIDDEN"])
        assert.deepStrictEqual(yield* close(nsqd.http), ["Forbidden", "FORBIDDEN"])
      }).pipe(Effect.provide(layer([nsqd.http], { access: visitor })))
    }))

  it.live("NSQ's nsqd cannot drain", () =>
    Effect.gen(function*() {
      const go = yield* goNsqd
      yield* Effect.gen(function*() {
        const { nodes } = yield* client
        const [tag, message] = yield* refusal(nodes.drain({ params: { node: go.address } }))
        assert.strictEqual(tag, "UpstreamError")
        assert.include(message, "got response 404")
      }).pipe(Effect.provide(layer([go.address])))
    }))
})

describe("clients in nsqadmin's API", () => {
  it.live("consumers and producers of all nsqds are listed, those of NSQ's nsqd from its statistics", () =>
    Effect.gen(function*() {
      const nsqd = yield* startNsqd()
      const go = yield* goNsqd
      const socket = yield* consume(nsqd.tcp, { topic: "t", channel: "c", ready: 2, does: "finish" })
      yield* Effect.gen(function*() {
        const { clients } = yield* client
        const list = yield* clients.list({ query: { topic: "t" } })
        const shown = list.clients.map((one) => [one.node, one.channel_name, one.ready_count, one.pub_counts.length])
        assert.sameDeepMembers(shown, [
          [nsqd.http, "c", 2, 0],
          [go.address, "c", 7, 0],
          [go.address, "", 7, 1]
        ])
        assert.isTrue(
          list.clients.every(({ heartbeat_interval, node }) =>
            node === go.address ? heartbeat_interval === null : heartbeat_interval === 30_000
          )
        )
        const address = `127.0.0.1:${socket.localPort}`
        const one = yield* clients.list({ query: { node: nsqd.http, address } })
        assert.deepStrictEqual(one.clients.map(({ remote_address }) => remote_address), [address])
        assert.deepStrictEqual((yield* clients.list({ query: { topic: "t", channel: "d" } })).clients, [])
        // The path that NSQ's nsqd does not have is requested once.
        assert.strictEqual(go.requests.filter((path) => path.startsWith("/clients")).length, 1)
      }).pipe(Effect.provide(layer([nsqd.http, go.address])))
    }))

  it.live("an administrator closes a client's connection", () =>
    Effect.gen(function*() {
      const nsqd = yield* startNsqd()
      const socket = yield* consume(nsqd.tcp, { topic: "t", channel: "c", ready: 2, does: "finish" })
      const told: Array<AdminAction> = []
      yield* Effect.gen(function*() {
        const { clients } = yield* client
        const address = `127.0.0.1:${socket.localPort}`
        yield* clients.close({ params: { node: nsqd.http, client: address } })
        yield* Effect.repeat(clients.list({ query: {} }), {
          schedule: Schedule.spaced("5 millis"),
          until: (list) => list.clients.length === 0
        })
        assert.deepStrictEqual(told, [{ action: "close_client", node: nsqd.http, client: address }])
      }).pipe(Effect.provide(layer([nsqd.http], { told })))
    }))
})

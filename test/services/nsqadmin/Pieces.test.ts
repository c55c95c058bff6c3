/** The pieces of nsqadmin. */
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Logger, Queue } from "effect"
import { FetchHttpClient, HttpClient, HttpRouter, HttpServerResponse } from "effect/http"
import { Forbidden } from "../../../src/protocol/http/admin/AdminFailure.ts"
import { Cluster } from "../../../src/services/cluster/Cluster.ts"
import { ClusterActions } from "../../../src/services/cluster/ClusterActions.ts"
import { AdminAccess } from "../../../src/services/nsqadmin/AdminAccess.ts"
import { AdminHttp } from "../../../src/services/nsqadmin/AdminHttp.ts"
import { Notifications } from "../../../src/services/nsqadmin/Notifications.ts"
import { Nsqadmin } from "../../../src/services/nsqadmin/Nsqadmin.ts"
import { Nsqlookupd } from "../../../src/services/nsqlookupd/Nsqlookupd.ts"
import { MemoryTransport } from "../../../src/testing/index.ts"
import { requestTo } from "../nsqd/http/api.ts"

const anyPort = "127.0.0.1:0"

const lookupd = Effect.map(
  Layer.build(Nsqlookupd.layerWith({ tcpAddress: anyPort, httpAddress: anyPort })),
  (context) => Context.get(context, Nsqlookupd).httpAddress
)

const port = (address: string) => ({ host: "127.0.0.1", port: Number(address.split(":")[1]) })

layer(Logger.layer([]), { excludeTestServices: true })("the pieces of nsqadmin", (it) => {
  it.effect("a running nsqadmin gives out its cluster, and serves routes of the program below its base path", () =>
    Effect.gen(function*() {
      const routes = Effect.map(Cluster, (cluster) => [
        HttpRouter.route(
          "GET",
          "/own/count",
          Effect.match(cluster.topics, {
            onSuccess: ({ value }) => HttpServerResponse.text(`${value.length} topics`),
            onFailure: () => HttpServerResponse.empty({ status: 502 })
          })
        )
      ])
      const context = yield* Layer.build(Nsqadmin.layerWith(
        { httpAddress: anyPort, lookupdHttpAddresses: [yield* lookupd], basePath: "/admin" },
        { http: AdminHttp.layerRoutes(routes) }
      ))
      yield* Context.get(context, ClusterActions).create("orders", undefined)
      assert.deepStrictEqual((yield* Context.get(context, Cluster).topics).value, ["orders"])
      const address = port(Context.get(context, Nsqadmin).httpAddress)
      const { status, text } = yield* requestTo(address, "GET", "/admin/own/count")
      assert.deepStrictEqual([status, text], [200, "1 topics"])
      assert.strictEqual((yield* requestTo(address, "POST", "/admin/own/count")).status, 405)
      assert.strictEqual((yield* requestTo(address, "GET", "/admin/ping")).text, "OK")
    }))

  it.effect("the program decides which users are administrators, and receives their actions", () =>
    Effect.gen(function*() {
      const actions = yield* Queue.unbounded<string>()
      const access = Layer.sync(AdminAccess, () => {
        let requests = 0
        return {
          isAdmin: () => true,
          check: Effect.suspend(() =>
            requests++ === 0 ? Effect.void : Effect.fail(Forbidden.make({ message: "FORBIDDEN" }))
          )
        }
      })
      const notifications = Layer.succeed(Notifications, {
        tell: ({ action, topic }) => Queue.offer(actions, `${action} ${topic}`)
      })
      const context = yield* Layer.build(Nsqadmin.layerWith(
        { httpAddress: anyPort, lookupdHttpAddresses: [yield* lookupd] },
        { access, notifications }
      ))
      const address = port(Context.get(context, Nsqadmin).httpAddress)
      const create = requestTo(address, "POST", "/api/topics", JSON.stringify({ topic: "orders" }))
      assert.strictEqual((yield* create).status, 200)
      assert.strictEqual(yield* Queue.take(actions), "create_topic orders")
      assert.strictEqual((yield* create).status, 403)
    }))

  it.effect("a route that exists, and an option that no piece reads, end the start", () =>
    Effect.gen(function*() {
      const options = { httpAddress: anyPort, lookupdHttpAddresses: [yield* lookupd] }
      const ping = HttpRouter.route("GET", "/ping", HttpServerResponse.text("own"))
      const taken = Nsqadmin.layerWith(options, { http: AdminHttp.layerRoutes(Effect.succeed([ping])) })
      assert.strictEqual(
        (yield* Effect.flip(Layer.build(taken))).message,
        "failed to instantiate nsqadmin - the route GET /ping exists already"
      )
      const unread = Nsqadmin.layerWith({ ...options, logFormat: "json" })
      assert.match((yield* Effect.flip(Layer.build(unread))).message, /logFormat \(--log-format\) has no effect/)
      const access = Layer.succeed(AdminAccess, { isAdmin: () => true, check: Effect.void })
      const users = Nsqadmin.layerWith({ ...options, adminUsers: ["alice"] }, { access })
      assert.match((yield* Effect.flip(Layer.build(users))).message, /adminUsers \(--admin-user\) has no effect/)
    }))

  it.effect("a piece that is provided to the daemon's Layer, where it has no effect, ends the start", () =>
    Effect.gen(function*() {
      const access = Layer.succeed(AdminAccess, { isAdmin: () => true, check: Effect.void })
      const daemon = Nsqadmin.layerWith({ httpAddress: anyPort, lookupdHttpAddresses: [yield* lookupd] })
      assert.match(
        (yield* Effect.flip(Layer.build(Layer.provide(daemon, access)))).message,
        /the piece access has no effect where it is provided to the daemon's Layer/
      )
      assert.match(
        (yield* Effect.flip(Layer.build(Layer.provide(daemon, MemoryTransport.layer)))).message,
        /the piece transport has no effect where it is provided to the daemon's Layer/
      )
    }))

  it.effect("an HTTP client of the program does not end the start, and does not send the requests of nsqadmin", () =>
    Effect.gen(function*() {
      const client = Layer.succeed(
        HttpClient.HttpClient,
        HttpClient.make(() => Effect.die("nsqadmin uses the client of the program"))
      )
      const daemon = Nsqadmin.layerWith({ httpAddress: anyPort, lookupdHttpAddresses: [yield* lookupd] })
      const context = yield* Layer.build(Layer.provide(daemon, client))
      assert.deepStrictEqual((yield* Context.get(context, Cluster).topics).value, [])
    }))

  it("a replacement without effect does not compile", () => {
    const check = () => {
      // @ts-expect-error -- nsqadmin has its own access control
      Nsqadmin.layerWith({}).pipe(Layer.provide(AdminAccess.layer))
      // @ts-expect-error -- nsqadmin has its own HTTP client
      Nsqadmin.layerWith({}).pipe(Layer.provide(FetchHttpClient.layer))
      // @ts-expect-error -- not a piece
      Nsqadmin.layerWith({}, { accesses: AdminAccess.layer })
      // @ts-expect-error -- not a Cluster
      Nsqadmin.layerWith({}, { cluster: AdminAccess.layer })
    }
    assert.isFunction(check)
  })
})

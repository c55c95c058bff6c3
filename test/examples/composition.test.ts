/** The examples of daemons whose pieces a program replaces, and of brokers inside of programs. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, FileSystem, Layer, Logger } from "effect"
import { Nsqd } from "effect-nsq"
import { publish } from "effect-nsq/broker"
import { eventually, Idle, StorageLaws } from "effect-nsq/testing"
import { FetchHttpClient, HttpBody, HttpClient, HttpRouter, HttpServer } from "effect/http"
import { createServer } from "node:http"
import { join } from "node:path"
import * as Audit from "../../examples/audit.ts"
import * as Authorizer from "../../examples/authorizer.ts"
import * as Checked from "../../examples/checked.ts"
import * as Cluster from "../../examples/cluster.ts"
import * as HttpApi from "../../examples/httpApi.ts"
import * as Limiter from "../../examples/limiter.ts"
import * as Sqlite from "../../examples/sqlite.ts"

/** A new directory, removed at the end of the test. */
class Directory extends Context.Service<Directory, string>()("test/Directory") {
  static readonly layer = Layer.effect(
    Directory,
    FileSystem.FileSystem.use((files) => Effect.orDie(files.makeTempDirectoryScoped()))
  ).pipe(Layer.provide(NodeFileSystem.layer), Layer.fresh)
}

const quiet = Effect.provide(Logger.layer([]))

describe("the examples of composition", () => {
  it.live("the checked publisher refuses the same message in process, over TCP and over HTTP", () =>
    Effect.gen(function*() {
      const { inProcess, overTcp, status } = yield* Checked.program
      assert.match(inProcess, /^not an order: [^]*quantity/)
      assert.match(overTcp, /not an order/)
      assert.strictEqual(status, 400)
    }).pipe(quiet))

  it.effect("the audit mirror has a copy of every order, and of nothing else", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Audit.program, ["tea", "coffee", "cake"])
    }).pipe(quiet))

  it.effect("the rate limiter delays publishes beyond its rate", () =>
    Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Limiter.program)
      yield* eventually(() => fiber.pollUnsafe() !== undefined)
      const times = yield* Fiber.join(fiber)
      const pauses = times.slice(1).map((time, i) => time - (times[i] ?? 0))
      assert.isTrue(pauses.every((pause) => pause >= 100), String(times))
    }).pipe(quiet, Effect.provide(Idle.layer)))

  it.live("the custom authorizer restricts a team to its own topics", () =>
    Effect.gen(function*() {
      assert.match(yield* Authorizer.program, /^bar\.orders: E_UNAUTHORIZED/)
    }).pipe(quiet))

  it.live("a broker with storage in SQLite delivers after a restart what it took before", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Sqlite.program(yield* Directory), ["tea", "coffee"])
    }).pipe(quiet, Effect.provide(Directory.layer)))

  it.live("a broker inside an HttpApi application serves its handlers", () =>
    Effect.gen(function*() {
      const dataPath = yield* Directory
      const server = HttpRouter.serve(HttpApi.Application({ tcpAddress: "127.0.0.1:0", dataPath })).pipe(
        Layer.provideMerge(NodeHttpServer.layer(createServer, { host: "127.0.0.1", port: 0 })),
        Layer.provideMerge(NodeHttpServer.layerHttpServices)
      )
      const context = yield* Layer.build(server)
      const base = HttpServer.formatAddress(Context.get(context, HttpServer.HttpServer).address)
      const { orders } = yield* HttpApi.client(base)
      assert.strictEqual(yield* orders.place({ payload: { item: "tea", quantity: 2 } }), "accepted")
      const refused = yield* HttpClient.post(`${base}/orders`, { body: HttpBody.jsonUnsafe({ item: "", quantity: 2 }) })
      assert.strictEqual(refused.status, 400)
      assert.isAtLeast(yield* orders.waiting(), 0)
    }).pipe(Effect.scoped, quiet, Effect.provide([Directory.layer, FetchHttpClient.layer])))

  it.live("a consumer receives from all three nodes of the cluster in one process", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Cluster.program, [0, 1, 2])
    }).pipe(quiet))
})

describe("the Storage of the SQLite example", () => {
  const storage = Layer.unwrap(Effect.map(Directory, (directory) => Sqlite.layerAt(join(directory, "x.sqlite"))))
  for (const { check, name } of StorageLaws.make({ storage, isPersistent: true, hasLogs: false })) {
    it.live(name, () => Effect.provide(check, Directory.layer))
  }

  it.live("a durable topic is refused, because the storage has no log", () =>
    Effect.gen(function*() {
      const daemon = Nsqd.layerWith({ durability: "written" }, {
        storage: Sqlite.layerAt(join(yield* Directory, "x.sqlite")),
        tcp: false,
        http: false
      })
      const error = yield* Effect.flip(Effect.provide(publish("orders", Buffer.from("tea")), daemon))
      assert.match(error.message, /no logs/)
    }).pipe(quiet, Effect.provide(Directory.layer)))
})

/** The pieces of nsqlookupd. */
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer, Logger } from "effect"
import * as HttpRoute from "../../../src/services/http/HttpRoute.ts"
import { LookupHttp } from "../../../src/services/nsqlookupd/LookupHttp.ts"
import { Nsqlookupd } from "../../../src/services/nsqlookupd/Nsqlookupd.ts"
import { Registrations } from "../../../src/services/nsqlookupd/Registrations.ts"
import { MemoryTransport } from "../../../src/testing/index.ts"
import { requestTo } from "../nsqd/http/api.ts"

const free = { tcpAddress: "127.0.0.1:0", httpAddress: "127.0.0.1:0" }

const problem = <A, E extends { readonly message: string }>(daemon: Layer.Layer<A, E>) =>
  Effect.scoped(Effect.map(Effect.flip(Layer.build(daemon)), ({ message }) => message))

layer(Logger.layer([]), { excludeTestServices: true })("Nsqlookupd", (it) => {
  it.effect("a running nsqlookupd gives out its registrations, and serves routes of the program", () =>
    Effect.gen(function*() {
      const routes = Effect.map(Registrations, (registrations) => [
        HttpRoute.make(
          "GET",
          "/topic/count",
          () => Effect.sync(() => HttpRoute.text(String(registrations.topics().length)))
        )
      ])
      const context = yield* Layer.build(Nsqlookupd.layerWith(free, { http: LookupHttp.layerRoutes(routes) }))
      Context.get(context, Registrations).createTopic("orders")
      const { httpAddress } = Context.get(context, Nsqlookupd)
      const address = { host: "127.0.0.1", port: Number(httpAddress.split(":")[1]) }
      assert.strictEqual((yield* requestTo(address, "GET", "/topic/count")).text, "1")
      assert.match((yield* requestTo(address, "GET", "/topics")).text, /orders/)
    }))

  it.effect("an nsqlookupd without HTTP listens on the network of the program", () =>
    Effect.gen(function*() {
      const daemon = Nsqlookupd.layerWith({ tcpAddress: "10.0.0.1:4160" }, {
        transport: MemoryTransport.layer,
        http: false
      })
      const { httpAddress, tcpAddress } = Context.get(yield* Layer.build(daemon), Nsqlookupd)
      assert.deepStrictEqual([tcpAddress, httpAddress], ["10.0.0.1:4160", ""])
    }))

  it.effect("registrations of the program are those that the listeners use, and two daemons share none", () =>
    Effect.gen(function*() {
      const prepared = Layer.effect(
        Registrations,
        Effect.tap(Registrations, (registrations) => Effect.sync(() => registrations.createTopic("prepared")))
      ).pipe(Layer.provide(Registrations.layer))
      const pieces = { registrations: prepared, tcp: false } as const
      const own = yield* Layer.build(Nsqlookupd.layerWith({ httpAddress: "127.0.0.1:0" }, pieces))
      const other = yield* Layer.build(Nsqlookupd.layerWith({ httpAddress: "127.0.0.1:0" }, pieces))
      assert.deepStrictEqual(Context.get(own, Registrations).topics(), ["prepared"])
      assert.notStrictEqual(Context.get(own, Registrations), Context.get(other, Registrations))
    }))

  it.effect("an option that is set and that no piece reads ends the start", () =>
    Effect.gen(function*() {
      const unread = (name: string, flag: string) =>
        `failed to instantiate nsqlookupd - ${name} (--${flag}) has no effect: no part of this nsqlookupd reads it; ` +
        "remove it, or add the part"
      assert.strictEqual(
        yield* problem(Nsqlookupd.layerWith(free, { http: false })),
        unread("httpAddress", "http-address")
      )
      assert.strictEqual(
        yield* problem(Nsqlookupd.layerWith(free, { tcp: false })),
        unread("tcpAddress", "tcp-address")
      )
      assert.strictEqual(yield* problem(Nsqlookupd.layerWith({ logLevel: "error" })), unread("logLevel", "log-level"))
      const own = Layer.effect(Registrations, Registrations)
      const options = { ...free, tombstoneLifetime: "1 minute" } as const
      assert.strictEqual(
        yield* Registrations.pipe(
          Effect.flatMap((registrations) =>
            problem(
              Nsqlookupd.layerWith(options, { registrations: own }).pipe(
                Layer.provide(Layer.succeed(Registrations, registrations))
              )
            )
          ),
          Effect.provide(Registrations.layer)
        ),
        unread("tombstoneLifetime", "tombstone-lifetime")
      )
      yield* Layer.build(
        Nsqlookupd.layerWith(options, { registrations: own.pipe(Layer.provide(Registrations.layer)) })
      )
      yield* Layer.build(Nsqlookupd.layerWith({ ...free, logLevel: "fatal" }, { logging: Nsqlookupd.pieces.logging }))
    }))

  it.effect("registrations and a network that are provided to the daemon's Layer, where they have no effect, end the start", () =>
    Effect.gen(function*() {
      assert.match(
        yield* problem(Layer.provide(Nsqlookupd.layerWith(free), Registrations.layer)),
        /the piece registrations has no effect where it is provided to the daemon's Layer/
      )
      assert.match(
        yield* problem(Layer.provide(Nsqlookupd.layerWith(free), MemoryTransport.layer)),
        /the piece transport has no effect where it is provided to the daemon's Layer/
      )
    }))

  it("a replacement without effect does not compile", () => {
    const check = () => {
      // @ts-expect-error -- nsqlookupd has its own registrations
      Nsqlookupd.layerWith(free).pipe(Layer.provide(Registrations.layer))
      // @ts-expect-error -- nsqlookupd has its own network
      Nsqlookupd.layer.pipe(Layer.provide(MemoryTransport.layer))
      // @ts-expect-error -- not a piece
      Nsqlookupd.layerWith(free, { storage: Registrations.layer })
    }
    assert.isFunction(check)
  })
})

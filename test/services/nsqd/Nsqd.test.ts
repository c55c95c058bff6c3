/** The pieces of nsqd: what a program replaces takes effect, and what could not does not compile or does not start. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { assert, layer } from "@effect/vitest"
import { Context, Duration, Effect, FileSystem, Layer, Logger, Queue, Redacted, type Scope, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { ChannelName, TopicName } from "../../../src/protocol/client/Names.ts"
import { NodeClient } from "../../../src/services/client/index.ts"
import type { RequirementOf } from "../../../src/services/core/Pieces.ts"
import * as HttpRoute from "../../../src/services/http/HttpRoute.ts"
import { LogOutput } from "../../../src/services/logging/LogOutput.ts"
import { Transport } from "../../../src/services/net/Transport.ts"
import { Authorizer } from "../../../src/services/nsqd/auth/Authorizer.ts"
import { Broker } from "../../../src/services/nsqd/broker/Broker.ts"
import { BrokerError } from "../../../src/services/nsqd/broker/BrokerError.ts"
import { consume, publish } from "../../../src/services/nsqd/broker/InProcess.ts"
import { Publisher } from "../../../src/services/nsqd/broker/Publisher.ts"
import { Disk } from "../../../src/services/nsqd/disk/Disk.ts"
import { NsqdHttp } from "../../../src/services/nsqd/http/NsqdHttp.ts"
import { LookupRegistration } from "../../../src/services/nsqd/lookup/LookupRegistration.ts"
import { Nsqd } from "../../../src/services/nsqd/Nsqd.ts"
import type * as NsqdOptions from "../../../src/services/nsqd/options/NsqdOptions.ts"
import * as OptionReads from "../../../src/services/nsqd/options/OptionReads.ts"
import { RuntimeOptions } from "../../../src/services/nsqd/options/RuntimeOptions.ts"
import * as DiskStorage from "../../../src/services/nsqd/storage/DiskStorage.ts"
import { Storage } from "../../../src/services/nsqd/storage/Storage.ts"
import { FaultyDisk, MemoryDatagrams, MemoryTransport, ProtocolClient, TestBroker } from "../../../src/testing/index.ts"
import * as UnusedTls from "../net/unusedTls.ts"
import { requestTo } from "./http/api.ts"

const topic = TopicName.make("orders")
const tcpAddress = "127.0.0.1:4150"

/** Pieces of a daemon without sockets and files. */
const embedded = { storage: Storage.layerMemory, tcp: false, http: false } as const

/** The network of the environment, which the test shares with the daemon. */
const shared = Layer.effect(Transport, Transport)

const problem = <A, E extends { readonly message: string }>(
  daemon: Layer.Layer<A, E>
): Effect.Effect<string, Context.Context<A>> =>
  Effect.scoped(Effect.map(Effect.flip(Layer.build(daemon)), ({ message }) => message))

const directory: Effect.Effect<string, never, Scope.Scope> = FileSystem.FileSystem.use((files) =>
  Effect.orDie(files.makeTempDirectoryScoped())
).pipe(Effect.provide(NodeFileSystem.layer))

/** Refuses messages that are empty JSON objects, and notes all others. */
const noting = (seen: Array<string>) =>
  Publisher.layerChecked((name, body) =>
    Buffer.from(body).toString() === "{}"
      ? Effect.fail(BrokerError.rejection("an empty object"))
      : Effect.sync(() => void seen.push(`${name} ${Buffer.from(body)}`))
  )

/** `true` if the Layer requires exactly `R`. */
type Requires<L, R> = [RequirementOf<L>] extends [R] ? [R] extends [RequirementOf<L>] ? true : false : false

layer(Logger.layer([]), { excludeTestServices: true })("Nsqd", (it) => {
  it.effect("a publisher of the program is the path of every publish over TCP, over HTTP and in process", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const dataPath = yield* directory
      const context = yield* Layer.build(Nsqd.layerWith(
        { dataPath, tcpAddress, httpAddress: "127.0.0.1:0" },
        { publisher: noting(seen), transport: shared }
      ))
      const { httpPort } = Context.get(context, Nsqd)
      const client = yield* ProtocolClient.connect(tcpAddress)
      yield* client.send({ _tag: "PUB", topic, body: Buffer.from("tcp") })
      assert.strictEqual(yield* client.text, "OK")
      yield* client.send({ _tag: "PUB", topic, body: Buffer.from("{}") })
      assert.match((yield* client.text) ?? "", /^E_PUB_FAILED .*an empty object/)
      const address = { host: "127.0.0.1", port: httpPort }
      assert.strictEqual((yield* requestTo(address, "POST", "/pub?topic=orders", "http")).status, 200)
      assert.notStrictEqual((yield* requestTo(address, "POST", "/pub?topic=orders", "{}")).status, 200)
      yield* Effect.provideContext(publish("orders", Buffer.from("program")), context)
      assert.deepStrictEqual(seen, ["orders tcp", "orders http", "orders program"])
    }).pipe(Effect.provide(MemoryTransport.layer)))

  it.effect("a running daemon gives out its broker: the program consumes what clients publish", () =>
    Effect.gen(function*() {
      const client = yield* ProtocolClient.connect(tcpAddress)
      yield* client.send({ _tag: "PUB", topic, body: Buffer.from("hello") })
      assert.strictEqual(yield* client.text, "OK")
      const bodies = yield* consume("orders", "program").pipe(
        Stream.tap(({ finish }) => finish),
        Stream.map(({ body }) => Buffer.from(body).toString()),
        Stream.take(1),
        Stream.runCollect
      )
      assert.deepStrictEqual(bodies, ["hello"])
      assert.strictEqual((yield* Broker).findTopic("orders")?.channels.length, 1)
    }).pipe(
      Effect.provide(
        Nsqd.layerWith({ tcpAddress }, { storage: Storage.layerMemory, transport: shared, http: false }).pipe(
          Layer.provideMerge(MemoryTransport.layer)
        )
      )
    ))

  it.effect("a daemon without sockets and files has the broker and the other pieces", () =>
    Effect.gen(function*() {
      const { httpPort, tcpPort } = yield* Nsqd
      assert.deepStrictEqual([tcpPort, httpPort], [0, 0])
      yield* publish("orders", [Buffer.from("a"), Buffer.from("b")])
      assert.strictEqual((yield* Broker).findTopic("orders")?.depth, 2)
    }).pipe(Effect.provide(Nsqd.layerWith({}, embedded))))

  it.effect("two daemons of a program share no piece", () =>
    Effect.gen(function*() {
      const first = yield* Layer.build(Nsqd.layerWith({}, embedded))
      const second = yield* Layer.build(Nsqd.layerWith({}, embedded))
      yield* Effect.provideContext(publish("orders", Buffer.from("a")), first)
      assert.isUndefined(Context.get(second, Broker).findTopic("orders"))
      assert.notStrictEqual(Context.get(first, Storage), Context.get(second, Storage))
    }))

  it.effect("storage of the program's own disk needs no data directory", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const daemon = Nsqd.layerWith(
        { dataPath: "/data", memQueueSize: 0 },
        { ...embedded, storage: DiskStorage.layer, disk: Layer.effect(Disk, Disk), lock: false }
      )
      const send = Effect.provide(publish("orders", Buffer.from("kept")), daemon)
      yield* Effect.scoped(send)
      const depth = Effect.map(Broker, (broker) => broker.findTopic("orders")?.depth)
      assert.strictEqual(yield* Effect.scoped(Effect.provide(depth, daemon)), 1)
      assert.isDefined(disk)
    }).pipe(Effect.provide(FaultyDisk.layer)))

  it.effect("wrapped storage on disk locks its data directory", () =>
    Effect.gen(function*() {
      const dataPath = yield* directory
      const wrapped = Layer.effect(Storage, Storage).pipe(Layer.provide(DiskStorage.layer))
      yield* Layer.build(Nsqd.layerWith({ dataPath }, { ...embedded, storage: wrapped }))
      assert.match(
        yield* problem(Nsqd.layerWith({ dataPath }, { tcp: false, http: false })),
        /^failed to instantiate nsqd - failed to lock data-path: cannot flock directory/
      )
    }))

  it.effect("an option that is set and that no piece reads ends the start", () =>
    Effect.gen(function*() {
      const refused = (name: string, flag: string) =>
        `failed to instantiate nsqd - ${name} (--${flag}) has no effect: no part of this nsqd reads it; ` +
        "remove it, or add the part"
      const cases: ReadonlyArray<readonly [NsqdOptions.Changes, string, string]> = [
        [{ dataPath: "/tmp" }, "dataPath", "data-path"],
        [{ tcpAddress: "127.0.0.1:1" }, "tcpAddress", "tcp-address"],
        [{ httpAllowedHosts: ["x"] }, "httpAllowedHosts", "http-allowed-host"],
        [{ lookupdTcpAddresses: ["x:1"] }, "lookupdTcpAddresses", "lookupd-tcp-address"],
        [{ logLevel: "debug" }, "logLevel", "log-level"],
        [{ syncTimeout: "1 hour" }, "syncTimeout", "sync-timeout"]
      ]
      for (const [options, name, flag] of cases) {
        assert.strictEqual(yield* problem(Nsqd.layerWith(options, { ...embedded, lock: false })), refused(name, flag))
      }
      const off = { ...embedded, tls: false, authorizer: false, otlp: false, statsd: false } as const
      const pem = { tlsCert: "/nonexistent", tlsKey: "/nonexistent" }
      assert.strictEqual(yield* problem(Nsqd.layerWith(pem, off)), refused("tlsCert", "tls-cert"))
      assert.strictEqual(
        yield* problem(Nsqd.layerWith({ authHttpAddresses: ["x:1"] }, off)),
        refused("authHttpAddresses", "auth-http-address")
      )
      assert.strictEqual(
        yield* problem(Nsqd.layerWith({ otlpEndpoint: "http://x" }, off)),
        refused("otlpEndpoint", "otlp-endpoint")
      )
      assert.strictEqual(
        yield* problem(Nsqd.layerWith({ statsdAddress: "x:1" }, off)),
        refused("statsdAddress", "statsd-address")
      )
    }))

  it.effect("a piece of the program reads options with `read`", () =>
    Effect.gen(function*() {
      const dataPath = yield* directory
      let found = ""
      const storage = Storage.layerMemory.pipe(
        Layer.provide(Layer.effectDiscard(
          Effect.map(OptionReads.read("dataPath"), (options) => void (found = options.dataPath))
        ))
      )
      yield* Layer.build(Nsqd.layerWith({ dataPath }, { ...embedded, storage }))
      assert.strictEqual(found, dataPath)
    }))

  it.effect("options take durations in every form of Effect's", () =>
    Effect.gen(function*() {
      const { msgTimeout, syncTimeout } = yield* RuntimeOptions.use(({ current }) => current)
      assert.deepStrictEqual([Duration.toMillis(msgTimeout), Duration.toMillis(syncTimeout)], [300_000, 1500])
    }).pipe(
      Effect.provide(Nsqd.layerWith({ msgTimeout: "5 minutes", syncTimeout: 1500, dataPath: "/d" }, {
        ...embedded,
        storage: DiskStorage.layer,
        disk: FaultyDisk.layer,
        lock: false
      }))
    ))

  it.effect("the authorizer of the program decides, and contradicts auth servers of the options", () =>
    Effect.gen(function*() {
      const secrets: Array<string> = []
      const own = Layer.succeed(Authorizer, {
        query: ({ secret }) =>
          Effect.sync(() => {
            secrets.push(Redacted.value(secret).toString())
            return { identity: "me", identityUrl: "", permissionCount: 1, ttlMillis: 60_000, permits: () => true }
          })
      })
      yield* Layer.build(
        Nsqd.layerWith({ tcpAddress }, { ...embedded, tcp: true, transport: shared, authorizer: own })
      )
      const client = yield* ProtocolClient.connect(tcpAddress)
      yield* client.send({ _tag: "AUTH", secret: Buffer.from("s3") })
      yield* client.text
      assert.deepStrictEqual(secrets, ["s3"])
      const both = Nsqd.layerWith({ authHttpAddresses: ["127.0.0.1:1"] }, embedded).pipe(Layer.provide(own))
      assert.strictEqual(
        yield* problem(both),
        "failed to instantiate nsqd - --auth-http-address has no effect: the program has its own Authorizer"
      )
    }).pipe(Effect.provide(MemoryTransport.layer)))

  it.effect("TLS of the program satisfies the requirement of TLS", () =>
    Effect.gen(function*() {
      const refused = yield* problem(Nsqd.layerWith({ tlsRequired: true }, { ...embedded, tls: false }))
      assert.match(refused, /tlsRequired \(--tls-required\) has no effect/)
      yield* Layer.build(
        Nsqd.layerWith({ tlsRequired: true, tcpAddress }, {
          ...embedded,
          tcp: true,
          transport: shared,
          tls: UnusedTls.layer
        })
      )
      const client = yield* ProtocolClient.connect(tcpAddress)
      yield* client.raw("NOP\n")
      assert.match((yield* client.text) ?? "", /TLS required/)
    }).pipe(Effect.provide(MemoryTransport.layer)))

  it.effect("a TCP listener that requires TLS does not start without it, also when a program composes it by hand", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(Layer.build(TestBroker.layer({ tlsRequired: true })))
      assert.strictEqual(error.message, "cannot require TLS client connections without ServerTls")
      yield* Layer.build(TestBroker.layer({ tlsRequired: true }).pipe(Layer.provide(UnusedTls.layer)))
    }))

  it.effect("routes of the program are part of the HTTP API, and /metrics can be left out", () =>
    Effect.gen(function*() {
      const routes = Effect.map(Broker, ({ topics }) => [
        HttpRoute.make("GET", "/topic/count", () => Effect.sync(() => HttpRoute.json({ count: topics().length }))),
        HttpRoute.make(
          "POST",
          "/echo/:name",
          (request) => Effect.map(HttpRoute.body(request, 5), (body) => HttpRoute.text(`${request.parameter} ${body}`))
        ),
        HttpRoute.make(
          "GET",
          "/ping",
          (request) =>
            Effect.flatMap(HttpRoute.query(request), (query) =>
              query.has("fail")
                ? Effect.fail(HttpRoute.failure(418, "TEAPOT"))
                : Effect.succeed(HttpRoute.text("pong")))
        )
      ])
      const context = yield* Layer.build(Nsqd.layerWith(
        { httpAddress: "127.0.0.1:0" },
        { storage: Storage.layerMemory, tcp: false, http: NsqdHttp.layerRoutes(routes), prometheus: false }
      ))
      yield* Effect.provideContext(publish("orders", Buffer.from("x")), context)
      const address = { host: "127.0.0.1", port: Context.get(context, Nsqd).httpPort }
      const reply = Effect.fnUntraced(function*(method: string, path: string, body?: string) {
        const { status, text } = yield* requestTo(address, method, path, body)
        return `${status} ${text}`
      })
      assert.strictEqual(yield* reply("GET", "/topic/count"), "200 {\"count\":1}")
      assert.strictEqual(yield* reply("POST", "/echo/Me", "body"), "200 Me body")
      assert.strictEqual(yield* reply("POST", "/echo/Me", "longer"), "413 {\"message\":\"MSG_TOO_BIG\"}")
      assert.strictEqual(yield* reply("GET", "/ping"), "200 pong")
      assert.strictEqual(yield* reply("GET", "/ping?fail"), "418 {\"message\":\"TEAPOT\"}")
      assert.strictEqual(yield* reply("DELETE", "/topic/count"), "405 {\"message\":\"METHOD_NOT_ALLOWED\"}")
      assert.strictEqual(yield* reply("GET", "/metrics"), "404 {\"message\":\"NOT_FOUND\"}")
      assert.match(yield* reply("GET", "/info"), /^200 /)
    }))

  it.effect("a route that no request can reach ends the start", () =>
    Effect.gen(function*() {
      const nothing = () => Effect.succeed(HttpRoute.text(""))
      const daemon = (method: "GET" | "POST", path: string) =>
        Nsqd.layerWith({ httpAddress: "127.0.0.1:0" }, {
          ...embedded,
          http: NsqdHttp.layerRoutes(Effect.succeed([HttpRoute.make(method, path, nothing)]))
        })
      assert.strictEqual(
        yield* problem(daemon("POST", "/mpub")),
        "failed to instantiate nsqd - the route POST /mpub has no effect: replace the Publisher instead"
      )
      for (const path of ["/Upper", "missing", "//two"]) {
        assert.match(yield* problem(daemon("GET", path)), /has no effect: a path starts with \/ and is in lower case/)
      }
    }))

  it.effect("registration of the program starts when the ports are known, and lists channels of new topics", () =>
    Effect.gen(function*() {
      const announced = yield* Queue.unbounded<number>()
      const lookup = Layer.succeed(LookupRegistration, {
        directory: { channelsOf: (name) => Effect.succeed([ChannelName.make(`of-${name}`)]) },
        registration: Layer.effectDiscard(
          Effect.flatMap(
            RuntimeOptions.use(({ current }) => current),
            ({ broadcastTcpPort }) => Queue.offer(announced, broadcastTcpPort)
          )
        )
      })
      const context = yield* Layer.build(
        Nsqd.layerWith({ tcpAddress }, { ...embedded, tcp: true, transport: shared, lookup })
      )
      assert.strictEqual(yield* Queue.take(announced), 4150)
      yield* Effect.provideContext(publish("orders", Buffer.from("x")), context)
      assert.isDefined(
        Context.get(context, Broker).findTopic("orders")?.channels.find(({ name }) => name === "of-orders")
      )
    }).pipe(Effect.provide(MemoryTransport.layer)))

  it.effect("the log of the options is a piece", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const daemon = Nsqd.layerWith({ logPrefix: "[mine] ", logLevel: "debug" }, {
        ...embedded,
        logging: Nsqd.pieces.logging
      }).pipe(Layer.provide(Layer.succeed(LogOutput, { write: (line) => void lines.push(line) })))
      yield* Effect.scoped(Layer.build(daemon))
      assert.match(lines[0] ?? "", /^\[mine\] .* INFO: nsqd v/)
      assert.match(lines.at(-1) ?? "", / INFO: NSQ: bye$/)
    }))

  it.effect("a piece that is provided to the daemon's Layer, where it has no effect, ends the start", () =>
    Effect.gen(function*() {
      const daemon = Nsqd.layerWith({}, { tcp: false, http: false, lock: false })
      const mine = Layer.succeed(Publisher, { publish: () => undefined })
      const without = (piece: string) =>
        `failed to instantiate nsqd - the piece ${piece} has no effect where it is provided to the daemon's Layer; pass it to ` +
        `layerWith or layerFrom, or pass pieces.${piece} to use the standard one`
      // The compiler refuses the form with pipe only.
      assert.strictEqual(yield* problem(Layer.provide(daemon, mine)), without("publisher"))
      assert.strictEqual(yield* problem(Layer.provide(daemon, Storage.layerMemory)), without("storage"))
      assert.strictEqual(yield* problem(Layer.provideMerge(daemon, FaultyDisk.layer)), without("disk"))
      const listening = Nsqd.layerWith({ tcpAddress }, { storage: Storage.layerMemory, http: false })
      assert.strictEqual(yield* problem(Layer.provide(listening, MemoryTransport.layer)), without("transport"))
      assert.strictEqual(yield* problem(Layer.provide(daemon, MemoryDatagrams.layer)), without("statsd"))
    }))

  it.effect("an option of a certificate has no effect beside TLS of the program, and ends the start", () =>
    Effect.gen(function*() {
      const pem = { tlsCert: "/nonexistent", tlsKey: "/nonexistent" }
      const daemon = Nsqd.layerWith(pem, embedded).pipe(Layer.provide(UnusedTls.layer))
      assert.match(yield* problem(daemon), /tlsCert \(--tls-cert\) has no effect/)
    }))

  it.effect("services that may be provided to a daemon's Layer for other reasons do not end the start", () =>
    Effect.gen(function*() {
      const daemon = Nsqd.layerWith({}, embedded)
      // For a client of the program: the daemon has no listener, or the same network.
      yield* Layer.build(Layer.provide(daemon, MemoryTransport.layer))
      const listening = Nsqd.layerWith({ tcpAddress: "127.0.0.1:0" }, { ...embedded, tcp: true })
      yield* Layer.build(Layer.provide(listening, NodeClient.layer))
      // For requests of the program: nothing tells it from one that is meant for the daemon, which has its own.
      yield* Layer.build(Layer.provide(listening, FetchHttpClient.layer))
      // A broker of the program gives out its own.
      yield* Layer.build(Layer.provide(daemon, Layer.fresh(daemon)))
      // The program states that it does not mean this daemon.
      const { publisher } = Nsqd.pieces
      const mine = Layer.succeed(Publisher, { publish: () => undefined })
      yield* Layer.build(Layer.provide(Nsqd.layerWith({}, { ...embedded, publisher }), mine))
    }).pipe(Effect.scoped))

  it("a replacement without effect does not compile", () => {
    const check = () => {
      const mine = Layer.succeed(Publisher, { publish: () => undefined })
      const options = { tcpAddress }
      // @ts-expect-error -- the daemon has its own Publisher
      Nsqd.layerWith(options).pipe(Layer.provide(mine))
      // @ts-expect-error -- also at the end of a longer pipe
      Nsqd.layerWith(options).pipe(Layer.orDie, Layer.provide(mine))
      // @ts-expect-error -- also with provideMerge
      Nsqd.layerWith(options).pipe(Layer.provideMerge(mine))
      // @ts-expect-error -- the daemon has its own Storage
      Nsqd.layer.pipe(Layer.provide(Storage.layerMemory))
      // @ts-expect-error -- also beside another piece
      Nsqd.layerWith(options, { publisher: mine }).pipe(Layer.provide(Storage.layerMemory))
      // @ts-expect-error -- the daemon has its own RuntimeOptions
      Nsqd.layer.pipe(Layer.provide(RuntimeOptions.layer))
      // @ts-expect-error -- the daemon has its own network, UDP for statsd, and HTTP client
      Nsqd.layer.pipe(Layer.provide(MemoryTransport.layer))
      // @ts-expect-error
      Nsqd.layer.pipe(Layer.provide(MemoryDatagrams.layer))
      // @ts-expect-error
      Nsqd.layer.pipe(Layer.provide(FetchHttpClient.layer))
      // @ts-expect-error -- not a piece
      Nsqd.layerWith(options, { publishers: mine })
      // @ts-expect-error -- not a Publisher
      Nsqd.layerWith(options, { publisher: Storage.layerMemory })
      // @ts-expect-error -- provides no reference of TLS
      Nsqd.layerWith(options, { tls: mine })
      // @ts-expect-error -- storage cannot be left out
      Nsqd.layerWith(options, { storage: false })
      // The broker is built after storage, so that storage cannot have it.
      const early = Nsqd.layerWith(options, { storage: Layer.effect(Storage, Effect.andThen(Broker, Storage)) })
      const needsBroker: Requires<typeof early, Broker | Storage> = true
      // A requirement that is left open is a requirement of the daemon, and may be provided.
      const open = Nsqd.layerWith(options, { transport: shared })
      const needsTransport: Requires<typeof open, Transport> = true
      const needsNothing: Requires<typeof Nsqd.layer, never> = true
      const complete: Layer.Layer<Nsqd | Broker | Publisher, unknown> = open.pipe(
        Layer.provide(MemoryTransport.layer)
      )
      // What does not replace a piece is accepted.
      const launched: Effect.Effect<never, unknown> = Nsqd.layer.pipe(
        Layer.provide(Layer.succeed(LogOutput, { write: () => {} })),
        Layer.launch
      )
      return { needsBroker, needsTransport, needsNothing, complete, launched }
    }
    assert.isFunction(check)
  })
})

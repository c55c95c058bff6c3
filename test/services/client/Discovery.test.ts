import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Queue, References, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { createServer } from "node:http"
import { Discovery, Topic } from "../../../src/services/client/index.ts"
import * as NodeTransport from "../../../src/services/net/NodeTransport.ts"
import { Transport } from "../../../src/services/net/Transport.ts"
import { Nsqlookupd } from "../../../src/services/nsqlookupd/Nsqlookupd.ts"
import { fakeServer } from "../http/fakeServer.ts"

const layer = Layer.mergeAll(
  FetchHttpClient.layer,
  NodeTransport.layer,
  Layer.succeed(References.MinimumLogLevel, "None")
)
const { name } = Topic.bytes("test")
const anyPort = "127.0.0.1:0"

const startLookupd = Effect.map(
  Layer.build(Nsqlookupd.layerWith({ tcpAddress: anyPort, httpAddress: anyPort })),
  (context) => Context.get(context, Nsqlookupd)
)

/** Registers an nsqd that announces this port, until the Scope closes. */
const register = Effect.fnUntraced(function*(lookupd: { readonly tcpAddress: string }, port: number) {
  const connection = yield* (yield* Transport).connect(lookupd.tcpAddress)
  const body = Buffer.from(
    JSON.stringify({ broadcast_address: "10.0.0.1", tcp_port: port, http_port: 1, version: "1" })
  )
  const size = Buffer.alloc(4)
  size.writeInt32BE(body.length)
  connection.write(Buffer.concat([Buffer.from("  V1IDENTIFY\n"), size, body, Buffer.from("REGISTER test\n")]))
})

/** A server like NSQ's nsqlookupd: it supports `/lookup` and not `/watch`. */
const startOld = Effect.acquireRelease(
  Effect.callback<{ readonly address: string; readonly close: () => void }>((resume) => {
    const producers = [{ broadcast_address: "10.0.0.9", tcp_port: 4150 }]
    const server = createServer((request, response) => {
      const isLookup = request.url?.startsWith("/lookup") === true
      response.statusCode = isLookup ? 200 : 404
      response.end(JSON.stringify(isLookup ? { channels: [], producers } : { message: "NOT_FOUND" }))
    }).listen(0, "127.0.0.1", () => {
      const bound = server.address()
      const port = typeof bound === "object" && bound !== null ? bound.port : 0
      resume(Effect.succeed({ address: `127.0.0.1:${port}`, close: () => server.close() }))
    })
  }),
  ({ close }) => Effect.sync(close)
)

/** Every list of addresses that discovery emits. */
const follow = Effect.fnUntraced(function*(lookupd: ReadonlyArray<string>) {
  const discovery = yield* Discovery.make({ lookupd, pollInterval: "1 hour" }, name)
  const received = yield* Queue.unbounded<ReadonlyArray<string>>()
  yield* Effect.forkScoped(Stream.runForEach(discovery.addresses, (addresses) => Queue.offer(received, addresses)))
  return { discovery, received }
})

/** Waits until discovery emits the expected addresses. */
const until = (
  received: Queue.Queue<ReadonlyArray<string>>,
  ...expected: ReadonlyArray<string>
): Effect.Effect<void> => {
  let last: ReadonlyArray<string> | undefined
  return Queue.take(received).pipe(
    Effect.tap((addresses) => Effect.sync(() => void (last = addresses))),
    Effect.repeat({ until: (addresses) => [...addresses].sort().join() === [...expected].sort().join() }),
    Effect.asVoid,
    Effect.timeoutOrElse({
      duration: "1 minute",
      orElse: () =>
        Effect.die(new Error(`discovery did not emit ${expected.join()} within a minute; last: ${last?.join()}`))
    })
  )
}

describe("Discovery", () => {
  it.live("discovery receives every change from nsqlookupds that support /watch", () =>
    Effect.gen(function*() {
      const [one, other] = [yield* startLookupd, yield* startLookupd]
      const { received } = yield* follow([one.httpAddress, other.httpAddress])
      yield* register(one, 4150)
      yield* until(received, "10.0.0.1:4150")
      yield* Effect.scoped(Effect.gen(function*() {
        yield* register(other, 4250)
        yield* until(received, "10.0.0.1:4150", "10.0.0.1:4250")
      }))
      yield* until(received, "10.0.0.1:4150")
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("discovery polls nsqlookupds without /watch, and polls immediately on request", () =>
    Effect.gen(function*() {
      const old = yield* startOld
      const { discovery, received } = yield* follow([old.address])
      yield* until(received, "10.0.0.9:4150")
      yield* discovery.hurry
      yield* until(received, "10.0.0.9:4150")
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("discovery keeps the addresses of one nsqlookupd when another is lost", () =>
    Effect.gen(function*() {
      const lookupd = yield* startLookupd
      yield* register(lookupd, 4150)
      const { received } = yield* follow(["127.0.0.1:1", lookupd.httpAddress])
      yield* until(received, "10.0.0.1:4150")
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("a failed lookup names the nsqlookupd and the reason", () =>
    Effect.gen(function*() {
      const old = yield* startOld
      const [refused, missing] = yield* Effect.all([
        Effect.flip(Discovery.lookup("127.0.0.1:1", "test")),
        Effect.flip(Discovery.topics(old.address))
      ])
      assert.match(refused.message, /^error querying nsqlookupd \(127\.0\.0\.1:1\) - /)
      assert.strictEqual(missing.message, `error querying nsqlookupd (${old.address}) - got response 404`)
      const fiber = yield* Effect.forkChild(Discovery.lookup(old.address, "test"))
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["10.0.0.9:4150"])
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("an address that is not valid is a failed lookup and has no watch", () =>
    Effect.gen(function*() {
      for (const query of [Discovery.lookup("a b", "test"), Discovery.topics("a b")]) {
        assert.strictEqual(
          (yield* Effect.flip(query)).message,
          "error querying nsqlookupd (a b) - not a valid address"
        )
      }
      assert.deepStrictEqual(yield* Stream.runCollect(Discovery.watch("a b", "test")), [])
    }).pipe(Effect.provide(layer)))

  it.live("an nsqlookupd without the topic has no nsqd", () =>
    Effect.gen(function*() {
      const lookupd = yield* fakeServer((_, response) => response.writeHead(404).end(`{"message":"TOPIC_NOT_FOUND"}`))
      assert.deepStrictEqual(yield* Discovery.lookup(lookupd, "test"), [])
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.live("credentials in an nsqlookupd's address are sent to it, and its redirects are not followed", () =>
    Effect.gen(function*() {
      const seen: Array<string | undefined> = []
      const thief = yield* fakeServer((_, response) => {
        seen.push("thief")
        response.end(`{"producers":[]}`)
      })
      const lookupd = yield* fakeServer(({ headers }, response) => {
        seen.push(headers.authorization)
        response.writeHead(307, { location: `http://${thief}/lookup` }).end()
      })
      const failed = yield* Effect.flip(Discovery.lookup(`http://alice:p%40ss@${lookupd}`, "test"))
      assert.strictEqual(failed.message, `error querying nsqlookupd (http://alice:***@${lookupd}) - got response 307`)
      assert.deepStrictEqual(seen, [`Basic ${Buffer.from("alice:p@ss").toString("base64")}`])
    }).pipe(Effect.scoped, Effect.provide(layer)))
})

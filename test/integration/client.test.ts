import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Queue, Redacted } from "effect"
import { FetchHttpClient } from "effect/http"
import { writeFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import { generate } from "selfsigned"
import { Consumer, Producer, Topic } from "../../src/services/client/index.ts"
import * as NodeTransport from "../../src/services/net/NodeTransport.ts"
import { fixedPort } from "../services/net/fixedPort.ts"
import * as Daemon from "./daemon.ts"

const layer = Layer.merge(NodeTransport.layer, FetchHttpClient.layer)
const numbers = Topic.bytes("numbers")
const timeout = 480_000

/** Handles messages with numbers until `total` different ones have arrived. */
const collect = Effect.fnUntraced(function*(consumer: Consumer.Consumer<Uint8Array>, total: number) {
  const seen = new Set<number>()
  const done = yield* Deferred.make<void>()
  yield* Effect.forkScoped(consumer.run((body) =>
    Effect.suspend(() => {
      seen.add(Number(Buffer.from(body).toString()))
      return seen.size === total ? Deferred.succeed(done, undefined) : Effect.void
    })
  ))
  yield* Deferred.await(done)
  return seen
})

/** Starts an auth server that accepts one secret and returns its address. */
const authServer = Effect.acquireRelease(
  Effect.callback<Server>((resume) => {
    const server = createServer((request, response) => {
      const secret = new URL(request.url ?? "", "http://auth").searchParams.get("secret")
      response.statusCode = secret === "secret" ? 200 : 403
      response.end(JSON.stringify({
        ttl: 60,
        identity: "somebody",
        authorizations: [{ permissions: ["publish", "subscribe"], topic: ".*", channels: [".*"] }]
      }))
    }).listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  }),
  (server) => Effect.sync(() => void server.close())
).pipe(Effect.map((server) => {
  const bound = server.address()
  return `127.0.0.1:${typeof bound === "object" && bound !== null ? bound.port : 0}`
}))

describe("Producer and Consumer over real sockets", () => {
  for (const compression of [undefined, "deflate", "snappy"] as const) {
    it.live(
      `Producer and Consumer transfer tens of thousands of messages ${
        compression === undefined ? "uncompressed" : `with ${compression}`
      }`,
      () =>
        Effect.gen(function*() {
          const daemon = yield* Daemon.start(yield* Daemon.temporaryDirectory)
          const servers = { nsqd: [`127.0.0.1:${daemon.tcpPort}`] }
          const connection = compression === undefined ? {} : { compression }
          const producer = yield* Producer.make({ servers, connection })
          const consumer = yield* Consumer.make({
            topic: numbers,
            channel: "c",
            servers,
            connection,
            maxInFlight: 1000
          })
          const total = 20_000
          const collecting = yield* Effect.forkScoped(collect(consumer, total))
          yield* Effect.forEach(
            Array.from({ length: total }, (_, i) => i),
            (number) => producer.publish("numbers", String(number)),
            { concurrency: 200, discard: true }
          )
          assert.strictEqual((yield* Fiber.join(collecting)).size, total)
        }).pipe(Effect.scoped, Effect.provide(layer)),
      timeout
    )
  }

  it.live(
    "Producer and Consumer authenticate with a secret",
    () =>
      Effect.gen(function*() {
        const auth = yield* authServer
        const daemon = yield* Daemon.start(yield* Daemon.temporaryDirectory, [`--auth-http-address=${auth}`])
        const servers = { nsqd: [`127.0.0.1:${daemon.tcpPort}`] }
        const connection = { authSecret: Redacted.make("secret") }
        const producer = yield* Producer.make({ servers, connection })
        yield* producer.publish("numbers", "1")
        const consumer = yield* Consumer.make({ topic: numbers, channel: "c", servers, connection })
        assert.deepStrictEqual([...(yield* collect(consumer, 1))], [1])
        const nobody = yield* Producer.make({ servers, waitForServer: false })
        assert.match((yield* Effect.flip(nobody.publish("numbers", "2"))).message, /Auth Required/)
        const stranger = { authSecret: Redacted.make("wrong") }
        const refused = yield* Producer.make({ servers, connection: stranger, waitForServer: false })
        assert.match((yield* Effect.flip(refused.publish("numbers", "3"))).message, /Error authenticating - E_/)
        const denied = yield* Consumer.make({ topic: numbers, channel: "c", servers, connection: stranger })
        const refusal = yield* Effect.flip(denied.awaitConnected)
        assert.match(refusal.message, /Error authenticating - E_/)
        assert.isTrue(refusal.isPermanent)
      }).pipe(Effect.scoped, Effect.provide(layer)),
    timeout
  )

  it.live(
    "Producer and Consumer use TLS with compression, and trust only the configured authorities",
    () =>
      Effect.gen(function*() {
        const directory = yield* Daemon.temporaryDirectory
        const made = yield* Effect.promise(() =>
          generate([{ name: "commonName", value: "localhost" }], {
            keyType: "ec",
            algorithm: "sha256",
            extensions: [{ name: "subjectAltName", altNames: [{ type: 7, ip: "127.0.0.1" }] }]
          })
        )
        writeFileSync(`${directory}/cert.pem`, made.cert)
        writeFileSync(`${directory}/key.pem`, made.private)
        const flags = [`--tls-cert=${directory}/cert.pem`, `--tls-key=${directory}/key.pem`, "--tls-required=tcp-https"]
        const daemon = yield* Daemon.start(directory, [...flags, "--https-address="])
        const servers = { nsqd: [`127.0.0.1:${daemon.tcpPort}`] }
        const connection = { tls: { ca: made.cert }, compression: "snappy" } as const
        const producer = yield* Producer.make({ servers, connection })
        yield* producer.publish("numbers", "1")
        const consumer = yield* Consumer.make({ topic: numbers, channel: "c", servers, connection })
        assert.deepStrictEqual([...(yield* collect(consumer, 1))], [1])
        const distrustful = yield* Producer.make({ servers, connection: { tls: true }, waitForServer: false })
        assert.match((yield* Effect.flip(distrustful.publish("numbers", "2"))).message, /tls: .*self.signed/)
        const plain = yield* Producer.make({ servers, waitForServer: false })
        assert.match((yield* Effect.flip(plain.publish("numbers", "3"))).message, /E_INVALID|TLS/)
      }).pipe(Effect.scoped, Effect.provide(layer)),
    timeout
  )

  it.live(
    "Producer and Consumer lose no confirmed message when one of two brokers is killed under load and restarted",
    () =>
      Effect.gen(function*() {
        const flags = ["--mem-queue-size=0"]
        const data = yield* Daemon.temporaryDirectory
        const steady = yield* Daemon.start(yield* Daemon.temporaryDirectory, flags)
        const ports = { tcpPort: yield* fixedPort, httpPort: yield* fixedPort }
        const victim = yield* Daemon.start(data, flags, ports)
        const addresses = [steady, victim].map(({ tcpPort }) => `127.0.0.1:${tcpPort}`)
        const producer = yield* Producer.make({ servers: { nsqd: addresses } })
        const consumer = yield* Consumer.make({
          topic: numbers,
          channel: "c",
          servers: { nsqd: addresses },
          maxInFlight: 200,
          maxAttempts: 0
        })
        const total = 10_000
        const published = yield* Queue.unbounded<number>()
        const collecting = yield* Effect.forkScoped(collect(consumer, total))
        const publishing = yield* Effect.forkScoped(Effect.forEach(
          Array.from({ length: total }, (_, i) => i),
          (number) => Effect.tap(producer.publish("numbers", String(number)), () => Queue.offer(published, number)),
          { concurrency: 100, discard: true }
        ))
        for (let i = 0; i < 3000; i++) yield* Queue.take(published)
        yield* victim.signal("SIGKILL")
        yield* victim.exited
        for (let i = 0; i < 3000; i++) yield* Queue.take(published)
        yield* Daemon.start(data, flags, ports)
        yield* Fiber.join(publishing)
        assert.strictEqual((yield* Fiber.join(collecting)).size, total)
      }).pipe(Effect.scoped, Effect.provide(layer)),
    timeout
  )
})

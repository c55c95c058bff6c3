import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, Queue, Scope } from "effect"
import * as Net from "node:net"
import nsq, { type Message } from "nsqjs"
import { Nsqlookupd } from "../../src/services/nsqlookupd/Nsqlookupd.ts"
import { fixedPort } from "../services/net/fixedPort.ts"
import * as Client from "./client.ts"
import * as Daemon from "./daemon.ts"

/** Starts an nsqlookupd on these ports; closing its Scope stops it. */
const lookupd = (tcpAddress = "127.0.0.1:0", httpAddress = "127.0.0.1:0") =>
  Nsqlookupd.layerWith({ tcpAddress, httpAddress, broadcastAddress: "127.0.0.1" }).pipe(
    Layer.provide(Logger.layer([])),
    Layer.build,
    Effect.map((context) => Context.get(context, Nsqlookupd)),
    Effect.orDie
  )

/** The address of a listener that closes each connection immediately. */
const hangUp: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.flatMap(fixedPort, (port) =>
    Effect.callback<Net.Server>((resume) => {
      const server = Net.createServer((socket) => void socket.destroy())
      server.listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
    })),
  (server) => Effect.callback<void>((resume) => void server.close(() => resume(Effect.void)))
).pipe(Effect.map((server) => `127.0.0.1:${(server.address() as Net.AddressInfo).port}`))

const nsqd = Effect.fnUntraced(function*(lookupdAddress: string) {
  const data = yield* Daemon.temporaryDirectory
  return yield* Daemon.start(data, [`--lookupd-tcp-address=${lookupdAddress}`, "--broadcast-address=127.0.0.1"])
})

/** An nsqjs reader that is configured with an nsqlookupd only. */
const read = (
  lookupdHTTPAddresses: string,
  messages: Queue.Queue<string>
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const reader = new nsq.Reader("test", "c", { lookupdHTTPAddresses, lookupdPollInterval: 1, maxInFlight: 10 })
      reader.on("message", (message: Message) => {
        Queue.offerUnsafe(messages, message.body.toString())
        message.finish()
      })
      reader.on("error", () => {})
      reader.connect()
      return reader
    }),
    (reader) => Effect.sync(() => reader.close())
  )

const publish = Effect.fnUntraced(function*(daemon: Daemon.Daemon, body: string) {
  const client = yield* Client.connect(daemon)
  const message = { _tag: "PUB", topic: Client.topic, body: Buffer.from(body) } as const
  assert.strictEqual(yield* client.ask(message), "OK")
})

describe("discovery with one nsqlookupd", () => {
  it.live("nsqd and consumers find each other in any order of starting", () =>
    Effect.gen(function*() {
      const { httpAddress, tcpAddress } = yield* lookupd()
      const messages = yield* Queue.unbounded<string>()
      const first = yield* nsqd(tcpAddress)
      yield* publish(first, "one")
      yield* read(httpAddress, messages)
      assert.strictEqual(yield* Queue.take(messages), "one")
      const second = yield* nsqd(tcpAddress)
      yield* second.logged(/peer info/)
      yield* publish(second, "two")
      assert.strictEqual(yield* Queue.take(messages), "two")
      // The channel existed before the topic's first message arrived.
      yield* second.logged(/TOPIC\(test\): new channel\(c\)/)
    }))

  it.live("nsqd and consumers continue while the nsqlookupd is stopped, and find each other when it is back", () =>
    Effect.gen(function*() {
      const scope = yield* Effect.scope
      const messages = yield* Queue.unbounded<string>()
      const { early, tcpAddress } = yield* Effect.scoped(Effect.gen(function*() {
        const tcpAddress = yield* hangUp
        const early = yield* Effect.provideService(nsqd(tcpAddress), Scope.Scope, scope)
        yield* early.logged(/ERROR: LOOKUPD/)
        yield* publish(early, "one")
        return { early, tcpAddress }
      }))
      const { httpAddress } = yield* lookupd(tcpAddress)
      yield* early.logged(/peer info/)
      yield* read(httpAddress, messages)
      assert.strictEqual(yield* Queue.take(messages), "one")
    }))
})

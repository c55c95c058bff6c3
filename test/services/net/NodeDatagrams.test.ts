import { assert, describe, it } from "@effect/vitest"
import { Effect, Queue } from "effect"
import * as Dgram from "node:dgram"
import { Datagrams } from "../../../src/services/net/Datagrams.ts"
import * as NodeDatagrams from "../../../src/services/net/NodeDatagrams.ts"

/** A UDP socket on a free port of `host`. */
const listen = (type: Dgram.SocketType, host: string) =>
  Effect.gen(function*() {
    const arrived = yield* Queue.unbounded<string>()
    const socket = yield* Effect.acquireRelease(
      Effect.callback<Dgram.Socket>((resume) => {
        const opened = Dgram.createSocket(type)
        opened.on("message", (bytes) => void Queue.offerUnsafe(arrived, bytes.toString()))
        opened.bind(0, host, () => resume(Effect.succeed(opened)))
      }),
      (opened) => Effect.sync(() => void opened.close())
    )
    return { port: socket.address().port, arrived }
  })

describe("datagrams over the network", () => {
  it.live("datagrams reach a UDP socket one by one", () =>
    Effect.gen(function*() {
      const { arrived, port } = yield* listen("udp4", "127.0.0.1")
      const { connect } = yield* Datagrams
      const sender = yield* connect(`127.0.0.1:${port}`)
      yield* sender.send(Buffer.from("one\n"))
      yield* sender.send(Buffer.from("two\n"))
      assert.strictEqual(yield* Queue.take(arrived), "one\n")
      assert.strictEqual(yield* Queue.take(arrived), "two\n")
    }).pipe(Effect.provide(NodeDatagrams.layer)))

  it.live("an address without a port and an unknown host are errors that name the address", () =>
    Effect.gen(function*() {
      const { connect } = yield* Datagrams
      const noPort = yield* Effect.flip(connect("127.0.0.1"))
      assert.strictEqual(noPort.message, "udp 127.0.0.1: not of the form host:port")
      const noHost = yield* Effect.flip(connect("unknown.invalid:8125"))
      assert.isTrue(noHost.message.startsWith("udp unknown.invalid:8125: "))
    }).pipe(Effect.provide(NodeDatagrams.layer)))

  it.live("a closed receiver causes at most an error of the sender", () =>
    Effect.gen(function*() {
      const gone = yield* Effect.scoped(listen("udp4", "127.0.0.1"))
      const sender = yield* Datagrams.use(({ connect }) => connect(`127.0.0.1:${gone.port}`))
      for (let i = 0; i < 3; i++) {
        const sent = yield* Effect.result(sender.send(Buffer.from("lost")))
        if (sent._tag === "Success") continue
        assert.deepInclude(sent.failure.reason, { _tag: "DatagramFailure", address: `127.0.0.1:${gone.port}` })
      }
    }).pipe(Effect.provide(NodeDatagrams.layer)))
})

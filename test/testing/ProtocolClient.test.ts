import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import { encodeFrame, encodeResponse, FrameType } from "../../src/protocol/client/Frame.ts"
import { ChannelName, TopicName } from "../../src/protocol/client/Names.ts"
import { Transport } from "../../src/services/net/Transport.ts"
import { MemoryTransport, ProtocolClient, TestBroker } from "../../src/testing/index.ts"
import { brokerWith, send } from "../services/nsqd/broker/testing.ts"

const topic = TopicName.make("t")
const channel = ChannelName.make("c")
const connect = ProtocolClient.connect(TestBroker.address)

/** A server that writes these chunks and closes the connection. */
const scripted = (...chunks: ReadonlyArray<Uint8Array>) =>
  Transport.use((transport) =>
    transport.listen(
      TestBroker.address,
      (connection) => Effect.sync(() => chunks.forEach((chunk) => connection.write(chunk)))
    )
  )

describe("ProtocolClient", () => {
  it.effect("the client publishes to a broker and receives the message", () =>
    Effect.gen(function*() {
      const client = yield* connect
      yield* client.send({ _tag: "PUB", topic, body: Buffer.from("hello") })
      assert.strictEqual(yield* client.text, "OK")
      yield* client.send({ _tag: "SUB", topic, channel }, { _tag: "RDY", count: 1 })
      assert.strictEqual(yield* client.text, "OK")
      const { attempts, body } = yield* client.message
      assert.deepStrictEqual([attempts, Buffer.from(body).toString()], [1, "hello"])
    }).pipe(Effect.scoped, Effect.provide(brokerWith())))

  it.effect("raw bytes reach the server unchanged, and the client returns error frames as text", () =>
    Effect.gen(function*() {
      const client = yield* connect
      yield* client.raw("GARBAGE\n")
      assert.strictEqual(yield* client.text, "E_INVALID invalid command GARBAGE")
      assert.isUndefined(yield* client.text)
    }).pipe(Effect.scoped, Effect.provide(brokerWith())))

  it.effect("the client returns frames one by one, however their bytes are split, then the end", () =>
    Effect.gen(function*() {
      const bytes = Buffer.concat([encodeResponse("OK"), encodeFrame(FrameType.error, Buffer.from("E_BAD"))])
      yield* scripted(...Array.from(bytes, (byte) => Buffer.from([byte])))
      const client = yield* connect
      assert.deepStrictEqual([yield* client.text, yield* client.text, yield* client.frame], ["OK", "E_BAD", undefined])
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("expecting a message dies with the frame that came instead", () =>
    Effect.gen(function*() {
      yield* scripted(encodeResponse("OK"))
      const client = yield* connect
      const [unexpected, ended] = [yield* Effect.exit(client.message), yield* Effect.exit(client.message)]
      assert.deepStrictEqual(unexpected, Exit.die(new Error("expected a message, got OK")))
      assert.deepStrictEqual(ended, Exit.die(new Error("expected a message, got the end")))
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("bytes after the last frame are read from the rest of the connection, for upgrades", () =>
    Effect.gen(function*() {
      yield* scripted(Buffer.concat([encodeResponse("OK"), Buffer.from("upgraded")]), Buffer.from("more"))
      const client = yield* connect
      assert.strictEqual(yield* client.text, "OK")
      const { read } = client.rest
      assert.deepStrictEqual([yield* read, yield* read, yield* read].map((bytes) => bytes?.toString()), [
        "upgraded",
        "more",
        undefined
      ])
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("connecting fails if no server listens", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* Effect.flip(connect)).message, `dial ${TestBroker.address}: connection refused`)
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("a client that stays alive replies to heartbeats, and returns the other frames", () =>
    Effect.gen(function*() {
      const client = yield* ProtocolClient.connectAlive(TestBroker.address)
      yield* client.send({ _tag: "SUB", topic, channel }, { _tag: "RDY", count: 1 })
      assert.strictEqual(yield* client.text, "OK")
      yield* TestClock.adjust("10 minutes")
      yield* send("t", "after many heartbeats")
      assert.strictEqual(Buffer.from((yield* client.message).body).toString(), "after many heartbeats")
      yield* client.send({ _tag: "CLS" })
      assert.strictEqual(yield* client.text, "CLOSE_WAIT")
      client.peer.end()
      assert.isUndefined(yield* client.frame)
    }).pipe(Effect.scoped, Effect.provide(brokerWith())))

  it.effect("a client that stays alive fails with the loss of its connection", () =>
    Effect.gen(function*() {
      const client = yield* ProtocolClient.connectAlive(TestBroker.address)
      yield* client.peer.breakOff
      assert.strictEqual((yield* Effect.flip(client.frame)).message, "connection reset by peer")
    }).pipe(Effect.scoped, Effect.provide(brokerWith())))
})

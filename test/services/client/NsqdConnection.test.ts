import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Queue, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { encodeFrame, encodeResponse, FrameType } from "../../../src/protocol/client/Frame.ts"
import type { ConnectionOptions } from "../../../src/services/client/ConnectionOptions.ts"
import { NsqdConnection } from "../../../src/services/client/index.ts"
import { type Connection, Transport } from "../../../src/services/net/Transport.ts"
import { MemoryTransport } from "../../../src/testing/index.ts"

const address = "nsqd:4150"

/** Listens; `accept` returns the server's end of the next connection. */
const listen = Effect.gen(function*() {
  const accepted = yield* Queue.unbounded<Connection>()
  yield* Transport.use((transport) =>
    transport.listen(address, (connection) => Effect.andThen(Queue.offer(accepted, connection), Effect.never))
  )
  return { accept: Queue.take(accepted) }
})

/** Connects to a server that sends `first` at once; returns both ends. */
const opened = Effect.fnUntraced(function*(first: Uint8Array, options: ConnectionOptions = {}) {
  const { accept } = yield* listen
  const opening = yield* Effect.forkScoped(NsqdConnection.open(address, options), { startImmediately: true })
  const server = yield* accept
  server.write(first)
  return { client: yield* Fiber.join(opening), server }
})

const refused = (first: Uint8Array, options: ConnectionOptions = {}) =>
  Effect.map(Effect.flip(opened(first, options)), ({ message }) => message)

/** Runs a connection, and records its frames. */
const run = Effect.fnUntraced(function*(client: NsqdConnection.NsqdConnection) {
  const heard = yield* Queue.unbounded<string>()
  const ended = yield* Effect.forkScoped(
    Effect.flip(client.run({
      onResponse: (text) => void Queue.offerUnsafe(heard, text),
      onError: (text) => void Queue.offerUnsafe(heard, `error ${text}`),
      onMessage: (data) => void Queue.offerUnsafe(heard, `message ${data.toString()}`)
    })),
    { startImmediately: true }
  )
  return { next: Queue.take(heard), ended: Effect.map(Fiber.join(ended), ({ message }) => message) }
})

/** Reads until the received text contains `end`. */
const readUntil = Effect.fnUntraced(function*(server: Connection, end: string) {
  let received = ""
  while (!received.includes(end)) received += (yield* server.read)?.toString() ?? assert.fail("the connection ended")
  return received
})

describe("NsqdConnection", () => {
  it.effect("the client sends the magic and IDENTIFY, and knows the server's features", () =>
    Effect.gen(function*() {
      const { client, server } = yield* opened(encodeResponse("{\"max_rdy_count\":7,\"version\":\"1.3.0\"}"))
      assert.match(yield* readUntil(server, "}"), /^ {2}V2IDENTIFY\n/)
      const { max_rdy_count, msg_timeout, version } = client.features
      assert.deepStrictEqual([max_rdy_count, version, msg_timeout], [7, "1.3.0", 60_000])
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("a server without feature negotiation has the default features", () =>
    Effect.gen(function*() {
      const { client } = yield* opened(encodeResponse("OK"))
      assert.deepStrictEqual([client.features.max_rdy_count, client.features.tls_v1], [2500, false])
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  for (
    const [title, first, options, reason] of [
      [
        "refuses IDENTIFY",
        encodeFrame(FrameType.error, Buffer.from("E_BAD_BODY")),
        {},
        "failed to IDENTIFY - E_BAD_BODY"
      ],
      [
        "sends an invalid IDENTIFY response",
        encodeResponse("{\"max_rdy_count\":\"x\"}"),
        {},
        "invalid IDENTIFY response"
      ],
      ["does not offer the TLS that is required", encodeResponse("{}"), { tls: true }, "the server does not offer TLS"],
      ["requires a secret that is not given", encodeResponse("{\"auth_required\":true}"), {}, "Auth Required"]
    ] as const
  ) {
    it.effect(`connecting to a server that ${title} fails with the address and the reason`, () =>
      Effect.gen(function*() {
        assert.strictEqual(yield* refused(first, options), `${address}: ${reason}`)
      }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))
  }

  it.effect("connecting fails if no server listens", () =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(NsqdConnection.open(address, {}))
      assert.strictEqual(error.message, `${address}: connection refused`)
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("a server that does not complete the handshake is given up after the timeout", () =>
    Effect.gen(function*() {
      const { accept } = yield* listen
      const opening = yield* Effect.forkScoped(
        Effect.flip(NsqdConnection.open(address, { handshakeTimeout: "3 seconds" })),
        {
          startImmediately: true
        }
      )
      yield* accept
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual((yield* Fiber.join(opening)).message, `${address}: the handshake timed out after 3s`)
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("the secret is sent to a configured server that requires it", () =>
    Effect.gen(function*() {
      const secret = { authSecret: Redacted.make("s3cret") }
      const replies = Buffer.concat([
        encodeResponse("{\"auth_required\":true}"),
        encodeResponse("{\"identity\":\"x\"}")
      ])
      const { server } = yield* opened(replies, secret)
      assert.include(yield* readUntil(server, "s3cret"), "AUTH\n")
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("the handler gets responses, errors and messages in order, and heartbeats are replied to", () =>
    Effect.gen(function*() {
      const { client, server } = yield* opened(encodeResponse("{}"))
      yield* readUntil(server, "}")
      const { next } = yield* run(client)
      server.write(Buffer.concat([
        encodeResponse("_heartbeat_"),
        encodeResponse("OK"),
        encodeFrame(FrameType.error, Buffer.from("E_FIN_FAILED")),
        encodeFrame(FrameType.message, Buffer.from("body"))
      ]))
      assert.deepStrictEqual([yield* next, yield* next, yield* next], ["OK", "error E_FIN_FAILED", "message body"])
      assert.strictEqual(yield* readUntil(server, "NOP\n"), "NOP\n")
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("commands of the same moment go out in one write", () =>
    Effect.gen(function*() {
      const { client, server } = yield* opened(encodeResponse("{}"))
      yield* readUntil(server, "}")
      yield* run(client)
      for (const command of ["RDY 1\n", "RDY 2\n", "CLS\n"]) client.send(Buffer.from(command))
      yield* client.drained
      assert.strictEqual((yield* server.read)?.toString(), "RDY 1\nRDY 2\nCLS\n")
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("queued commands are written when the Scope closes, before the end", () =>
    Effect.gen(function*() {
      const { accept } = yield* listen
      const using = yield* Effect.forkScoped(
        Effect.scoped(Effect.map(NsqdConnection.open(address, {}), ({ send }) => send(Buffer.from("CLS\n")))),
        { startImmediately: true }
      )
      const server = yield* accept
      server.write(encodeResponse("{}"))
      yield* Fiber.join(using)
      assert.match(yield* readUntil(server, "CLS\n"), /CLS\n$/)
      assert.isUndefined(yield* server.read)
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("a frame larger than the limit ends the connection with the reason", () =>
    Effect.gen(function*() {
      const { client, server } = yield* opened(encodeResponse("{}"), { maxFrameSize: 100 })
      const { ended } = yield* run(client)
      server.write(encodeResponse("x".repeat(200)))
      assert.match(yield* ended, /^nsqd:4150: ./)
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("a server that sends nothing for two heartbeat intervals is lost", () =>
    Effect.gen(function*() {
      const { client } = yield* opened(encodeResponse("{}"), { heartbeatInterval: "1 second" })
      const { ended } = yield* run(client)
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* ended, `${address}: heartbeat timeout: no frame for 2000 ms`)
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))
})

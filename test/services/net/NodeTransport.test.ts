import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Queue, Scope } from "effect"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Os from "node:os"
import * as Path from "node:path"
import {
  Broker,
  Clients,
  DaemonState,
  NodeTransport,
  Options,
  Publisher,
  Storage,
  TcpServer,
  Transport
} from "../../../src/broker.ts"
import { ChannelName, TopicName } from "../../../src/protocol/client/Names.ts"
import { type Connection, readEach } from "../../../src/services/net/Transport.ts"
import { until } from "../../../src/testing/index.ts"
import { quiet } from "../nsqd/broker/testing.ts"

/** A listener that passes its connections to the test; each lives until the listener closes. */
const listen = Effect.fnUntraced(function*(address: string) {
  const transport = yield* Transport
  const accepted = yield* Queue.unbounded<Connection>()
  const listener = yield* transport.listen(
    address,
    (connection) => Effect.andThen(Queue.offer(accepted, connection), Effect.never)
  )
  return { listener, accepted }
})

const open = (port: number): Effect.Effect<Net.Socket, Error, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<Net.Socket, Error>((resume) => {
      const socket = Net.connect({ host: "127.0.0.1", port, allowHalfOpen: true })
      socket.once("error", (error) => resume(Effect.fail(error)))
      socket.once("connect", () => {
        socket.on("error", () => {})
        resume(Effect.succeed(socket))
      })
    }),
    (socket) => Effect.sync(() => void socket.destroy())
  )

/** Returns all bytes that the server sends until it ends the connection. */
const rest = (socket: Net.Socket): Effect.Effect<Buffer> =>
  Effect.callback((resume) => {
    const chunks: Array<Buffer> = []
    socket.on("data", (chunk) => chunks.push(chunk))
    socket.once("end", () => resume(Effect.succeed(Buffer.concat(chunks))))
    socket.once("close", () => resume(Effect.succeed(Buffer.concat(chunks))))
  })

const readAll = (connection: Connection) =>
  Effect.gen(function*() {
    const chunks: Array<Buffer> = []
    for (let chunk = yield* connection.read; chunk !== undefined; chunk = yield* connection.read) chunks.push(chunk)
    return Buffer.concat(chunks)
  })

const pattern = (length: number): Buffer => Buffer.from(Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 0xff))

describe("a TCP connection", () => {
  it.live("a TCP connection passes bytes to a callback until it declines, and loses none", () =>
    Effect.gen(function*() {
      const { accepted, listener } = yield* listen("127.0.0.1:0")
      const socket = yield* open(listener.port)
      const connection = yield* Queue.take(accepted)
      const bytes = pattern(3_000_000)
      socket.end(bytes)
      const chunks: Array<Buffer> = [(yield* connection.read) ?? Buffer.alloc(0)]
      let taken = 0
      // Declines every third piece; the pieces that arrive in between wait.
      const take = (chunk: Buffer): boolean => {
        chunks.push(chunk)
        return ++taken % 3 !== 0
      }
      let declined = 0
      while (yield* readEach(connection, take)) {
        declined++
        yield* Effect.yieldNow
      }
      assert.isTrue(Buffer.concat(chunks).equals(bytes))
      assert.isAbove(declined, 0)
      assert.strictEqual(declined, Math.floor(taken / 3))
    }).pipe(Effect.scoped, Effect.provide(NodeTransport.layer)))

  // The clock stands still: nothing ends the connection but its peer.
  it.effect("a connection of this side that ends passes over what its peer still sends, and closes with it", () =>
    Effect.gen(function*() {
      const transport = yield* Transport
      const closed = Promise.withResolvers<boolean>()
      const server = Net.createServer({ allowHalfOpen: true }, (socket) => {
        socket.on("error", () => {})
        socket.on("close", closed.resolve)
        // Peers have more to send than the system's buffers take when they see the end.
        socket.on("end", () => socket.end(pattern(3_000_000)))
        socket.resume()
      })
      yield* Effect.addFinalizer(() => Effect.sync(() => void server.close()))
      yield* Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void)))
      const address = server.address()
      assert.isObject(address)
      const port = typeof address === "object" ? address?.port : undefined
      yield* Effect.scoped(transport.connect(`127.0.0.1:${port}`))
      assert.isFalse(yield* Effect.promise(() => closed.promise), "the peer sees no reset")
    }).pipe(Effect.scoped, Effect.provide(NodeTransport.layer)))

  it.live("bytes that arrive after the reader was interrupted are kept for the next reader", () =>
    Effect.gen(function*() {
      const { accepted, listener } = yield* listen("127.0.0.1:0")
      const socket = yield* open(listener.port)
      const connection = yield* Queue.take(accepted)
      const seen = yield* Queue.unbounded<string>()
      const reading = yield* Effect.forkScoped(
        readEach(connection, (chunk) => Queue.offerUnsafe(seen, chunk.toString())),
        { startImmediately: true }
      )
      socket.write("first")
      assert.strictEqual(yield* Queue.take(seen), "first")
      yield* Fiber.interrupt(reading)
      socket.end("second")
      assert.strictEqual((yield* readAll(connection)).toString(), "second")
      assert.strictEqual(yield* Queue.size(seen), 0)
    }).pipe(Effect.scoped, Effect.provide(NodeTransport.layer)))

  it.live("a callback that throws is a defect of its reader", () =>
    Effect.gen(function*() {
      const { accepted, listener } = yield* listen("127.0.0.1:0")
      const socket = yield* open(listener.port)
      const connection = yield* Queue.take(accepted)
      socket.write("x")
      const exit = yield* Effect.exit(readEach(connection, () => {
        throw new Error("a bug")
      }))
      assert.isTrue(Exit.hasDies(exit))
    }).pipe(Effect.scoped, Effect.provide(NodeTransport.layer)))

  it.live("a TCP connection carries bytes in both directions, with writes of any size", () =>
    Effect.gen(function*() {
      const { accepted, listener } = yield* listen("127.0.0.1:0")
      const socket = yield* open(listener.port)
      const connection = yield* Queue.take(accepted)
      const bytes = pattern(3_000_000)
      socket.end(bytes)
      assert.isTrue((yield* readAll(connection)).equals(bytes))
      const scope = yield* Scope.make()
      const received = yield* Effect.forkIn(rest(socket), scope, { startImmediately: true })
      connection.cork()
      for (let at = 0; at < bytes.length; at += 100_000) connection.write(bytes.subarray(at, at + 100_000))
      connection.uncork()
      yield* connection.drained
      assert.strictEqual(connection.pendingBytes(), 0)
      assert.isUndefined(received.pollUnsafe(), "the server's half is still open")
      yield* Scope.close(scope, Exit.void)
    }).pipe(Effect.provide(NodeTransport.layer)))

  it.live("pendingBytes counts the output that the peer does not read", () =>
    Effect.gen(function*() {
      const { accepted, listener } = yield* listen("127.0.0.1:0")
      const socket = yield* open(listener.port)
      socket.pause()
      const connection = yield* Queue.take(accepted)
      const chunk = Buffer.alloc(1024 * 1024)
      // The system's buffers take several megabytes.
      for (let i = 0; i < 64 && connection.pendingBytes() === 0; i++) {
        connection.write(chunk)
        yield* Effect.yieldNow
      }
      assert.isAbove(connection.pendingBytes(), 0)
      const drained = yield* Effect.forkChild(connection.drained, { startImmediately: true })
      assert.isUndefined(drained.pollUnsafe())
      socket.resume()
      yield* connection.drained
      assert.strictEqual(connection.pendingBytes(), 0)
    }).pipe(Effect.provide(NodeTransport.layer)))

  it.live("takenBytes grows while a slow peer reads a large write", () =>
    Effect.gen(function*() {
      const { accepted, listener } = yield* listen("127.0.0.1:0")
      const socket = yield* open(listener.port)
      socket.pause()
      const connection = yield* Queue.take(accepted)
      const part = pattern(1_000_003)
      // The system's buffers take several megabytes.
      const bytes = Buffer.concat(Array.from({ length: 16 }, () => part))
      connection.write(bytes)
      const pending = connection.pendingBytes()
      assert.isAbove(pending, 0)
      const chunks: Array<Buffer> = []
      const all = Effect.callback<void>((resume) => {
        let size = 0
        socket.on("data", (chunk) => {
          chunks.push(chunk)
          size += chunk.length
          if (size === bytes.length) resume(Effect.void)
        })
        socket.resume()
      })
      const reading = yield* Effect.forkChild(all, { startImmediately: true })
      const seen = new Set<number>()
      while (connection.pendingBytes() > 0) {
        seen.add(connection.pendingBytes())
        yield* Effect.yieldNow
      }
      yield* Fiber.join(reading)
      assert.isTrue(Buffer.concat(chunks).equals(bytes))
      assert.isAbove(Array.from(seen).filter((left) => left < pending).length, 0)
    }).pipe(Effect.provide(NodeTransport.layer)))

  it.live("a reset fails the reader of a TCP connection and completes drained", () =>
    Effect.gen(function*() {
      const { accepted, listener } = yield* listen("127.0.0.1:0")
      const socket = yield* open(listener.port)
      const connection = yield* Queue.take(accepted)
      socket.resetAndDestroy()
      const error = yield* Effect.flip(connection.read)
      assert.strictEqual(error.reason._tag, "ConnectionLoss")
      yield* connection.drained
      assert.isTrue(Exit.isFailure(yield* Effect.exit(connection.read)), "it stays lost")
    }).pipe(Effect.provide(NodeTransport.layer)))

  it.live("a TCP connection sends all pending output before it ends with its Scope", () =>
    Effect.gen(function*() {
      const transport = yield* Transport
      const bytes = pattern(2_000_000)
      const { port } = yield* transport.listen(
        "127.0.0.1:0",
        (connection) => Effect.sync(() => void connection.write(bytes))
      )
      assert.isTrue((yield* rest(yield* open(port))).equals(bytes))
    }).pipe(Effect.provide(NodeTransport.layer)))

  it.live("a TCP connection to a peer that never reads ends within a bounded time", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const transport = yield* Transport
      const { port } = yield* transport.listen(
        "127.0.0.1:0",
        (connection) => Effect.andThen(Effect.sync(() => void connection.write(Buffer.alloc(30_000_000))), Effect.never)
      ).pipe(Scope.provide(scope))
      const socket = yield* open(port)
      socket.pause()
      yield* Scope.close(scope, Exit.void)
      assert.isTrue(Exit.isFailure(yield* Effect.exit(Effect.scoped(open(port)))), "it still accepts")
    }).pipe(Effect.provide(NodeTransport.layer)))
})

describe("a unix socket", () => {
  it.live("a listener on a path creates a unix socket and removes it at the end", () =>
    Effect.gen(function*() {
      const directory = yield* Effect.acquireRelease(
        Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "effect-nsq-"))),
        (path) => Effect.sync(() => Fs.rmSync(path, { recursive: true }))
      )
      const path = Path.join(directory, "nsqd.sock")
      yield* Effect.scoped(Effect.gen(function*() {
        const { accepted, listener } = yield* listen(path)
        assert.deepInclude(listener, { address: path, port: -1 })
        const socket = yield* Effect.acquireRelease(
          Effect.sync(() => Net.connect({ path })),
          (socket) => Effect.sync(() => void socket.destroy())
        )
        const connection = yield* Queue.take(accepted)
        assert.strictEqual(connection.remoteAddress, "@")
        socket.end("hello")
        assert.strictEqual((yield* readAll(connection)).toString(), "hello")
      }))
      assert.isFalse(Fs.existsSync(path))
    }).pipe(Effect.provide(NodeTransport.layer)))
})

describe("a broker on real sockets", () => {
  const broker = TcpServer.layer.pipe(
    Layer.provideMerge(Layer.mergeAll(Publisher.layer, Clients.layer)),
    Layer.provideMerge(Broker.layer),
    Layer.provideMerge(DaemonState.layer),
    Layer.provide(Layer.mergeAll(NodeTransport.layer, Storage.layerMemory, quiet)),
    Layer.provideMerge(Options.layer({ tcpAddress: "127.0.0.1:0" }))
  )

  /** Open sockets of this process, those of the test included. */
  const sockets = () => process.getActiveResourcesInfo().filter((name) => name === "TCPSocketWrap").length

  it.live("a broker that was stalled for longer than two heartbeats keeps its clients", () =>
    Effect.gen(function*() {
      const { port } = yield* TcpServer
      const clients = yield* Clients
      const socket = yield* open(port)
      const answers = yield* Queue.unbounded<string>()
      socket.on("data", (chunk) => void Queue.offerUnsafe(answers, chunk.toString("latin1", 8)))
      const wishes = JSON.stringify({ heartbeat_interval: 1000 })
      socket.write(`  V2IDENTIFY\n\0\0\0${String.fromCharCode(wishes.length)}${wishes}`)
      assert.strictEqual(yield* Queue.take(answers), "OK")
      socket.write("NOP\n")
      // Blocks the whole process for two and a half seconds.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2500)
      assert.strictEqual(yield* Queue.take(answers), "_heartbeat_")
      assert.strictEqual(Array.from(clients.all()).length, 1)
      socket.write("NOPE\n")
      let text = ""
      while (!text.includes("E_INVALID invalid command NOPE")) text += yield* Queue.take(answers)
    }).pipe(Effect.provide(Layer.mergeAll(broker, quiet))))

  it.live(
    "a broker releases all resources of thousands of clients, regardless of how they left",
    () =>
      Effect.gen(function*() {
        const { port } = yield* TcpServer
        const clients = yield* Clients
        const topic = yield* Broker.use((broker) => broker.topic(TopicName.make("t")))
        const channel = yield* Broker.use((b) => b.channel(TopicName.make("t"), ChannelName.make("c")))
        const before = sockets()
        const visit = (i: number) =>
          Effect.scoped(Effect.gen(function*() {
            const socket = yield* open(port)
            switch (i % 5) {
              case 0:
                return
              case 1:
                return void socket.write("  V")
              case 2:
                socket.write("  V2SUB t c\nRDY 1\n")
                return void socket.resetAndDestroy()
              case 3:
                socket.end("  V2SUB t c\nRDY 1\nPUB t\n\0\0\0\x01a")
                yield* rest(socket)
                return
              default:
                socket.write("  V2nonsense\n")
                yield* rest(socket)
            }
          }))
        yield* Effect.forEach(Array.from({ length: 2000 }, (_, i) => i), visit, { concurrency: 50, discard: true })
        yield* until(() => Array.from(clients.all()).length === 0 && sockets() <= before)
        assert.strictEqual(channel.subscriptions.length, 0)
        assert.strictEqual(channel.inFlightCount, 0)
        assert.strictEqual(topic.messageCount, 400)
      }).pipe(Effect.provide(Layer.mergeAll(broker, quiet))),
    240_000
  )
})

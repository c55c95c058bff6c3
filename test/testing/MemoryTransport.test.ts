import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Queue, Schema, Scope } from "effect"
import { type Connection, Transport } from "../../src/services/net/Transport.ts"
import { MemoryTransport } from "../../src/testing/index.ts"

const { MemoryNetwork } = MemoryTransport
const address = "server:1"

/** Listens, and keeps every connection open until the Scope closes. `accept` returns the next one. */
const listen = Effect.fnUntraced(function*(transport: Transport["Service"], at: string = address) {
  const accepted = yield* Queue.unbounded<Connection>()
  yield* transport.listen(at, (connection) => Effect.andThen(Queue.offer(accepted, connection), Effect.never))
  return { accept: Queue.take(accepted) }
})

/** Both ends of a new connection. */
const connected = Effect.gen(function*() {
  const { accept } = yield* listen(yield* Transport)
  const client = yield* MemoryNetwork.use((network) => network.connect(address))
  return { client, server: yield* accept }
})

const send = (connection: Connection, text: string): void => void connection.write(Buffer.from(text))
const read = (connection: Connection) => Effect.map(connection.read, (bytes) => bytes?.toString())

/** Everything up to the end. */
const readAll = Effect.fnUntraced(function*(connection: Connection) {
  const chunks: Array<Buffer> = []
  for (let next = yield* connection.read; next !== undefined; next = yield* connection.read) chunks.push(next)
  return Buffer.concat(chunks)
})

describe("MemoryTransport", () => {
  it.effect.prop(
    "bytes arrive unchanged and in order in both directions, then the end",
    { writes: Schema.Array(Schema.Uint8Array) },
    ({ writes }) =>
      Effect.gen(function*() {
        const { client, server } = yield* connected
        for (const bytes of writes.filter(({ length }) => length > 0)) {
          const copy = Buffer.from(bytes)
          client.write(copy)
          server.write(Buffer.from(bytes).reverse())
          // The memory may be used again.
          copy.fill(0)
        }
        client.end()
        assert.deepStrictEqual(yield* readAll(server), Buffer.concat(writes))
        let received = 0
        const expected = Buffer.concat(writes.map((bytes) => Buffer.from(bytes).reverse()))
        while (received < expected.length) {
          const bytes = yield* client.read
          if (bytes === undefined) return assert.fail("the connection ended too early")
          assert.deepStrictEqual(bytes, expected.subarray(received, received + bytes.length))
          received += bytes.length
        }
      }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer))
  )

  it.effect("an address without a listener refuses connections, and a listened address no second listener", () =>
    Effect.gen(function*() {
      const transport = yield* Transport
      const network = yield* MemoryNetwork
      const scope = yield* Scope.make()
      const refusal = Effect.map(Effect.flip(Effect.scoped(network.connect(address))), ({ message }) => message)
      assert.strictEqual(yield* refusal, "dial server:1: connection refused")
      yield* Scope.provide(listen(transport), scope)
      assert.strictEqual(
        (yield* Effect.flip(listen(transport))).message,
        "listen (server:1) failed - address already in use"
      )
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* refusal, "dial server:1: connection refused")
      yield* listen(transport)
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("a listener states its address and its port, or -1 for an address without a port", () =>
    Effect.gen(function*() {
      const transport = yield* Transport
      const { broken: _, ...listener } = yield* transport.listen("127.0.0.1:4150", () => Effect.void)
      assert.deepStrictEqual(listener, { address: "127.0.0.1:4150", port: 4150 })
      assert.strictEqual((yield* transport.listen("/run/nsqd.sock", () => Effect.void)).port, -1)
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("the server reads the end after the client's Scope closes, and after the bytes before it", () =>
    Effect.gen(function*() {
      const { accept } = yield* listen(yield* Transport)
      yield* Effect.scoped(Effect.gen(function*() {
        send(yield* MemoryNetwork.use((network) => network.connect(address)), "last words")
      }))
      const server = yield* accept
      assert.deepStrictEqual([yield* read(server), yield* read(server), yield* read(server)], [
        "last words",
        undefined,
        undefined
      ])
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("the client reads what the handler wrote and then the end when the handler returns", () =>
    Effect.gen(function*() {
      yield* Transport.use((transport) =>
        transport.listen(address, (connection) => Effect.sync(() => send(connection, "bye")))
      )
      const client = yield* MemoryNetwork.use((network) => network.connect(address))
      assert.deepStrictEqual([yield* read(client), yield* read(client)], ["bye", undefined])
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("closing a listener ends its open connections", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Scope.provide(listen(yield* Transport), scope)
      const client = yield* MemoryNetwork.use((network) => network.connect(address))
      yield* Scope.close(scope, Exit.void)
      assert.isUndefined(yield* read(client))
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("a client that ends sending can still read", () =>
    Effect.gen(function*() {
      const { client, server } = yield* connected
      client.end()
      send(client, "too late")
      assert.isUndefined(yield* read(server))
      send(server, "reply")
      assert.strictEqual(yield* read(client), "reply")
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("a peer that does not read makes the other side wait until it has read", () =>
    Effect.gen(function*() {
      const { client, server } = yield* connected
      const room = 256 * 1024
      client.write(Buffer.alloc(room))
      assert.deepStrictEqual([client.pendingBytes(), client.takenBytes()], [0, room])
      yield* client.drained
      client.write(Buffer.alloc(10))
      assert.deepStrictEqual([client.pendingBytes(), client.takenBytes()], [10, room])
      const draining = yield* Effect.forkChild(client.drained, { startImmediately: true })
      assert.isUndefined(draining.pollUnsafe())
      yield* server.read
      yield* Fiber.join(draining)
      assert.deepStrictEqual([client.pendingBytes(), client.takenBytes()], [0, room + 10])
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("a broken connection fails the reads of both sides and ends waiting writes", () =>
    Effect.gen(function*() {
      const { client, server } = yield* connected
      client.write(Buffer.alloc(512 * 1024))
      const draining = yield* Effect.forkChild(client.drained, { startImmediately: true })
      const reading = yield* Effect.forkChild(Effect.flip(client.read), { startImmediately: true })
      yield* client.breakOff
      yield* Fiber.join(draining)
      assert.strictEqual((yield* Fiber.join(reading)).message, "connection reset by peer")
      assert.strictEqual((yield* Effect.flip(readAll(server))).message, "connection reset by peer")
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("machines that are separated lose what they send, and their connection is reset at the reunion", () =>
    Effect.gen(function*() {
      const network = yield* MemoryNetwork
      const { accept } = yield* listen(network.machine("server"))
      const client = yield* network.machine("client").connect(address)
      const bystander = yield* network.machine("bystander").connect(address)
      const [server, other] = [yield* accept, yield* accept]
      yield* network.separate("client", "server")
      send(client, "lost")
      send(bystander, "arrives")
      assert.strictEqual(yield* read(other), "arrives")
      const reading = yield* Effect.forkChild(Effect.flip(server.read), { startImmediately: true })
      assert.isUndefined(reading.pollUnsafe())
      yield* network.reunite("server", "client")
      assert.strictEqual((yield* Fiber.join(reading)).message, "connection reset by peer")
      send(bystander, "again")
      assert.strictEqual(yield* read(other), "again")
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("a connection that lost nothing survives a separation", () =>
    Effect.gen(function*() {
      const network = yield* MemoryNetwork
      const { accept } = yield* listen(network.machine("server"))
      const client = yield* network.machine("client").connect(address)
      const server = yield* accept
      send(client, "before")
      yield* network.separate("client", "server")
      assert.strictEqual(yield* read(server), "before")
      yield* network.reunite("client", "server")
      send(client, "after")
      assert.strictEqual(yield* read(server), "after")
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("connecting to a separated machine waits for the reunion", () =>
    Effect.gen(function*() {
      const network = yield* MemoryNetwork
      const { accept } = yield* listen(network.machine("server"))
      yield* network.separate("client", "server")
      const connecting = yield* Effect.forkChild(network.machine("client").connect(address), { startImmediately: true })
      assert.isUndefined(connecting.pollUnsafe())
      yield* network.reunite("client", "server")
      send(yield* Fiber.join(connecting), "hello")
      const server = yield* accept
      assert.strictEqual(yield* read(server), "hello")
      assert.match(server.remoteAddress, /^client:\d+$/)
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("a machine that crashes resets its connections, and its former programs have no network", () =>
    Effect.gen(function*() {
      const network = yield* MemoryNetwork
      const former = network.machine("server")
      const { accept } = yield* listen(former)
      const client = yield* network.machine("client").connect(address)
      const server = yield* accept
      yield* network.crash("server")
      assert.strictEqual((yield* Effect.flip(client.read)).message, "connection reset by peer")
      send(server, "from the dead")
      const refused = yield* Effect.flip(network.machine("client").connect(address))
      assert.strictEqual(refused.message, `dial ${address}: connection refused`)
      assert.include((yield* Effect.flip(former.connect("client:1"))).message, "the machine has crashed")
      assert.include(
        (yield* Effect.flip(former.listen(address, () => Effect.void))).message,
        "the machine has crashed"
      )
      const again = yield* listen(network.machine("server"))
      send(yield* network.machine("client").connect(address), "hello")
      assert.strictEqual(yield* read(yield* again.accept), "hello")
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("the peers of a machine without power notice nothing until it starts again", () =>
    Effect.gen(function*() {
      const network = yield* MemoryNetwork
      yield* listen(network.machine("server"))
      const client = yield* network.machine("client").connect(address)
      yield* network.crash("server", "silent")
      send(client, "lost")
      const reading = yield* Effect.forkChild(Effect.flip(client.read), { startImmediately: true })
      const connecting = yield* Effect.forkChild(Effect.exit(network.machine("client").connect(address)), {
        startImmediately: true
      })
      assert.isUndefined(reading.pollUnsafe() ?? connecting.pollUnsafe())
      yield* network.boot("server")
      assert.strictEqual((yield* Fiber.join(reading)).message, "connection reset by peer")
      assert.strictEqual((yield* Fiber.join(connecting))._tag, "Failure")
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect("a machine without power that is separated as well stays unreachable until both have ended", () =>
    Effect.gen(function*() {
      const network = yield* MemoryNetwork
      yield* network.separate("client", "server")
      yield* network.crash("server", "silent")
      yield* network.boot("server")
      const { accept } = yield* listen(network.machine("server"))
      const connecting = yield* Effect.forkChild(network.machine("client").connect(address), { startImmediately: true })
      assert.isUndefined(connecting.pollUnsafe())
      yield* network.reunite("client", "server")
      send(yield* Fiber.join(connecting), "hello")
      assert.strictEqual(yield* read(yield* accept), "hello")
    }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layer)))

  it.effect.prop(
    "a seed cuts what is sent, without a change of the bytes",
    { seed: Schema.Int, writes: Schema.Array(Schema.Uint8Array) },
    ({ seed, writes }) =>
      Effect.gen(function*() {
        const { client, server } = yield* connected
        for (const bytes of writes) client.write(bytes)
        client.end()
        assert.isTrue(Buffer.concat(writes).equals(yield* readAll(server)))
      }).pipe(Effect.scoped, Effect.provide(MemoryTransport.layerSeeded(seed))),
    { arbitrary: { runs: 30 } }
  )
})

import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Layer, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Clients } from "../../../../src/broker.ts"
import type { Command } from "../../../../src/protocol/client/Command.ts"
import { FrameDecoder, FrameError, FrameType } from "../../../../src/protocol/client/Frame.ts"
import { ChannelName, TopicName } from "../../../../src/protocol/client/Names.ts"
import {
  FaultyStorage,
  MemoryTransport,
  ProtocolClient,
  TestBroker,
  until,
  untilIdle
} from "../../../../src/testing/index.ts"
import { brokerWith, channelOf, faultyBroker, numbers, quiet, topicOf } from "../broker/testing.ts"

const { MemoryNetwork } = MemoryTransport
const topic = TopicName.make("t")
const channel = ChannelName.make("c")

const connect = ProtocolClient.connect(TestBroker.address)
const pub = (body: string): Command => ({ _tag: "PUB", topic, body: Buffer.from(body) })
const rdy = (count: number): Command => ({ _tag: "RDY", count })
const nop: Command = { _tag: "NOP" }
/** Without a buffer, messages are not held back. */
const unbuffered = { output_buffer_size: -1 }

const identified = Effect.fnUntraced(function*(wishes: Record<string, unknown>) {
  const client = yield* connect
  yield* client.send({ _tag: "IDENTIFY", body: Buffer.from(JSON.stringify(wishes)) })
  assert.strictEqual(yield* client.text, "OK")
  return client
})

const subscribed = Effect.fnUntraced(function*(ready: number, wishes: Record<string, unknown> = {}) {
  const client = yield* identified(wishes)
  yield* client.send({ _tag: "SUB", topic, channel }, rdy(ready))
  assert.strictEqual(yield* client.text, "OK")
  return client
})

/** Publishes, and waits until the broker has all messages. */
const publishAll = Effect.fnUntraced(function*(bodies: ReadonlyArray<string>) {
  const publisher = yield* connect
  yield* publisher.send(...bodies.map(pub))
  for (let i = 0; i < bodies.length; i++) assert.strictEqual(yield* publisher.text, "OK")
}, Effect.scoped)

const connected = Clients.use((clients) => Effect.sync(() => Array.from(clients.all()).length))

/** A client that is connected all the time. */
const bystander = identified({ heartbeat_interval: -1 })

/** Asserts that the client is not affected by others. */
const servesWell = Effect.fnUntraced(function*(client: ProtocolClient.ProtocolClient) {
  yield* client.send(pub("still fine"))
  assert.strictEqual(yield* client.text, "OK")
})

describe("heartbeats", () => {
  it.effect("heartbeats are sent every 30 s by default, and a client that is silent for two intervals is disconnected", () =>
    Effect.gen(function*() {
      const client = yield* connect
      yield* client.send(nop)
      yield* untilIdle
      const first = yield* Effect.forkChild(client.text, { startImmediately: true })
      yield* TestClock.adjust(29_999)
      assert.isUndefined(first.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(first), "_heartbeat_")
      const end = yield* Effect.forkChild(client.text, { startImmediately: true })
      yield* TestClock.adjust(29_999)
      yield* untilIdle
      assert.isUndefined(end.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.isUndefined(yield* Fiber.join(end))
      assert.strictEqual(yield* connected, 0)
    }).pipe(Effect.provide(brokerWith())))

  it.effect("heartbeats are sent at the negotiated interval, and a NOP keeps the client connected", () =>
    Effect.gen(function*() {
      const client = yield* identified({ heartbeat_interval: 1000 })
      for (let i = 0; i < 10; i++) {
        yield* TestClock.adjust(1000)
        assert.strictEqual(yield* client.text, "_heartbeat_")
        yield* client.send(nop)
        yield* untilIdle
      }
      assert.strictEqual(yield* connected, 1)
    }).pipe(Effect.provide(brokerWith())))

  it.effect("a client without heartbeats gets none and may be silent", () =>
    Effect.gen(function*() {
      const client = yield* identified({ heartbeat_interval: -1 })
      yield* TestClock.adjust("1 hour")
      yield* client.send(pub("a"))
      assert.strictEqual(yield* client.text, "OK")
    }).pipe(Effect.provide(brokerWith())))

  it.effect("a second IDENTIFY starts heartbeats that the first one disabled", () =>
    Effect.gen(function*() {
      const client = yield* identified({ heartbeat_interval: -1 })
      yield* TestClock.adjust("1 hour")
      yield* client.send({ _tag: "IDENTIFY", body: Buffer.from(JSON.stringify({ heartbeat_interval: 1000 })) })
      assert.strictEqual(yield* client.text, "OK")
      yield* TestClock.adjust(1000)
      assert.strictEqual(yield* client.text, "_heartbeat_")
      const end = yield* Effect.forkChild(client.text, { startImmediately: true })
      yield* TestClock.adjust(1000)
      assert.isUndefined(yield* Fiber.join(end))
    }).pipe(Effect.provide(brokerWith())))

  it.effect("the time of a command that waits for the disk does not count as the client's silence", () =>
    Effect.gen(function*() {
      const faults = yield* FaultyStorage.StorageFaults
      const client = yield* identified({ heartbeat_interval: 1000 })
      yield* faults.holdWrites
      yield* client.send(pub("slow"))
      yield* until(() => faults.counts().writes > 0)
      for (let i = 0; i < 5; i++) {
        yield* TestClock.adjust(1000)
        assert.strictEqual(yield* client.text, "_heartbeat_")
      }
      yield* faults.resumeWrites
      assert.strictEqual(yield* client.text, "OK")
    }).pipe(Effect.provide(faultyBroker({ memQueueSize: 0 }))))
})

describe("the magic", () => {
  it.effect("a client that sends no magic is closed after a minute", () =>
    Effect.gen(function*() {
      const network = yield* MemoryNetwork
      const peer = yield* network.connect(TestBroker.address)
      peer.write(Buffer.from("  V"))
      const end = yield* Effect.forkChild(peer.read, { startImmediately: true })
      yield* TestClock.adjust(59_999)
      yield* untilIdle
      assert.isUndefined(end.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.isUndefined(yield* Fiber.join(end))
    }).pipe(Effect.provide(brokerWith())))

  it.effect("the magic may arrive in pieces", () =>
    Effect.gen(function*() {
      const network = yield* MemoryNetwork
      const peer = yield* network.connect(TestBroker.address)
      for (const byte of "  V2PUB t\n") {
        peer.write(Buffer.from(byte))
        yield* untilIdle
      }
      peer.write(Buffer.from([0, 0, 0, 1, 97]))
      assert.strictEqual(yield* ProtocolClient.over(peer).text, "OK")
    }).pipe(Effect.provide(brokerWith())))

  it.effect("the magic of another protocol is refused", () =>
    Effect.gen(function*() {
      const network = yield* MemoryNetwork
      const peer = yield* network.connect(TestBroker.address)
      peer.write(Buffer.from("GET / HTTP/1.1\r\n"))
      const client = ProtocolClient.over(peer)
      assert.strictEqual(yield* client.text, "E_BAD_PROTOCOL")
      assert.isUndefined(yield* client.text)
      assert.strictEqual(yield* connected, 0)
    }).pipe(Effect.provide(brokerWith())))
})

describe("a client that misbehaves", () => {
  const endings: ReadonlyArray<readonly [name: string, bytes: string, answer: RegExp | undefined]> = [
    ["garbage", "\x00\xff\x01\xfe\n", /^E_INVALID/],
    ["an unknown command", "HELLO\n", /^E_INVALID invalid command HELLO/],
    ["an oversize body", "PUB t\n\x7f\xff\xff\xff", /^E_BAD_MESSAGE/],
    ["a negative body", "PUB t\n\xff\xff\xff\xff", /^E_BAD_MESSAGE/],
    ["a bad topic", "PUB t$\n\x00\x00\x00\x01a", /^E_BAD_TOPIC/],
    ["a lying MPUB", "MPUB t\n\x00\x00\x00\x0c\x00\x00\x00\x01\x7f\xff\xff\xff", /^E_BAD_MESSAGE/],
    ["an endless line", "A".repeat(100_000), undefined]
  ]
  for (const [name, bytes, answer] of endings) {
    it.effect(`a client gets an error and is closed for ${name}, and other clients are not affected`, () =>
      Effect.gen(function*() {
        const other = yield* bystander
        const client = yield* connect
        yield* client.raw(Buffer.from(bytes, "latin1"))
        if (answer !== undefined) assert.match((yield* client.text) ?? "the end", answer)
        assert.isUndefined(yield* client.text)
        yield* servesWell(other)
        assert.strictEqual(yield* connected, 1)
      }).pipe(Effect.provide(brokerWith())))
  }

  for (const half of ["PUB", "PUB t\n\x00\x00", "PUB t\n\x00\x00\x10\x00half of it", "FIN 0123456789"]) {
    it.effect(`a client that is silent after ${JSON.stringify(half)} is closed by the heartbeats, and other clients are not affected`, () =>
      Effect.gen(function*() {
        const other = yield* bystander
        const client = yield* identified({ heartbeat_interval: 1000 })
        yield* client.raw(Buffer.from(half, "latin1"))
        yield* TestClock.adjust(1000)
        assert.strictEqual(yield* client.text, "_heartbeat_")
        yield* servesWell(other)
        yield* TestClock.adjust(1000)
        assert.isUndefined(yield* client.text)
        assert.strictEqual(yield* connected, 1)
      }).pipe(Effect.provide(brokerWith())))
  }

  it.effect("a client that sends an IDENTIFY byte by byte for more than a minute is closed by the heartbeats", () =>
    Effect.gen(function*() {
      const client = yield* connect
      yield* client.raw("IDENTIFY\n\0\0\0\x40")
      yield* untilIdle
      for (let seconds = 0; seconds < 60; seconds += 5) {
        assert.strictEqual(yield* connected, 1)
        yield* client.raw(" ")
        yield* TestClock.adjust(5000)
      }
      assert.strictEqual(yield* client.text, "_heartbeat_")
      assert.isUndefined(yield* client.text)
      assert.strictEqual(yield* connected, 0)
    }).pipe(Effect.provide(brokerWith())))

  it.effect("a client that never identifies, publishes sometimes and responds to heartbeats stays connected", () =>
    Effect.gen(function*() {
      const client = yield* connect
      for (let i = 0; i < 4; i++) {
        yield* TestClock.adjust(30_000)
        assert.strictEqual(yield* client.text, "_heartbeat_")
        yield* client.send(nop)
        yield* untilIdle
      }
      yield* servesWell(client)
    }).pipe(Effect.provide(brokerWith())))

  it.effect("a client that does not read gets a bounded amount, is disconnected, and its messages go to others", () =>
    Effect.gen(function*() {
      const body = "x".repeat(50_000)
      yield* publishAll(Array.from({ length: 200 }, () => body))
      const scope = yield* Scope.make()
      const deaf = yield* Scope.provide(subscribed(2000, { heartbeat_interval: 10_000 }), scope)
      const { inFlightCount } = yield* Effect.tap(channelOf("t", "c"), (c) => until(() => c.inFlightCount > 0))
      // The network takes 256 KiB, 1 MiB may be pending, and a run of frames is not split.
      assert.isBelow(inFlightCount * body.length, 2 * 1024 * 1024)
      const keepAlive = Effect.gen(function*() {
        for (let i = 0; i < 9; i++) {
          yield* deaf.send(nop)
          yield* TestClock.adjust(1000)
        }
      })
      yield* keepAlive
      assert.strictEqual(yield* connected, 1)
      yield* deaf.send(nop)
      yield* TestClock.adjust(1000)
      yield* untilIdle
      assert.strictEqual(yield* connected, 0, "it is still connected")
      // Acknowledges nothing before it has all messages, so only its reading makes the daemon send more.
      const reader = yield* subscribed(200, unbuffered)
      const reading = yield* Effect.forkChild(Effect.replicateEffect(reader.message, 200))
      while (reading.pollUnsafe() === undefined) yield* TestClock.adjust(5)
      assert.isTrue((yield* Fiber.join(reading)).every((message) => message.body.length === body.length))
      yield* Scope.close(scope, Exit.void)
    }).pipe(Effect.provide(brokerWith())))

  it.effect("a client that does not read its responses is not read from", () =>
    Effect.gen(function*() {
      const topic = yield* topicOf("t")
      const deaf = yield* identified({ heartbeat_interval: 60_000 })
      // Ten bytes of response per ten bytes of command: far more than network and outbox hold.
      const pubs = Buffer.concat(
        Array.from({ length: 10_000 }, () => Buffer.from("PUB t\n\x00\x00\x00\x01a", "latin1"))
      )
      for (let i = 0; i < 50; i++) yield* deaf.raw(pubs)
      yield* until(() => topic.messageCount > 100_000)
      yield* untilIdle
      assert.isBelow(topic.messageCount, 400_000)
      yield* TestClock.adjust(60_000)
      yield* untilIdle
      assert.strictEqual(yield* connected, 0)
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 1_000_000 }))))
})

describe("with --max-connections", () => {
  it.effect("a client above --max-connections gets an error and is closed, and a disconnect makes room", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const [first, second] = [yield* connect, yield* Scope.provide(connect, scope)]
      yield* servesWell(first)
      yield* servesWell(second)
      const third = yield* connect
      assert.strictEqual(yield* third.text, "E_INVALID too many connections, 2 are allowed")
      assert.isUndefined(yield* third.text)
      yield* servesWell(first)
      yield* Scope.close(scope, Exit.void)
      yield* untilIdle
      yield* servesWell(yield* connect)
    }).pipe(Effect.provide(brokerWith({ maxConnections: 2 }))))
})

describe("output", () => {
  it.effect("a consumer that acknowledges nothing receives all the messages it is ready for", () =>
    Effect.gen(function*() {
      const body = "x".repeat(4096)
      yield* publishAll(Array.from({ length: 2500 }, () => body))
      const consumer = yield* subscribed(2500, unbuffered)
      const reading = yield* Effect.forkChild(Effect.replicateEffect(consumer.message, 2500))
      while (reading.pollUnsafe() === undefined) yield* TestClock.adjust(5)
      assert.lengthOf(yield* Fiber.join(reading), 2500)
    }).pipe(Effect.provide(brokerWith())))

  it.effect("a consumer that pauses with RDY 0 receives the rest when it is ready again", () =>
    Effect.gen(function*() {
      const body = "x".repeat(50_000)
      yield* publishAll(Array.from({ length: 100 }, () => body))
      const consumer = yield* subscribed(50, unbuffered)
      for (let i = 0; i < 50; i++) yield* consumer.message
      yield* consumer.send(rdy(0))
      yield* untilIdle
      yield* consumer.send(rdy(100))
      const reading = yield* Effect.forkChild(Effect.replicateEffect(consumer.message, 50))
      while (reading.pollUnsafe() === undefined) yield* TestClock.adjust(5)
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 0 }))))

  it.effect("single messages for a busy consumer wait at most 5 ms, in order", () =>
    Effect.gen(function*() {
      const consumer = yield* subscribed(10)
      yield* publishAll(numbers(6))
      for (const body of numbers(6)) assert.strictEqual(Buffer.from((yield* consumer.message).body).toString(), body)
      yield* publishAll(["late"])
      const late = yield* Effect.forkChild(consumer.text, { startImmediately: true })
      yield* untilIdle
      yield* TestClock.adjust(4)
      yield* untilIdle
      assert.isUndefined(late.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(late), "late")
    }).pipe(Effect.provide(brokerWith())))

  it.effect("messages for an idle consumer, or one without output buffer, are sent at once", () =>
    Effect.gen(function*() {
      const consumer = yield* subscribed(10, unbuffered)
      for (const body of numbers(10)) {
        yield* publishAll([body])
        assert.strictEqual(Buffer.from((yield* consumer.message).body).toString(), body)
      }
    }).pipe(Effect.provide(brokerWith())))

  it.effect("a response is never held back and takes the messages before it along", () =>
    Effect.gen(function*() {
      const consumer = yield* subscribed(10)
      yield* publishAll(numbers(6))
      for (let i = 0; i < 6; i++) yield* consumer.message
      yield* publishAll(["held back"])
      yield* consumer.send(pub("mine"))
      const texts = [yield* consumer.text, yield* consumer.text]
      assert.includeMembers(texts, ["held back", "OK"])
    }).pipe(Effect.provide(brokerWith())))
})

describe("the end of a connection", () => {
  it.effect("a client that closes its sending side can read its responses", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const client = yield* Scope.provide(connect, scope)
      yield* client.send(pub("last words"))
      yield* Scope.close(scope, Exit.void)
      assert.strictEqual(yield* client.text, "OK")
      assert.isUndefined(yield* client.text)
      assert.strictEqual((yield* topicOf("t")).depth, 1)
    }).pipe(Effect.provide(brokerWith())))

  it.effect("messages in flight of a disconnected client go to others at once", () =>
    Effect.gen(function*() {
      const lost = yield* subscribed(5, unbuffered)
      yield* publishAll(numbers(5))
      for (let i = 0; i < 5; i++) yield* lost.message
      const other = yield* subscribed(5, unbuffered)
      yield* lost.peer.breakOff
      for (let i = 0; i < 5; i++) assert.strictEqual((yield* other.message).attempts, 2)
    }).pipe(Effect.provide(brokerWith())))

  it.effect("after CLS messages in flight can be acknowledged", () =>
    Effect.gen(function*() {
      const client = yield* subscribed(1)
      yield* publishAll(numbers(2))
      const { id } = yield* client.message
      yield* client.send({ _tag: "CLS" }, rdy(5), { _tag: "FIN", id })
      assert.strictEqual(yield* client.text, "CLOSE_WAIT")
      const found = yield* channelOf("t", "c")
      yield* until(() => found.inFlightCount === 0)
      yield* untilIdle
      assert.strictEqual(found.depth, 1)
    }).pipe(Effect.provide(brokerWith())))

  it.effect("thousands of connections leave nothing behind", () =>
    Effect.gen(function*() {
      const clients = yield* Clients
      const found = yield* channelOf("t", "c")
      for (let i = 0; i < 2000; i++) {
        const scope = yield* Scope.make()
        const client = yield* Scope.provide(connect, scope)
        yield* client.send({ _tag: "SUB", topic, channel }, rdy(1), pub("a"))
        if (i % 3 === 0) yield* client.text
        if (i % 3 === 1) yield* client.peer.breakOff
        yield* Scope.close(scope, Exit.void)
      }
      yield* until(() => Array.from(clients.all()).length === 0)
      assert.strictEqual(found.subscriptions.length, 0)
      assert.strictEqual(found.inFlightCount, 0)
    }).pipe(Effect.provide(brokerWith())), 240_000)
})

describe("publishing", () => {
  it.effect("pipelined PUBs of which the disk refuses some each get their own response", () =>
    Effect.gen(function*() {
      const faults = yield* FaultyStorage.StorageFaults
      const topic = yield* topicOf("t")
      yield* faults.failWrites("no space left on device")
      const client = yield* connect
      yield* client.send(pub("one"), pub("two"), pub("three"))
      assert.strictEqual(yield* client.text, "OK")
      assert.strictEqual(yield* client.text, "OK")
      assert.strictEqual(yield* client.text, "E_PUB_FAILED PUB failed no space left on device")
      assert.isUndefined(yield* client.text)
      assert.deepStrictEqual([topic.messageCount, topic.messageBytes, topic.depth], [2, 6, 2])
    }).pipe(Effect.provide(faultyBroker({ memQueueSize: 2 }))))
})

describe("shutting down", () => {
  it.effect("a stopping daemon accepts no clients, closes those it has, and keeps their messages", () =>
    Effect.gen(function*() {
      const storage = yield* Layer.build(FaultyStorage.layer)
      const layer = Layer.fresh(TestBroker.layerNoStorage()).pipe(Layer.provide(quiet))
      const scope = yield* Scope.make()
      const context = yield* Layer.build(layer).pipe(Effect.provideContext(storage), Scope.provide(scope))
      const client = yield* subscribed(3, unbuffered).pipe(Effect.provideContext(context))
      yield* publishAll(numbers(5)).pipe(Effect.provideContext(context))
      for (let i = 0; i < 3; i++) yield* client.message
      yield* Scope.close(scope, Exit.void)
      assert.isUndefined(yield* client.text)
      const refused = yield* Effect.flip(Context.get(context, MemoryNetwork).connect(TestBroker.address))
      assert.match(refused.message, /connection refused$/)
      yield* Effect.gen(function*() {
        const again = yield* subscribed(5, unbuffered)
        const bodies: Array<string> = []
        for (let i = 0; i < 5; i++) bodies.push(Buffer.from((yield* again.message).body).toString())
        assert.deepStrictEqual(bodies.toSorted(), numbers(5))
      }).pipe(Effect.provide(Layer.fresh(layer)), Effect.provideContext(storage))
    }))
})

describe("a client that does not keep up", () => {
  const body = "x".repeat(4096)

  /** Reads the received bytes as one piece; returns the number of messages that end in it. */
  const messagesIn = (decoder: FrameDecoder, client: ProtocolClient.ProtocolClient) =>
    Effect.gen(function*() {
      decoder.feed((yield* client.peer.read) ?? Buffer.alloc(0))
      let count = 0
      for (let frame = decoder.next(); frame !== undefined; frame = decoder.next()) {
        if (!(frame instanceof FrameError) && frame.type === FrameType.message) count++
      }
      return count
    })

  it.effect("a slow client that reads something in each heartbeat interval gets everything", () =>
    Effect.gen(function*() {
      yield* channelOf("t", "c")
      yield* publishAll(Array.from({ length: 600 }, () => body))
      const client = yield* subscribed(600, { heartbeat_interval: 1000, ...unbuffered })
      const decoder = new FrameDecoder()
      let received = 0
      let seconds = 0
      for (; received < 600; seconds++) {
        received += yield* messagesIn(decoder, client)
        yield* client.send(nop)
        yield* TestClock.adjust("1 second")
      }
      assert.isAbove(seconds, 5)
    }).pipe(Effect.provide(brokerWith())))

  it.effect("a client that reads nothing for a heartbeat interval is disconnected", () =>
    Effect.gen(function*() {
      yield* channelOf("t", "c")
      yield* publishAll(Array.from({ length: 600 }, () => body))
      const client = yield* subscribed(600, { heartbeat_interval: 1000, ...unbuffered })
      yield* untilIdle
      yield* client.send(nop)
      assert.strictEqual(yield* connected, 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* connected, 0)
    }).pipe(Effect.provide(brokerWith())))
})

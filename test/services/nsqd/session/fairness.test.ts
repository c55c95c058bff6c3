/**
 * Clients that send long work: other clients are served before it is complete.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { encodeCommand } from "../../../../src/protocol/client/Command.ts"
import { ChannelName, TopicName } from "../../../../src/protocol/client/Names.ts"
import { Turns, unlimited } from "../../../../src/services/core/Turns.ts"
import * as DeflateConnection from "../../../../src/services/net/DeflateConnection.ts"
import * as SnappyCodecs from "../../../../src/services/net/SnappyCodecs.ts"
import * as SnappyConnection from "../../../../src/services/net/SnappyConnection.ts"
import { Clients } from "../../../../src/services/nsqd/broker/Clients.ts"
import { largeCommandBytes, maxLargeCommands } from "../../../../src/services/nsqd/session/LargeCommands.ts"
import { ProtocolClient, TestBroker, until } from "../../../../src/testing/index.ts"
import { makeTurns } from "../../core/turns.ts"
import { brokerWith, topicOf } from "../broker/testing.ts"

const topic = TopicName.make("t")

const pub = (name: string): Buffer =>
  encodeCommand({ _tag: "PUB", topic: TopicName.make(name), body: Buffer.from("x") })

const connect = ProtocolClient.connect(TestBroker.address)

const connectSnappy = Effect.gen(function*() {
  const client = yield* connect
  const body = Buffer.from(JSON.stringify({ snappy: true, feature_negotiation: true }))
  yield* client.send({ _tag: "IDENTIFY", body })
  assert.match((yield* client.text) ?? "", /"snappy":true/)
  const inner = SnappyConnection.make(client.peer, yield* SnappyCodecs.load, unlimited)
  const inside = ProtocolClient.over(inner)
  assert.strictEqual(yield* inside.text, "OK")
  return inside
})

const connectDeflate = Effect.gen(function*() {
  const client = yield* connect
  yield* client.send({
    _tag: "IDENTIFY",
    body: Buffer.from(JSON.stringify({ deflate: true, feature_negotiation: true }))
  })
  assert.match((yield* client.text) ?? "", /"deflate":true/)
  const inside = ProtocolClient.over(yield* DeflateConnection.make(client.peer, 9))
  assert.strictEqual(yield* inside.text, "OK")
  return inside
})

const nops = Buffer.alloc(1_000_000, "NOP\n")
const messages = (count: number) => Array.from({ length: count }, () => Buffer.from("x"))
const mpub = (count: number): Buffer => {
  const body = Buffer.alloc(4 + 5 * count, Buffer.from([0, 0, 0, 1, 120]))
  body.writeInt32BE(count, 0)
  body.fill(Buffer.from([0, 0, 0, 1, 120]), 4)
  const head = Buffer.from("MPUB t\n\0\0\0\0", "latin1")
  head.writeInt32BE(body.length, head.length - 4)
  return Buffer.concat([head, body])
}

/**
 * What a client sends, the number of OKs or errors it gets, and the minimum number of turns of others that it waits
 * for.
 */
const floods = [
  { name: "a million bytes of NOPs", connect, bytes: nops, replies: 0, turns: 200 },
  {
    name: "a few kilobytes that expand to a million bytes of NOPs",
    connect: connectSnappy,
    bytes: nops,
    replies: 0,
    turns: 200
  },
  {
    name: "a kilobyte that inflates to a million bytes of NOPs",
    connect: connectDeflate,
    bytes: nops,
    replies: 0,
    turns: 200
  },
  {
    name: "publishes of large bodies",
    connect,
    bytes: Buffer.concat(
      Array.from({ length: 40 }, () => encodeCommand({ _tag: "PUB", topic, body: Buffer.alloc(1_000_000) }))
    ),
    replies: 40,
    turns: 10
  },
  {
    name: "publishes of one topic",
    connect,
    bytes: Buffer.concat(messages(20_000).map(() => pub("t"))),
    replies: 20_000,
    turns: 3
  },
  {
    name: "publishes of two topics in turn",
    connect,
    bytes: Buffer.concat(messages(5000).flatMap(() => [pub("t"), pub("u")])),
    replies: 10_000,
    turns: 8
  },
  { name: "one MPUB of very many messages", connect, bytes: mpub(200_000), replies: 1, turns: 10 }
]

describe("a client that sends", () => {
  for (const { bytes, connect: open, name, replies, turns: least } of floods) {
    it.effect(`a client that sends ${name} does not make others wait until all of it is done`, () => {
      const turns = makeTurns()
      return Effect.gen(function*() {
        const other = yield* connect
        const flood = yield* open
        const topicOfOther = yield* topicOf("other")
        let served = 0
        turns.meanwhile(Effect.orDie(Effect.gen(function*() {
          yield* other.raw(pub("other"))
          assert.strictEqual(yield* other.text, "OK")
          assert.strictEqual(topicOfOther.messageCount, ++served)
        })))
        yield* flood.raw(Buffer.concat([bytes, pub("end")]))
        for (let i = 0; i < replies + 1; i++) assert.strictEqual(yield* flood.text, "OK")
        assert.isAtLeast(served, least)
        assert.strictEqual(turns.taken(), served)
      }).pipe(Effect.provide(brokerWith().pipe(Layer.provide(Layer.succeed(Turns, turns.turns)))))
    })
  }

  it.effect("a client that sends thousands of FINs at once does not make others wait until all are done", () => {
    const turns = makeTurns()
    return Effect.gen(function*() {
      const count = 2500
      const other = yield* connect
      const consumer = yield* connect
      yield* other.raw(mpub(count))
      assert.strictEqual(yield* other.text, "OK")
      const channel = ChannelName.make("c")
      yield* consumer.send({ _tag: "SUB", topic, channel }, { _tag: "RDY", count })
      assert.strictEqual(yield* consumer.text, "OK")
      const fins: Array<Buffer> = []
      while (fins.length < count) fins.push(encodeCommand({ _tag: "FIN", id: (yield* consumer.message).id }))
      const opened = (yield* topicOf(topic)).channel(channel)
      const left: Array<number> = []
      turns.meanwhile(Effect.orDie(Effect.gen(function*() {
        yield* other.raw(pub("other"))
        assert.strictEqual(yield* other.text, "OK")
        left.push(opened?.inFlightCount ?? 0)
      })))
      yield* consumer.raw(Buffer.concat([...fins, pub("end")]))
      assert.strictEqual(yield* consumer.text, "OK")
      assert.strictEqual(opened?.inFlightCount, 0)
      assert.isAtLeast(left.filter((messages) => messages > 0).length, 3)
    }).pipe(Effect.provide(brokerWith().pipe(Layer.provide(Layer.succeed(Turns, turns.turns)))))
  })

  it.effect("a large MPUB publishes each of its messages once", () => {
    const turns = makeTurns()
    return Effect.gen(function*() {
      const client = yield* connect
      const count = 100_000
      yield* client.raw(mpub(count))
      assert.strictEqual(yield* client.text, "OK")
      const published = yield* topicOf(topic)
      assert.strictEqual(published.messageCount, count)
      assert.strictEqual(published.messageBytes, count)
      assert.strictEqual(published.depth, count)
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 10 }).pipe(Layer.provide(Layer.succeed(Turns, turns.turns)))))
  })
})

describe("clients that do not finish their commands", () => {
  it.effect("incomplete commands hold only the received bytes, are counted, and are closed even if bytes keep arriving", () =>
    Effect.gen(function*() {
      const clients = yield* Clients
      const unfinished = () =>
        Array.from(clients.all()).reduce((sum, client) => sum + client.stats().unfinishedBytes, 0)
      const count = 200
      // A megabyte is announced and a few hundred bytes are sent.
      const sizes = Buffer.alloc(12)
      sizes.writeInt32BE(1_000_008, 0)
      sizes.writeInt32BE(1, 4)
      sizes.writeInt32BE(1_000_000, 8)
      const start = Buffer.concat([Buffer.from("MPUB t\n"), sizes, Buffer.alloc(300, "x")])
      const held = yield* Effect.forEach(Array.from({ length: count }), () => connect)
      for (const client of held) yield* client.raw(start)
      yield* until(() => unfinished() === count * start.length)
      for (let second = 0; second < 59; second++) {
        for (const client of held) yield* client.raw("x")
        yield* TestClock.adjust("1 second")
      }
      yield* until(() => unfinished() === count * (start.length + 59))
      yield* TestClock.adjust("1 second")
      yield* until(() => Array.from(clients.all()).length === 0)
      assert.strictEqual(unfinished(), 0)
    }).pipe(Effect.provide(brokerWith())))

  it.effect("a bounded number of incomplete large commands is buffered; the next one is read once one of them is closed", () =>
    Effect.gen(function*() {
      const clients = yield* Clients
      const unfinished = () =>
        Array.from(clients.all()).reduce((sum, client) => sum + client.stats().unfinishedBytes, 0)
      const whole = mpub(150_000)
      const beginning = whole.subarray(0, largeCommandBytes)
      const held = yield* Effect.forEach(Array.from({ length: maxLargeCommands }), () => connect)
      for (const client of held) yield* client.raw(beginning)
      yield* until(() => unfinished() === maxLargeCommands * beginning.length)
      yield* TestClock.adjust("40 seconds")

      const honest = yield* connect
      yield* honest.raw(beginning)
      yield* until(() => unfinished() === (maxLargeCommands + 1) * beginning.length)
      // Small commands of other clients are served.
      const other = yield* connect
      yield* other.raw(pub("other"))
      assert.strictEqual(yield* other.text, "OK")
      // The rest is not read while all permits are taken.
      yield* honest.raw(whole.subarray(beginning.length))
      assert.strictEqual(unfinished(), (maxLargeCommands + 1) * beginning.length)
      yield* TestClock.adjust("20 seconds")
      let text = yield* honest.text
      while (text === "_heartbeat_") text = yield* honest.text
      assert.strictEqual(text, "OK")
      assert.strictEqual((yield* topicOf(topic)).messageCount, 150_000)
    }).pipe(Effect.provide(brokerWith())))
})

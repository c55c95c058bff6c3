import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import * as Zlib from "node:zlib"
import { unlimited } from "../../../../../src/services/core/Turns.ts"
import * as DeflateConnection from "../../../../../src/services/net/DeflateConnection.ts"
import * as SnappyCodecs from "../../../../../src/services/net/SnappyCodecs.ts"
import * as SnappyConnection from "../../../../../src/services/net/SnappyConnection.ts"
import type { Connection } from "../../../../../src/services/net/Transport.ts"
import { Clients } from "../../../../../src/services/nsqd/broker/Clients.ts"
import { ProtocolClient, TestBroker } from "../../../../../src/testing/index.ts"
import type { Peer } from "../../../../../src/testing/MemoryTransport.ts"
import { noise } from "../../../net/connections.ts"
import * as UnusedTls from "../../../net/unusedTls.ts"

const sized = (body: string | Uint8Array): Buffer => {
  const bytes = Buffer.from(body)
  const size = Buffer.alloc(4)
  size.writeInt32BE(bytes.length)
  return Buffer.concat([size, bytes])
}

const identify = (features: object): Buffer =>
  Buffer.concat([Buffer.from("IDENTIFY\n"), sized(JSON.stringify({ feature_negotiation: true, ...features }))])

const pub = (topic: string, body: string | Uint8Array): Buffer =>
  Buffer.concat([Buffer.from(`PUB ${topic}\n`), sized(body)])

/** A client that has sent IDENTIFY, and the response. */
const identified = Effect.fnUntraced(function*(features: object) {
  const client = yield* ProtocolClient.connect(TestBroker.address)
  yield* client.raw(identify(features))
  const answer: Record<string, unknown> = JSON.parse((yield* client.text) ?? "")
  return { peer: client.peer, answer }
})

const compressions = {
  deflate: (peer: Peer) => DeflateConnection.make(peer, 6),
  snappy: (peer: Peer) => Effect.map(SnappyCodecs.load, (codec) => SnappyConnection.make(peer, codec, unlimited))
}

/** A client on a compressed connection that has received its OK. */
const compressed = Effect.fnUntraced(function*(how: keyof typeof compressions, features: object = {}) {
  const { answer, peer } = yield* identified({ [how]: true, ...features })
  assert.strictEqual(answer[how], true)
  const connection: Connection = yield* compressions[how](peer)
  const client = ProtocolClient.over(connection)
  assert.strictEqual(yield* client.text, "OK")
  return { ...client, peer }
})

/** Reads until the server closes the connection. */
const ended = (peer: Peer) =>
  Effect.gen(function*() {
    while ((yield* peer.read) !== undefined);
  })

/** Asserts that the broker still serves, and that it has no topic of the refused commands. */
const alive = Effect.gen(function*() {
  const client = yield* ProtocolClient.connect(TestBroker.address)
  yield* client.raw(pub("alive", "x"))
  assert.strictEqual(yield* client.text, "OK")
})

describe("an upgrade of a connection", () => {
  for (const how of ["deflate", "snappy"] as const) {
    it.effect(`a connection upgraded to ${how} carries commands, messages, heartbeats and errors`, () =>
      Effect.gen(function*() {
        const client = yield* compressed(how, { heartbeat_interval: 1000 })
        const bodies = [Buffer.from("small"), Buffer.alloc(500_000, "ab"), noise(200_000)]
        yield* client.raw("SUB t c\n")
        assert.strictEqual(yield* client.text, "OK")
        for (const body of bodies) {
          yield* client.raw(pub("t", body))
          assert.strictEqual(yield* client.text, "OK")
        }
        yield* client.raw("RDY 1\n")
        for (const body of bodies) {
          const message = yield* client.message
          assert.isTrue(Buffer.from(message.body).equals(body))
          yield* client.raw(`FIN ${message.id}\n`)
        }
        yield* TestClock.adjust(1000)
        assert.strictEqual(yield* client.text, "_heartbeat_")
        yield* client.raw("PUB bad/name\n")
        assert.strictEqual(yield* client.text, "E_BAD_TOPIC PUB topic name \"bad/name\" is not valid")
        yield* ended(client.peer)
      }).pipe(Effect.provide(TestBroker.layer())))

    it.effect(`an upgrade to ${how} is visible in the statistics and happens once`, () =>
      Effect.gen(function*() {
        const client = yield* compressed(how)
        yield* client.raw(identify({ deflate: true, snappy: true, tls_v1: true }))
        const again = JSON.parse((yield* client.text) ?? "")
        assert.deepStrictEqual([again.deflate, again.snappy, again.tls_v1], [false, false, false])
        const [shown] = Array.from((yield* Clients).all(), (client) => client.stats())
        assert.strictEqual(shown?.deflate, how === "deflate")
        assert.strictEqual(shown?.snappy, how === "snappy")
        assert.isUndefined(shown?.tls)
        yield* client.raw(pub("t", "x"))
        assert.strictEqual(yield* client.text, "OK")
      }).pipe(Effect.provide(TestBroker.layer())))

    it.effect(`a connection upgraded to ${how} ends at invalid bytes, and other clients are not affected`, () =>
      Effect.gen(function*() {
        const other = yield* compressed(how)
        const { peer } = yield* compressed(how)
        peer.write(Buffer.alloc(300, 0x66))
        yield* ended(peer)
        yield* other.raw(pub("t", "x"))
        assert.strictEqual(yield* other.text, "OK")
        yield* alive
      }).pipe(Effect.provide(TestBroker.layer())))

    it.effect(`an upgrade to ${how} refuses data sent before its end`, () =>
      Effect.gen(function*() {
        const client = yield* ProtocolClient.connect(TestBroker.address)
        yield* client.raw(Buffer.concat([identify({ [how]: true }), pub("early", "x")]))
        assert.match((yield* client.text) ?? "", /^\{/)
        assert.strictEqual(yield* client.text, "E_IDENTIFY_FAILED IDENTIFY failed data before the end of the upgrade")
        yield* ended(client.peer)
        yield* alive
      }).pipe(Effect.provide(TestBroker.layer())))

    it.effect(`an upgrade to ${how} is not offered if it is disabled`, () =>
      Effect.gen(function*() {
        const { answer, peer } = yield* identified({ [how]: true })
        assert.strictEqual(answer[how], false)
        const client = ProtocolClient.over(peer)
        yield* client.raw(pub("t", "x"))
        assert.strictEqual(yield* client.text, "OK")
      }).pipe(Effect.provide(TestBroker.layer({ [how]: false }))))
  }

  it.effect("plain bytes after an IDENTIFY that negotiates an upgrade are never read as commands", () =>
    Effect.gen(function*() {
      const { peer } = yield* identified({ snappy: true })
      peer.write(pub("early", "x"))
      yield* ended(peer)
      yield* alive
      const topics = Array.from((yield* Clients).all(), (client) => [...client.stats().published.keys()])
      assert.isFalse(topics.flat().includes("early"))
    }).pipe(Effect.provide(TestBroker.layer())))

  it.effect("an upgrade to both compressions is refused", () =>
    Effect.gen(function*() {
      const client = yield* ProtocolClient.connect(TestBroker.address)
      yield* client.raw(identify({ deflate: true, snappy: true }))
      const refused = "E_IDENTIFY_FAILED cannot enable both deflate and snappy compression"
      assert.strictEqual(yield* client.text, refused)
      yield* ended(client.peer)
    }).pipe(Effect.provide(TestBroker.layer())))

  it.effect("an upgrade to TLS is not offered without a certificate", () =>
    Effect.gen(function*() {
      const { answer } = yield* identified({ tls_v1: true })
      assert.strictEqual(answer.tls_v1, false)
    }).pipe(Effect.provide(TestBroker.layer())))

  it.effect("if TLS is required every command except IDENTIFY is refused before the upgrade", () =>
    Effect.gen(function*() {
      for (const line of ["NOP", "PUB t", "RDY 1", "FIN 0123456789abcdef", "nonsense"]) {
        const client = yield* ProtocolClient.connect(TestBroker.address)
        yield* client.raw(`${line}\n`)
        const [name] = line.split(" ")
        assert.strictEqual(yield* client.text, `E_INVALID cannot ${name} in current state (TLS required)`)
        yield* ended(client.peer)
      }
      const { peer } = yield* identified({})
      const client = ProtocolClient.over(peer)
      yield* client.raw("NOP\n")
      assert.strictEqual(yield* client.text, "E_INVALID cannot NOP in current state (TLS required)")
    }).pipe(Effect.provide(TestBroker.layer({ tlsRequired: "tcp-https" }).pipe(Layer.provide(UnusedTls.layer)))))

  it.effect("a deflate stream that expands beyond the limits ends the connection without using more memory", () =>
    Effect.gen(function*() {
      const sync = { finishFlush: Zlib.constants.Z_SYNC_FLUSH }
      const zeros = Zlib.deflateRawSync(Buffer.alloc(64 * 1024 * 1024), sync)
      const size = Buffer.from([0x7f, 0xff, 0xff, 0xff])
      const line = Zlib.deflateRawSync(Buffer.from("x"), sync)
      const tooBig = Zlib.deflateRawSync(Buffer.concat([Buffer.from("PUB t\n"), size]), sync)
      for (const [start, answer] of [[line, undefined], [tooBig, /^E_BAD_MESSAGE PUB message too big/]] as const) {
        const client = yield* compressed("deflate")
        const before = process.memoryUsage().arrayBuffers
        client.peer.write(start)
        for (let i = 0; i < 16; i++) client.peer.write(zeros)
        const text = yield* client.text
        if (answer === undefined) assert.isUndefined(text)
        else assert.match(text ?? "", answer)
        yield* ended(client.peer)
        assert.isBelow(process.memoryUsage().arrayBuffers - before, 64 * 1024 * 1024)
      }
      yield* alive
    }).pipe(Effect.provide(TestBroker.layer())))
})

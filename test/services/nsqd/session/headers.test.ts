/** Headers of messages over TCP: their negotiation, HPUB, and what each kind of client receives. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Broker, Options, Publisher, Storage, TcpServer } from "../../../../src/broker.ts"
import type { Command } from "../../../../src/protocol/client/Command.ts"
import { FrameType } from "../../../../src/protocol/client/Frame.ts"
import { readHeaders } from "../../../../src/protocol/client/Headers.ts"
import { decodeMessageWithHeaders } from "../../../../src/protocol/client/Message.ts"
import { ChannelName, TopicName } from "../../../../src/protocol/client/Names.ts"
import { DaemonState } from "../../../../src/services/core/DaemonState.ts"
import { Clients } from "../../../../src/services/nsqd/broker/Clients.ts"
import { Idle, MemoryTransport, ProtocolClient } from "../../../../src/testing/index.ts"
import { quiet } from "../broker/testing.ts"

const topic = TopicName.make("orders")
const address = "127.0.0.1:4150"

const server = TcpServer.layer.pipe(
  Layer.provideMerge(Layer.mergeAll(Publisher.layer, Clients.layer)),
  Layer.provideMerge(Broker.layer),
  Layer.provideMerge(MemoryTransport.layer),
  Layer.provide(Layer.mergeAll(DaemonState.layer, Storage.layerMemory)),
  Layer.provide(Options.layer({ tcpAddress: address, nodeId: 0, maxMsgSize: 1000 })),
  Layer.provide(quiet),
  Layer.provideMerge(Idle.layer)
)

const identify = (request: object): Command => ({ _tag: "IDENTIFY", body: Buffer.from(JSON.stringify(request)) })

/** A subscribed client that has sent this IDENTIFY, and the reply to it. */
const consumer = Effect.fnUntraced(function*(channel: string, request: object) {
  const client = yield* ProtocolClient.connect(address)
  yield* client.send(
    identify(request),
    { _tag: "SUB", topic, channel: ChannelName.make(channel) },
    { _tag: "RDY", count: 10 }
  )
  const reply = yield* client.text
  assert.strictEqual(yield* client.text, "OK")
  return { client, reply }
})

const hpub = (text: string, headers: Record<string, string>, deferMillis = 0): Command => ({
  _tag: "HPUB",
  topic,
  deferMillis,
  headers,
  body: Buffer.from(text)
})

describe("headers over TCP", () => {
  it.effect("a client that negotiates headers receives them before the body, and others receive plain messages", () =>
    Effect.gen(function*() {
      const reader = yield* consumer("a", { feature_negotiation: true, headers: true })
      const other = yield* consumer("b", { feature_negotiation: true })
      assert.strictEqual(reader.reply, other.reply?.replace(/\}$/, ",\"headers\":true}"))
      const producer = yield* ProtocolClient.connect(address)
      yield* producer.send(
        hpub("tea", { "content-type": "text/plain", city: "Zürich" }),
        { _tag: "PUB", topic, body: Buffer.from("coffee") }
      )
      assert.deepStrictEqual([yield* producer.text, yield* producer.text], ["OK", "OK"])
      const frame = yield* reader.client.frame
      assert.strictEqual(frame?.type, FrameType.messageWithHeaders)
      const decoded = decodeMessageWithHeaders(frame?.data ?? Buffer.alloc(0))
      assert.strictEqual(Buffer.from(decoded?.message.body ?? []).toString(), "tea")
      assert.deepStrictEqual(readHeaders(decoded?.headers ?? Buffer.alloc(0)), {
        "content-type": "text/plain",
        city: "Zürich"
      })
      assert.strictEqual(yield* reader.client.text, "coffee")
      const plain = yield* other.client.message
      assert.strictEqual(Buffer.from(plain.body).toString(), "tea")
      assert.deepStrictEqual(
        [plain.id, plain.timestamp, plain.attempts],
        [decoded?.message.id, decoded?.message.timestamp, 1]
      )
      assert.strictEqual(yield* other.client.text, "coffee")
    }).pipe(Effect.scoped, Effect.provide(server)))

  it.effect("without feature_negotiation headers are not negotiated", () =>
    Effect.gen(function*() {
      const { client, reply } = yield* consumer("a", { headers: true })
      assert.strictEqual(reply, "OK")
      const producer = yield* ProtocolClient.connect(address)
      yield* producer.send(hpub("tea", { key: "1" }))
      assert.strictEqual(yield* client.text, "tea")
    }).pipe(Effect.scoped, Effect.provide(server)))

  it.effect("HPUB with a delay defers the message", () =>
    Effect.gen(function*() {
      const { client } = yield* consumer("a", { feature_negotiation: true, headers: true })
      const producer = yield* ProtocolClient.connect(address)
      yield* producer.send(hpub("later", { key: "1" }, 60_000), hpub("now", {}))
      assert.deepStrictEqual([yield* producer.text, yield* producer.text], ["OK", "OK"])
      assert.strictEqual(yield* client.text, "now")
      const deferred = yield* Broker.useSync((broker) =>
        broker.findTopic(topic)?.channel(ChannelName.make("a"))?.deferredCount
      )
      assert.strictEqual(deferred, 1)
    }).pipe(Effect.scoped, Effect.provide(server)))

  const size = (value: number) => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(value)
    return bytes
  }
  const refused: ReadonlyArray<readonly [string, ReadonlyArray<Buffer>, string]> = [
    ["HPUB", [], "E_INVALID HPUB insufficient number of parameters"],
    ["HPUB a*", [], "E_BAD_TOPIC HPUB topic name \"a*\" is not valid"],
    ["HPUB orders soon", [], "E_INVALID HPUB could not parse timeout soon"],
    ["HPUB orders 3600001", [], "E_INVALID HPUB timeout 3600001 out of range 0-3600000"],
    ["HPUB orders", [size(-1)], "E_BAD_MESSAGE HPUB invalid headers size -1"],
    ["HPUB orders", [size(8193)], "E_BAD_MESSAGE HPUB headers too big 8193 > 8192"],
    ["HPUB orders", [size(0), size(0)], "E_BAD_MESSAGE HPUB invalid message body size 0"],
    ["HPUB orders", [size(0), size(1001)], "E_BAD_MESSAGE HPUB message too big 1001 > 1000"],
    [
      "HPUB orders",
      [size(4), Buffer.from("A:1\n"), size(1), Buffer.from("x")],
      "E_BAD_MESSAGE HPUB invalid headers: the name \"A\" is not a token of HTTP in lower case"
    ],
    [
      "HPUB orders",
      [size(20), Buffer.from("nsq-origin-topic:ab\n"), size(1), Buffer.from("x")],
      "E_BAD_MESSAGE HPUB invalid headers: only nsqd sets \"nsq-origin-topic\""
    ]
  ]
  for (const [line, rest, error] of refused) {
    it.effect(`a HPUB that is not valid is refused with ${error}`, () =>
      Effect.gen(function*() {
        const client = yield* ProtocolClient.connect(address)
        yield* client.raw(Buffer.concat([Buffer.from(`${line}\n`), ...rest]))
        assert.strictEqual(yield* client.text, error)
        assert.isUndefined(yield* client.text)
      }).pipe(Effect.scoped, Effect.provide(server)))
  }
})

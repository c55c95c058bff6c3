/** The limits of rates for publishes over TCP. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { Broker, Clients, Options, Policies, Publisher, Storage, TcpServer } from "../../../../src/broker.ts"
import type { Command } from "../../../../src/protocol/client/Command.ts"
import { TopicName } from "../../../../src/protocol/client/Names.ts"
import { DaemonState } from "../../../../src/services/core/DaemonState.ts"
import { Idle, MemoryTransport, ProtocolClient } from "../../../../src/testing/index.ts"
import { quiet } from "../broker/testing.ts"

const topic = TopicName.make("orders")
const address = "127.0.0.1:4150"

const served = TcpServer.layer.pipe(
  Layer.provideMerge(Layer.mergeAll(Publisher.layer, Clients.layer)),
  Layer.provideMerge(Broker.layer),
  Layer.provideMerge(MemoryTransport.layer),
  Layer.provide(Layer.mergeAll(DaemonState.layer, Storage.layerMemory)),
  Layer.provide(Options.layer({ tcpAddress: address, nodeId: 0 })),
  Layer.provide(quiet),
  Layer.provideMerge(Idle.layer)
)

const pub = (text: string): Command => ({ _tag: "PUB", topic, body: Buffer.from(text) })
const refusal = (command: string) =>
  `E_${command}_FAILED ${command} failed topic orders takes 3 messages per second of each client (client_publish_rate)`

describe("limits of rates over TCP", () => {
  it.effect("client_publish_rate refuses the PUBs beyond it one by one, and the connection stays open; all connections of an address count", () =>
    Effect.gen(function*() {
      yield* Policies.use(({ put }) => put({ match: "orders", client_publish_rate: 3 }))
      const first = yield* ProtocolClient.connect(address)
      yield* first.send(...["a", "b", "c", "d", "e"].map(pub))
      assert.deepStrictEqual(yield* Effect.forEach([1, 2, 3, 4, 5], () => first.text), [
        "OK",
        "OK",
        "OK",
        refusal("PUB"),
        refusal("PUB")
      ])
      const second = yield* ProtocolClient.connect(address)
      yield* second.send({ _tag: "MPUB", topic, bodies: [Buffer.from("f"), Buffer.from("g")] })
      assert.strictEqual(yield* second.text, refusal("MPUB"))
      const found = yield* Broker.useSync(({ findTopic }) => findTopic("orders"))
      assert.deepStrictEqual([found?.messageCount, found?.rejectedCount], [3, 4])
      yield* Policies.use(({ remove }) => remove("orders"))
      yield* first.send(pub("h"))
      assert.strictEqual(yield* first.text, "OK")
    }).pipe(Effect.scoped, Effect.provide(served)))

  it.effect("PUBs that publish_rate refuses count once each", () =>
    Effect.gen(function*() {
      yield* Policies.use(({ put }) => put({ match: "orders", publish_rate: 2 }))
      const client = yield* ProtocolClient.connect(address)
      yield* client.send(...["a", "b", "c", "d", "e"].map(pub))
      const replies = yield* Effect.forEach([1, 2, 3, 4, 5], () => client.text)
      assert.deepStrictEqual(replies.map((reply) => reply === "OK"), [true, true, false, false, false])
      const found = yield* Broker.useSync(({ findTopic }) => findTopic("orders"))
      assert.deepStrictEqual([found?.messageCount, found?.rejectedCount], [2, 3])
    }).pipe(Effect.scoped, Effect.provide(served)))
})

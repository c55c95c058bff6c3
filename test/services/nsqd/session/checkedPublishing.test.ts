/** Publishes over TCP that pass through a Publisher of the program: what a refusal does to the other publishes of a connection. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer } from "effect"
import { FetchHttpClient } from "effect/http"
import { Broker, BrokerError, Options, Publisher, Storage, TcpServer } from "../../../../src/broker.ts"
import type { Command } from "../../../../src/protocol/client/Command.ts"
import { TopicName } from "../../../../src/protocol/client/Names.ts"
import { Producer } from "../../../../src/services/client/index.ts"
import { DaemonState } from "../../../../src/services/core/DaemonState.ts"
import { Clients } from "../../../../src/services/nsqd/broker/Clients.ts"
import { bodiesOf } from "../../../../src/services/nsqd/broker/Publisher.ts"
import { Idle, MemoryTransport, ProtocolClient, untilIdle } from "../../../../src/testing/index.ts"
import { numbers, quiet } from "../broker/testing.ts"

const topic = TopicName.make("orders")
const address = "127.0.0.1:4150"

/** A broker on the in-memory network whose publishes pass through the Publisher. */
const served = (publisher: Layer.Layer<Publisher, never, Broker>) =>
  TcpServer.layer.pipe(
    Layer.provideMerge(Layer.mergeAll(publisher, Clients.layer)),
    Layer.provideMerge(Broker.layer),
    Layer.provideMerge(Layer.mergeAll(MemoryTransport.layer, FetchHttpClient.layer)),
    Layer.provide(Layer.mergeAll(DaemonState.layer, Storage.layerMemory)),
    Layer.provide(Options.layer({ tcpAddress: address, nodeId: 0 })),
    Layer.provide(quiet),
    Layer.provideMerge(Idle.layer)
  )

/** Refuses bodies that begin with "bad", and says which. */
const checked = served(
  Publisher.layerChecked((_, body) => {
    const text = Buffer.from(body).toString()
    return text.startsWith("bad") ? Effect.fail(BrokerError.rejection(`no ${text}`)) : Effect.void
  })
)

const pub = (text: string): Command => ({ _tag: "PUB", topic, body: Buffer.from(text) })
const messageCount = Broker.useSync((broker) => broker.findTopic(topic)?.messageCount)

/** Sends the commands in one write; returns the replies. */
const replies = Effect.fnUntraced(function*(...commands: ReadonlyArray<Command>) {
  const client = yield* ProtocolClient.connect(address)
  yield* client.send(...commands)
  return yield* Effect.forEach(commands, () => client.text)
})

describe("PUBs that arrive together at a checked publisher", () => {
  it.effect("a refused PUB gets the error, and those before it their OKs", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* replies(pub("a"), pub("b"), pub("bad c")), [
        "OK",
        "OK",
        "E_PUB_FAILED PUB failed no bad c"
      ])
      assert.strictEqual(yield* messageCount, 2)
    }).pipe(Effect.scoped, Effect.provide(checked)))

  it.effect("PUBs behind a refused one are accepted, and the connection stays open", () =>
    Effect.gen(function*() {
      const client = yield* ProtocolClient.connect(address)
      yield* client.send(...["bad 1", "a", "bad 2", "bad 3", "b", "c", "bad 4"].map(pub))
      assert.deepStrictEqual(yield* Effect.forEach([1, 2, 3, 4, 5, 6, 7], () => client.text), [
        "E_PUB_FAILED PUB failed no bad 1",
        "OK",
        "E_PUB_FAILED PUB failed no bad 2",
        "E_PUB_FAILED PUB failed no bad 3",
        "OK",
        "OK",
        "E_PUB_FAILED PUB failed no bad 4"
      ])
      yield* client.send(pub("d"))
      assert.strictEqual(yield* client.text, "OK")
      assert.strictEqual(yield* messageCount, 4)
    }).pipe(Effect.scoped, Effect.provide(checked)))

  it.effect("an MPUB with a refused message is refused as a whole, and its neighbours are accepted", () =>
    Effect.gen(function*() {
      const bodies = ["a", "bad b", "c"].map((text) => Buffer.from(text)) as [Buffer, ...Array<Buffer>]
      assert.deepStrictEqual(yield* replies(pub("x"), { _tag: "MPUB", topic, bodies }, pub("y")), [
        "OK",
        "E_MPUB_FAILED MPUB failed no bad b",
        "OK"
      ])
      assert.strictEqual(yield* messageCount, 2)
    }).pipe(Effect.scoped, Effect.provide(checked)))

  it.effect("a refused DPUB concerns no other publish", () =>
    Effect.gen(function*() {
      const dpub = (text: string): Command => ({ _tag: "DPUB", topic, deferMillis: 1000, body: Buffer.from(text) })
      assert.deepStrictEqual(yield* replies(dpub("bad a"), dpub("b"), pub("c")), [
        "E_DPUB_FAILED DPUB failed no bad a",
        "OK",
        "OK"
      ])
    }).pipe(Effect.scoped, Effect.provide(checked)))

  it.effect("of a thousand concurrent publishes with five refused ones, five fail with their own error", () =>
    Effect.gen(function*() {
      const producer = yield* Producer.make({ servers: { nsqd: [address] } })
      const bodies = numbers(1000).map((text, i) => i % 200 === 100 ? `bad ${text}` : text)
      const exits = yield* Effect.forEach(bodies, (body) => Effect.exit(producer.publish(topic, body)), {
        concurrency: 100
      })
      const failures = exits.flatMap((exit, i) =>
        Exit.isFailure(exit) ? [[bodies[i], String(exit.cause)] as const] : []
      )
      assert.deepStrictEqual(failures.map(([body]) => body), bodies.filter((body) => body.startsWith("bad")))
      for (const [body, failure] of failures) assert.include(failure, `no ${body}`)
      assert.strictEqual(yield* messageCount, 995)
      yield* untilIdle
    }).pipe(Effect.scoped, Effect.provide(checked)))
})

describe("PUBs that arrive together at a custom publisher", () => {
  it.effect("an error that is not a rejection ends the connection after the OKs of the accepted PUBs, as in NSQ", () =>
    Effect.gen(function*() {
      const client = yield* ProtocolClient.connect(address)
      yield* client.send(pub("a"), pub("b"), pub("c"))
      assert.deepStrictEqual([yield* client.text, yield* client.text, yield* client.text], [
        "OK",
        "E_PUB_FAILED PUB failed exiting",
        undefined
      ])
    }).pipe(
      Effect.scoped,
      Effect.provide(served(Layer.succeed(Publisher, {
        publish: () => Effect.fail(new BrokerError({ reason: { _tag: "Exiting" }, accepted: 1 }))
      })))
    ))

  it.effect("after a rejection it receives the PUBs behind the rejected one", () =>
    Effect.gen(function*() {
      const received: Array<ReadonlyArray<string>> = []
      const rejecting = Layer.succeed(Publisher, {
        publish: (_topic, bodies) => {
          received.push(bodiesOf(bodies).map(String))
          return bodies.count === 1
            ? undefined
            : Effect.fail(new BrokerError({ reason: BrokerError.rejection("no").reason, accepted: 1 }))
        }
      })
      yield* Effect.gen(function*() {
        const refused = "E_PUB_FAILED PUB failed no"
        assert.deepStrictEqual(yield* replies(...["a", "b", "c", "d", "e"].map(pub)), [
          "OK",
          refused,
          "OK",
          refused,
          "OK"
        ])
      }).pipe(Effect.scoped, Effect.provide(served(rejecting)))
      assert.deepStrictEqual(received, [["a", "b", "c", "d", "e"], ["c", "d", "e"], ["e"]])
    }))
})

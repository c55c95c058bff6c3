/** Headers and trace context of a Producer's messages, through a broker to a Consumer. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Queue } from "effect"
import { FetchHttpClient } from "effect/http"
import { Broker, Options, Publisher, Storage, TcpServer } from "../../../src/broker.ts"
import { Consumer, type Delivery, Producer, Topic } from "../../../src/services/client/index.ts"
import { DaemonState } from "../../../src/services/core/DaemonState.ts"
import { Clients } from "../../../src/services/nsqd/broker/Clients.ts"
import { Idle, MemoryTransport } from "../../../src/testing/index.ts"
import { quiet } from "../nsqd/broker/testing.ts"
import * as FakeNsqd from "./fakeNsqd.ts"

const address = "127.0.0.1:4150"
const servers = { nsqd: [address] }

const network = Layer.mergeAll(MemoryTransport.layer, FetchHttpClient.layer).pipe(Layer.provideMerge(Idle.layer))

const served = TcpServer.layer.pipe(
  Layer.provideMerge(Layer.mergeAll(Publisher.layer, Clients.layer)),
  Layer.provideMerge(Broker.layer),
  Layer.provideMerge(network),
  Layer.provide(Layer.mergeAll(DaemonState.layer, Storage.layerMemory)),
  Layer.provide(Options.layer({ tcpAddress: address, nodeId: 0, policies: [{ match: "once", dedup_window: "60s" }] })),
  Layer.provide(quiet)
)

const textOf = ({ body }: Delivery<unknown>): string => Buffer.from(body).toString()

/** Consumes a topic of bytes; returns the messages, and the span of the handler of each. */
const consume = Effect.fnUntraced(function*(topic: string) {
  const received = yield* Queue.unbounded<{ readonly delivery: Delivery<Uint8Array>; readonly parent: string }>()
  const consumer = yield* Consumer.make({ servers, topic: Topic.bytes(topic), channel: "c", maxInFlight: 10 })
  yield* Effect.forkScoped(consumer.run((_, delivery) =>
    Effect.flatMap(
      Effect.match(Effect.currentParentSpan, {
        onSuccess: (span) => span._tag === "Span" && span.parent._tag === "Some" ? span.parent.value.spanId : "",
        onFailure: () => ""
      }),
      (parent) => Queue.offer(received, { delivery, parent })
    )
  ))
  return { next: Queue.take(received) }
})

describe("the headers of a Producer's messages", () => {
  it.effect("a consumer gets the headers of publish, publishAll and publishDeferred, and plain messages have none", () =>
    Effect.gen(function*() {
      const { next } = yield* consume("orders")
      const producer = yield* Producer.make({ servers })
      const headers = { "Content-Type": "text/plain" }
      yield* producer.publish("orders", "tea", { headers })
      yield* producer.publish("orders", "plain")
      yield* producer.publishAll("orders", ["a", "b"], { headers })
      yield* producer.publishDeferred("orders", "later", 0, { headers })
      const seen: Array<readonly [string, unknown]> = []
      for (let i = 0; i < 5; i++) {
        const { delivery } = yield* next
        seen.push([textOf(delivery), delivery.headers])
      }
      const expected = { "content-type": "text/plain" }
      assert.sameDeepMembers(seen, [
        ["tea", expected],
        ["plain", {}],
        ["a", expected],
        ["b", expected],
        ["later", expected]
      ])
    }).pipe(Effect.scoped, Effect.provide(served)))

  it.effect("with traceContext the handler's span is a child of the publish's, without touching the body", () =>
    Effect.gen(function*() {
      const { next } = yield* consume("orders")
      const producer = yield* Producer.make({ servers, traceContext: true })
      const spanId = yield* Effect.withSpan(
        Effect.andThen(producer.publish("orders", "tea"), Effect.map(Effect.currentSpan, (span) => span.spanId)),
        "request"
      )
      const { delivery, parent } = yield* next
      assert.strictEqual(textOf(delivery), "tea")
      assert.match(delivery.headers["traceparent"] ?? "", new RegExp(`^00-[0-9a-f]{32}-${spanId}-01$`))
      assert.strictEqual(parent, spanId)
      yield* producer.publish("orders", "no span")
      assert.deepStrictEqual((yield* next).delivery.headers, {})
    }).pipe(Effect.scoped, Effect.provide(served)))

  it.effect("a publish with the same dedupKey is stored once, and the messages of a batch have keys of their own", () =>
    Effect.gen(function*() {
      const producer = yield* Producer.make({ servers })
      yield* producer.publish("once", "tea", { dedupKey: "1" })
      yield* producer.publish("once", "tea", { dedupKey: "1" })
      yield* producer.publishAll("once", ["a", "b"], { dedupKey: "2" })
      yield* producer.publishAll("once", ["a", "b"], { dedupKey: "2" })
      const topic = yield* Broker.useSync((broker) => broker.findTopic("once"))
      assert.deepStrictEqual([topic?.messageCount, topic?.duplicateCount], [3, 3])
    }).pipe(Effect.scoped, Effect.provide(served)))

  it.effect("a server without headers gets plain publishes", () =>
    Effect.gen(function*() {
      const nsqd = yield* FakeNsqd.make("a:1", { silent: false })
      const producer = yield* Producer.make({ servers: { nsqd: ["a:1"] } })
      yield* producer.publish("orders", "tea", { headers: { key: "1" } })
      yield* producer.publishDeferred("orders", "later", "1 second", { headers: { key: "1" } })
      assert.deepStrictEqual(
        nsqd.commands.filter((command) => !command.startsWith("IDENTIFY")),
        ["PUB orders tea", "DPUB orders 1000 later"]
      )
    }).pipe(Effect.scoped, Effect.provide(network)))

  it.effect("headers that are not valid are refused before anything is sent", () =>
    Effect.gen(function*() {
      const producer = yield* Producer.make({ servers: { nsqd: ["nobody:1"] } })
      const error = yield* Effect.flip(producer.publish("orders", "tea", { headers: { "two words": "" } }))
      assert.strictEqual(error.reason._tag, "PublishRefused")
      assert.include(error.message, "the name \"two words\" is not a token of HTTP in lower case")
      const forged = yield* Effect.flip(producer.publish("orders", "tea", { headers: { "nsq-origin-topic": "t" } }))
      assert.include(forged.message, "E_BAD_MESSAGE HPUB invalid headers: only nsqd sets \"nsq-origin-topic\"")
    }).pipe(Effect.scoped, Effect.provide(network)))
})

/** Messages that a program rejects: dead letters of nsqd, or of the consumer at a server that has none. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Data, Deferred, Effect, Fiber, Layer, Queue, Stream } from "effect"
import { FetchHttpClient } from "effect/http"
import { consume as consumeHere } from "../../../src/broker.ts"
import { encodeFrame, FrameType } from "../../../src/protocol/client/Frame.ts"
import { encodeMessage, MessageId } from "../../../src/protocol/client/Message.ts"
import { Consumer, DeadLetter, Decision, Topic } from "../../../src/services/client/index.ts"
import * as Rejection from "../../../src/services/client/Rejection.ts"
import { MemoryTransport, until } from "../../../src/testing/index.ts"
import { channel, consume, layer, order, publish, untilChannel } from "./consuming.ts"
import * as FakeNsqd from "./fakeNsqd.ts"

class ShopError extends Data.TaggedError("ShopError")<{ readonly item: string }> {}

/** The dead letters of nsqd: bodies and reasons. */
const letters = (count: number) =>
  consumeHere("orders.dlq", "c", { maxInFlight: count }).pipe(
    Stream.take(count),
    Stream.map(({ body, headers }) => [Buffer.from(body).toString(), headers["nsq-dead-reason"]]),
    Stream.runCollect
  )

describe("a message that a program rejects", () => {
  it.effect("it becomes a dead letter of nsqd with its reason, after onGivenUp, and the consumer does not back off", () =>
    Effect.gen(function*() {
      yield* order("tea", "coffee")
      const causes = yield* Queue.unbounded<readonly [number, string]>()
      const consumer = yield* consume({
        maxInFlight: 1,
        maxBackoffDuration: "2 minutes",
        deadLetter: DeadLetter.topic("unused"),
        onGivenUp: (_, cause) =>
          Effect.flatMap(
            channel,
            ({ deadLetterCount }) => Queue.offer(causes, [deadLetterCount, String(Cause.squash(cause))] as const)
          )
      })
      yield* Effect.forkScoped(consumer.run((_, delivery) => delivery.reject("sold\nout ")))
      assert.deepStrictEqual(yield* letters(2), [[`{"item":"tea"}`, "sold out"], [`{"item":"coffee"}`, "sold out"]])
      assert.deepStrictEqual(yield* Queue.take(causes), [0, "ClientError: orders: sold out"])
      yield* untilChannel(({ deadLetterCount, requeueCount, unfinished }) =>
        deadLetterCount === 2 && requeueCount === 0 && unfinished === 0
      )
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a decision rejects it with its reason, or with the message of the error", () =>
    Effect.gen(function*() {
      yield* publish(`{"item":"tea"}`, "no JSON", `{"item":"coffee"}`)
      const consumer = yield* consume({ maxInFlight: 1, onUndecodable: () => Decision.Reject({ reason: "not JSON" }) })
      yield* Effect.forkScoped(consumer.run(
        ({ item }): Effect.Effect<void, string | ShopError> =>
          item === "tea" ? Effect.fail("sold out") : Effect.fail(new ShopError({ item })),
        { onError: () => Decision.Reject({}) }
      ))
      assert.deepStrictEqual((yield* letters(3)).map(([, reason]) => reason), ["sold out", "not JSON", "ShopError"])
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a failure of onGivenUp requeues it", () =>
    Effect.gen(function*() {
      yield* order("tea")
      const consumer = yield* consume<never>({ onGivenUp: () => Effect.die(new Error("no")) })
      yield* Effect.forkScoped(consumer.run((_, delivery) => delivery.reject()))
      yield* untilChannel(({ deadLetterCount, deferredCount }) => deferredCount === 1 && deadLetterCount === 0)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a program that takes the messages itself, or in batches, rejects single ones", () =>
    Effect.gen(function*() {
      yield* order("a", "b", "c")
      const consumer = yield* consume()
      const batches = yield* Effect.forkScoped(
        consumer.runBatches(
          (_, deliveries) => Effect.forEach(deliveries.slice(0, 1), (delivery) => delivery.reject("first")),
          { size: 2 }
        )
      )
      yield* untilChannel(({ deadLetterCount }) => deadLetterCount > 0)
      yield* Fiber.interrupt(batches)
      yield* order("d")
      yield* consumer.messages.pipe(Stream.runForEach((delivery) => delivery.reject("one")), Effect.forkScoped)
      yield* untilChannel(({ unfinished }) => unfinished === 0)
      const reasons = (yield* letters(2)).map(([, reason]) => reason)
      assert.includeMembers(reasons, ["first"])
    }).pipe(Effect.scoped, Effect.provide(layer)))
})

const memory = Layer.mergeAll(MemoryTransport.layer, FetchHttpClient.layer)

/** A server without dead letters, and one message of it that a consumer rejects. */
const rejectAt = Effect.fnUntraced(function*(options: Partial<Consumer.ConsumerOptions<Uint8Array>>) {
  const server = yield* FakeNsqd.make("a:1", { silent: false })
  const consumer = yield* Consumer.make({
    topic: Topic.bytes("raw"),
    channel: "c",
    servers: { nsqd: ["a:1"] },
    ...options
  })
  yield* Effect.forkScoped(consumer.run((_, delivery) => delivery.reject("bad")))
  yield* until(() => server.commands.includes("RDY 1"))
  const id = MessageId.make("0123456789abcdef")
  const message = encodeMessage({ timestamp: 7n, attempts: 1, id, body: Buffer.from("tea") })
  server.send(encodeFrame(FrameType.message, message))
  return { server, fin: `FIN ${id}` }
})

describe("a message that is rejected at a server without dead letters", () => {
  it.effect("it is published to the consumer's topic of dead letters, and then finished", () =>
    Effect.gen(function*() {
      const { fin, server } = yield* rejectAt({ deadLetter: DeadLetter.topic("rejected") })
      yield* until(() => server.commands.includes(fin))
      assert.strictEqual(server.published.length, 1)
      assert.include(server.published[0], "\"cause\":\"ClientError: raw: bad")
      assert.isFalse(server.commands.some((command) => command.startsWith("REQ")))
    }).pipe(Effect.scoped, Effect.provide(memory)))

  it.effect("without such a topic it is finished after onGivenUp", () =>
    Effect.gen(function*() {
      const cause = yield* Deferred.make<string>()
      const { fin, server } = yield* rejectAt({
        onGivenUp: (_, reason) => Deferred.succeed(cause, String(Cause.squash(reason)))
      })
      assert.strictEqual(yield* Deferred.await(cause), "ClientError: raw: bad")
      yield* until(() => server.commands.includes(fin))
      assert.deepStrictEqual(server.published, [])
    }).pipe(Effect.scoped, Effect.provide(memory)))
})

describe("the reason of a rejection", () => {
  it("is a line of at most 256 characters, and never empty", () => {
    assert.strictEqual(Rejection.printable(" a\r\nb\u0000 "), "a  b")
    assert.strictEqual(Rejection.printable("x".repeat(300)).length, 256)
    assert.strictEqual(Rejection.printable("\n"), "rejected")
  })

  it("is the message or the name of the error", () => {
    assert.strictEqual(Rejection.reasonOf(Cause.fail(new Error("no tea"))), "no tea")
    assert.strictEqual(Rejection.reasonOf(Cause.fail(new ShopError({ item: "tea" }))), "ShopError")
    assert.strictEqual(Rejection.reasonOf(Cause.fail("sold out")), "sold out")
    assert.strictEqual(Rejection.reasonOf(Cause.fail({ any: "value" })), "rejected")
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Fiber, PubSub } from "effect"
import { TestClock } from "effect/testing"
import { Broker, publish } from "../../../../src/broker.ts"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import { TopicName } from "../../../../src/protocol/client/Names.ts"
import { untilIdle } from "../../../../src/testing/index.ts"
import { brokerWith, channelOf, faultyBroker, join, send } from "./testing.ts"

const remaining = Broker.useSync(({ drain }) =>
  drain.remaining().map(({ deferred, inFlight, isEmpty, waiting }) => ({ deferred, inFlight, isEmpty, waiting }))
)

describe("the drain of a broker", () => {
  it.effect("a publish is refused while the broker drains, and accepted afterwards", () =>
    Effect.gen(function*() {
      const { drain } = yield* Broker
      yield* send("t", "before")
      yield* drain.begin
      const error = yield* Effect.flip(send("t", "during"))
      assert.strictEqual(error.message, "draining, publish to another nsqd")
      yield* Effect.flip(send("new", "during"))
      yield* drain.end
      yield* send("t", "after")
      assert.strictEqual(yield* Broker.useSync(({ findTopic }) => findTopic("t")?.messageCount), 2)
      assert.isUndefined(yield* Broker.useSync(({ findTopic }) => findTopic("new")))
    }).pipe(Effect.provide(brokerWith())))

  it.effect("the drain is empty when consumers have finished what waited and what was in flight", () =>
    Effect.gen(function*() {
      const { drain } = yield* Broker
      yield* channelOf("t", "c")
      yield* send("t", "a", "b")
      yield* untilIdle
      yield* drain.begin
      const empty = yield* Effect.forkChild(drain.empty)
      const { recording, subscription } = yield* join("t", "c", 1)
      yield* untilIdle
      assert.deepStrictEqual(yield* remaining, [{ waiting: 1, inFlight: 1, deferred: 0, isEmpty: false }])
      for (let i = 0; i < 2; i++) {
        for (const { id } of recording.take()) subscription.finish(messageKey(id))
        yield* untilIdle
      }
      assert.deepStrictEqual(yield* remaining, [{ waiting: 0, inFlight: 0, deferred: 0, isEmpty: true }])
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(empty)
    }).pipe(Effect.scoped, Effect.provide(faultyBroker())))

  it.effect("the drain waits for messages that are due within a minute, and not for later ones", () =>
    Effect.gen(function*() {
      const { drain } = yield* Broker
      yield* channelOf("t", "c")
      yield* publish("t", [Buffer.from("later")], { delay: Duration.seconds(90) })
      yield* untilIdle
      yield* drain.begin
      yield* drain.empty
      yield* TestClock.adjust("31 seconds")
      assert.deepStrictEqual(yield* remaining, [{ waiting: 0, inFlight: 0, deferred: 1, isEmpty: false }])
    }).pipe(Effect.provide(faultyBroker())))

  it.effect("a topic is withdrawn when it is empty, and offered again when the drain ends", () =>
    Effect.gen(function*() {
      const { drain, topology } = yield* Broker
      const topic = TopicName.make("empty")
      yield* channelOf("empty", "c")
      yield* send("full", "m")
      const events = yield* PubSub.subscribe(topology)
      yield* drain.begin
      yield* untilIdle
      assert.deepStrictEqual(yield* PubSub.takeAll(events), [{ _tag: "TopicWithdrawn", topic }])
      assert.deepStrictEqual([drain.isOffered("empty"), drain.isOffered("full")], [false, true])
      yield* drain.end
      assert.deepStrictEqual(yield* PubSub.takeAll(events), [{ _tag: "TopicOffered", topic }])
      assert.isTrue(drain.isOffered("empty"))
    }).pipe(Effect.scoped, Effect.provide(faultyBroker())))
})

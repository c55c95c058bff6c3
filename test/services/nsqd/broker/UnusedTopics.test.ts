import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Broker } from "../../../../src/broker.ts"
import { until, untilIdle } from "../../../../src/testing/index.ts"
import { brokerWith, channelOf, join, send, topicOf } from "./testing.ts"

/** Advances the clock and runs everything that follows. */
const pass = (duration: `${number} minutes` | `${number} hours` | `${number} seconds`) =>
  Effect.andThen(TestClock.adjust(duration), untilIdle)

const names = Broker.useSync((broker) => broker.topics().map(({ name }) => name))

describe("an ephemeral topic without a channel", () => {
  it.effect("an unused ephemeral topic is deleted after its lifetime, and an ordinary one stays", () =>
    Effect.gen(function*() {
      yield* topicOf("created#ephemeral")
      yield* send("published#ephemeral", "x")
      yield* topicOf("ordinary")
      const topics = yield* names
      yield* pass("10 minutes")
      assert.deepStrictEqual(yield* names, topics)
      yield* pass("2 minutes")
      assert.deepStrictEqual(yield* names, ["ordinary"])
    }).pipe(Effect.provide(brokerWith())))

  it.effect("an ephemeral topic keeps its messages for a channel created within ten minutes of the last one", () =>
    Effect.gen(function*() {
      yield* send("t#ephemeral", "first")
      yield* pass("9 minutes")
      yield* send("t#ephemeral", "second")
      yield* pass("9 minutes")
      const { recording } = yield* join("t#ephemeral", "c", 10)
      yield* until(() => recording.bodies().length === 2)
      assert.deepStrictEqual(recording.bodies(), ["first", "second"])
    }).pipe(Effect.provide(brokerWith())))

  it.effect("an ephemeral topic stays while it has a channel, and each message restarts its lifetime", () =>
    Effect.gen(function*() {
      yield* channelOf("with-channel#ephemeral", "c")
      for (let i = 0; i < 6; i++) {
        yield* send("busy#ephemeral", "x")
        yield* pass("5 minutes")
      }
      assert.deepStrictEqual(yield* names, ["with-channel#ephemeral", "busy#ephemeral"])
      yield* pass("12 minutes")
      assert.deepStrictEqual(yield* names, ["with-channel#ephemeral"])
    }).pipe(Effect.provide(brokerWith())))

  it.effect("unused topics are checked for only while there are candidates, so that a clock may leap over decades", () =>
    Effect.gen(function*() {
      yield* send("ordinary", "x")
      yield* join("t#ephemeral", "c", 1)
      yield* pass("1 hours")
      yield* TestClock.adjust("10000000 hours")
      yield* topicOf("u#ephemeral")
      yield* untilIdle
      yield* pass("12 minutes")
      assert.deepStrictEqual(yield* names, ["ordinary", "t#ephemeral"])
    }).pipe(Effect.provide(brokerWith())))

  it.effect("an ephemeral topic is still deleted at once with its last channel", () =>
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      yield* Scope.provide(join("t#ephemeral", "c#ephemeral", 1), scope)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(yield* names, [])
    }).pipe(Effect.provide(brokerWith())))

  it.effect("the next publish recreates a deleted unused topic", () =>
    Effect.gen(function*() {
      const first = yield* topicOf("t#ephemeral")
      yield* pass("12 minutes")
      assert.isTrue(first.exiting)
      yield* send("t#ephemeral", "x")
      const second = yield* topicOf("t#ephemeral")
      assert.notStrictEqual(second, first)
      const { recording } = yield* join("t#ephemeral", "c", 1)
      yield* until(() => recording.bodies().length === 1)
    }).pipe(Effect.provide(brokerWith())))

  it.effect("the deletion of an unused topic makes room under --max-topics", () =>
    Effect.gen(function*() {
      for (let i = 0; i < 5; i++) yield* Effect.exit(send(`flood-${i}#ephemeral`, "x"))
      assert.include((yield* Effect.flip(send("honest", "x"))).message, "--max-topics")
      yield* pass("12 minutes")
      yield* send("honest", "x")
      assert.deepStrictEqual(yield* names, ["honest"])
    }).pipe(Effect.provide(brokerWith({ maxTopics: 5 }))))

  it.effect("an unused ephemeral topic stays forever with --ephemeral-topic-lifetime=0, as in NSQ", () =>
    Effect.gen(function*() {
      yield* topicOf("t#ephemeral")
      yield* pass("100 hours")
      assert.deepStrictEqual(yield* names, ["t#ephemeral"])
    }).pipe(Effect.provide(brokerWith({ ephemeralTopicLifetime: Duration.zero }))))
})

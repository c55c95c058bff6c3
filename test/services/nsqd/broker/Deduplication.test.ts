/** Publishes with a key: which of them are stored, in memory and in a log, with failures and over restarts. */
import { assert, describe, it } from "@effect/vitest"
import { Clock, Effect, Exit, Fiber, Layer, Schema } from "effect"
import { TestClock } from "effect/testing"
import { publish } from "../../../../src/broker.ts"
import type { PublishedBodies } from "../../../../src/protocol/client/MessageBatch.ts"
import type { Policy } from "../../../../src/protocol/http/PoliciesResponse.ts"
import * as Time from "../../../../src/services/core/Time.ts"
import { TurnClock } from "../../../../src/services/core/TurnClock.ts"
import { bodiesOf, joinBodies } from "../../../../src/services/nsqd/broker/Bodies.ts"
import { Deduplication } from "../../../../src/services/nsqd/broker/Deduplication.ts"
import { Policies } from "../../../../src/services/nsqd/policies/Policies.ts"
import { TopicPolicy } from "../../../../src/services/nsqd/policies/ResolvedPolicy.ts"
import { FaultyDisk, until, untilIdle, WallClock } from "../../../../src/testing/index.ts"
import { layer, start } from "./durable.ts"
import { brokerWith, join, topicOf } from "./testing.ts"

const window: Policy = { match: "*", dedup_window: "60s" }

const send = (key: string, body = key) => publish("t", Buffer.from(body), { dedupKey: key })

const counts = Effect.map(topicOf("t"), ({ duplicateCount, messageCount }) => [messageCount, duplicateCount])

const Step = Schema.Union([
  Schema.Struct({
    kind: Schema.Literal("publish"),
    key: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5 }))
  }),
  Schema.Struct({
    kind: Schema.Literal("wait"),
    seconds: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 40 }))
  }),
  Schema.Struct({ kind: Schema.Literals(["stop", "kill"]) })
])

describe("publishes with a key", () => {
  it.effect("a key is stored once within the window, and again after it", () =>
    Effect.gen(function*() {
      yield* send("a")
      yield* send("a", "another body")
      yield* send("b")
      assert.deepStrictEqual(yield* counts, [2, 1])
      yield* TestClock.adjust("59999 millis")
      yield* send("a")
      assert.deepStrictEqual(yield* counts, [2, 2])
      yield* TestClock.adjust(1)
      yield* send("a")
      assert.deepStrictEqual(yield* counts, [3, 2])
    }).pipe(Effect.provide(brokerWith({ policies: [window] }))))

  it.effect("the window has at most dedup_count keys, the newest ones", () =>
    Effect.gen(function*() {
      for (const key of ["a", "b", "c", "a", "c", "b"]) yield* send(key)
      // "c" displaces "a", and the second "a" displaces "b".
      assert.deepStrictEqual(yield* counts, [5, 1])
      const { deduplication } = yield* topicOf("t")
      assert.strictEqual(deduplication.size, 2)
    }).pipe(Effect.provide(brokerWith({ policies: [{ match: "*", dedup_count: 2 }] }))))

  it.effect("without a policy a key has no effect, and each topic has its own keys", () =>
    Effect.gen(function*() {
      yield* send("a")
      yield* send("a")
      assert.deepStrictEqual(yield* counts, [2, 0])
      yield* publish("orders", Buffer.from("x"), { dedupKey: "a" })
      yield* publish("orders", Buffer.from("x"), { dedupKey: "a" })
      const { messageCount } = yield* topicOf("orders")
      assert.strictEqual(messageCount, 1)
    }).pipe(Effect.provide(brokerWith({ policies: [{ match: "orders", dedup_window: "60s" }] }))))

  it.effect("a message keeps its key as a header, by which the next broker recognizes it", () =>
    Effect.gen(function*() {
      const consumer = yield* join("t", "c", 10, { readsHeaders: true })
      yield* send("a")
      yield* until(() => consumer.recording.bodies().length === 1)
      assert.deepStrictEqual(consumer.recording.take()[0]?.headers, { "nsq-dedup-key": "a" })
    }).pipe(Effect.provide(brokerWith({ policies: [window] }))))

  it.effect("of two publishes at once the second waits for the first, and one is stored", () =>
    Effect.gen(function*() {
      const broker = yield* start({ policies: [window] })
      yield* broker.run(Effect.gen(function*() {
        const both = yield* Effect.forEach([1, 2, 3], () => Effect.forkChild(send("a")))
        yield* Effect.forEach(both, Fiber.join)
        assert.deepStrictEqual(yield* counts, [1, 2])
      }))
      yield* broker.stop
    }).pipe(Effect.provide(layer)))

  it.effect("a key whose message could not be stored is free: a publish that waited for it stores its own message", () =>
    Effect.gen(function*() {
      const broker = yield* start({ policies: [window] })
      const faulty = yield* FaultyDisk
      yield* broker.run(send("other"))
      let failures = 1
      faulty.fail((operation, path) =>
        operation === "write" && path.endsWith(".segment") && failures-- > 0 ? "EIO" : undefined
      )
      yield* broker.run(Effect.gen(function*() {
        const first = yield* Effect.forkChild(Effect.exit(send("a", "first")), { startImmediately: true })
        const second = yield* Effect.forkChild(Effect.exit(send("a", "second")), { startImmediately: true })
        assert.isTrue(Exit.isFailure(yield* Fiber.join(first)))
        while (second.pollUnsafe() === undefined) yield* TestClock.adjust("100 millis")
        if (Exit.isFailure(yield* Fiber.join(second))) yield* send("a", "second")
        yield* send("a", "third")
        const consumer = yield* join("t", "c", 10)
        yield* until(() => consumer.recording.bodies().length === 2)
        assert.deepStrictEqual(consumer.recording.bodies(), ["other", "second"])
      }))
      yield* broker.stop
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a publisher that does not wait leaves its key taken, because its message is stored", () =>
    Effect.gen(function*() {
      const broker = yield* start({ policies: [window] })
      yield* broker.run(Effect.gen(function*() {
        yield* send("other")
        const first = yield* Effect.forkChild(send("a", "first"), { startImmediately: true })
        yield* Fiber.interrupt(first)
        yield* send("a", "second")
        assert.deepStrictEqual(yield* counts, [2, 1])
        const consumer = yield* join("t", "c", 10)
        yield* until(() => consumer.recording.bodies().length === 2)
        assert.deepStrictEqual(consumer.recording.bodies(), ["other", "first"])
      }))
      yield* broker.stop
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("the policy may end and begin again while messages wait for their commit", () =>
    Effect.gen(function*() {
      const broker = yield* start({ policies: [window] })
      yield* broker.run(Effect.gen(function*() {
        const policies = yield* Policies
        yield* send("other")
        const first = yield* Effect.forkChild(send("a"), { startImmediately: true })
        yield* policies.put({ match: "*", dedup_window: "0s" })
        const second = yield* Effect.forkChild(send("a"), { startImmediately: true })
        yield* policies.put(window)
        const third = yield* Effect.forkChild(send("a"), { startImmediately: true })
        yield* Effect.forEach([first, second, third], Fiber.join)
        yield* send("a")
        yield* send("other")
        assert.deepStrictEqual(yield* counts, [3, 3])
        const { deduplication } = yield* topicOf("t")
        assert.strictEqual(deduplication.size, 2)
      }))
      yield* broker.stop
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("the window is the same if the wall clock is set back or ahead meanwhile", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_800_000_000_000)
      const clock = yield* WallClock.WallClock
      yield* send("a")
      yield* clock.step(-3_600_000)
      yield* send("b")
      yield* clock.step(7_200_000)
      yield* send("b")
      assert.deepStrictEqual(yield* counts, [2, 1])
      yield* clock.step(-7_200_000)
      yield* TestClock.adjust("60 seconds")
      yield* send("a")
      yield* send("b")
      assert.deepStrictEqual(yield* counts, [4, 1])
    }).pipe(Effect.provide(brokerWith({ policies: [window] }).pipe(Layer.provideMerge(WallClock.layer)))))

  it.effect("keys from before a restart leave the window in time if the wall clock was set back before it", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_800_000_000_000)
      const clock = yield* WallClock.WallClock
      const first = yield* start({ policies: [window] })
      yield* first.run(send("a"))
      yield* first.stop
      yield* clock.step(-3_600_000)
      const second = yield* start({ policies: [window] })
      yield* second.run(Effect.gen(function*() {
        yield* send("a")
        assert.deepStrictEqual(yield* counts, [0, 1])
        yield* TestClock.adjust("60 seconds")
        yield* send("a")
        assert.deepStrictEqual(yield* counts, [1, 1])
      }))
      yield* second.stop
    }).pipe(Effect.provide(Layer.provideMerge(layer, WallClock.layer))))

  it.effect("a damaged message of the log does not stop publishes with keys", () =>
    Effect.gen(function*() {
      const first = yield* start({ policies: [window] })
      const two = [Buffer.from("a1"), Buffer.from("a2")]
      yield* first.run(Effect.andThen(publish("t", two, { dedupKey: "a" }), send("b")))
      yield* first.stop
      yield* FaultyDisk.useSync((disk) => {
        const path = Array.from(disk.files().keys()).find((name) => name.endsWith(".segment"))!
        // The size of the first message.
        disk.flipBit(path, 64, 7)
      })
      const second = yield* start({ policies: [window] })
      yield* second.run(Effect.gen(function*() {
        yield* send("b")
        yield* send("c")
        assert.deepStrictEqual(yield* counts, [1, 1])
      }))
      yield* second.stop
    }).pipe(Effect.provide(layer)))

  it.effect("a publish that was never begun, because its publisher was interrupted, does not hold up its key", () =>
    Effect.gen(function*() {
      const policy = new TopicPolicy()
      policy.dedupWindowMillis = 60_000
      const time = yield* Time.make
      const stored: Array<string> = []
      const store = (bodies: PublishedBodies) => Effect.sync(() => void stored.push(String(bodiesOf(bodies)[0])))
      const keys = new Deduplication(policy, { time, turnClock: yield* TurnClock.make(time) }, () => undefined, store)
      const headers = Buffer.from("nsq-dedup-key:a\n")
      const put = (body: string) =>
        keys.put({ ...joinBodies([Buffer.from(body)], headers), dedupKeyStart: headers.indexOf(":") + 1 }, 0) ??
          Effect.void
      const first = put("first")
      yield* put("second")
      assert.deepStrictEqual(stored, ["second"])
      // If it begins after all, it is a duplicate.
      yield* first
      assert.deepStrictEqual([stored, keys.duplicates, keys.size], [["second"], 1, 1])
    }))

  it.effect.prop(
    "over stops and kills, exactly the publishes of a durable topic whose key is not within the window are stored",
    { steps: Schema.Array(Step).check(Schema.isMaxLength(25)) },
    ({ steps }) =>
      Effect.gen(function*() {
        /** When each key was stored. */
        const stored = new Map<number, number>()
        let expected = 0
        let broker = yield* start({ policies: [window] })
        for (const step of steps) {
          switch (step.kind) {
            case "publish": {
              const { key } = step
              yield* broker.run(send(String(key)))
              const now = yield* Clock.currentTimeMillis
              const before = stored.get(key)
              if (before === undefined || now - before >= 60_000) {
                stored.set(key, now)
                expected++
              }
              break
            }
            case "wait":
              yield* TestClock.adjust(step.seconds * 1000)
              break
            default:
              yield* broker[step.kind]
              broker = yield* start({ policies: [window] })
          }
        }
        yield* broker.run(Effect.scoped(Effect.gen(function*() {
          const consumer = yield* join("t", "c", 1000)
          yield* untilIdle
          assert.strictEqual(consumer.recording.bodies().length, expected)
        })))
        yield* broker.stop
      }).pipe(Effect.provide(Layer.fresh(layer))),
    { arbitrary: { runs: 40 } }
  )
})

/**
 * Limits and dead letters together: whatever happens, each message that was accepted is in exactly one place, and the numbers of the
 * places add up.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Policies, type Policy } from "../../../../src/broker.ts"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import { untilIdle } from "../../../../src/testing/index.ts"
import { layer as durable, start } from "./durable.ts"
import { brokerWith, channelOf, join, send, topicOf } from "./testing.ts"

const Step = Schema.Union([
  Schema.TaggedStruct("Publish", { count: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 6 })) }),
  Schema.TaggedStruct("Consumer", { what: Schema.Literals(["finish", "requeue", "defer", "reject", "keep"]) }),
  Schema.TaggedStruct("Wait", { seconds: Schema.Literals([1, 10]) }),
  Schema.TaggedStruct("Reconnect", {}),
  Schema.TaggedStruct("Restart", {})
])
type Step = typeof Step.Type

const Limits = Schema.Struct({
  max_attempts: Schema.Literals([0, 1, 2]),
  max_depth: Schema.Literals([0, 2, 4]),
  on_full: Schema.Literals(["reject", "drop_oldest", "dead_letter"]),
  count_disconnects: Schema.Boolean
})

/** What has happened to the messages of all lives of the broker. */
class Sums {
  accepted = 0
  finished = 0
  dropped = 0
}

/** Runs steps with one consumer; returns those that follow a restart. */
const live = Effect.fnUntraced(function*(steps: ReadonlyArray<Step>, limits: typeof Limits.Type, sums: Sums) {
  const policy: Policy = { match: "t", ...limits }
  yield* Policies.use(({ put }) => put(policy))
  const topic = yield* topicOf("t")
  const channel = yield* channelOf("t", "c")
  const droppedBefore = sums.dropped
  const connect = join("t", "c", 2, { msgTimeout: 5000 })
  let rest: ReadonlyArray<Step> = []

  const check = Effect.gen(function*() {
    yield* untilIdle
    const dead = (yield* topicOf("t.dlq")).depth
    sums.dropped = droppedBefore + channel.droppedCount
    const { accepted, dropped, finished } = sums
    assert.strictEqual(topic.depth + channel.unfinished + dead + finished + dropped, accepted)
    if (limits.max_depth > 0 && limits.on_full !== "reject") {
      const removable = channel.unfinished - channel.inFlightCount - channel.deferredCount
      assert.isTrue(channel.unfinished <= limits.max_depth || removable === 0)
    }
    if (limits.max_depth > 0 && limits.on_full === "reject") assert.isAtMost(channel.unfinished, limits.max_depth)
  })

  const use = Effect.fnUntraced(function*(consumer: Effect.Success<typeof connect>, at: number) {
    for (let i = at; i < steps.length; i++) {
      const step = steps[i]!
      if (step._tag === "Reconnect") return i + 1
      if (step._tag === "Restart") {
        rest = steps.slice(i + 1)
        return steps.length
      }
      if (step._tag === "Wait") yield* TestClock.adjust(`${step.seconds} seconds`)
      if (step._tag === "Publish") {
        yield* Effect.match(send("t", ...Array.from({ length: step.count }, (_, j) => `m${j}`)), {
          onSuccess: () => void (sums.accepted += step.count),
          onFailure: () => {}
        })
      }
      if (step._tag === "Consumer") {
        yield* untilIdle
        for (const { id } of consumer.recording.take()) {
          const key = messageKey(id)
          const { subscription } = consumer
          if (step.what === "finish" && subscription.finish(key) === "done") sums.finished++
          if (step.what === "requeue") subscription.requeue(key, 0)
          if (step.what === "defer") subscription.requeue(key, 3000)
          if (step.what === "reject") subscription.reject(key, "bad")
        }
      }
      yield* check
    }
    return steps.length
  })

  for (let at = 0; at < steps.length;) {
    at = yield* Effect.scoped(Effect.flatMap(connect, (consumer) => use(consumer, at)))
    yield* check
  }
  return rest
})

const steps = Schema.Array(Step).check(Schema.isMaxLength(30))

describe("limits and dead letters", () => {
  it.effect.prop(
    "each accepted message of a topic in memory is in one place",
    { steps, limits: Limits, memQueueSize: Schema.Literals([0, 2, 100]) },
    ({ limits, memQueueSize, steps }) =>
      live(steps.filter(({ _tag }) => _tag !== "Restart"), limits, new Sums()).pipe(
        Effect.provide(brokerWith({ memQueueSize })),
        Effect.orDie
      ),
    { arbitrary: { runs: 60 }, timeout: 480_000 }
  )

  it.effect.prop(
    "each accepted message of a durable topic is in one place, over restarts as well",
    { steps, limits: Limits },
    ({ limits, steps }) =>
      Effect.gen(function*() {
        const sums = new Sums()
        for (let rest: ReadonlyArray<Step> = [...steps, { _tag: "Wait", seconds: 1 }]; rest.length > 0;) {
          const broker = yield* start()
          rest = yield* Effect.orDie(broker.run(live(rest, limits, sums)))
          yield* broker.stop
        }
      }).pipe(Effect.provide(durable)),
    { arbitrary: { runs: 60 }, timeout: 480_000 }
  )
})

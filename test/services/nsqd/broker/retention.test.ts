import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import { Policies } from "../../../../src/services/nsqd/policies/Policies.ts"
import { untilIdle } from "../../../../src/testing/index.ts"
import * as durable from "./durable.ts"
import { join, send, topicOf } from "./testing.ts"

/** Larger than a segment. */
const segmentful = Array.from({ length: 1100 }, () => "x".repeat(1000))

const consumeAll = Effect.gen(function*() {
  const { channel, recording, subscription } = yield* join("orders", "a", 10_000)
  for (let i = 0; i < 3; i++) {
    yield* send("orders", ...segmentful)
    yield* untilIdle
    for (const { id } of recording.take()) subscription.finish(messageKey(id))
  }
  assert.strictEqual(channel.depth + channel.inFlightCount, 0)
})

const startOf = Effect.map(topicOf("orders"), ({ log }) => log?.history.start ?? 0)

describe("The retention of a policy", () => {
  it.effect("keeps finished messages for its age, and is in force from the moment when it is set", () =>
    Effect.gen(function*() {
      const broker = yield* durable.start({ segmentSize: 1024 * 1024 })
      yield* broker.run(Effect.gen(function*() {
        const policies = yield* Policies
        yield* policies.put({ match: "orders", retention_age: "1h" })
        yield* consumeAll
        yield* TestClock.adjust("30 minutes")
        assert.strictEqual(yield* startOf, 1)
        yield* policies.put({ match: "orders", retention_age: "10m" })
        yield* TestClock.adjust("11 seconds")
        assert.isAbove(yield* startOf, 2 * segmentful.length)
      }))
    }).pipe(Effect.scoped, Effect.provide(durable.layer)))
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, PubSub } from "effect"
import { TestClock } from "effect/testing"
import { TopicName } from "../../../../src/protocol/client/Names.ts"
import { HeadersSeen } from "../../../../src/services/nsqd/broker/HeadersSeen.ts"
import * as PolicySweeps from "../../../../src/services/nsqd/broker/PolicySweeps.ts"
import { TopicPolicy } from "../../../../src/services/nsqd/policies/ResolvedPolicy.ts"

/** A topic whose channels come from `channels`. */
const topicWith = (name: string, channels: () => []): PolicySweeps.SweptTopic => ({
  name: TopicName.make(name),
  policy: new TopicPolicy(),
  get channels() {
    return channels()
  },
  lookAtOldest: Effect.void,
  measure: Effect.void
})

describe("PolicySweeps", () => {
  it.effect("a defect in one topic is logged, and ends neither the sweep of others nor later ones", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.make(({ message }) => void lines.push(String(message)))
      let runs = 0
      const broken = topicWith("broken", () => {
        throw new Error("a defect")
      })
      const other = topicWith("other", () => {
        runs++
        return []
      })
      const policies = {
        changes: yield* PubSub.unbounded<void>(),
        list: () => [{ match: "*", ttl: "1s", source: "config" as const }]
      }
      yield* Effect.provide(
        PolicySweeps.fork(() => [broken, other], policies, new HeadersSeen()),
        Logger.layer([logger])
      )
      yield* TestClock.adjust(0)
      assert.strictEqual(runs, 1)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(runs, 2)
      assert.lengthOf(lines, 2)
      assert.include(lines[0], "TOPIC(broken): unexpected error")
    }))
})

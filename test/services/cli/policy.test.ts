import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Broker } from "../../../src/broker.ts"
import { messageKey } from "../../../src/protocol/client/Message.ts"
import { until } from "../../../src/testing/index.ts"
import { join } from "../nsqd/broker/testing.ts"
import { daemonWith, failureOf, run } from "./cli.ts"

const out = (...args: ReadonlyArray<string>) => Effect.map(run(args), (ran) => ran.out)

describe("nsq policy", () => {
  it.live("a policy is set, listed with its origin and deleted", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* out("policy", "list"), "no policies")
      assert.strictEqual(
        yield* out("policy", "set", "orders.*:max_attempts=5,ttl=1h"),
        "the policy for orders.* is set on 1 nsqd"
      )
      assert.match(yield* out("policy", "list"), /orders\.\* +max_attempts +5 +api/)
      assert.match(yield* out("policy", "list", "orders.new", "kitchen"), /orders\.\* +ttl +1h +api/)
      yield* run(["policy", "delete", "orders.*"])
      assert.strictEqual(yield* out("policy", "list"), "no policies")
      const [code, message] = failureOf(yield* run(["policy", "set", "orders:max_depth=many"])) ?? []
      assert.deepStrictEqual([code, message], [2, "max_depth: must be a whole number from 0 on; 0 for none"])
      assert.deepStrictEqual(failureOf(yield* run(["policy", "delete", "orders.*"])), [
        1,
        "no nsqd has a policy for orders.* that was set at run time"
      ])
    }).pipe(Effect.provide(daemonWith({}))))
})

describe("nsq dlq and nsq redrive", () => {
  it.live("dead letters are listed and published again", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* out("dlq"), "no dead letters")
      const { channel, recording, subscription } = yield* join("orders", "kitchen", 10)
      yield* run(["pub", "orders", "tea", "milk"])
      yield* until(() => recording.bodies().length === 2)
      for (const { id } of recording.take()) subscription.reject(messageKey(id), "cold")
      yield* until(() => channel.deadLetterCount === 2)
      assert.match(yield* out("dlq"), /orders\.dlq +2 +1/)
      const milk = "1 message of orders.dlq published again"
      assert.strictEqual(yield* out("redrive", "orders.dlq", "--regex", "^mi.k$", "--contains", "milk"), milk)
      assert.strictEqual(yield* out("redrive", "orders.dlq", "--to", "later"), milk)
      yield* until(() => recording.bodies().length === 1)
      assert.deepStrictEqual(recording.bodies(), ["milk"])
      assert.strictEqual((yield* Broker).findTopic("later")?.messageCount, 1)
      yield* run(["channel", "create", "orders.dlq", "second"])
      const [code, reason] = failureOf(yield* run(["redrive", "orders.dlq"])) ?? []
      assert.strictEqual(code, 1)
      assert.match(reason ?? "", /topic orders\.dlq has several channels; choose one with --channel$/)
      assert.deepStrictEqual(failureOf(yield* run(["redrive", "missing"])), [1, "topic missing does not exist"])
      assert.deepStrictEqual(
        failureOf(yield* run(["redrive", "missing", "--cancel"])),
        [1, "no redrive of missing runs"]
      )
    }).pipe(Effect.provide(daemonWith({}))))
})

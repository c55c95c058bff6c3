import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Metric, Scope } from "effect"
import { TestClock } from "effect/testing"
import { Decision } from "../../../src/services/client/index.ts"
import { consume, layer, publish, untilChannel } from "./consuming.ts"

/** The consumer's metrics that are not 0, by name and outcome. */
const metrics = Effect.map(Metric.snapshot, (all) =>
  Object.fromEntries(all.flatMap(({ attributes, id, state }) => {
    if (!id.startsWith("nsq_consumer_") || !("count" in state) || Number(state.count) === 0) return []
    assert.deepStrictEqual([attributes?.["topic"], attributes?.["channel"]], ["orders", "c"])
    const outcome = attributes?.["outcome"]
    const name = id.slice("nsq_consumer_".length)
    return [[outcome === undefined ? name : `${name} ${outcome}`, Number(state.count)]]
  })))

describe("the metrics of a Consumer", () => {
  it.effect("they count messages by outcome, and what is in flight and connected at the moment", () =>
    Effect.gen(function*() {
      const order = (item: string) => JSON.stringify({ item })
      yield* publish(order("tea"), order("tea"), order("bad"), order("lost"), "no JSON", order("slow"))
      const slow = yield* Deferred.make<void>()
      const ending = yield* Scope.make()
      const consumer = yield* Scope.provide(
        consume({ deduplicate: { key: ({ item }) => item }, onGivenUp: () => Effect.void }),
        ending
      )
      yield* Effect.forkIn(
        consumer.run(
          ({ item }) => item === "slow" ? Deferred.await(slow) : item === "tea" ? Effect.void : Effect.fail(item),
          {
            onError: (item) => item === "lost" ? Decision.GiveUp() : Decision.Requeue({ delay: "1 hour" })
          }
        ),
        ending
      )
      yield* untilChannel(({ depth, inFlightCount }) => depth === 0 && inFlightCount === 1)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* metrics, {
        received: 6,
        "messages processed": 1,
        "messages duplicate": 1,
        "messages requeued": 1,
        "messages given_up": 2,
        failures: 2,
        undecodable: 1,
        in_flight: 1,
        connections: 1
      })
      yield* Deferred.succeed(slow, undefined)
      yield* Scope.close(ending, Exit.void)
      const { connections, in_flight, "messages processed": processed } = yield* metrics
      assert.deepStrictEqual([processed, in_flight, connections], [2, undefined, undefined])
    }).pipe(Effect.scoped, Effect.provideService(Metric.MetricRegistry, new Map()), Effect.provide(layer)))
})

/** Which ends of a delivery raise the attempts of a message (docs/policies.md#dead-letters). */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Broker, Policies } from "../../../../src/broker.ts"
import type { Policy } from "../../../../src/protocol/http/PoliciesResponse.ts"
import { until } from "../../../../src/testing/index.ts"
import { layer, start } from "./durable.ts"
import { join, type Joined, send } from "./testing.ts"

const attemptsOf = Effect.fnUntraced(function*({ recording }: Joined) {
  yield* until(() => recording.bodies().length > 0)
  return recording.take().map(({ attempts }) => attempts)
})

/** Without a limit the attempts are the deliveries, as in NSQ. */
const policies: ReadonlyArray<{
  readonly name: string
  readonly policy: Omit<Policy, "match"> | undefined
  readonly afterStop: number
  readonly afterChange: number
}> = [
  { name: "without a limit", policy: undefined, afterStop: 2, afterChange: 2 },
  { name: "with a limit", policy: { max_attempts: 3 }, afterStop: 1, afterChange: 1 },
  {
    name: "with a limit that counts disconnects",
    policy: { max_attempts: 3, count_disconnects: true },
    afterStop: 2,
    afterChange: 1
  }
]

/** A consumer that has received a message of the topic `t`. */
const delivered = Effect.fnUntraced(function*(policy: Omit<Policy, "match"> | undefined) {
  if (policy !== undefined) yield* Policies.use(({ put }) => put({ match: "t", ...policy }))
  const consumer = yield* join("t", "c", 1)
  yield* send("t", "a")
  assert.deepStrictEqual(yield* attemptsOf(consumer), [1])
  return consumer
})

for (const { afterChange, afterStop, name, policy } of policies) {
  describe(`a message in flight ${name}`, () => {
    for (const durability of ["memory", "written"] as const) {
      // So that the message of a memory topic is on disk before a kill.
      const options = { durability, memQueueSize: durability === "memory" ? 0 : 100 }

      for (const [end, expected] of [["stop", afterStop], ["kill", 1]] as const) {
        it.effect(`has ${expected} attempts in its next delivery after a ${end}, in a ${durability} topic`, () =>
          Effect.gen(function*() {
            const first = yield* start(options)
            yield* first.run(delivered(policy))
            yield* first[end]
            const second = yield* start(options)
            yield* second.run(Effect.gen(function*() {
              assert.deepStrictEqual(yield* attemptsOf(yield* join("t", "c", 1)), [expected])
            }))
            yield* second.stop
          }).pipe(Effect.provide(layer)))
      }

      const other = durability === "memory" ? "written" : "synced"
      it.effect(`has ${afterChange} attempts in its next delivery after a change from ${durability} to ${other}`, () =>
        Effect.gen(function*() {
          const broker = yield* start(options)
          yield* broker.run(Effect.gen(function*() {
            const consumer = yield* delivered(policy)
            yield* Broker.use(({ setDurability }) => setDurability("t", other))
            assert.deepStrictEqual(yield* attemptsOf(consumer), [afterChange])
          }))
          yield* broker.stop
        }).pipe(Effect.provide(layer)))
    }
  })
}

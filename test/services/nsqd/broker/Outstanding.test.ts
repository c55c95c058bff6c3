import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import { frameBodyStart } from "../../../../src/protocol/client/MessageBatch.ts"
import { until } from "../../../../src/testing/index.ts"
import { brokerWith, channelOf, join, numbers, send } from "./testing.ts"

/** Two consumers of the channel `t/c` with 2000 messages in flight each; the Scope of the second. */
const twoConsumers = Effect.gen(function*() {
  const channel = yield* channelOf("t", "c")
  const first = yield* join("t", "c", 2000)
  const scope = yield* Scope.make()
  const second = yield* Scope.provide(join("t", "c", 2000), scope)
  yield* send("t", ...numbers(4000))
  yield* until(() => channel.inFlightCount === 4000)
  return { channel, first, second, scope }
})

describe("messages in flight", () => {
  it.live("all of them are looked at in steps, also those of a consumer that leaves meanwhile", () =>
    Effect.gen(function*() {
      const { channel, first, scope, second } = yield* twoConsumers
      const seen = new Map<string, string>()
      let inStep = 0
      const look = channel.outstanding.eachInFlight(({ frames }, position, holder) => {
        inStep++
        const body = frames.toString(
          "utf8",
          frameBodyStart(frames, position),
          position + 4 + frames.readInt32BE(position)
        )
        seen.set(body, holder === undefined ? "left" : holder === first.subscription ? "first" : "second")
      })
      const goOn = (): boolean => {
        inStep = 0
        const { done } = look.next()
        assert.isAtMost(inStep, 512)
        return done !== true
      }
      // Into the messages of the second.
      for (let step = 0; step < 6; step++) goOn()
      assert.strictEqual(seen.get(second.recording.bodies()[0]!), "second")
      yield* Scope.close(scope, Exit.void)
      while (goOn());
      assert.sameMembers(Array.from(seen.keys()), [...numbers(4000)])
      for (const body of first.recording.bodies()) assert.strictEqual(seen.get(body), "first")
      assert.strictEqual(channel.inFlightCount, 4000)
      assert.strictEqual(seen.get(second.recording.bodies()[1999]!), "left")
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 10_000, requeueOnDisconnect: false }))))

  it.live("a delivery is known by the key of its message, until the consumer leaves and after it", () =>
    Effect.gen(function*() {
      const { channel, scope, second } = yield* twoConsumers
      const key = messageKey(second.recording.take()[0]!.id)
      assert.deepStrictEqual(channel.outstanding.deliveryOf(key), { attempts: 1, holder: second.subscription })
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(channel.outstanding.deliveryOf(key), { attempts: 1, holder: undefined })
      assert.isTrue(channel.finishAny(key))
      assert.isUndefined(channel.outstanding.deliveryOf(key))
    }).pipe(Effect.provide(brokerWith({ memQueueSize: 10_000, requeueOnDisconnect: false }))))
})

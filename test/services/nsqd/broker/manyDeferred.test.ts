import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Fiber, Latch } from "effect"
import { TestClock } from "effect/testing"
import { Broker } from "../../../../src/broker.ts"
import { messageKey } from "../../../../src/protocol/client/Message.ts"
import { Turns } from "../../../../src/services/core/Turns.ts"
import type { Channel } from "../../../../src/services/nsqd/broker/Channel.ts"
import { until, untilIdle } from "../../../../src/testing/index.ts"
import { layer, start } from "./durable.ts"
import { join, numbers, send } from "./testing.ts"

/** More than are looked at in one step. */
const many = 10_000
/** Looked at in the last step: the earliest message. */
const wanted = 1

/** Whether a fiber waits for its turn until the gate opens. */
const Waits = Context.Reference<boolean>("test/Waits", { defaultValue: () => false })

/** A broker whose turns are over whenever long work checks them, and a gate for those of some fibers. */
const world = Effect.gen(function*() {
  const gate = yield* Latch.make(false)
  let waiting = 0
  const wait = Effect.suspend(() => {
    waiting++
    return gate.await
  })
  const next = Effect.flatMap(Waits, (waits) => waits ? wait : Effect.void)
  const broker = yield* Effect.provideService(start(), Turns, { isOver: () => true, next })
  /** Begins a change, and returns when it waits for its next turn. */
  const begin = Effect.fnUntraced(function*<A, E>(change: Effect.Effect<A, E>) {
    const changing = yield* Effect.forkChild(Effect.provideService(change, Waits, true))
    yield* until(() => waiting > 0)
    return changing
  })
  return { broker, gate, begin }
})

/** A consumer that gets nothing more, and whose messages have all been deferred for a minute. */
const deferredMessages = Effect.gen(function*() {
  const consumer = yield* join("orders", "c", many)
  yield* send("orders", ...numbers(many))
  yield* until(() => consumer.recording.bodies().length === many)
  consumer.subscription.setReady(0)
  for (const { id } of consumer.recording.take()) consumer.subscription.requeue(messageKey(id), 60_000)
  assert.strictEqual(consumer.channel.deferredCount, many)
  return consumer
})

const changes: ReadonlyArray<readonly [string, (channel: Channel) => Effect.Effect<boolean, unknown>]> = [
  ["requeued", (channel) => channel.release(wanted)],
  ["deleted", (channel) => channel.drop(wanted)]
]

describe("one of many deferred messages of a durable channel", () => {
  for (const [name, change] of changes) {
    it.effect(`while it is looked for to be ${name}, others are published and delivered`, () =>
      Effect.gen(function*() {
        const { begin, broker, gate } = yield* world
        yield* broker.run(Effect.gen(function*() {
          const { channel, recording, subscription } = yield* deferredMessages
          const changing = yield* begin(change(channel))
          subscription.setReady(10)
          yield* send("orders", "urgent")
          yield* until(() => recording.bodies().includes("urgent"))
          assert.isUndefined(changing.pollUnsafe(), "it is still looked for")
          yield* gate.open
          assert.isTrue(yield* Fiber.join(changing))
          assert.strictEqual(channel.deferredCount, many - 1)
          yield* untilIdle
          assert.deepStrictEqual(recording.bodies(), name === "requeued" ? ["urgent", "m0"] : ["urgent"])
          assert.isFalse(yield* channel.release(wanted))
          assert.strictEqual(yield* channel.drop(wanted), name === "requeued")
          // The others are as they were.
          subscription.setReady(many)
          yield* TestClock.adjust("60 seconds")
          yield* until(() => recording.bodies().includes(`m${many - 1}`))
          yield* untilIdle
          const bodies = new Set(recording.bodies())
          assert.strictEqual(bodies.size, many + (name === "requeued" ? 1 : 0))
        })).pipe(Effect.scoped)
        yield* broker.stop
      }).pipe(Effect.provide(layer)))

    it.effect(`it is not ${name} if the messages of its topic move to another queue meanwhile`, () =>
      Effect.gen(function*() {
        const { begin, broker, gate } = yield* world
        yield* broker.run(Effect.gen(function*() {
          const { channel } = yield* deferredMessages
          const changing = yield* begin(change(channel))
          yield* Broker.use(({ setDurability }) => setDurability("orders", "memory"))
          yield* gate.open
          assert.isFalse(yield* Fiber.join(changing))
          assert.deepStrictEqual([channel.deferredCount, channel.depth], [many, 0])
        })).pipe(Effect.scoped)
        yield* broker.stop
      }).pipe(Effect.provide(layer)))
  }

  it.effect("it is not requeued if it becomes due while it is looked for", () =>
    Effect.gen(function*() {
      const { begin, broker, gate } = yield* world
      yield* broker.run(Effect.gen(function*() {
        const { channel, recording, subscription } = yield* deferredMessages
        const changing = yield* begin(channel.release(wanted))
        subscription.setReady(10)
        yield* TestClock.adjust("60 seconds")
        yield* until(() => recording.bodies().includes("m0"))
        yield* until(() => channel.deferredCount === 0)
        yield* gate.open
        assert.isFalse(yield* Fiber.join(changing))
        assert.deepStrictEqual([channel.unfinished, channel.inFlightCount], [many, 10])
      })).pipe(Effect.scoped)
      yield* broker.stop
    }).pipe(Effect.provide(layer)))
})

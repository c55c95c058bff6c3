import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Queue } from "effect"
import { TestClock } from "effect/testing"
import { TopicName } from "../../src/protocol/client/Names.ts"
import { onEventLoop } from "../../src/services/core/Turns.ts"
import { Idle, ProtocolClient, TestBroker, untilIdle } from "../../src/testing/index.ts"

const idle = Effect.provide(Idle.layer)

/** What `untilIdle` replaced. */
const thirtyYields = Effect.repeat(Effect.yieldNow, { times: 30 })

describe("untilIdle", () => {
  it.effect("untilIdle waits for a fiber that yields more often than a fixed number of yields covers", () =>
    Effect.gen(function*() {
      const delivered: Array<string> = []
      yield* Effect.forkChild(
        Effect.andThen(Effect.repeat(Effect.yieldNow, { times: 100 }), Effect.sync(() => delivered.push("late")))
      )
      yield* thirtyYields
      assert.deepStrictEqual(delivered, [])
      yield* untilIdle
      assert.deepStrictEqual(delivered, ["late"])
    }).pipe(idle))

  it.effect("untilIdle waits for a chain of fibers that wake each other", () =>
    Effect.gen(function*() {
      const queues = yield* Effect.forEach(Array.from({ length: 200 }), () => Queue.unbounded<number>())
      for (const [i, queue] of queues.entries()) {
        const next = queues[i + 1]
        if (next !== undefined) {
          yield* Effect.forkChild(Effect.flatMap(Queue.take(queue), (n) => Queue.offer(next, n + 1)))
        }
      }
      yield* Queue.offer(queues[0]!, 0)
      yield* untilIdle
      assert.strictEqual(yield* Queue.size(queues.at(-1)!), 1)
    }).pipe(idle))

  it.effect("untilIdle waits for promises that are resolved already", () =>
    Effect.gen(function*() {
      const chain = yield* Effect.forkChild(Effect.promise(async () => {
        for (let i = 0; i < 1000; i++) await undefined
      }))
      yield* untilIdle
      assert.isDefined(chain.pollUnsafe())
    }).pipe(idle))

  it.effect("untilIdle waits for work that takes turns on the event loop without the scheduler", () =>
    Effect.gen(function*() {
      const work = yield* Effect.forkChild(Effect.repeat(onEventLoop.next, { times: 100 }))
      yield* untilIdle
      assert.isDefined(work.pollUnsafe())
    }).pipe(idle))

  it.effect("untilIdle does not wait for the clock or for an event that only the test can cause", () =>
    Effect.gen(function*() {
      const event = yield* Deferred.make<void>()
      const sleeping = yield* Effect.forkChild(Effect.sleep("1 second"))
      const waiting = yield* Effect.forkChild(Deferred.await(event))
      yield* untilIdle
      assert.isUndefined(sleeping.pollUnsafe())
      assert.isUndefined(waiting.pollUnsafe())
      yield* TestClock.adjust("1 second")
      yield* Deferred.succeed(event, undefined)
      yield* untilIdle
      assert.isDefined(sleeping.pollUnsafe())
      assert.isDefined(waiting.pollUnsafe())
    }).pipe(idle))

  it.effect("untilIdle fails if a fiber yields forever", () =>
    Effect.gen(function*() {
      yield* Effect.forkChild(Effect.forever(Effect.yieldNow))
      const exit = yield* Effect.exit(untilIdle)
      assert(Exit.isFailure(exit))
      assert.match(String(exit.cause), /not idle after 100000 rounds of the event loop: a fiber yields forever/)
    }).pipe(idle))

  it.effect("two fibers can wait until idle at the same time, and a wait can be interrupted", () =>
    Effect.gen(function*() {
      const [one, other] = [yield* Effect.forkChild(untilIdle), yield* Effect.forkChild(untilIdle)]
      yield* Fiber.interrupt(one)
      yield* Fiber.join(other)
    }).pipe(idle))

  it.effect("untilIdle covers the fibers of layers that are built on Idle, also those inside another Idle layer", () => {
    let done = 0
    const background = Layer.effectDiscard(
      Effect.forkScoped(Effect.andThen(Effect.repeat(Effect.yieldNow, { times: 100 }), Effect.sync(() => done++)))
    )
    const inside = Effect.andThen(untilIdle, Effect.sync(() => assert.strictEqual(done, 1)))
    return inside.pipe(
      Effect.provide(Idle.layer, { local: true }),
      Effect.provide(Layer.provideMerge(background, Idle.layer))
    )
  })

  it.effect("all messages of a TestBroker have arrived when it is idle", () =>
    Effect.gen(function*() {
      const topic = TopicName.make("t")
      const client = yield* ProtocolClient.connect(TestBroker.address)
      const bodies = Array.from({ length: 50 }, (_, i) => `m${i}`)
      yield* client.send(...bodies.map((body) => ({ _tag: "PUB", topic, body: Buffer.from(body) }) as const))
      const replies = yield* Queue.unbounded<string | undefined>()
      yield* Effect.forkChild(Effect.forever(Effect.flatMap(client.text, (text) => Queue.offer(replies, text))))
      yield* untilIdle
      assert.deepStrictEqual(yield* Queue.clear(replies), bodies.map(() => "OK"))
    }).pipe(Effect.scoped, Effect.provide(TestBroker.layer())))
})

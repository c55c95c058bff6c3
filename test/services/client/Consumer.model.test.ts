/**
 * Consumers that come and go while their handlers succeed, fail, wait, interrupt themselves and acknowledge by themselves: whatever
 * the order, every message is processed, and none has to time out to come back.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Metric, Random, Scope, Stream } from "effect"
import { TestClock } from "effect/testing"
import { Decision, type Delivery } from "../../../src/services/client/index.ts"
import { untilIdle } from "../../../src/testing/index.ts"
import { channel, consume, layer, type Order, order } from "./consuming.ts"

const total = 60
const lives = 25

const below = (limit: number) => Random.nextIntBetween(0, limit)

/** Does something with a message, and records it if that processes it. */
const behave = Effect.fnUntraced(function*(
  { item }: typeof Order.Type,
  delivery: Delivery<typeof Order.Type>,
  processed: Set<string>
) {
  const done = Effect.sync(() => processed.add(item))
  switch (yield* below(8)) {
    case 0:
      return yield* Effect.fail("no")
    case 1:
      return yield* Effect.die(new Error("a defect"))
    case 2:
      return yield* Effect.interrupt
    case 3:
      return yield* Effect.andThen(Effect.sleep(yield* below(5000)), done)
    case 4:
      return yield* Effect.andThen(done, delivery.finish)
    case 5:
      return yield* delivery.requeue({ delay: yield* below(1000), backoff: false })
    default:
      return yield* done
  }
})

/** One consumer, from its start to the end of its Scope. */
const live = Effect.fnUntraced(function*(processed: Set<string>) {
  const ending = yield* Scope.make()
  const consumer = yield* Scope.provide(
    consume({
      maxInFlight: 1 + (yield* below(20)),
      drainTimeout: (yield* below(3)) * 1000,
      maxAttempts: 0,
      ...((yield* below(2)) === 0 ? { maxBackoffDuration: "8 seconds" } : {}),
      ...((yield* below(2)) === 0 ? { deduplicate: { key: ({ item }) => item } } : {})
    }),
    ending
  )
  const handler = (value: typeof Order.Type, delivery: Delivery<typeof Order.Type>) =>
    behave(value, delivery, processed)
  const onError = () => Decision.Requeue({ delay: "100 millis" })
  const [how, concurrency, size] = [yield* below(3), 1 + (yield* below(5)), 1 + (yield* below(5))]
  const working = how === 0
    ? consumer.run(handler, { concurrency, onError })
    : how === 1
    ? consumer.runBatches(
      (values, deliveries) =>
        Effect.forEach(values, (value, i) => {
          const delivery = deliveries[i]
          return delivery === undefined ? Effect.void : handler(value, delivery)
        }),
      { concurrency, size, onError }
    )
    : Stream.runForEach(
      consumer.messages,
      (delivery) =>
        Effect.flatMap(delivery.value, (value) => handler(value, delivery)).pipe(
          Effect.matchCauseEffect({ onSuccess: () => delivery.finish, onFailure: () => delivery.requeue() })
        )
    )
  const running = yield* Effect.forkIn(working, (yield* below(2)) === 0 ? ending : yield* Effect.scope)
  for (let i = yield* below(8); i > 0; i--) {
    yield* untilIdle
    yield* TestClock.adjust(yield* below(1000))
    const [change, to] = [yield* below(10), yield* below(6)]
    if (change === 0) yield* consumer.setConcurrency(to)
    else if (change === 1) yield* consumer.setMaxInFlight(to)
    else if (change === 2) yield* consumer.pause
    else if (change === 3) yield* consumer.resume
    else if (change === 4) yield* Effect.forkScoped(Fiber.interrupt(running))
    else if (change === 5) yield* Effect.forkScoped(consumer.stop)
  }
  const closing = yield* Effect.forkScoped(Scope.close(ending, Exit.void))
  while (closing.pollUnsafe() === undefined) {
    yield* untilIdle
    yield* TestClock.adjust("1 second")
  }
})

/** Messages that arrived at consumers, and those that they acknowledged, by the metrics. */
const counts = Effect.map(Metric.snapshot, (all) => {
  const sum = (name: string) =>
    all.reduce((sum, { id, state }) => id === name && "count" in state ? sum + Number(state.count) : sum, 0)
  return [sum("nsq_consumer_received"), sum("nsq_consumer_messages")] as const
})

describe("any history of consumers", () => {
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    it.effect(`every message is processed and none times out, seed ${seed}`, () =>
      Effect.gen(function*() {
        const items = Array.from({ length: total }, (_, i) => String(i))
        yield* order(...items)
        const processed = new Set<string>()
        for (let i = 0; i < lives; i++) {
          yield* Effect.scoped(live(processed))
          yield* untilIdle
          assert.strictEqual((yield* channel).inFlightCount, 0, `life ${i}`)
          // nsqd would also requeue what a lost connection leaves behind, but NSQ's waits for the timeout.
          const [received, acknowledged] = yield* counts
          assert.strictEqual(acknowledged, received, `life ${i}`)
        }
        const last = yield* consume({ maxAttempts: 0 })
        yield* Effect.forkScoped(last.run(({ item }) => Effect.sync(() => processed.add(item))))
        yield* TestClock.adjust("1 hour")
        yield* untilIdle
        assert.deepStrictEqual(items.filter((item) => !processed.has(item)), [])
        const { depth, inFlightCount, requeueCount, timeoutCount } = yield* channel
        assert.deepStrictEqual([depth, inFlightCount, timeoutCount], [0, 0, 0])
        assert.isAbove(requeueCount, 0)
      }).pipe(
        Random.withSeed(seed),
        Effect.scoped,
        Effect.provideService(Metric.MetricRegistry, new Map()),
        Effect.provide(layer)
      ))
  }
})

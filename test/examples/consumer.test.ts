/**
 * An example of a test of a consumer's program, on a broker in memory: an order that fails is retried, and then rejected with its
 * cause.
 */
import { assert, it } from "@effect/vitest"
import { Data, Effect, Queue, Schedule, Schema } from "effect"
import { Consumer, DeadLetter, Decision, Producer, type Servers, Topic } from "effect-nsq/client"
import { TestBroker, untilIdle } from "effect-nsq/testing"
import { FetchHttpClient } from "effect/http"
import { TestClock } from "effect/testing"

const Order = Schema.Struct({ item: Schema.String, quantity: Schema.Int })
const orders = Topic.make("orders", Order)
const rejected = DeadLetter.topic("orders.rejected")

class KitchenError extends Data.TaggedError("KitchenError")<{ readonly item: string; readonly isFinal: boolean }> {}

/** The program under test. */
const kitchen = (
  servers: Servers,
  cook: (order: typeof Order.Type) => Effect.Effect<void, KitchenError>
) =>
  Consumer.layer({
    topic: orders,
    channel: "kitchen",
    servers,
    maxInFlight: 10,
    retry: Schedule.exponential("1 second"),
    maxBackoffDuration: 0,
    deadLetter: rejected,
    drainTimeout: 0,
    onError: (error: KitchenError) => error.isFinal ? Decision.GiveUp() : Decision.Requeue({})
  }, cook)

it.effect("an order that cannot be cooked is retried and then rejected with its cause", () =>
  Effect.gen(function*() {
    const servers = { nsqd: [TestBroker.address] }
    const tries = yield* Queue.unbounded<string>()
    let outOfGas = true
    const cook = ({ item }: typeof Order.Type) =>
      Effect.andThen(
        Queue.offer(tries, item),
        Effect.suspend(() =>
          item === "stone" || outOfGas
            ? Effect.fail(new KitchenError({ item, isFinal: item === "stone" }))
            : Effect.void
        )
      )
    const producer = yield* Producer.make({ servers })
    const rejections = yield* Consumer.make({ topic: rejected, channel: "office", servers })
    const letters = yield* Queue.unbounded<DeadLetter.DeadLetter>()
    yield* Effect.forkScoped(rejections.run((letter) => Queue.offer(letters, letter)))

    const program = Effect.gen(function*() {
      yield* producer.publishAll(orders, [{ item: "tea", quantity: 1 }, { item: "stone", quantity: 1 }])
      assert.deepStrictEqual([yield* Queue.take(tries), yield* Queue.take(tries)].toSorted(), ["stone", "tea"])
      outOfGas = false
      yield* untilIdle
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Queue.take(tries), "tea")
      const letter = yield* Queue.take(letters)
      assert.match(letter.cause, /KitchenError/)
      assert.deepStrictEqual(yield* orders.decode(letter.body), { item: "stone", quantity: 1 })
    })
    yield* Effect.provide(program, kitchen(servers, cook))
  }).pipe(Effect.scoped, Effect.provide([TestBroker.layer(), FetchHttpClient.layer])))

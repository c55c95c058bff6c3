import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Context, Data, Deferred, Effect, Queue, Schedule } from "effect"
import { TestClock } from "effect/testing"
import { Consumer, DeadLetter, Decision } from "../../../src/services/client/index.ts"
import { channel, consume, layer, logs, order, publish, servers, untilChannel } from "./consuming.ts"

class ShopError extends Data.TaggedError("ShopError")<{ readonly final: boolean }> {}

class Audit extends Context.Service<Audit, {
  readonly note: (id: string) => Effect.Effect<void, ShopError>
}>()("test/Audit") {}

describe("a message that is given up", () => {
  it.effect("a message whose last attempt fails is given up at once, with the failure", () =>
    Effect.gen(function*() {
      yield* order("tea")
      const givenUp = yield* Deferred.make<readonly [number, string]>()
      const consumer = yield* consume({
        maxAttempts: 2,
        onGivenUp: ({ attempts }, cause) => Deferred.succeed(givenUp, [attempts, String(Cause.squash(cause))] as const)
      })
      yield* Effect.forkScoped(consumer.run(() => Effect.fail("sold out")))
      yield* untilChannel(({ deferredCount }) => deferredCount === 1)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Deferred.await(givenUp), [2, "sold out"])
      yield* untilChannel(({ inFlightCount }) => inFlightCount === 0)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("onGivenUp may need services and fail; the failure is logged, requeues the message and ends nothing", () => {
    const { layer: Logs, lines } = logs()
    return Effect.gen(function*() {
      yield* order("tea")
      const attempts = yield* Queue.unbounded<number>()
      const consumer = yield* consume({
        maxAttempts: 1,
        onGivenUp: ({ attempts: attempt, id }) =>
          Effect.andThen(Queue.offer(attempts, attempt), Audit.use((audit) => audit.note(id)))
      })
      const running = yield* Effect.forkScoped(consumer.run(() => Effect.fail("sold out")))
      assert.strictEqual(yield* Queue.take(attempts), 1)
      yield* untilChannel(({ deferredCount }) => deferredCount === 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Queue.take(attempts), 2)
      assert.isUndefined(running.pollUnsafe())
      assert.isTrue(lines.some((line) => /^giving up msg \w+ failed, requeueing it$/.test(line)))
    }).pipe(
      Effect.scoped,
      Effect.provideService(Audit, { note: () => Effect.fail(new ShopError({ final: true })) }),
      Effect.provide([layer, Logs])
    )
  })

  it.effect("a handler that ends with an interruption of its own counts as failed", () =>
    Effect.gen(function*() {
      yield* order("tea")
      const givenUp = yield* Deferred.make<number>()
      const consumer = yield* consume({
        maxAttempts: 1,
        onGivenUp: ({ attempts }) => Deferred.succeed(givenUp, attempts)
      })
      yield* Effect.forkScoped(consumer.run(() => Effect.interrupt))
      assert.strictEqual(yield* Deferred.await(givenUp), 1)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a message that was delivered too often is given up without its handler", () =>
    Effect.gen(function*() {
      yield* order("tea")
      const earlier = Effect.gen(function*() {
        const third = yield* Deferred.make<void>()
        const consumer = yield* consume({ maxAttempts: 0, defaultRequeueDelay: 0 })
        yield* Effect.forkScoped(consumer.run((_, delivery) =>
          delivery.attempts < 3
            ? Effect.fail("no")
            : Effect.andThen(delivery.requeue({ delay: "1 minute" }), Deferred.succeed(third, undefined))
        ))
        yield* Deferred.await(third)
      })
      yield* Effect.scoped(earlier)
      const cause = yield* Deferred.make<string>()
      const consumer = yield* consume({
        maxAttempts: 2,
        onGivenUp: (_, reason) => Deferred.succeed(cause, String(Cause.squash(reason)))
      })
      yield* Effect.forkScoped(consumer.run(() => Effect.die("must not run")))
      yield* TestClock.adjust("1 minute")
      assert.match(yield* Deferred.await(cause), /was delivered 4 times \(limit 2\)/)
    }).pipe(Effect.scoped, Effect.provide(layer)))
})

describe("a body that cannot be decoded", () => {
  it.effect("it is given up at once with the cause, and the consumer does not back off", () =>
    Effect.gen(function*() {
      yield* publish("no JSON", `{"item":"tea"}`)
      const causes = yield* Queue.unbounded<string>()
      const items = yield* Queue.unbounded<string>()
      const consumer = yield* consume({
        maxInFlight: 1,
        maxBackoffDuration: "2 minutes",
        onGivenUp: ({ attempts }, cause) => Queue.offer(causes, `${attempts} ${String(Cause.squash(cause))}`)
      })
      yield* Effect.forkScoped(consumer.run(({ item }) => Queue.offer(items, item)))
      // No time passes.
      assert.strictEqual(yield* Queue.take(items), "tea")
      assert.match(yield* Queue.take(causes), /^1 ClientError: orders: /)
      assert.strictEqual((yield* channel).requeueCount, 0)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("onUndecodable decides about it", () =>
    Effect.gen(function*() {
      yield* publish("finish", "requeue")
      const seen = yield* Queue.unbounded<string>()
      const consumer = yield* consume({
        onUndecodable: (error, { attempts, body }) => {
          const text = Buffer.from(body).toString()
          Queue.offerUnsafe(seen, `${text} ${attempts} ${error.reason._tag}`)
          return text === "finish" ? Decision.Finish() : Decision.Requeue({ delay: "7 seconds" })
        }
      })
      yield* Effect.forkScoped(consumer.run(() => Effect.die("must not run")))
      assert.deepStrictEqual([yield* Queue.take(seen), yield* Queue.take(seen)], [
        "finish 1 InvalidMessage",
        "requeue 1 InvalidMessage"
      ])
      yield* untilChannel(({ deferredCount }) => deferredCount === 1)
      yield* TestClock.adjust("6999 millis")
      assert.strictEqual(Queue.sizeUnsafe(seen), 0)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Queue.take(seen), "requeue 2 InvalidMessage")
    }).pipe(Effect.scoped, Effect.provide(layer)))
})

describe("the decision about an error", () => {
  it.effect("onError finishes, requeues after a delay, or gives up, by the error", () =>
    Effect.gen(function*() {
      yield* order("finish", "requeue", "give up", "defect")
      const givenUp = yield* Queue.unbounded<string>()
      const consumer = yield* consume({
        onGivenUp: (_, cause) => Queue.offer(givenUp, String(Cause.squash(cause)))
      })
      yield* Effect.forkScoped(consumer.run(
        ({ item }) => item === "defect" ? Effect.die("broken") : Effect.fail(item),
        {
          onError: (error) =>
            error === "finish"
              ? Decision.Finish()
              : error === "requeue"
              ? Decision.Requeue({ delay: "1 minute", backoff: false })
              : Decision.GiveUp()
        }
      ))
      assert.strictEqual(yield* Queue.take(givenUp), "give up")
      yield* untilChannel(({ deferredCount, inFlightCount }) => deferredCount === 2 && inFlightCount === 0)
      yield* TestClock.adjust("1 second")
      // The defect is requeued with the default delay.
      yield* untilChannel(({ requeueCount }) => requeueCount === 3)
      assert.strictEqual((yield* channel).deferredCount, 2)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a decision that throws is logged and requeues the message", () => {
    const { layer: Logs, lines } = logs()
    return Effect.gen(function*() {
      yield* order("tea")
      const consumer = yield* consume()
      const running = yield* Effect.forkScoped(consumer.run(() => Effect.fail("no"), {
        onError: () => {
          throw new Error("undecided")
        }
      }))
      yield* untilChannel(({ deferredCount }) => deferredCount === 1)
      assert.isUndefined(running.pollUnsafe())
      assert.isTrue(lines.some((line) => line.startsWith("deciding about msg ")))
    }).pipe(Effect.scoped, Effect.provide([layer, Logs]))
  })

  it.effect("retry sets the delays by the deliveries, and a message is given up when it ends", () =>
    Effect.gen(function*() {
      yield* order("tea")
      const attempts = yield* Queue.unbounded<number>()
      const givenUp = yield* Deferred.make<number>()
      const consumer = yield* consume({
        retry: Schedule.exponential("10 seconds").pipe(Schedule.upTo({ times: 2 })),
        onGivenUp: (delivery) => Deferred.succeed(givenUp, delivery.attempts)
      })
      yield* Effect.forkScoped(
        consumer.run((_, delivery) => Effect.andThen(Queue.offer(attempts, delivery.attempts), Effect.fail("no")))
      )
      assert.strictEqual(yield* Queue.take(attempts), 1)
      yield* untilChannel(({ deferredCount }) => deferredCount === 1)
      yield* TestClock.adjust("9999 millis")
      assert.strictEqual(Queue.sizeUnsafe(attempts), 0)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* Queue.take(attempts), 2)
      yield* untilChannel(({ deferredCount }) => deferredCount === 1)
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(yield* Queue.take(attempts), 3)
      assert.strictEqual(yield* Deferred.await(givenUp), 3)
    }).pipe(Effect.scoped, Effect.provide(layer)))
})

describe("dead letters", () => {
  const rejected = DeadLetter.topic("rejected")

  it.effect("a message that is given up is published with its cause before it is finished", () =>
    Effect.gen(function*() {
      yield* publish(`{"item":"tea"}`, "no JSON")
      const letters = yield* Consumer.make({ topic: rejected, channel: "c", servers, maxInFlight: 10 })
      const received = yield* Queue.unbounded<DeadLetter.DeadLetter>()
      yield* Effect.forkScoped(letters.run((letter) => Queue.offer(received, letter)))
      const consumer = yield* consume({ deadLetter: rejected })
      yield* Effect.forkScoped(
        consumer.run(() => Effect.fail(new ShopError({ final: true })), { onError: () => Decision.GiveUp() })
      )
      const both = [yield* Queue.take(received), yield* Queue.take(received)]
      const [tea, other] = both.toSorted((a, b) => Buffer.compare(b.body, a.body))
      assert.strictEqual(Buffer.from(tea?.body ?? []).toString(), `{"item":"tea"}`)
      assert.match(tea?.cause ?? "", /ShopError/)
      assert.deepStrictEqual([tea?.topic, tea?.channel, tea?.attempts, tea?.address], [
        "orders",
        "c",
        1,
        servers.nsqd[0]
      ])
      assert.strictEqual(Buffer.from(other?.body ?? []).toString(), "no JSON")
      assert.match(other?.cause ?? "", /ClientError/)
      yield* untilChannel(({ depth, inFlightCount }) => depth === 0 && inFlightCount === 0)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("a message whose dead letter cannot be published is requeued", () =>
    Effect.gen(function*() {
      yield* order("tea")
      const failing = { ...rejected, encode: () => Effect.die(new Error("cannot be encoded")) }
      const consumer = yield* consume({
        deadLetter: failing,
        onGivenUp: () => Effect.die(new Error("must not run"))
      })
      yield* Effect.forkScoped(consumer.run(() => Effect.fail("no"), { onError: () => Decision.GiveUp() }))
      yield* untilChannel(({ deferredCount }) => deferredCount === 1)
    }).pipe(Effect.scoped, Effect.provide(layer)))
})

describe("a handler and its message", () => {
  it.effect("the handler sees the deadline of its message, and a touch moves it up to the server's limit", () =>
    Effect.gen(function*() {
      yield* order("tea")
      const deadlines = yield* Queue.unbounded<number>()
      const consumer = yield* consume({ autoTouch: false })
      yield* Effect.forkScoped(consumer.run((_, delivery) =>
        Effect.gen(function*() {
          yield* Queue.offer(deadlines, delivery.deadline)
          yield* Effect.sleep("40 seconds")
          yield* delivery.touch
          yield* Queue.offer(deadlines, delivery.deadline)
        })
      ))
      const first = yield* Queue.take(deadlines)
      const now = yield* Clock.currentTimeMillis
      assert.strictEqual(first - now, 60_000)
      yield* TestClock.adjust("40 seconds")
      assert.strictEqual((yield* Queue.take(deadlines)) - now, 100_000)
    }).pipe(Effect.scoped, Effect.provide(layer)))

  it.effect("duplicates within the window are finished without their handler, and later ones are handled", () =>
    Effect.gen(function*() {
      const handled = yield* Queue.unbounded<string>()
      const consumer = yield* consume({ deduplicate: { key: ({ item }) => item, window: "1 minute" } })
      let failing = true
      yield* Effect.forkScoped(consumer.run(({ item }) => {
        Queue.offerUnsafe(handled, item)
        return item === "bad" && failing ? Effect.fail("no") : Effect.void
      }))
      yield* order("tea", "tea", "cake", "tea", "bad")
      assert.deepStrictEqual(
        [yield* Queue.take(handled), yield* Queue.take(handled), yield* Queue.take(handled)].toSorted(),
        ["bad", "cake", "tea"]
      )
      // A message that failed is not a duplicate of itself.
      failing = false
      yield* untilChannel(({ deferredCount }) => deferredCount === 1)
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* Queue.take(handled), "bad")
      yield* TestClock.adjust("58 seconds")
      yield* order("tea")
      yield* untilChannel(({ inFlightCount, messageCount }) => messageCount === 6 && inFlightCount === 0)
      assert.strictEqual(Queue.sizeUnsafe(handled), 0)
      yield* TestClock.adjust("1 second")
      yield* order("tea")
      assert.strictEqual(yield* Queue.take(handled), "tea")
    }).pipe(Effect.scoped, Effect.provide(layer)))
})

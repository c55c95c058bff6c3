/**
 * The rules of Effect's `PersistedQueueStore`, for any store: the cases of Effect's own suite for stores, and some more. The layer of
 * each test is new.
 */
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Fiber, Latch, Layer, Schedule, Schema, type Scope } from "effect"
import { PersistedQueue } from "effect/persistence"
import { TestClock } from "effect/testing"
import { eventually, type Idle, untilIdle } from "../../../src/testing/index.ts"

export const Job = Schema.Struct({ n: Schema.BigInt })

const atOnce = Schedule.spaced(0)

/** Advances the clock and lets everything happen that can happen by then. */
export const pass = Effect.fnUntraced(function*(duration: Duration.Input) {
  yield* untilIdle
  yield* TestClock.adjust(duration)
  yield* untilIdle
})

/** Fails if the take gets an element within a second. */
export const getsNothing = Effect.fnUntraced(function*<A, E>(take: Fiber.Fiber<A, E>) {
  yield* pass("1 second")
  assert.isUndefined(take.pollUnsafe())
})

/** Waits for the result of a fiber, as long as that takes by the TestClock. */
export const result = Effect.fnUntraced(function*<A, E>(fiber: Fiber.Fiber<A, E>) {
  yield* eventually(() => fiber.pollUnsafe() !== undefined, "the fiber ends")
  return yield* Fiber.join(fiber)
})

export const value = <A extends { readonly n: bigint }>(job: A) => Effect.succeed(job.n)

/** Runs the rules on a store. */
export const suite = <E>(name: string, store: Layer.Layer<PersistedQueue.PersistedQueueStore | Idle, E>) => {
  const world = Layer.fresh(Layer.provideMerge(PersistedQueue.layer, store))
  const check = (
    title: string,
    test: Effect.Effect<
      void,
      unknown,
      PersistedQueue.PersistedQueueStore | PersistedQueue.PersistedQueueFactory | Idle | Scope.Scope
    >
  ) => it.effect(title, () => test.pipe(Effect.scoped, Effect.provide(world)))

  describe(`a PersistedQueue ${name}`, () => {
    check(
      "an element that is offered is taken, as its first attempt",
      Effect.gen(function*() {
        const queue = yield* PersistedQueue.make({ name: "jobs", schema: Job })
        const id = yield* queue.offer({ n: 1n })
        const taken = yield* queue.take(({ n }, metadata) => Effect.succeed({ n, ...metadata }))
        assert.deepStrictEqual(taken, { n: 1n, id, attempts: 1 })
      })
    )

    check(
      "an interrupted take gives its element to another one, and does not count",
      Effect.gen(function*() {
        const queue = yield* PersistedQueue.make({ name: "jobs", schema: Job })
        yield* queue.offer({ n: 1n })
        const started = Latch.makeUnsafe()
        const first = yield* Effect.forkScoped(queue.take(() => Effect.andThen(started.open, Effect.never)))
        yield* started.await
        const second = yield* Effect.forkScoped(queue.take(({ n }, { attempts }) => Effect.succeed([n, attempts])))
        yield* getsNothing(second)
        yield* Fiber.interrupt(first)
        assert.deepStrictEqual(yield* result(second), [1n, 1])
      })
    )

    check(
      "a failed take fails with the error of the handler, and the element is taken again",
      Effect.gen(function*() {
        const queue = yield* PersistedQueue.make({ name: "jobs", schema: Job, retrySchedule: atOnce })
        yield* queue.offer({ n: 1n })
        assert.strictEqual(yield* Effect.flip(queue.take(() => Effect.fail("no"))), "no")
        // Without a delay there is nothing to wait for: the clock stands still.
        const again = yield* queue.take(({ n }, { attempts }) => Effect.succeed([n, attempts]))
        assert.deepStrictEqual(again, [1n, 2])
      })
    )

    check(
      "an element is taken again after the delay of the retry schedule, and not before",
      Effect.gen(function*() {
        const queue = yield* PersistedQueue.make({
          name: "jobs",
          schema: Job,
          retrySchedule: Schedule.spaced("5 seconds")
        })
        yield* queue.offer({ n: 1n })
        yield* Effect.flip(queue.take(() => Effect.fail("no")))
        const again = yield* Effect.forkScoped(queue.take((_, { attempts }) => Effect.succeed(attempts)))
        yield* pass("4900 millis")
        assert.isUndefined(again.pollUnsafe())
        assert.strictEqual(yield* result(again), 2)
      })
    )

    check(
      "a second offer of an id is ignored, before and after the element is completed",
      Effect.gen(function*() {
        const queue = yield* PersistedQueue.make({ name: "jobs", schema: Job })
        assert.strictEqual(yield* queue.offer({ n: 1n }, { id: "same" }), "same")
        assert.strictEqual(yield* queue.offer({ n: 2n }, { id: "same" }), "same")
        assert.strictEqual(yield* queue.take(value), 1n)
        yield* queue.offer({ n: 3n }, { id: "same" })
        yield* getsNothing(yield* Effect.forkScoped(queue.take(value)))
      })
    )

    check(
      "concurrent offers of an id add one element",
      Effect.gen(function*() {
        const queue = yield* PersistedQueue.make({ name: "jobs", schema: Job })
        yield* Effect.all(Array.from({ length: 10 }, () => queue.offer({ n: 1n }, { id: "same" })), {
          concurrency: "unbounded"
        })
        assert.strictEqual(yield* queue.take(value), 1n)
        yield* getsNothing(yield* Effect.forkScoped(queue.take(value)))
      })
    )

    check(
      "queues are separate, also in their ids, and have any names",
      Effect.gen(function*() {
        const first = yield* PersistedQueue.make({ name: "DurableQueue/first queue", schema: Job })
        const second = yield* PersistedQueue.make({ name: `DurableQueue/${"long ".repeat(40)}`, schema: Job })
        yield* first.offer({ n: 1n }, { id: "same" })
        yield* second.offer({ n: 2n }, { id: "same" })
        assert.strictEqual(yield* second.take(value), 2n)
        assert.strictEqual(yield* first.take(value), 1n)
      })
    )

    check(
      "an element that is being processed is not taken by others, however long that takes",
      Effect.gen(function*() {
        const queue = yield* PersistedQueue.make({ name: "jobs", schema: Job })
        yield* queue.offer({ n: 1n })
        const [started, release] = [Latch.makeUnsafe(), Latch.makeUnsafe()]
        const first = yield* Effect.forkScoped(queue.take(() => Effect.andThen(started.open, release.await)))
        yield* started.await
        const second = yield* Effect.forkScoped(queue.take(value))
        for (let i = 0; i < 20; i++) yield* pass("30 seconds")
        yield* getsNothing(second)
        yield* release.open
        yield* result(first)
        yield* getsNothing(second)
      })
    )

    check(
      "an element is not taken again after the last attempt",
      Effect.gen(function*() {
        const queue = yield* PersistedQueue.make({ name: "jobs", schema: Job, maxAttempts: 2, retrySchedule: atOnce })
        yield* queue.offer({ n: 1n })
        yield* Effect.flip(queue.take(() => Effect.fail("no")))
        assert.strictEqual(yield* Effect.flip(queue.take(() => Effect.fail("no"))), "no")
        yield* getsNothing(yield* Effect.forkScoped(queue.take(value)))
      })
    )

    check(
      "an element that does not match the schema is skipped and not taken again",
      Effect.gen(function*() {
        const store = yield* PersistedQueue.PersistedQueueStore
        const queue = yield* PersistedQueue.make({ name: "jobs", schema: Job, retrySchedule: atOnce })
        yield* store.offer({ name: "jobs", id: "bad", element: { n: null }, isCustomId: true })
        yield* queue.offer({ n: 1n })
        assert.strictEqual(yield* queue.take(value), 1n)
        yield* getsNothing(yield* Effect.forkScoped(queue.take(value)))
      })
    )

    check(
      "a delayed element is not taken before its delay, and the delay does not count as an attempt",
      Effect.gen(function*() {
        const queue = yield* PersistedQueue.make({ name: "jobs", schema: Job })
        yield* queue.offer({ n: 1n }, { delay: "1 minute" })
        yield* queue.offer({ n: 2n })
        assert.strictEqual(yield* queue.take(value), 2n)
        const delayed = yield* Effect.forkScoped(queue.take(({ n }, { attempts }) => Effect.succeed([n, attempts])))
        yield* pass("59 seconds")
        assert.isUndefined(delayed.pollUnsafe())
        assert.deepStrictEqual(yield* result(delayed), [1n, 1])
      })
    )

    check(
      "a long delay is kept and does not count as an attempt, and an infinite one adds nothing",
      Effect.gen(function*() {
        const queue = yield* PersistedQueue.make({ name: "jobs", schema: Job })
        yield* queue.offer({ n: 1n }, { delay: "5 minutes" })
        yield* queue.offer({ n: 2n }, { delay: Duration.infinity })
        const delayed = yield* Effect.forkScoped(queue.take(({ n }, { attempts }) => Effect.succeed([n, attempts])))
        for (let i = 0; i < 9; i++) yield* pass("32 seconds")
        assert.isUndefined(delayed.pollUnsafe())
        yield* pass("13 seconds")
        assert.deepStrictEqual(yield* result(delayed), [1n, 1])
      })
    )

    check(
      "a long delay of the retry schedule is kept, and the attempts are as well",
      Effect.gen(function*() {
        const queue = yield* PersistedQueue.make({
          name: "jobs",
          schema: Job,
          retrySchedule: Schedule.spaced("3 minutes")
        })
        yield* queue.offer({ n: 1n })
        yield* Effect.flip(queue.take(() => Effect.fail("no")))
        const second = yield* Effect.forkScoped(Effect.flip(queue.take((_, { attempts }) => Effect.fail(attempts))))
        for (let i = 0; i < 5; i++) yield* pass("35 seconds")
        assert.isUndefined(second.pollUnsafe())
        assert.strictEqual(yield* result(second), 2)
        const third = yield* Effect.forkScoped(queue.take((_, { attempts }) => Effect.succeed(attempts)))
        for (let i = 0; i < 6; i++) yield* pass("35 seconds")
        assert.strictEqual(yield* result(third), 3)
      })
    )

    check(
      "the delays of a growing retry schedule follow the attempts of the element",
      Effect.gen(function*() {
        const queue = yield* PersistedQueue.make({
          name: "jobs",
          schema: Job,
          retrySchedule: Schedule.exponential("1 second")
        })
        yield* queue.offer({ n: 1n })
        const failing = queue.take((_, { attempts }) => Effect.fail(attempts))
        assert.strictEqual(yield* Effect.flip(failing), 1)
        for (const [attempt, delay] of [[2, 1000], [3, 2000], [4, 4000]] as const) {
          const next = yield* Effect.forkScoped(Effect.flip(failing))
          yield* pass(delay - 100)
          assert.isUndefined(next.pollUnsafe())
          yield* pass(100)
          assert.strictEqual(next.pollUnsafe() === undefined ? undefined : yield* Fiber.join(next), attempt)
        }
      })
    )

    check(
      "the cleanup runs in intervals as a Layer",
      Effect.gen(function*() {
        const queue = yield* PersistedQueue.make({ name: "jobs", schema: Job })
        yield* queue.offer({ n: 1n }, { id: "same" })
        yield* queue.take(value)
        yield* Layer.build(PersistedQueue.layerCleanup({ interval: "10 seconds", timeToLive: "1 minute" }))
        yield* pass("20 seconds")
        yield* queue.offer({ n: 2n }, { id: "same" })
        const next = yield* Effect.forkScoped(queue.take(value))
        yield* getsNothing(next)
        yield* pass("1 minute")
        yield* queue.offer({ n: 3n }, { id: "same" })
        assert.strictEqual(yield* result(next), 3n)
      })
    )

    check(
      "the cleanup forgets ids of completed elements after their lifetime",
      Effect.gen(function*() {
        const { cleanup } = yield* PersistedQueue.PersistedQueueStore
        const queue = yield* PersistedQueue.make({ name: "jobs", schema: Job })
        yield* queue.offer({ n: 1n }, { id: "same" })
        yield* queue.take(value)
        yield* cleanup({ timeToLive: Duration.days(30), failedTimeToLive: undefined })
        yield* queue.offer({ n: 2n }, { id: "same" })
        const next = yield* Effect.forkScoped(queue.take(value))
        yield* getsNothing(next)
        yield* pass("2 seconds")
        yield* cleanup({ timeToLive: Duration.seconds(1), failedTimeToLive: undefined })
        yield* queue.offer({ n: 3n }, { id: "same" })
        assert.strictEqual(yield* result(next), 3n)
      })
    )

    check(
      "the cleanup forgets ids of failed elements only with a lifetime for them",
      Effect.gen(function*() {
        const { cleanup } = yield* PersistedQueue.PersistedQueueStore
        const queue = yield* PersistedQueue.make({ name: "jobs", schema: Job, maxAttempts: 1 })
        yield* queue.offer({ n: 1n }, { id: "same" })
        yield* Effect.flip(queue.take(() => Effect.fail("no")))
        yield* pass("2 seconds")
        yield* cleanup({ timeToLive: Duration.seconds(1), failedTimeToLive: undefined })
        yield* queue.offer({ n: 2n }, { id: "same" })
        const next = yield* Effect.forkScoped(queue.take(value))
        yield* getsNothing(next)
        yield* cleanup({ timeToLive: Duration.days(30), failedTimeToLive: Duration.seconds(1) })
        yield* queue.offer({ n: 3n }, { id: "same" })
        assert.strictEqual(yield* result(next), 3n)
      })
    )

    check(
      "the cleanup keeps the ids of elements that were not processed",
      Effect.gen(function*() {
        const { cleanup } = yield* PersistedQueue.PersistedQueueStore
        const queue = yield* PersistedQueue.make({ name: "jobs", schema: Job })
        yield* queue.offer({ n: 1n }, { id: "same" })
        yield* pass("1 hour")
        yield* cleanup({ timeToLive: Duration.seconds(1), failedTimeToLive: Duration.seconds(1) })
        yield* queue.offer({ n: 2n }, { id: "same" })
        assert.strictEqual(yield* queue.take(value), 1n)
        yield* getsNothing(yield* Effect.forkScoped(queue.take(value)))
      })
    )

    check(
      "concurrent workers process every element once, and once more after each failure",
      Effect.gen(function*() {
        const queue = yield* PersistedQueue.make({ name: "jobs", schema: Job, retrySchedule: atOnce })
        const count = 30
        const attempts = new Map<bigint, number>()
        const done = yield* Deferred.make<void>()
        let succeeded = 0
        const worker = queue.take(({ n }) => {
          const attempt = (attempts.get(n) ?? 0) + 1
          attempts.set(n, attempt)
          if (n % 3n === 0n && attempt === 1) return Effect.fail("no")
          succeeded++
          return succeeded === count ? Deferred.succeed(done, undefined) : Effect.void
        }).pipe(Effect.ignore, Effect.forever)
        yield* Effect.replicateEffect(Effect.forkScoped(worker), 4)
        yield* Effect.forEach(Array.from({ length: count }, (_, i) => BigInt(i)), (n) => queue.offer({ n }), {
          concurrency: 8,
          discard: true
        })
        yield* eventually(() => succeeded === count)
        yield* Deferred.await(done)
        yield* pass("10 seconds")
        const expected = Array.from({ length: count }, (_, i) => i % 3 === 0 ? 2 : 1)
        assert.deepStrictEqual(Array.from({ length: count }, (_, i) => attempts.get(BigInt(i))), expected)
      })
    )

    check(
      "a take that is interrupted while it waits leaves the next element to another one",
      Effect.gen(function*() {
        const queue = yield* PersistedQueue.make({ name: "jobs", schema: Job })
        const gone = yield* Effect.forkScoped(queue.take(value))
        yield* pass("1 second")
        yield* Fiber.interrupt(gone)
        yield* queue.offer({ n: 1n })
        const next = yield* Effect.forkScoped(queue.take((_, { attempts }) => Effect.succeed(attempts)))
        assert.strictEqual(yield* result(next), 1)
      })
    )
  })
}

import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { TestClock } from "effect/testing"
import { DiskReads } from "../../../../src/services/nsqd/broker/DiskReads.ts"
import { makePool, Worker } from "../../../../src/services/nsqd/broker/Worker.ts"
import { StorageError, StorageErrorReason } from "../../../../src/services/nsqd/disk/StorageError.ts"
import type { BackendQueue } from "../../../../src/services/nsqd/storage/BackendQueue.ts"

const backend = (hasMore: () => boolean): BackendQueue => ({
  name: "t",
  depth: 1,
  get hasMore() {
    return hasMore()
  },
  append: () => Effect.void,
  read: () => Effect.undefined,
  recent: Effect.succeed(new Set()),
  sync: Effect.void,
  empty: Effect.void,
  delete: Effect.void
})

const failure = Effect.fail(
  new StorageError({
    reason: StorageErrorReason.DiskFailure({ description: "read x: input/output error", code: "EIO" })
  })
)

/** Reads, and the number of calls of their worker. */
const make = Effect.fnUntraced(function*(hasMore: () => boolean = () => true) {
  let calls = 0
  const worker = new Worker(yield* makePool, "TOPIC(t)", () => {
    calls++
    return undefined
  })
  return { reads: new DiskReads("TOPIC(t)", backend(hasMore), worker), calls: () => calls }
})

/** Runs an effect and returns its log lines. */
const logged = Effect.fnUntraced(function*(effect: Effect.Effect<unknown>) {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  yield* Effect.provide(effect, Logger.layer([logger]))
  return lines
})

describe("reads from a disk queue", () => {
  it.effect("reads return their result and are ready while the queue has more", () =>
    Effect.gen(function*() {
      let hasMore = true
      const { calls, reads } = yield* make(() => hasMore)
      assert.isTrue(reads.isReady)
      assert.strictEqual(yield* reads.attempt(Effect.succeed("records")), "records")
      hasMore = false
      assert.isFalse(reads.isReady)
      assert.strictEqual(calls(), 0)
    }))

  it.effect("reads without a disk are never ready", () =>
    Effect.gen(function*() {
      const worker = new Worker(yield* makePool, "CHANNEL(c#ephemeral)", () => undefined)
      assert.isFalse(new DiskReads("CHANNEL(c#ephemeral)", undefined, worker).isReady)
    }))

  it.effect("failed reads are retried after 50 ms, then after twice as long each time, up to 2 s", () =>
    Effect.gen(function*() {
      const { calls, reads } = yield* make()
      let expected = 0
      for (const millis of [50, 100, 200, 400, 800, 1600, 2000, 2000]) {
        assert.isUndefined(yield* Effect.provide(reads.attempt(failure), Logger.layer([])))
        assert.isFalse(reads.isReady)
        yield* TestClock.adjust(millis - 1)
        assert.deepStrictEqual([reads.isReady, calls()], [false, expected])
        yield* TestClock.adjust(1)
        assert.deepStrictEqual([reads.isReady, calls()], [true, ++expected])
      }
    }))

  it.effect("repeatedly failing reads are logged once, then once when they succeed, and the delays start again", () =>
    Effect.gen(function*() {
      const { reads } = yield* make()
      assert.deepStrictEqual(yield* logged(reads.attempt(failure)), [
        "TOPIC(t): failed to read from disk, retrying - read x: input/output error"
      ])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* logged(reads.attempt(failure)), [])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* logged(reads.attempt(Effect.succeed(1))), ["TOPIC(t): can read from disk again"])
      assert.deepStrictEqual(yield* logged(reads.attempt(Effect.succeed(2))), [])
      assert.strictEqual((yield* logged(reads.attempt(failure))).length, 1)
      yield* TestClock.adjust(49)
      assert.isFalse(reads.isReady)
      yield* TestClock.adjust(1)
      assert.isTrue(reads.isReady)
    }))
})

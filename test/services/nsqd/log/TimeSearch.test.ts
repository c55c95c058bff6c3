/** The place of a time in records of several messages and several times, and what it costs to find it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Disk, type DiskFile } from "../../../../src/services/nsqd/disk/Disk.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { finish, layer, open, type OpenLog, range } from "./logs.ts"

const keepAll = (log: OpenLog): void => log.log.history.retain(() => ({ millis: Infinity, bytes: Infinity }))

/** Publishes while the disk is slow: what comes after the first publish shares a commit. */
const whileSlow = <A, E, R>(publishes: Effect.Effect<ReadonlyArray<Fiber.Fiber<A, E>>, never, R>) =>
  Effect.gen(function*() {
    const release = yield* Effect.flatMap(FaultyDisk, ({ holdSyncs }) => holdSyncs)
    const fibers = yield* publishes
    yield* release
    yield* Effect.forEach(fibers, Fiber.join)
  })

const fork = <A, E>(publish: Effect.Effect<A, E>) => Effect.forkChild(publish, { startImmediately: true })

/** A disk that counts the bytes that are read from it. */
const counting = (disk: Disk["Service"]) => {
  let bytes = 0
  const counted = (file: DiskFile): DiskFile => ({
    ...file,
    read: (buffer, position) => Effect.tap(file.read(buffer, position), (count) => Effect.sync(() => bytes += count))
  })
  return {
    disk: Disk.of({ ...disk, open: (path) => Effect.map(disk.open(path), counted) }),
    /** How many were read since the last call. */
    take: () => {
      const taken = bytes
      bytes = 0
      return taken
    }
  }
}

describe("the place of a time", () => {
  it.effect("is that of the first message from then on, also within a record", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const log = yield* open()
      keepAll(log)
      yield* log.channel("a")
      // Two messages each second; those of the seconds 1 to 19 and 21 to 39 share commits.
      for (const from of [0, 20]) {
        yield* whileSlow(Effect.forEach(range(from, from + 20), (second) =>
          Effect.andThen(
            fork(log.publish([2 * second, 2 * second + 1])),
            (fiber) => Effect.as(TestClock.adjust(1000), fiber)
          )))
      }
      const check = Effect.fnUntraced(function*(log: OpenLog) {
        for (const second of range(0, 40)) {
          for (const millis of [second * 1000, Math.max(0, second * 1000 - 999)]) {
            assert.strictEqual(yield* log.log.history.sequenceAt(millis), 2 * second + 1, `${millis} ms`)
          }
        }
        assert.strictEqual(yield* log.log.history.sequenceAt(39_001), log.log.history.end)
      })
      yield* check(log)
      disk.kill()
      const again = yield* open()
      keepAll(again)
      yield* check(again)
    }).pipe(Effect.provide(layer)))

  it.effect("is found by its index in a large segment, also in that of an earlier process once it was read", () =>
    Effect.gen(function*() {
      const machine = yield* FaultyDisk
      const segmentBytes = 4 * 1024 * 1024
      const { disk, take } = counting(yield* Disk)
      const opening = open({ segmentBytes }).pipe(Effect.provideService(Disk, disk))
      const first = yield* opening
      keepAll(first)
      yield* first.channel("a")
      // Records of 50 messages and 52 kB; about 80 of them in a segment.
      for (const at of range(0, 300)) {
        yield* first.publish(range(50 * at, 50 * (at + 1)), 0, 1000)
        yield* TestClock.adjust(1000)
      }
      take()
      // Three blocks of the index and of the scan, headers, and both again for the record itself.
      const few = 8 * 64 * 1024
      const find = Effect.fnUntraced(function*(log: OpenLog, second: number) {
        assert.strictEqual(yield* log.log.history.sequenceAt(second * 1000), 50 * second + 1)
        return take()
      })
      for (const second of [1, 70, 79, 80, 150, 299]) assert.isBelow(yield* find(first, second), few)
      machine.kill()
      const second = yield* opening
      keepAll(second)
      take()
      assert.isBelow(yield* find(second, 150), segmentBytes + few)
      for (const at of [150, 149, 120]) assert.isBelow(yield* find(second, at), few)
    }).pipe(Effect.provide(layer)))
})

describe("retention by age", () => {
  it.effect("counts from the newest message of a segment, also if its commit began long before", () =>
    Effect.gen(function*() {
      const log = yield* open()
      log.log.history.retain(() => ({ millis: 40_000, bytes: Infinity }))
      const channel = yield* log.channel("a")
      yield* whileSlow(Effect.gen(function*() {
        const first = yield* fork(log.publish([0], 0, 1000))
        yield* TestClock.adjust("1 second")
        // The next commit.
        const second = yield* fork(log.publish([1], 0, 1000))
        yield* TestClock.adjust("29 seconds")
        return [first, second, yield* fork(log.publish(range(2, 58), 0, 1000))]
      }))
      // In the next segment, which stays.
      yield* log.publish(range(58, 78), 0, 1000)
      ;(yield* log.read(channel)).forEach(finish)
      yield* log.log.recorded
      yield* TestClock.adjust("30 seconds")
      yield* log.log.history.sweep
      yield* TestClock.adjust(100)
      assert.strictEqual(log.log.history.start, 1)
      yield* TestClock.adjust("11 seconds")
      yield* log.log.history.sweep
      yield* TestClock.adjust(100)
      assert.strictEqual(log.log.history.start, 59)
    }).pipe(Effect.provide(layer)))
})

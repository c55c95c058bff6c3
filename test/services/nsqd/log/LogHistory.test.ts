import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Latch } from "effect"
import { TestClock } from "effect/testing"
import { segmentFileName } from "../../../../src/protocol/storage/LogFiles.ts"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import type { RetentionLimits } from "../../../../src/services/nsqd/log/Retention.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { finish, layer, numbersOf, open, type OpenLog, range } from "./logs.ts"

const bodySize = 1000
/** Larger than a segment. */
const segmentful = 80

const nothing = (): void => {}

/** A disk whose reads wait for the latch. */
const readingBehind = (disk: Disk["Service"], latch: Latch.Latch) =>
  Disk.of({
    ...disk,
    open: (path) =>
      Effect.map(disk.open(path), (file) => ({
        ...file,
        read: (buffer, position) => Effect.andThen(latch.await, file.read(buffer, position))
      }))
  })

/** Publishes messages of several segments and finishes them in the channel. */
const publishAndFinish = Effect.fnUntraced(function*(log: OpenLog, name: string, count: number, from = 0) {
  const channel = yield* log.channel(name)
  for (const number of range(from, from + count)) yield* log.publish([number], 0, bodySize)
  ;(yield* log.read(channel)).forEach(finish)
  yield* log.log.recorded
  return channel
})

const segmentsOf = Effect.gen(function*() {
  const disk = yield* Disk
  return (yield* disk.list("/log/orders")).filter((name) => name.endsWith(".segment")).length
})

const keep = (log: OpenLog, limits: Partial<RetentionLimits>): void =>
  log.log.history.retain(() => ({ millis: Infinity, bytes: Infinity, ...limits }))

describe("Rewinding", () => {
  it.effect("a channel that is moved back gets finished messages again, and keeps its place over a kill", () =>
    Effect.gen(function*() {
      const first = yield* open()
      keep(first, {})
      const channel = yield* publishAndFinish(first, "a", 100)
      const other = yield* publishAndFinish(first, "b", 0)
      yield* first.log.history.seek(channel, 41, nothing)
      assert.strictEqual(channel.waiting, 60)
      assert.strictEqual(other.waiting, 0)
      const again = yield* first.read(channel)
      assert.deepStrictEqual(numbersOf(again), range(40, 100))
      again.filter(({ number }) => number % 2 === 0).forEach(finish)
      yield* first.log.recorded
      yield* FaultyDisk.use((disk) => Effect.sync(() => disk.kill()))
      const second = yield* open()
      const recovered = yield* second.channel("a")
      assert.deepStrictEqual(
        numbersOf(yield* second.read(recovered)),
        range(40, 100).filter((number) => number % 2 === 1)
      )
    }).pipe(Effect.provide(layer)))

  it.effect("a channel that is moved forward never gets what it has passed", () =>
    Effect.gen(function*() {
      const log = yield* open()
      const channel = yield* log.channel("a")
      yield* log.publish(range(0, 10))
      const [held] = yield* log.read(channel)
      yield* log.log.history.seek(channel, 8, nothing)
      assert.deepStrictEqual(numbersOf(yield* log.read(channel)), [7, 8, 9])
      finish(held!)
      yield* log.log.history.seek(channel, log.log.handed, nothing)
      assert.strictEqual(channel.waiting, 0)
      yield* log.publish([10])
      assert.deepStrictEqual(numbersOf(yield* log.read(channel)), [10])
    }).pipe(Effect.provide(layer)))

  it.effect("returned and deferred messages are plain ones after a move, and messages that are not due wait again", () =>
    Effect.gen(function*() {
      const log = yield* open()
      const channel = yield* log.channel("a")
      yield* log.publish([0, 1])
      yield* log.publish([2], 60_000)
      yield* log.publish([3])
      const [zero, one] = yield* log.read(channel)
      channel.giveBack(zero!.batch.sequenceAt(zero!.position)!, 7)
      channel.defer(one!.batch.sequenceAt(one!.position)!, 5000, 3)
      yield* log.log.history.seek(channel, 1, nothing)
      const again = yield* log.read(channel)
      assert.deepStrictEqual(again.map(({ attempts, number }) => [number, attempts]), [[0, 1], [1, 1], [3, 1]])
      assert.strictEqual(channel.deferredCount, 1)
      assert.strictEqual(channel.releaseDue(60_000, 10), 1)
      assert.deepStrictEqual(numbersOf(yield* log.read(channel)), [2])
    }).pipe(Effect.provide(layer)))

  it.effect("a crash at any operation of a move leaves the place before it or the new one", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const outcomes = new Set<string>()
      for (let operation = 0; operation < 12; operation++) {
        const log = yield* open({ directory: `/log/${operation}` })
        keep(log, {})
        const channel = yield* log.channel("a")
        yield* log.publish(range(0, 20))
        ;(yield* log.read(channel)).forEach(finish)
        yield* log.log.recorded
        disk.crashAt(operation)
        const moved = yield* Effect.exit(log.log.history.seek(channel, 11, nothing))
        disk.kill()
        const recovered = yield* open({ directory: `/log/${operation}` })
        const numbers = numbersOf(yield* recovered.read(yield* recovered.channel("a")))
        if (moved._tag === "Success") assert.deepStrictEqual(numbers, range(10, 20))
        else assert.include([0, 10], numbers.length)
        outcomes.add(`${moved._tag} ${numbers.length}`)
      }
      assert.includeMembers(Array.from(outcomes), ["Success 10", "Failure 0"])
    }).pipe(Effect.provide(layer)))

  it.effect("the message of a time is the first one that was accepted from then on", () =>
    Effect.gen(function*() {
      const log = yield* open()
      keep(log, {})
      yield* log.channel("a")
      for (const number of range(0, 200)) {
        yield* log.publish([number], 0, bodySize)
        yield* TestClock.adjust(1000)
      }
      assert.isAbove(yield* segmentsOf, 2)
      assert.strictEqual(yield* log.log.history.sequenceAt(0), 1)
      for (const second of [1, 63, 64, 65, 66, 130, 131, 199]) {
        assert.strictEqual(yield* log.log.history.sequenceAt(second * 1000), second + 1)
        assert.strictEqual(yield* log.log.history.sequenceAt(second * 1000 - 500), second + 1)
      }
      assert.strictEqual(yield* log.log.history.sequenceAt(1_000_000), log.log.history.end)
    }).pipe(Effect.provide(layer)))
})

describe("A time", () => {
  for (const damage of ["is empty after a kill", "is damaged at its beginning"]) {
    it.effect(`the message of a time is found in front of a segment that ${damage}`, () =>
      Effect.gen(function*() {
        const disk = yield* FaultyDisk
        yield* TestClock.setTime(1_000_000)
        const first = yield* open()
        yield* first.channel("a")
        for (const number of range(0, 3 * segmentful)) {
          yield* first.publish([number], 0, bodySize)
          yield* TestClock.adjust(1000)
        }
        const { end } = first.log.history
        disk.kill()
        const paths = Array.from(disk.files().keys()).filter((path) => path.endsWith(".segment")).toSorted()
        if (damage.startsWith("is empty")) disk.put(`/log/orders/${segmentFileName(end)}`, Buffer.alloc(4096))
        else disk.flipBit(paths[2]!, 20)
        const second = yield* open()
        assert.strictEqual(yield* second.log.history.sequenceAt(0), 1)
        assert.strictEqual(yield* second.log.history.sequenceAt(1_010_000), 11)
        assert.strictEqual(yield* second.log.history.sequenceAt(1_000_000 + 1000 * (end - 2)), end - 1)
      }).pipe(Effect.provide(layer)))
  }
})

describe("A time in a log whose first message is damaged", () => {
  it.effect("the message of a time is found behind it", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const first = yield* open()
      yield* first.channel("a")
      for (const number of range(0, 20)) {
        yield* first.publish([number], 0, bodySize)
        yield* TestClock.adjust(1000)
      }
      disk.kill()
      disk.flipBit(Array.from(disk.files().keys()).find((path) => path.endsWith(".segment"))!, 20)
      const second = yield* open()
      assert.strictEqual(yield* second.log.history.sequenceAt(10_000), 11)
      assert.strictEqual(yield* second.log.history.sequenceAt(0), 2)
    }).pipe(Effect.provide(layer)))
})

describe("Rewinding over removed messages", () => {
  for (const ending of ["stop", "kill"] as const) {
    it.effect(`a channel that is moved back after a ${ending} counts only messages that the log still has`, () =>
      Effect.gen(function*() {
        const disk = yield* FaultyDisk
        const first = yield* open()
        const channel = yield* first.channel("a")
        for (const number of range(0, 4 * segmentful)) yield* first.publish([number], 0, bodySize) // The oldest segment stays for one message, those behind it are removed.
        ;(yield* first.read(channel)).slice(1, 4 * segmentful - 10).forEach(finish)
        yield* first.log.recorded
        yield* TestClock.adjust(50)
        assert.strictEqual(yield* segmentsOf, 2)
        yield* first.log.recorded
        if (ending === "stop") yield* first.close
        disk.kill()
        const second = yield* open()
        assert.isUndefined(second.health())
        const moved = yield* second.channel("a")
        assert.strictEqual(moved.waiting, 11)
        yield* second.log.history.seek(moved, 1, nothing)
        const { waiting } = moved
        const again = numbersOf(yield* second.read(moved))
        assert.strictEqual(waiting, again.length)
        assert.isBelow(again.length, 2 * segmentful)
        assert.includeMembers([...again], [0, ...range(4 * segmentful - 10, 4 * segmentful)])
        assert.strictEqual(moved.waiting, 0)
      }).pipe(Effect.provide(layer)))
  }

  it.effect("a channel that is moved back passes messages whose segment was removed after they were written last", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const first = yield* open()
      const channel = yield* first.channel("a")
      for (const number of range(0, 3 * segmentful)) yield* first.publish([number], 0, bodySize)
      ;(yield* first.read(channel)).slice(1).forEach(finish)
      yield* first.log.recorded
      yield* TestClock.adjust(50)
      yield* first.log.recorded
      disk.kill()
      const second = yield* open()
      const moved = yield* second.channel("a")
      yield* second.log.history.seek(moved, 1, nothing)
      const { waiting } = moved
      assert.strictEqual(waiting, (yield* second.read(moved)).length)
    }).pipe(Effect.provide(layer)))
})

describe("Retention", () => {
  it.effect("without limits no finished segment stays", () =>
    Effect.gen(function*() {
      const log = yield* open()
      yield* publishAndFinish(log, "a", 3 * segmentful)
      yield* log.log.recorded
      assert.isAtMost(yield* segmentsOf, 1)
      assert.isAbove(log.log.history.start, 1)
    }).pipe(Effect.provide(layer)))

  it.effect("finished segments stay until their newest message has the age, also after a restart", () =>
    Effect.gen(function*() {
      const first = yield* open()
      keep(first, { millis: 60_000 })
      yield* publishAndFinish(first, "a", 2 * segmentful)
      yield* TestClock.adjust("30 seconds")
      yield* publishAndFinish(first, "a", 2 * segmentful, 2 * segmentful)
      const before = yield* segmentsOf
      yield* first.close
      const log = yield* open()
      keep(log, { millis: 60_000 })
      yield* log.log.history.sweep
      yield* TestClock.adjust(100)
      assert.strictEqual(yield* segmentsOf, before)
      assert.strictEqual(log.log.history.start, 1)
      yield* TestClock.adjust("31 seconds")
      yield* log.log.history.sweep
      yield* TestClock.adjust(100)
      assert.isBelow(yield* segmentsOf, before)
      assert.isAbove(log.log.history.start, segmentful)
      assert.isAtMost(log.log.history.start, 2 * segmentful + 1)
      yield* TestClock.adjust("61 seconds")
      yield* log.log.history.sweep
      yield* TestClock.adjust(100)
      assert.isAtMost(yield* segmentsOf, 1)
    }).pipe(Effect.provide(layer)))

  it.effect("the oldest finished segments leave when all are larger than the limit", () =>
    Effect.gen(function*() {
      const log = yield* open()
      keep(log, { bytes: 150 * 1024 })
      yield* publishAndFinish(log, "a", 10 * segmentful)
      yield* log.log.recorded
      const segments = yield* segmentsOf
      assert.isAtLeast(segments, 2)
      assert.isAtMost(segments, 3)
    }).pipe(Effect.provide(layer)))

  it.effect("what a channel still needs stays whatever the limits are", () =>
    Effect.gen(function*() {
      const log = yield* open()
      keep(log, { millis: 1, bytes: 1 })
      const slow = yield* log.channel("slow")
      yield* publishAndFinish(log, "a", 3 * segmentful)
      yield* TestClock.adjust("1 hour")
      yield* log.log.history.sweep
      assert.deepStrictEqual(numbersOf(yield* log.read(slow)), range(0, 3 * segmentful))
    }).pipe(Effect.provide(layer)))
})

describe("A start", () => {
  it.effect("a start that finds messages missing keeps the finished ones, whose limits are set after it", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const first = yield* open()
      keep(first, {})
      yield* publishAndFinish(first, "a", 3 * segmentful)
      const kept = yield* segmentsOf
      assert.isAtLeast(kept, 3)
      disk.kill()
      const [path, bytes] = Array.from(disk.files()).filter(([path]) => path.endsWith(".segment")).toSorted().at(-1)!
      disk.put(path, bytes.subarray(0, 2000))
      const second = yield* open()
      keep(second, {})
      yield* TestClock.adjust(50)
      assert.strictEqual(yield* segmentsOf, kept)
      yield* second.log.history.seek(yield* second.channel("a"), 1, nothing)
      assert.deepStrictEqual(numbersOf(yield* second.read(yield* second.channel("a"))).slice(0, 100), range(0, 100))
    }).pipe(Effect.provide(layer)))
})

describe("Finishing old messages", () => {
  it.effect("nothing changes if a channel reads on while no old message is found, also after a kill", () =>
    Effect.gen(function*() {
      const latch = yield* Latch.make()
      const slow = readingBehind(yield* Disk, latch)
      const first = yield* open().pipe(Effect.provideService(Disk, slow))
      const channel = yield* first.channel("a")
      yield* first.publish(range(0, 10))
      const finishing = yield* Effect.forkChild(first.log.history.finishBefore(channel, () => 0), {
        startImmediately: true
      })
      const delivered = yield* first.read(channel)
      assert.deepStrictEqual(numbersOf(delivered), range(0, 10))
      delivered.slice(0, 5).forEach(finish)
      yield* latch.open
      assert.strictEqual(yield* Fiber.join(finishing), 0)
      assert.strictEqual(channel.floor, 6)
      delivered.slice(5, 8).forEach(finish)
      yield* TestClock.adjust(50)
      yield* FaultyDisk.use((disk) => Effect.sync(() => disk.kill()))
      const second = yield* open()
      assert.deepStrictEqual(numbersOf(yield* second.read(yield* second.channel("a"))), range(8, 10))
    }).pipe(Effect.provide(layer)))

  it.effect("a limit that changes meanwhile holds for the messages that are read from then on", () =>
    Effect.gen(function*() {
      const log = yield* open()
      const channel = yield* log.channel("a")
      for (const number of range(0, 6)) yield* log.publish([2 * number, 2 * number + 1])
      const limits = [Infinity, Infinity, -Infinity, Infinity]
      assert.strictEqual(yield* log.log.history.finishBefore(channel, () => limits.shift() ?? Infinity), 4)
      assert.deepStrictEqual(numbersOf(yield* log.read(channel)), range(4, 12))
    }).pipe(Effect.provide(layer)))

  it.effect("a channel that is moved meanwhile keeps the messages before those that are read", () =>
    Effect.gen(function*() {
      const latch = yield* Latch.make()
      const slow = readingBehind(yield* Disk, latch)
      const log = yield* open().pipe(Effect.provideService(Disk, slow))
      keep(log, {})
      const channel = yield* log.channel("a")
      for (const number of range(0, 6)) yield* log.publish([number])
      ;(yield* log.read(channel)).slice(0, 4).forEach(finish)
      yield* log.log.history.seek(channel, 5, nothing)
      const finishing = yield* Effect.forkChild(log.log.history.finishBefore(channel, () => Infinity), {
        startImmediately: true
      })
      yield* log.log.history.seek(channel, 1, nothing)
      yield* latch.open
      assert.strictEqual(yield* Fiber.join(finishing), 2)
      assert.deepStrictEqual(numbersOf(yield* log.read(channel)), range(0, 4))
    }).pipe(Effect.provide(layer)))

  it.effect("nothing is recorded if no old message is found", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const log = yield* open()
      const channel = yield* log.channel("a")
      yield* log.publish(range(0, 10))
      yield* log.log.recorded
      const states = (): ReadonlyArray<number> =>
        Array.from(disk.files()).flatMap(([path, { length }]) => path.endsWith(".state") ? [length] : [])
      const before = states()
      assert.strictEqual(yield* log.log.history.finishBefore(channel, () => 0), 0)
      yield* log.log.recorded
      assert.deepStrictEqual(states(), before)
    }).pipe(Effect.provide(layer)))
})

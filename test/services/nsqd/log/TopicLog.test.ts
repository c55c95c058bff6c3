import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import type { StorageError } from "../../../../src/services/nsqd/disk/StorageError.ts"
import { removeDeletedLogs } from "../../../../src/services/nsqd/log/LogRemoval.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { bodiesOf, finish, layer, messagesOf, numbersOf, open, range } from "./logs.ts"

describe("TopicLog", () => {
  it.effect("every channel reads all messages in the order of publishing", () =>
    Effect.gen(function*() {
      const log = yield* open()
      const a = yield* log.channel("a")
      const b = yield* log.channel("b")
      yield* log.publish([1, 2, 3])
      yield* log.publish([4])
      assert.strictEqual(a.waiting, 4)
      assert.deepStrictEqual(numbersOf(yield* log.read(a)), [1, 2, 3, 4])
      assert.deepStrictEqual(numbersOf(yield* log.read(b)), [1, 2, 3, 4])
      assert.strictEqual(a.waiting, 0)
    }).pipe(Effect.provide(layer)))

  it.effect("publishes of the same turn share one commit", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const log = yield* open()
      const channel = yield* log.channel("a")
      yield* log.publish([0])
      let writes = 0
      disk.fail((operation, path) => {
        if (operation === "write" && path.endsWith(".segment")) writes++
        return undefined
      })
      yield* Effect.forEach(range(1, 50), (number) => log.publish([number]), { concurrency: "unbounded" })
      assert.strictEqual(writes, 1)
      assert.deepStrictEqual(numbersOf(yield* log.read(channel)), range(0, 50))
    }).pipe(Effect.provide(layer)))

  for (const durability of ["written", "synced"] as const) {
    it.effect(`a kill loses nothing and brings nothing finished back (${durability})`, () =>
      Effect.gen(function*() {
        const first = yield* open({ durability })
        const a = yield* first.channel("a")
        const b = yield* first.channel("b")
        yield* first.publish(range(0, 100))
        const delivered = yield* first.read(a)
        delivered.filter(({ number }) => number % 3 !== 0).forEach(finish)
        yield* first.read(b)
        yield* TestClock.adjust(50)
        const second = yield* open({ durability })
        assert.sameMembers([...second.log.channelNames], ["a", "b"])
        const again = yield* second.channel("a")
        assert.strictEqual(again.waiting, 34)
        assert.deepStrictEqual(numbersOf(yield* second.read(again)), range(0, 100).filter((number) => number % 3 === 0))
        assert.strictEqual((yield* second.read(yield* second.channel("b"))).length, 100)
        yield* second.publish([100])
        assert.deepStrictEqual(numbersOf(yield* second.read(again)), [100])
        assert.strictEqual(a.waiting, 0)
      }).pipe(Effect.provide(layer)))
  }

  it.effect("a returned message is redelivered with its attempts, also after a kill", () =>
    Effect.gen(function*() {
      const first = yield* open()
      const channel = yield* first.channel("a")
      yield* first.publish([1, 2])
      const [one] = yield* first.read(channel)
      channel.giveBack(one!.batch.sequenceAt(one!.position)!, 5)
      assert.strictEqual(channel.waiting, 1)
      const [again] = yield* first.read(channel)
      assert.deepStrictEqual([again?.number, again?.attempts], [1, 5])
      yield* TestClock.adjust(50)
      const second = yield* open()
      const messages = yield* second.read(yield* second.channel("a"))
      assert.deepStrictEqual(messages.map(({ attempts, number }) => [number, attempts]), [[1, 5], [2, 1]])
    }).pipe(Effect.provide(layer)))

  it.effect("deferred messages wait for their time, also after a kill", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_000_000)
      const first = yield* open()
      const channel = yield* first.channel("a")
      yield* first.publish([1], 1_060_000)
      yield* first.publish([2])
      assert.deepStrictEqual([channel.waiting, channel.deferredCount], [1, 1])
      const delivered = yield* first.read(channel)
      assert.deepStrictEqual(numbersOf(delivered), [2])
      channel.defer(delivered[0]!.batch.sequenceAt(0)!, 1_030_000, 2)
      assert.strictEqual(channel.deferredCount, 2)
      yield* TestClock.adjust(50)
      const second = yield* open()
      const again = yield* second.channel("a")
      assert.strictEqual(again.deferredCount, 2)
      assert.strictEqual(again.waiting, 0)
      assert.strictEqual(again.earliestDue, 1_030_000)
      assert.strictEqual(again.releaseDue(1_029_999, 10), 0)
      assert.strictEqual(again.releaseDue(1_030_000, 10), 1)
      assert.strictEqual(again.waiting, 1)
      const [two] = yield* second.read(again)
      assert.deepStrictEqual([two?.number, two?.attempts], [2, 2])
      assert.strictEqual(again.releaseDue(1_060_000, 10), 1)
      assert.deepStrictEqual(numbersOf(yield* second.read(again)), [1])
      assert.strictEqual(again.waiting, 0)
    }).pipe(Effect.provide(layer)))

  it.effect("a deferred message that was delivered keeps its attempts if the clock is set back before a restart", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_000_000)
      const first = yield* open()
      const channel = yield* first.channel("a")
      yield* first.publish([1], 1_060_000)
      assert.strictEqual(channel.releaseDue(1_060_000, 10), 1)
      const [one] = yield* first.read(channel)
      channel.giveBack(one!.batch.sequenceAt(one!.position)!, 2)
      yield* TestClock.adjust(50)
      const second = yield* open()
      const again = yield* second.channel("a")
      assert.deepStrictEqual([again.waiting, again.deferredCount], [1, 0])
      const messages = yield* second.read(again)
      assert.deepStrictEqual(messages.map(({ attempts, number }) => [number, attempts]), [[1, 2]])
      assert.strictEqual(again.deferredCount, 0)
    }).pipe(Effect.provide(layer)))

  it.effect("a message behind deferred ones is delivered without reading those", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_000_000)
      const first = yield* open()
      yield* first.channel("a")
      for (const number of range(0, 100)) yield* first.publish([number], 2_000_000)
      yield* TestClock.adjust(50)
      const second = yield* open()
      const channel = yield* second.channel("a")
      yield* second.publish([100])
      assert.deepStrictEqual([channel.waiting, channel.deferredCount], [1, 100])
      const batch = second.log.next(channel)
      assert.deepStrictEqual(numbersOf(batch === undefined ? [] : messagesOf(batch)), [100])
      assert.strictEqual(channel.waiting, 0)
      assert.strictEqual(channel.releaseDue(2_000_000, 1000), 100)
      assert.deepStrictEqual(numbersOf(yield* second.read(channel)), range(0, 100))
      assert.strictEqual(channel.waiting, 0)
    }).pipe(Effect.provide(layer)))

  it.effect("segments are removed when all channels have finished their messages", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const segments = (): ReadonlyArray<string> =>
        Array.from(disk.files().keys()).filter((path) => path.endsWith(".segment"))
      const log = yield* open({ segmentBytes: 4096 })
      const channel = yield* log.channel("a")
      for (const start of [0, 100, 200]) yield* log.publish(range(start, start + 100))
      assert.strictEqual(segments().length, 3)
      const delivered = yield* log.read(channel)
      delivered.slice(0, 250).forEach(finish)
      yield* TestClock.adjust(50)
      assert.strictEqual(segments().length, 1)
      const second = yield* open()
      assert.deepStrictEqual(numbersOf(yield* second.read(yield* second.channel("a"))), range(250, 300))
    }).pipe(Effect.provide(layer)))

  it.effect("the file of a finished segment becomes that of a later one, whose messages survive a kill", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const mib = 1024 * 1024
      const changed = { segmentBytes: 2 * mib }
      const log = yield* open(changed)
      const channel = yield* log.channel("a")
      let number = 0
      const sizes = (): ReadonlyArray<number> =>
        Array.from(disk.files()).flatMap(([path, { length }]) => path.endsWith(".segment") ? [length] : [])
      for (let round = 0; round < 40; round++) {
        yield* log.publish(range(number, number + 100), 0, 2000)
        number += 100
        ;(yield* log.read(channel)).forEach(finish)
        yield* TestClock.adjust(50)
      }
      // The newest segment has blocks from its beginning on.
      assert.deepStrictEqual(sizes().map((size) => size > 1.5 * mib), [true])
      const spares = (): number => Array.from(disk.files().keys()).filter((path) => path.endsWith(".tmp")).length
      assert.isAbove(spares(), 0)
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(spares(), 0, "an idle topic keeps no spare file")
      yield* log.publish([number], 0, 2000)
      const second = yield* open(changed)
      assert.deepStrictEqual(numbersOf(yield* second.read(yield* second.channel("a"))), [number])
      assert.isFalse(Array.from(disk.files().keys()).some((path) => path.endsWith(".tmp")))
    }).pipe(Effect.provide(layer)))

  it.effect("a publish while the last segment is being removed goes into the next one", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const log = yield* open({ segmentBytes: 4 * 1024 * 1024 })
      const channel = yield* log.channel("a")
      for (let at = 0; at < 12; at++) yield* log.publish([at], 0, 100 * 1024)
      ;(yield* log.read(channel)).forEach(finish)
      const context = yield* Effect.context<never>()
      let writes = 0
      let release: Effect.Effect<void> = Effect.void
      let published: Fiber.Fiber<void, StorageError> | undefined
      disk.fail((operation, path) => {
        // This write records the end of the log, before the segment is removed.
        if (operation === "write" && path.endsWith(".state") && ++writes === 1) {
          Effect.runForkWith(context)(Effect.map(disk.holdSyncs, (released) => void (release = released)))
          published = Effect.runForkWith(context)(log.publish([100]))
        }
        return undefined
      })
      yield* TestClock.adjust(50)
      yield* Effect.repeat(Effect.yieldNow, { times: 20 })
      yield* release
      assert.isDefined(published)
      yield* Fiber.join(published!)
      yield* TestClock.adjust(50)
      disk.fail(undefined)
      const second = yield* open()
      assert.deepStrictEqual(numbersOf(yield* second.read(yield* second.channel("a"))), [100])
    }).pipe(Effect.provide(layer)))

  it.effect("a failed write fails its publishers only, and the next commit uses a new segment", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const log = yield* open()
      const channel = yield* log.channel("a")
      yield* log.publish([1])
      disk.fail((operation, path) => operation === "write" && path.endsWith(".segment") ? "ENOSPC" : undefined)
      const error = yield* Effect.flip(log.publish([2]))
      assert.isTrue(error.isFull)
      assert.isTrue(log.health()?.isFull)
      disk.fail(undefined)
      yield* log.publish([3])
      assert.isUndefined(log.health())
      assert.deepStrictEqual(numbersOf(yield* log.read(channel)), [1, 3])
      assert.strictEqual(channel.waiting, 0)
      yield* TestClock.adjust(50)
      const second = yield* open()
      assert.deepStrictEqual(numbersOf(yield* second.read(yield* second.channel("a"))), [1, 3])
    }).pipe(Effect.provide(layer)))

  for (const durability of ["written", "synced"] as const) {
    it.effect(`a deleted log is complete or gone, wherever a crash or a failure stops the deletion (${durability})`, () =>
      Effect.gen(function*() {
        let complete = 0
        let gone = 0
        const stopAt = Effect.fnUntraced(function*(operation: number, ending: "kill" | "power" | "failure") {
          const disk = yield* FaultyDisk
          const files = yield* Disk
          const first = yield* open({ durability, segmentBytes: 2000 })
          const a = yield* first.channel("a")
          yield* first.channel("b")
          for (const number of range(0, 60)) yield* first.publish([number])
          ;(yield* first.read(a)).filter(({ number }) => number < 20).forEach(finish)
          yield* first.log.recorded
          yield* first.log.sync
          yield* files.syncDirectory("/")
          yield* files.syncDirectory("/log")
          let operations = 0
          if (ending === "failure") disk.fail(() => ++operations === operation ? "EIO" : undefined)
          else disk.crashAt(operation, operation)
          yield* Effect.exit(first.log.delete)
          disk.fail(undefined)
          const isDone = ending === "failure" ? operations < operation : !disk.isCrashed()
          yield* first.close
          if (ending === "power") disk.losePower(operation)
          else if (ending === "kill") disk.kill()
          const names = yield* files.list("/log")
          yield* removeDeletedLogs(files, "/log", names)
          const isGone = !names.includes("orders")
          assert.deepStrictEqual(yield* files.list("/log"), isGone ? [] : ["orders"])
          const second = yield* open({ durability, segmentBytes: 2000 })
          if (isGone) {
            gone++
            assert.isTrue(second.log.filling.isNew)
            assert.deepStrictEqual([...disk.files().keys()].filter((path) => path.includes("deleted")), [])
          } else {
            complete++
            assert.deepStrictEqual(second.log.channelNames, ["a", "b"])
            assert.deepStrictEqual(numbersOf(yield* second.read(yield* second.channel("a"))), range(20, 60))
            assert.deepStrictEqual(numbersOf(yield* second.read(yield* second.channel("b"))), range(0, 60))
          }
          yield* second.close
          return isDone
        }, Effect.provide(layer, { local: true }))
        for (const ending of ["kill", "power", "failure"] as const) {
          for (let operation = 1; !(yield* stopAt(operation, ending)); operation++);
        }
        assert.isAbove(complete, 5)
        assert.isAbove(gone, 5)
      }))
  }

  it.effect("a log of the same name is deleted after one whose files could not be removed", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      for (const number of [1, 2]) {
        const log = yield* open()
        yield* log.channel("a")
        yield* log.publish([number])
        if (number === 1) disk.fail((operation) => operation === "remove" ? "EIO" : undefined)
        yield* log.log.delete
        disk.fail(undefined)
        yield* log.close
        const names = yield* Disk.use(({ list }) => list("/log"))
        assert.deepStrictEqual(names, number === 1 ? ["orders%deleted"] : [])
      }
    }).pipe(Effect.provide(layer)))

  it.effect("a topic without channels keeps its messages for the first one", () =>
    Effect.gen(function*() {
      const first = yield* open()
      first.log.hold()
      yield* first.log.append(bodiesOf([1, 2]), 0n, { unit: 1, sequence: 0, node: 1 }, 0)
      assert.strictEqual(first.log.depth, 2)
      yield* TestClock.adjust(50)
      const second = yield* open()
      assert.strictEqual(second.log.depth, 2)
      const channel = yield* second.channel("a")
      second.log.handOver()
      assert.deepStrictEqual(numbersOf(yield* second.read(channel)), [1, 2])
    }).pipe(Effect.provide(layer)))

  it.effect("a topic without channels keeps its messages if the process ends right after the response", () =>
    Effect.gen(function*() {
      const first = yield* open()
      first.log.hold()
      yield* first.log.append(bodiesOf([1, 2]), 0n, { unit: 1, sequence: 0, node: 1 }, 0)
      const second = yield* open()
      assert.strictEqual(second.log.depth, 2)
    }).pipe(Effect.provide(layer)))

  it.effect("an ephemeral channel keeps its oldest messages up to its limit", () =>
    Effect.gen(function*() {
      const log = yield* open()
      const channel = yield* log.log.openEphemeralChannel("a#ephemeral", 3)
      yield* log.publish([1, 2])
      yield* log.publish([3, 4, 5])
      yield* log.publish([6])
      assert.strictEqual(channel.waiting, 3)
      assert.deepStrictEqual(numbersOf(yield* log.read(channel)), [1, 2, 3])
      yield* log.publish([7])
      assert.deepStrictEqual(numbersOf(yield* log.read(channel)), [7])
    }).pipe(Effect.provide(layer)))

  it.effect("an ephemeral channel does not get a message again after a restart", () =>
    Effect.gen(function*() {
      const first = yield* open()
      const channel = yield* first.log.openEphemeralChannel("a#ephemeral", 10)
      yield* first.publish([1, 2])
      assert.deepStrictEqual(numbersOf(yield* first.read(channel)), [1, 2])
      yield* TestClock.adjust(50)
      const second = yield* open()
      const again = yield* second.log.openEphemeralChannel("a#ephemeral", 10)
      yield* second.publish([3])
      assert.deepStrictEqual(numbersOf(yield* second.read(again)), [3])
    }).pipe(Effect.provide(layer)))

  it.effect("ids go on behind those of the process before, whatever the clock says", () =>
    Effect.gen(function*() {
      yield* TestClock.setTime(1_000_000_000)
      const first = yield* open()
      yield* first.publish([1, 2])
      const last = first.log.commits.lastIssued!
      yield* TestClock.setTime(1000)
      const second = yield* open()
      assert.deepStrictEqual(second.log.commits.lastIssued, last)
      yield* second.publish([3])
      assert.isAbove(
        second.log.commits.lastIssued!.unit * 4096 + second.log.commits.lastIssued!.sequence,
        last.unit * 4096 + last.sequence
      )
    }).pipe(Effect.provide(layer)))
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Latch } from "effect"
import { TestClock } from "effect/testing"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import type { TopicLogOptions } from "../../../../src/services/nsqd/log/LogHost.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { finish, layer, numbersOf, open, range, syncingBehind } from "./logs.ts"

/** Any state file is too long. */
const stateSizes = { partBytes: 1000, slackBytes: -1_000_000 }

const states = (files: ReadonlyMap<string, Buffer>): ReadonlyArray<string> =>
  Array.from(files.keys()).filter((path) => path.endsWith(".state")).sort()

describe("recording the state of channels", () => {
  for (const durability of ["written", "synced"] as const) {
    /** Finishes messages while syncs take forever, and returns what is left after a kill. */
    const leftAfterKill = Effect.fnUntraced(function*(changed: Partial<TopicLogOptions>, isPeriodic: boolean) {
      const disk = yield* FaultyDisk
      const files = yield* Disk
      const syncs = Latch.makeUnsafe(true)
      const log = yield* Effect.provideService(open({ durability, ...changed }), Disk, syncingBehind(files, syncs))
      const channel = yield* log.channel("a")
      for (const start of [0, 100, 200]) yield* log.publish(range(start, start + 100))
      yield* log.log.sync
      const delivered = yield* log.read(channel)
      delivered.slice(0, 150).forEach(finish)
      syncs.closeUnsafe()
      // The first changes start what has to sync.
      yield* TestClock.adjust(50)
      if (isPeriodic) yield* Effect.forkChild(log.log.sync)
      yield* Effect.yieldNow
      delivered.slice(150, 250).forEach(finish)
      yield* TestClock.adjust(50)
      disk.kill()
      const second = yield* open({ durability, ...changed })
      return numbersOf(yield* second.read(yield* second.channel("a")))
    })

    it.effect(`changes do not wait for a periodic sync (${durability})`, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* leftAfterKill({}, true), range(250, 300))
      }).pipe(Effect.provide(layer)))

    it.effect(`changes do not wait for the next state file (${durability})`, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* leftAfterKill({ stateSizes }, false), range(250, 300))
      }).pipe(Effect.provide(layer)))

    it.effect(`changes do not wait for the removal of segments (${durability})`, () =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* leftAfterKill({ segmentBytes: 4096 }, false), range(250, 300))
      }).pipe(Effect.provide(layer)))
  }

  it.effect("changes are appended to the state file of the process before", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const first = yield* open()
      const a = yield* first.channel("a")
      yield* first.publish(range(0, 100))
      ;(yield* first.read(a)).slice(0, 50).forEach(finish)
      yield* TestClock.adjust(50)
      disk.kill()
      const before = states(disk.files())
      const second = yield* open()
      ;(yield* second.read(yield* second.channel("a"))).slice(0, 25).forEach(finish)
      yield* TestClock.adjust(50)
      disk.kill()
      assert.deepStrictEqual(states(disk.files()), before)
      const third = yield* open()
      assert.deepStrictEqual(numbersOf(yield* third.read(yield* third.channel("a"))), range(75, 100))
    }).pipe(Effect.provide(layer)))

  it.effect("a state file that a crash has cut is followed by a new one", () =>
    Effect.gen(function*() {
      const disk = yield* FaultyDisk
      const first = yield* open()
      yield* first.channel("a")
      yield* first.publish(range(0, 100))
      yield* first.close
      const [path = ""] = states(disk.files())
      disk.put(path, Buffer.concat([disk.files().get(path)!, Buffer.from("NSQS")]))
      const second = yield* open()
      ;(yield* second.read(yield* second.channel("a"))).slice(0, 25).forEach(finish)
      yield* second.close
      assert.isAbove(states(disk.files()).length, 1)
      const third = yield* open()
      assert.deepStrictEqual(numbersOf(yield* third.read(yield* third.channel("a"))), range(25, 100))
    }).pipe(Effect.provide(layer)))
})

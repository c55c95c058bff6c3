import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { addIdentities } from "../../../../src/protocol/storage/RecordIdentity.ts"
import type { RecordRun } from "../../../../src/services/nsqd/storage/BackendQueue.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { drain, layer, open, range, recordsOf } from "./queues.ts"

/** Records with these ids. */
const numbered = (numbers: ReadonlyArray<number>, bodySize = 8): RecordRun => {
  const run = recordsOf(numbers, bodySize)
  const bytes = Buffer.from(run.bytes)
  const size = bytes.length / numbers.length
  numbers.forEach((number, i) => bytes.write(String(number).padStart(16, "0"), i * size + 14, "latin1"))
  return { ...run, bytes }
}

const identitiesOf = (numbers: ReadonlyArray<number>, bodySize = 8): ReadonlySet<string> => {
  const identities = new Set<string>()
  const { bytes, end, start } = numbered(numbers, bodySize)
  addIdentities(identities, Buffer.from(bytes), start, end)
  return identities
}

/** The process is killed: nothing that it does after this reaches the disk. */
const kill = (close: Effect.Effect<void>) =>
  Effect.gen(function*() {
    const disk = yield* FaultyDisk
    disk.crashAt(0)
    yield* close
    disk.kill()
  })

describe("a queue that is opened after a kill", () => {
  it.effect("after a kill the last appended messages are known, whether or not they were recorded or read", () =>
    Effect.gen(function*() {
      const first = yield* open()
      yield* first.queue.append([numbered(range(0, 10))])
      yield* first.saveState
      const run = yield* first.queue.read(10_000)
      run?.ledger.settle(0, run.count)
      yield* first.queue.append([numbered(range(10, 20))])
      yield* kill(first.close)
      const { queue } = yield* open()
      assert.deepStrictEqual(yield* queue.recent, identitiesOf(range(0, 20)))
    }).pipe(Effect.provide(layer)))

  it.effect("the last appended messages are still known after a second kill without a recording in between", () =>
    Effect.gen(function*() {
      const first = yield* open()
      yield* first.queue.append([numbered(range(0, 10))])
      yield* kill(first.close)
      yield* kill((yield* open()).close)
      const { queue } = yield* open()
      assert.deepStrictEqual(yield* queue.recent, identitiesOf(range(0, 10)))
    }).pipe(Effect.provide(layer)))

  it.effect("messages of finished and removed files are not among the recent ones", () =>
    Effect.gen(function*() {
      const first = yield* open({ maxBytesPerFile: 380 })
      yield* first.queue.append([numbered(range(0, 25))])
      const run = yield* first.queue.read(380)
      assert.strictEqual(run?.count, 10)
      yield* first.queue.read(380)
      run?.ledger.settle(0, 10)
      yield* first.saveState
      yield* kill(first.close)
      const { queue } = yield* open({ maxBytesPerFile: 380 })
      assert.deepStrictEqual(yield* queue.recent, identitiesOf(range(10, 25)))
    }).pipe(Effect.provide(layer)))

  it.effect("an incomplete record after a kill is not among the recent ones", () =>
    Effect.gen(function*() {
      const first = yield* open()
      const disk = yield* FaultyDisk
      yield* first.queue.append([numbered(range(0, 3))])
      const { bytes } = numbered([3])
      const path = "/data/t.diskqueue.000000.dat"
      disk.put(path, Buffer.concat([disk.files().get(path) ?? Buffer.alloc(0), bytes.subarray(0, 30)]))
      yield* kill(first.close)
      const { queue } = yield* open()
      assert.deepStrictEqual(yield* queue.recent, identitiesOf(range(0, 3)))
    }).pipe(Effect.provide(layer)))

  it.effect("recent messages are durable", () =>
    Effect.gen(function*() {
      const first = yield* open({ syncEvery: 1000 })
      const disk = yield* FaultyDisk
      yield* first.queue.append([numbered(range(0, 10))])
      yield* kill(first.close)
      const second = yield* open()
      yield* second.queue.recent
      yield* kill(second.close)
      disk.losePower()
      const { queue } = yield* open()
      assert.deepStrictEqual(yield* drain(queue), range(0, 10))
    }).pipe(Effect.provide(layer)))

  it.effect("recent messages are not reported if the files cannot be synced", () =>
    Effect.gen(function*() {
      const first = yield* open()
      yield* first.queue.append([numbered(range(0, 10))])
      yield* kill(first.close)
      const { queue } = yield* open()
      const disk = yield* FaultyDisk
      disk.fail((operation) => operation === "fsync" ? "EIO" : undefined)
      assert.match((yield* Effect.flip(queue.recent)).message, /^fsync .*: input\/output error$/)
    }).pipe(Effect.provide(layer)))

  it.effect("recent messages cover the last 2 MiB and little more than twice that", () =>
    Effect.gen(function*() {
      const options = { maxBytesPerFile: 1024 * 1024, maxMsgSize: 1024 * 1024, syncEvery: 1000 }
      const first = yield* open(options)
      for (let number = 0; number < 1000; number += 20) {
        yield* first.queue.append([numbered(range(number, number + 20), 9970)])
        yield* first.saveState
      }
      yield* kill(first.close)
      const recent = yield* (yield* open(options)).queue.recent
      assert.isAtLeast(recent.size * 10_000, 2 * 1024 * 1024)
      assert.isAtMost(recent.size * 10_000, 4.5 * 1024 * 1024)
      assert.deepStrictEqual(recent, identitiesOf(range(1000 - recent.size, 1000), 9970))
    }).pipe(Effect.provide(layer)))
})

describe("a queue that is opened after a stop", () => {
  for (
    const [when, use] of [
      ["was appended to", (first: Opened) => first.queue.append([numbered(range(0, 10))])],
      ["had been synced", (first: Opened) => Effect.andThen(first.queue.append([numbered(range(0, 10))]), first.sync)],
      ["was only opened", () => Effect.void]
    ] as const
  ) {
    it.effect(`after a clean stop a queue that ${when} has no recent messages`, () =>
      Effect.gen(function*() {
        const first = yield* open({ syncEvery: 1000 })
        yield* use(first)
        yield* first.close
        const { queue } = yield* open()
        assert.strictEqual((yield* queue.recent).size, 0)
      }).pipe(Effect.provide(layer)))
  }

  it.effect("a queue that NSQ's nsqd has used since has no recent messages", () =>
    Effect.gen(function*() {
      const first = yield* open()
      yield* first.queue.append([numbered(range(0, 10))])
      yield* kill(first.close)
      const disk = yield* FaultyDisk
      disk.put("/data/t.diskqueue.meta.dat", `4\n0,228\n0,380\n`)
      const { queue } = yield* open()
      assert.strictEqual((yield* queue.recent).size, 0)
      assert.strictEqual(queue.depth, 4)
    }).pipe(Effect.provide(layer)))
})

type Opened = Effect.Success<ReturnType<typeof open>>

import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { messageHeaderSize } from "../../../../src/protocol/client/Message.ts"
import type { BackendQueue, StoredRun, ViewedRun } from "../../../../src/services/nsqd/storage/BackendQueue.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { drain, layer, numbersOf, open, range, recordsOf, settle } from "./queues.ts"

const recordSize = 4 + messageHeaderSize + 8

const beginning = { file: 0, offset: 0 }

const numbersIn = ({ bytes, starts }: ViewedRun): ReadonlyArray<number> =>
  Array.from(starts.subarray(0, -1), (start) => bytes.readInt32BE(start + 4 + messageHeaderSize))

const behind = ({ place: { file, offset }, starts }: ViewedRun) => ({ file, offset: offset + starts.at(-1)! })

/** What waits in a queue, with the place behind each part. */
const viewed = Effect.fnUntraced(
  function*(queue: BackendQueue, from = beginning, maxBytes = 3 * recordSize) {
    const { view } = queue
    if (view === undefined) return assert.fail("the queue has no view")
    const reader = yield* view.open
    const parts: Array<{ readonly numbers: ReadonlyArray<number>; readonly next: typeof beginning }> = []
    for (let place = from;;) {
      const run = yield* reader.read(place, view.tail, maxBytes)
      if (run === undefined) return parts
      place = behind(run)
      parts.push({ numbers: numbersIn(run), next: place })
    }
  },
  Effect.scoped
)

const allOf = (queue: BackendQueue, from = beginning) =>
  Effect.map(viewed(queue, from), (parts) => parts.flatMap(({ numbers }) => numbers))

const Step = Schema.TaggedUnion({
  Append: { count: Schema.Literals([1, 3, 30]) },
  Read: { count: Schema.Literals([1, 10]) },
  /** Settles the first messages of a run. */
  Settle: { run: Schema.Literals([0, 1]), count: Schema.Literals([1, 5]) },
  Empty: {},
  Reopen: {}
})

describe("the view of a disk queue", () => {
  it.effect.prop(
    "shows exactly what reading would return, whatever was read, settled, emptied and reopened before",
    { steps: Arbitrary.array(Arbitrary.schema(Step), { maxLength: 40 }) },
    ({ steps }) =>
      Effect.gen(function*() {
        let opened = yield* open()
        let appended = 0
        let runs: ReadonlyArray<StoredRun> = []
        const carryOut = Step.match({
          Append: ({ count }) => opened.queue.append([recordsOf(range(appended, appended += count))]),
          Read: ({ count }) =>
            Effect.map(opened.queue.read(count * recordSize), (run) => {
              if (run !== undefined) runs = [...runs, run]
            }),
          Settle: ({ count, run: index }) =>
            Effect.sync(() => {
              const run = runs[index]
              if (run !== undefined) settle(run, 0, Math.min(run.count, count))
            }),
          Empty: () => Effect.tap(opened.queue.empty, () => Effect.sync(() => void (runs = []))),
          Reopen: () =>
            Effect.gen(function*() {
              yield* opened.close
              opened = yield* open()
              runs = []
            })
        })
        for (const step of steps) yield* carryOut(step)
        assert.deepStrictEqual(yield* allOf(opened.queue), yield* drain(opened.queue))
      }).pipe(Effect.provide(layer)),
    { arbitrary: { runs: 100 } }
  )

  it.effect("takes nothing and goes on where it ended, while the queue is read, written and loses files", () =>
    Effect.gen(function*() {
      const { queue, sync } = yield* open()
      yield* queue.append([recordsOf(range(0, 100))])
      const view = queue.view!
      const [first, second] = yield* viewed(queue)
      assert.deepStrictEqual(first?.numbers, [0, 1, 2])
      assert.strictEqual(queue.depth, 100)
      yield* queue.append([recordsOf(range(100, 110))])
      // Everything in the first files is finished.
      const run = yield* queue.read(recordSize * 5)
      assert.deepStrictEqual(run && numbersOf(run), range(0, 5))
      assert.deepStrictEqual(yield* allOf(queue, second?.next), range(6, 110))
      if (run !== undefined) settle(run)
      for (let i = 0; i < 10; i++) {
        const next = yield* queue.read(recordSize * 5)
        if (next !== undefined) settle(next)
      }
      yield* sync
      const left = yield* allOf(queue, second?.next)
      assert.deepStrictEqual(left, range(110 - left.length, 110))
      assert.strictEqual(left.length, queue.depth)
      // The view of before ends where the queue ended.
      const reader = yield* view.open
      const last = yield* reader.read(
        { ...view.tail, offset: view.tail.offset - recordSize },
        view.tail,
        10 * recordSize
      )
      assert.deepStrictEqual(last && numbersIn(last), [99])
      assert.isUndefined(yield* reader.read(view.tail, view.tail, 1000))
    }).pipe(Effect.provide(layer)))

  it.effect("passes over records that are damaged, and reports nothing", () =>
    Effect.gen(function*() {
      const { health, queue, sync } = yield* open({ maxBytesPerFile: 10_000 })
      yield* queue.append([recordsOf(range(0, 20))])
      yield* sync
      const disk = yield* FaultyDisk
      const [path, content] = Array.from(disk.files()).find(([path]) => path.endsWith("000000.dat"))!
      const damaged = Buffer.from(content)
      damaged.writeInt32BE(77, 4 * recordSize + 4 + messageHeaderSize)
      disk.put(path, damaged)
      assert.deepStrictEqual(yield* allOf(queue), [...range(0, 4), ...range(5, 20)])
      assert.isUndefined(health())
      assert.strictEqual(queue.depth, 20)
    }).pipe(Effect.provide(layer)))
})

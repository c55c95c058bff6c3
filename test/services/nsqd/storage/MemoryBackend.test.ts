import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { MessageBatch, recordHeaderSize } from "../../../../src/protocol/client/MessageBatch.ts"
import type { StoredRun } from "../../../../src/services/nsqd/storage/BackendQueue.ts"
import { MemoryBackend } from "../../../../src/services/nsqd/storage/MemoryBackend.ts"
import { batches, bodiesIn } from "../broker/messages.ts"

const Step = Schema.TaggedUnion({
  Append: { count: Schema.Literals([1, 3, 10]) },
  Read: {},
  /** Settles one message of the run that was read first or last. */
  Settle: { index: Schema.Literals([0, 1, 2, 5, 9]), oldest: Schema.Boolean },
  Empty: {},
  Reopen: {}
})

interface Taken {
  readonly run: StoredRun
  readonly bodies: ReadonlyArray<string>
  /** Indexes of unsettled messages. */
  readonly open: Set<number>
}

/** What the view shows. Each part is read from its second record on as well, as after a page that ended there. */
const viewed = Effect.fnUntraced(function*({ view }: MemoryBackend) {
  const { read } = yield* Effect.scoped(view.open)
  const bodies: Array<string> = []
  for (let place = { file: 0, offset: 0 };;) {
    const run = yield* read(place, view.tail, 1)
    if (run === undefined) return bodies
    const { bytes, place: { file, offset }, starts } = run
    const recordAt = (i: number) => bytes.toString("latin1", starts[i]! + recordHeaderSize, starts[i + 1])
    const second = { file, offset: offset + starts[1]! }
    if (starts.length > 2) assert.deepInclude(yield* read(second, view.tail, 1), { place: second })
    bodies.push(...Array.from({ length: starts.length - 1 }, (_, i) => recordAt(i)))
    place = { file, offset: offset + starts.at(-1)! }
  }
})

describe("a queue in memory", () => {
  it.effect.prop(
    "a queue in memory keeps the order, and after reopening returns exactly the unsettled records again",
    { steps: Arbitrary.array(Arbitrary.schema(Step), { maxLength: 60 }) },
    ({ steps }) =>
      Effect.gen(function*() {
        const makeBatch = batches()
        const queue = new MemoryBackend("t")
        let appended = 0
        let waiting: Array<ReadonlyArray<string>> = []
        let taken: Array<Taken> = []
        const carryOut = Step.match({
          Append: ({ count }) => {
            const bodies = Array.from({ length: count }, () => `${appended++}`.padStart(4, "0"))
            waiting.push(bodies)
            return queue.append([makeBatch(bodies).encodeRecords(0, count)])
          },
          Read: () =>
            Effect.map(queue.read(), (run) => {
              assert.deepStrictEqual(run && [...bodiesIn(MessageBatch.stored(run))], waiting[0] && [...waiting[0]])
              const bodies = waiting.shift()
              if (run !== undefined && bodies !== undefined) {
                taken.push({ run, bodies, open: new Set(bodies.keys()) })
              }
            }),
          Settle: ({ index, oldest }) =>
            Effect.sync(() => {
              const from = taken.at(oldest ? 0 : -1)
              if (from === undefined) return
              const settled = index % from.bodies.length
              from.run.ledger.settle(settled * ((from.run.end - from.run.start) / from.run.count + 4), 1)
              from.open.delete(settled)
            }),
          Empty: () => {
            waiting = []
            taken = []
            return queue.empty
          },
          Reopen: () =>
            Effect.sync(() => {
              queue.reopen()
              const again = taken.flatMap(({ bodies, open }) => stretches(bodies, open))
              waiting = [...again, ...waiting]
              taken = []
            })
        })
        for (const step of steps) {
          yield* carryOut(step)
          assert.strictEqual(queue.depth, waiting.reduce((sum, bodies) => sum + bodies.length, 0))
          assert.strictEqual(queue.hasMore, waiting.length > 0)
          assert.deepStrictEqual(yield* viewed(queue), waiting.flat())
        }
      }),
    { arbitrary: { runs: 200, size: 60 } }
  )
})

/** Adjacent open ranges as one. */
const stretches = (bodies: ReadonlyArray<string>, open: ReadonlySet<number>): ReadonlyArray<ReadonlyArray<string>> => {
  const found: Array<Array<string>> = []
  bodies.forEach((body, index) => {
    if (!open.has(index)) return
    if (open.has(index - 1)) found.at(-1)?.push(body)
    else found.push([body])
  })
  return found
}

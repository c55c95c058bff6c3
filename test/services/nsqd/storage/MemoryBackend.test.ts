import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { MessageBatch } from "../../../../src/protocol/client/MessageBatch.ts"
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

import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { MessageBatch } from "../../../src/protocol/MessageBatch.ts"
import { MemoryBackend } from "../../../src/services/storage/MemoryBackend.ts"
import type { StoredRun } from "../../../src/services/storage/Storage.ts"
import { batches, bodiesIn } from "../broker/messages.ts"

const Step = Schema.TaggedUnion({
  Append: { count: Schema.Literals([1, 3, 10]) },
  Read: {},
  /** Settles this many of the oldest run that is not settled. */
  Settle: { count: Schema.Literals([1, 5]) },
  /** Gives back the last of the run that was read last. */
  Unread: {},
  Empty: {},
  Reopen: {}
})

interface Taken {
  readonly run: StoredRun
  bodies: Array<string>
  settled: number
}

describe("a queue in memory", () => {
  it.effect.prop(
    "keeps the order, and has again after reopening what was read and not settled",
    { steps: Arbitrary.array(Arbitrary.schema(Step), { maxLength: 60 }) },
    ({ steps }) =>
      Effect.gen(function*() {
        const makeBatch = batches()
        const queue = new MemoryBackend("t")
        let appended = 0
        let waiting: Array<Array<string>> = []
        let taken: Array<Taken> = []
        const dropSettled = () => {
          taken = taken.filter(({ bodies, settled }) => settled < bodies.length)
        }
        const carryOut = Step.match({
          Append: ({ count }) => {
            const bodies = Array.from({ length: count }, () => `${appended++}`)
            waiting.push(bodies)
            return queue.append([makeBatch(bodies).encodeRecords(0, count)])
          },
          Read: () =>
            Effect.map(queue.read(), (run) => {
              assert.deepStrictEqual(run && [...bodiesIn(MessageBatch.stored(run))], waiting[0])
              if (run !== undefined) taken.push({ run, bodies: waiting.shift() ?? [], settled: 0 })
            }),
          Settle: ({ count }) =>
            Effect.sync(() => {
              const [oldest] = taken
              if (oldest === undefined) return
              const settled = Math.min(count, oldest.bodies.length - oldest.settled)
              oldest.settled += settled
              queue.settle(oldest.run, settled)
              dropSettled()
            }),
          Unread: () =>
            Effect.sync(() => {
              const last = taken.at(-1)
              if (last === undefined || last.settled === last.bodies.length) return
              const body = last.bodies.pop()!
              const size = makeBatch([body]).encodeRecords(0, 1).end
              const end = last.run.start + last.bodies.reduce((sum, b) => sum + size - body.length + b.length, 0)
              queue.unread(last.run, end, 1)
              waiting.unshift([body])
              dropSettled()
            }),
          Empty: () => {
            waiting = []
            taken = []
            return queue.empty
          },
          Reopen: () =>
            Effect.sync(() => {
              queue.reopen()
              waiting = [...taken.map(({ bodies }) => bodies), ...waiting]
              taken = []
            })
        })
        for (const step of steps) {
          yield* carryOut(step)
          assert.strictEqual(queue.depth, waiting.reduce((sum, bodies) => sum + bodies.length, 0))
        }
      }),
    { arbitrary: { runs: 200, size: 60 } }
  )
})

import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { DeferredQueue } from "../../../../src/services/nsqd/broker/DeferredQueue.ts"
import { batches, bodiesIn } from "./messages.ts"

const Due = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 20 })))
const dues = Arbitrary.array(Arbitrary.schema(Due), { maxLength: 200 })

/** The messages of a queue with these due times, in the expected order. */
const expectedOrder = (dues: ReadonlyArray<number>): ReadonlyArray<string> =>
  dues.map((due, i) => ({ due, i })).toSorted((a, b) => a.due - b.due || a.i - b.i).map(({ due, i }) =>
    `${i} due ${due}`
  )

const queueOf = (dues: ReadonlyArray<number>): DeferredQueue => {
  const makeBatch = batches()
  const queue = new DeferredQueue()
  dues.forEach((due, i) => queue.push(makeBatch([`${i} due ${due}`]), due))
  return queue
}

describe("the queue of deferred messages", () => {
  it.effect.prop(
    "deferred messages are released when due and not before, equal ones in the order of arrival",
    { dues },
    ({ dues }) =>
      Effect.sync(() => {
        const queue = queueOf(dues)
        const out: Array<string> = []
        for (let now = 0; now <= 20; now++) {
          for (let batch = queue.takeDue(now); batch !== undefined; batch = queue.takeDue(now)) {
            const [body = ""] = bodiesIn(batch)
            assert.isTrue(body.endsWith(` due ${now}`), `${body} came at ${now}`)
            out.push(body)
          }
          assert.isAbove(queue.earliest, now)
        }
        assert.deepStrictEqual(out, expectedOrder(dues))
        assert.strictEqual(queue.count, 0)
      }),
    { arbitrary: { runs: 100, size: 200 } }
  )

  it.effect.prop(
    "emptying the deferred queue returns all messages by due time",
    { dues },
    ({ dues }) =>
      Effect.sync(() => {
        const queue = queueOf(dues)
        assert.strictEqual(queue.count, dues.length)
        assert.strictEqual(queue.earliest, Math.min(Infinity, ...dues))
        assert.deepStrictEqual(queue.takeAll().flatMap(bodiesIn), expectedOrder(dues))
        assert.strictEqual(queue.count, 0)
        assert.strictEqual(queue.earliest, Infinity)
      }),
    { arbitrary: { runs: 100, size: 200 } }
  )
})

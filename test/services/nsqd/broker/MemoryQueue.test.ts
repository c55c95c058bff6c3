import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { MessageBatch, type StoredRecords } from "../../../../src/protocol/client/MessageBatch.ts"
import { MemoryQueue, settleSpan, storeInPieces, wholeBatch } from "../../../../src/services/nsqd/broker/MemoryQueue.ts"
import { batches, bodiesIn, positionsOf } from "./messages.ts"

const Step = Schema.TaggedUnion({
  Push: { count: Schema.Literals([1, 2, 7]) },
  Take: { count: Schema.Literals([1, 3, 10]) },
  TakeAll: {},
  /** Removes the message with this index of those that wait. */
  Remove: { index: Schema.Literals([0, 1, 4, 9]) }
})

const bodiesOfRecords = (records: ReadonlyArray<StoredRecords>): ReadonlyArray<string> =>
  records.flatMap((run) => bodiesIn(MessageBatch.stored(run)))

describe("the queue in memory", () => {
  it.effect.prop(
    "the queue in memory returns messages in the order of arrival, however many are taken at a time",
    { steps: Arbitrary.array(Arbitrary.schema(Step), { maxLength: 60 }) },
    ({ steps }) =>
      Effect.sync(() => {
        const makeBatch = batches()
        const queue = new MemoryQueue()
        let pushed = 0
        let expected: Array<string> = []
        const carryOut = Step.match({
          Push: ({ count }) => {
            const bodies = Array.from({ length: count }, () => `${pushed++}`)
            queue.push(wholeBatch(makeBatch(bodies)))
            expected.push(...bodies)
          },
          Take: ({ count }) => {
            if (queue.count === 0) return
            const span = queue.peek()
            const positions = [...positionsOf(span.batch), span.batch.frames.length]
            assert.strictEqual(span.position, positions[span.index])
            const taken = Math.min(count, span.end - span.index)
            const bodies = bodiesIn(span.batch).slice(span.index, span.index + taken)
            queue.advance(taken, positions[span.index + taken]! - span.position)
            assert.deepStrictEqual(bodies, expected.splice(0, taken))
          },
          TakeAll: () => {
            const bodies = queue.takeAll().flatMap(({ batch, end, index }) => bodiesIn(batch).slice(index, end))
            assert.deepStrictEqual(bodies, expected)
            expected = []
          },
          Remove: ({ index }) => {
            let left = index
            for (const span of queue.waiting) {
              const count = span.end - span.index
              if (left < count) {
                const at = span.index + left
                const position = positionsOf(span.batch)[at]!
                assert.isTrue(queue.remove(span, at, position))
                assert.isFalse(queue.remove(span, at, position), "a message is removed once")
                expected.splice(index, 1)
                return
              }
              left -= count
            }
          }
        })
        for (const step of steps) {
          carryOut(step)
          assert.strictEqual(queue.count, expected.length)
          assert.strictEqual(queue.newest === undefined, expected.length === 0)
        }
      }),
    { arbitrary: { runs: 200, size: 60 } }
  )

  it("a message that was taken is not removed", () => {
    const queue = new MemoryQueue()
    const batch = batches()(["a", "b"])
    queue.push(wholeBatch(batch))
    const [span] = queue.waiting
    queue.advance(1, positionsOf(batch)[1]!)
    assert.isFalse(queue.remove(span!, 0, 0))
    queue.takeAll()
    assert.isFalse(queue.remove(span!, 1, positionsOf(batch)[1]!))
    assert.strictEqual(queue.count, 0)
  })

  it("peek on an empty queue throws", () => {
    assert.throws(() => new MemoryQueue().peek(), /invariant/)
    assert.throws(() => new MemoryQueue().extendNewest(1), /invariant/)
  })
})

describe("storing spans", () => {
  const makeBatch = batches()

  it.effect("storing spans writes the rest of each span in order, in pieces that do not double the memory", () =>
    Effect.gen(function*() {
      const big = "x".repeat(1024 * 1024)
      const spans = Array.from({ length: 9 }, () => wholeBatch(makeBatch([big])))
      const first = wholeBatch(makeBatch(["gone", "left"]))
      first.index = 1
      first.position = positionsOf(first.batch)[1]!
      const pieces: Array<ReadonlyArray<string>> = []
      let written = 0
      yield* storeInPieces(
        [first, ...spans],
        (records) => Effect.sync(() => void pieces.push(bodiesOfRecords(records))),
        () => void written++
      )
      assert.deepStrictEqual(pieces.flat().map((body) => body.length > 10 ? "big" : body), [
        "left",
        ...spans.map(() => "big")
      ])
      assert.isAbove(pieces.length, 1)
      for (const piece of pieces) assert.isAtMost(piece.length, 5)
      assert.strictEqual(written, 10)
    }))

  it.effect("a failure to store spans returns the unwritten ones and settles only the written ones", () =>
    Effect.gen(function*() {
      const big = "x".repeat(3 * 1024 * 1024)
      let settled = 0
      const spans = Array.from({ length: 5 }, () => {
        const records = makeBatch([big]).encodeRecords(0, 1)
        return wholeBatch(MessageBatch.stored(records, { settle: (_, count) => void (settled += count) }))
      })
      let writes = 0
      const { error, left } = yield* Effect.flip(storeInPieces(
        spans,
        () => ++writes === 2 ? Effect.fail("disk full") : Effect.void,
        settleSpan
      ))
      assert.strictEqual(error, "disk full")
      assert.deepStrictEqual(left, spans.slice(2))
      assert.strictEqual(settled, 2)
    }))
})

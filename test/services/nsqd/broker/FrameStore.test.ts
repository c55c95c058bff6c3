import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import { FrameStore } from "../../../../src/services/nsqd/broker/FrameStore.ts"
import { batches } from "./messages.ts"

/** The size of a body, and the number of frames to take after it is added. */
const Step = Schema.Tuple([
  Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 1, maximum: 400 }))),
  Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: 0, maximum: 3 })))
])
const steps = Arbitrary.array(Arbitrary.schema(Step), { maxLength: 200 })

describe("the store of frames", () => {
  it.effect.prop(
    "frames that leave in any order are those that were added",
    { steps },
    ({ steps }) =>
      Effect.sync(() => {
        const makeBatch = batches()
        const store = new FrameStore()
        const held: Array<{ readonly place: number; readonly frame: Buffer }> = []
        const takeOne = (at: number): void => {
          const [{ frame, place } = { frame: Buffer.alloc(0), place: -1 }] = held.splice(at % held.length, 1)
          assert.strictEqual(store.sizeAt(place), frame.length)
          const out = Buffer.alloc(frame.length + 7)
          assert.strictEqual(store.take(place, out, 7), out.length)
          assert.deepStrictEqual(out.subarray(7), frame)
        }
        steps.forEach(([size, taken], i) => {
          const batch = makeBatch([`${i}`.repeat(size)])
          const place = store.add(batch)
          held.push({ place, frame: Buffer.from(batch.frames) })
          for (let left = taken; left > 0 && held.length > 0; left--) takeOne(size * left)
        })
        while (held.length > 0) takeOne(held.length * 31)
      }),
    { arbitrary: { runs: 100, size: 200 } }
  )
})

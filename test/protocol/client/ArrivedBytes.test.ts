import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { ArrivedBytes } from "../../../src/protocol/client/ArrivedBytes.ts"

const Step = Schema.Struct({ add: Schema.Uint8Array, drop: Schema.Int })

describe("bytes that have arrived", () => {
  it.prop(
    "the buffer contains the bytes that were added and not dropped, and a view of them never changes",
    [Schema.Array(Step)],
    ([steps]) => {
      const arrived = new ArrivedBytes()
      let expected = Buffer.alloc(0)
      const views: Array<{ readonly view: Buffer; readonly copy: Buffer }> = []
      for (const { add, drop } of steps) {
        arrived.add(add)
        expected = Buffer.concat([expected, add])
        views.push({ view: arrived.all, copy: Buffer.from(expected) })
        const count = Math.abs(drop) % (expected.length + 1)
        arrived.drop(count)
        expected = expected.subarray(count)
        assert.strictEqual(arrived.length, expected.length)
        assert.isTrue(arrived.all.equals(expected))
      }
      assert.isTrue(views.every(({ copy, view }) => view.equals(copy)))
    }
  )
})

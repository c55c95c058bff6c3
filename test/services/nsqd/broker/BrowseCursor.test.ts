import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import * as BrowseCursor from "../../../../src/services/nsqd/broker/BrowseCursor.ts"

const bytes = Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 }))), {
  minLength: 16,
  maxLength: 16
})
const Place = Schema.Struct({
  file: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 999_999 })),
  offset: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 40 }))
})

describe("the place of a page", () => {
  it.effect.prop(
    "ids are in the order of their bytes, whatever these are, and places are read as they were written",
    { one: bytes, other: bytes, place: Place, end: Place },
    ({ end, one, other, place }) =>
      Effect.sync(() => {
        const [first, second] = [Buffer.from(one), Buffer.from(other)]
        const after = BrowseCursor.idAt(Buffer.concat([Buffer.from("x"), first]), 1)
        assert.strictEqual(
          Math.sign(BrowseCursor.compareIds(after, BrowseCursor.idAt(second, 0))),
          Math.sign(Buffer.compare(first, second))
        )
        for (
          const cursor of [
            { after, place: undefined, end },
            { after: undefined, place: undefined, end },
            { after: undefined, place, end }
          ]
        ) {
          const text = BrowseCursor.encode(cursor)
          assert.strictEqual(encodeURIComponent(text), text)
          assert.deepStrictEqual(BrowseCursor.decode(text), cursor)
        }
      })
  )

  it("other texts are not places", () => {
    for (const text of ["", "beginning", "41", "m.0.0.0", "d.1.2.3", "m..1.-1", "d.1.2.3.4.5", "x..1.2", " m..1.2"]) {
      assert.isUndefined(BrowseCursor.decode(text), text)
    }
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import {
  decodeExtension,
  decodeSlot,
  encodeExtension,
  encodeSlot,
  extensionSize,
  fitRanges,
  maxExtendedRanges,
  maxRanges,
  type QueueRange,
  type QueueState
} from "../../../src/protocol/storage/QueueState.ts"

const number = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 2 ** 48 - 1 }))
const small = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 40 }))
const ranges = Schema.Array(Schema.Struct({ file: Schema.Literals([0, 1, 2]), from: small, length: small }))

const state: QueueState = {
  sequence: 7,
  isSynced: true,
  isExtended: false,
  depth: 3,
  read: { file: 1, offset: 500 },
  write: { file: 2, offset: 10 },
  unsettled: [{ file: 0, from: 38, to: 76 }],
  recent: { file: 0, offset: 38 },
  metadata: "3\n0,38\n2,10\n",
  previousMetadata: undefined
}

const covers = (ranges: ReadonlyArray<QueueRange>, file: number, offset: number): boolean =>
  ranges.some((range) => range.file === file && range.from <= offset && offset < range.to)

describe("a slot of the state file", () => {
  it.effect.prop(
    "a slot can contain any state",
    [number, number, number, small],
    ([a, b, c, count]) =>
      Effect.sync(() => {
        const any: QueueState = {
          ...state,
          sequence: a,
          isSynced: a % 2 === 0,
          isExtended: b % 2 === 0,
          depth: b,
          read: { file: b, offset: c },
          write: { file: c, offset: a },
          unsettled: Array.from({ length: count }, (_, i) => ({ file: a, from: i, to: c })),
          recent: c % 2 === 0 ? undefined : { file: c, offset: b }
        }
        assert.deepStrictEqual(decodeSlot(encodeSlot(any)), any)
      })
  )

  it.effect.prop("a slot with a wrong byte is invalid", [number, number], ([at, value]) =>
    Effect.sync(() => {
      const bytes = encodeSlot(state)
      bytes[at % bytes.length]! ^= 1 + (value % 255)
      assert.isUndefined(decodeSlot(bytes))
    }))

  it("a slot that was never written is invalid", () => {
    assert.isUndefined(decodeSlot(Buffer.alloc(2048)))
    assert.isUndefined(decodeSlot(Buffer.alloc(0)))
  })

  it("a slot has space for the maximum number of ranges", () => {
    const unsettled = Array.from({ length: maxRanges }, (_, i) => ({ file: i, from: 0, to: 10 }))
    const full = { ...state, unsettled, recent: { file: 2 ** 48 - 1, offset: 2 ** 48 - 2 } }
    assert.deepStrictEqual(decodeSlot(encodeSlot(full)), full)
    assert.isAbove(maxRanges, 90)
  })
})

describe("the extension of a slot", () => {
  const extension = {
    read: { file: 3, offset: 77 },
    unsettled: Array.from({ length: maxExtendedRanges }, (_, i) => ({ file: 1, from: i * 100, to: i * 100 + 50 }))
  }

  it("an extension has space for the maximum number of ranges", () => {
    const bytes = encodeExtension(8, extension)
    assert.isAtMost(bytes.length, extensionSize)
    assert.deepStrictEqual(decodeExtension(bytes, 8), extension)
    assert.deepStrictEqual(decodeExtension(Buffer.concat([bytes, Buffer.alloc(100)]), 8), extension)
  })

  it("an extension of another slot, or a torn or damaged one, is invalid", () => {
    const bytes = encodeExtension(8, extension)
    assert.isUndefined(decodeExtension(bytes, 9))
    assert.isUndefined(decodeExtension(bytes.subarray(0, -1), 8))
    assert.isUndefined(decodeExtension(Buffer.alloc(extensionSize), 8))
    bytes[5000]! ^= 1
    assert.isUndefined(decodeExtension(bytes, 8))
  })
})

describe("reduction of ranges", () => {
  it.effect.prop(
    "reduced ranges still cover all bytes before the read position",
    [ranges, small],
    ([given, limit]) =>
      Effect.sync(() => {
        const before = given.map(({ file, from, length }) => ({ file, from, to: from + 1 + length }))
        const fitted = fitRanges(before, { file: 3, offset: 0 }, limit + 1)
        assert.isAtMost(fitted.ranges.length, limit + 1)
        for (const { file, from, to } of before) {
          for (let offset = from; offset < to; offset++) {
            const isRead = file > fitted.read.file || (file === fitted.read.file && offset >= fitted.read.offset)
            assert.isTrue(isRead || covers(fitted.ranges, file, offset))
          }
        }
      })
  )

  it("the reduction closes the smallest gaps first", () => {
    const three = [{ file: 0, from: 90, to: 100 }, { file: 0, from: 0, to: 10 }, { file: 0, from: 80, to: 85 }]
    assert.deepStrictEqual(fitRanges(three, { file: 1, offset: 0 }, 2), {
      ranges: [{ file: 0, from: 0, to: 10 }, { file: 0, from: 80, to: 100 }],
      read: { file: 1, offset: 0 }
    })
  })
})

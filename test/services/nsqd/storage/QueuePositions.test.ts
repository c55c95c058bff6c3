import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { nothingFound, QueuePositions } from "../../../../src/services/nsqd/storage/QueuePositions.ts"

const mebibyte = 1024 * 1024
const sizes = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 30, maximum: 3 * mebibyte })))
const fileSize = 10 * mebibyte

/** A position as bytes from the start of the queue, with files of equal size. */
const bytesAt = ({ file, offset }: { readonly file: number; readonly offset: number }): number =>
  file * fileSize + offset

describe("the positions of a disk queue", () => {
  it.effect.prop(
    "the recent position is the start of a record 2 to 4 MiB before the end",
    [sizes],
    ([sizes]) =>
      Effect.sync(() => {
        const positions = new QueuePositions([], nothingFound)
        const ends = [0]
        let end = 0
        let largest = 0
        for (const size of sizes) {
          end += size
          largest = Math.max(largest, size)
          ends.push(end)
          positions.wrote({ file: Math.floor(end / fileSize), offset: end % fileSize }, size)
          const recent = bytesAt(positions.recent)
          assert.include(ends, recent)
          assert.isAtMost(recent, Math.max(0, end - 2 * mebibyte))
          assert.isAtLeast(recent, end - 4 * mebibyte - 3 * largest)
        }
      })
  )

  it("positions restart in a new file", () => {
    const positions = new QueuePositions([], nothingFound)
    positions.wrote({ file: 0, offset: 100 }, 100)
    positions.restart(4)
    assert.deepStrictEqual(positions.recent, { file: 4, offset: 0 })
  })
})

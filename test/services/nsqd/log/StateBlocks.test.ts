import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { encodeStateHeader, LogStateEncoder, type StateBlockKind } from "../../../../src/protocol/storage/LogState.ts"
import { Disk } from "../../../../src/services/nsqd/disk/Disk.ts"
import { readStateBlocks } from "../../../../src/services/nsqd/log/StateBlocks.ts"
import { FaultyDisk } from "../../../../src/testing/index.ts"
import { range } from "./logs.ts"

const path = "/1.state"

const block = (kind: StateBlockKind, messages: number): Buffer => {
  const encoder = new LogStateEncoder()
  for (let at = 0; at < messages; at++) encoder.deferred(1, 1000 + at, 5_000_000, 1)
  const changes = Buffer.from(encoder.encoded)
  return Buffer.concat([encodeStateHeader(kind, changes), changes])
}

const read = (content: Buffer, pieceBytes?: number) =>
  Effect.gen(function*() {
    ;(yield* FaultyDisk).put(path, content)
    const found: Array<string> = []
    const blocks = yield* readStateBlocks(yield* Disk, path, ({ changes, kind }, position) => {
      found.push(`${kind} at ${position}: ${changes.length}`)
      return true
    }, pieceBytes)
    const { hasStart, holes, isComplete, size } = blocks
    return { hasStart, holes, isComplete, size, found }
  }).pipe(Effect.provide(FaultyDisk.layer, { local: true }))

const content = Buffer.concat([
  block("part", 2),
  block("changes", 1),
  block("part", 30),
  block("checkpoint", 1),
  block("changes", 3)
])

describe("the blocks of a state file", () => {
  it.effect(
    "do not depend on the size of the pieces, whichever byte is damaged and wherever the file is cut",
    () =>
      Effect.gen(function*() {
        const damaged = range(0, content.length).map((at) => {
          const flipped = Buffer.from(content)
          flipped[at]! ^= 1 << (at % 8)
          return flipped
        })
        const cut = range(0, content.length).map((size) => content.subarray(0, size))
        for (const bytes of [content, Buffer.concat([content, Buffer.alloc(200)]), ...damaged, ...cut]) {
          const whole = yield* read(bytes)
          for (const pieceBytes of [16, 17, 64, 300]) assert.deepStrictEqual(yield* read(bytes, pieceBytes), whole)
        }
      }),
    240_000
  )

  it.effect("a checkpoint is complete with its last part, unless a part before cannot be read", () =>
    Effect.gen(function*() {
      const intact = yield* read(content)
      assert.deepStrictEqual([intact.hasStart, intact.isComplete, intact.holes], [true, true, []])
      const last = content.length - block("changes", 3).length - block("checkpoint", 1).length
      const unfinished = yield* read(content.subarray(0, last))
      assert.deepStrictEqual([unfinished.hasStart, unfinished.isComplete, unfinished.holes], [true, false, []])
      const flipped = Buffer.from(content)
      flipped[block("part", 2).length + 20]! ^= 1
      const damaged = yield* read(flipped)
      assert.deepStrictEqual([damaged.hasStart, damaged.isComplete, damaged.holes.length], [true, false, 1])
      const changes = yield* read(block("changes", 3))
      assert.deepStrictEqual([changes.hasStart, changes.isComplete], [false, false])
    }))
})

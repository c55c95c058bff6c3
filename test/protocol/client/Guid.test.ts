import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { type GuidBlock, GuidGenerator, GuidWriter, writeGuid } from "../../../src/protocol/client/Guid.ts"

const idsOf = (block: GuidBlock, count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => {
    const out = Buffer.alloc(16)
    writeGuid(out, 0, block, i)
    return out.toString("latin1")
  })

const start = 1_790_000_000_000_000_000n
const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

describe("GuidGenerator", () => {
  it.prop(
    "ids are unique, increasing and 16 hex characters regardless of the clock",
    [between(0, 1023), Schema.Array(Schema.Tuple([between(-3_600_000, 3_600_000), between(1, 300)]))],
    ([node, takes]) => {
      const guids = new GuidGenerator(node)
      let last = ""
      for (const [stepMillis, count] of takes) {
        for (const id of idsOf(guids.take(start + BigInt(stepMillis) * 1_000_000n, count), count)) {
          assert.match(id, /^[0-9a-f]{16}$/)
          assert.isAbove(id.localeCompare(last), 0)
          last = id
        }
      }
    }
  )

  it("ids are unique if a time unit has too few sequence numbers", () => {
    const guids = new GuidGenerator(7)
    const ids = new Set<string>()
    for (let i = 0; i < 50; i++) idsOf(guids.take(start, 1000), 1000).forEach((id) => ids.add(id))
    assert.strictEqual(ids.size, 50_000)
  })

  it("time, node and sequence have NSQ's positions in an id", () => {
    const block = new GuidGenerator(3).take(1_288_834_974_288n * 1_048_576n + 5n * 1_048_576n, 2)
    assert.deepStrictEqual(idsOf(block, 2), ["0000000001403000", "0000000001403001"])
  })

  it("ids that are written one after the other are the same as those that are written alone", () => {
    for (const sequence of [0, 4000, 4095, 4096 + 17]) {
      const block = { unit: 481_123_456_789, sequence, node: 1023 }
      const out = Buffer.alloc(16 * 5000)
      const writer = new GuidWriter(block)
      for (let i = 0; i < 5000; i++) writer.write(new DataView(out.buffer), 16 * i)
      assert.strictEqual(out.toString("latin1"), idsOf(block, 5000).join(""))
    }
  })

  it("ids increase when sequence numbers run out and the clock steps back, for every node", () => {
    for (let node = 0; node <= 1023; node++) {
      const guids = new GuidGenerator(node)
      const ids = [start, start, start - 3_600_000_000_000n, start + 1_048_576n, start + 3_600_000_000_000n, 0n]
        .flatMap(
          (nanos) => {
            const block = guids.take(nanos, 4096)
            return [0, 4095].flatMap((index) => idsOf({ ...block, sequence: block.sequence + index }, 1))
          }
        )
      assert.deepStrictEqual(ids, [...new Set(ids)].sort())
      for (const id of ids) assert.strictEqual(Number((BigInt(`0x${id}`) >> 12n) & 1023n), node)
    }
  })

  it("two nodes have different ids at the same time", () => {
    const [one] = idsOf(new GuidGenerator(1).take(start, 1), 1)
    const [other] = idsOf(new GuidGenerator(2).take(start, 1), 1)
    assert.notStrictEqual(one, other)
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { share, shares } from "../../../src/services/client/ReadyShares.ts"

const between = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))
const first = (candidates: ReadonlyArray<number>, count: number) => candidates.slice(0, count)

describe("ready counts", () => {
  it("ready counts are NSQ's integer shares", () => {
    assert.deepStrictEqual([share(200, 2), share(5, 2), share(1, 2), share(0, 3)], [100, 2, 1, 0])
  })

  it.prop(
    "ready counts never exceed maxInFlight in sum nor the server's limit, and are not all 0",
    [between(1, 300), Schema.NonEmptyArray(Schema.Struct({ ready: between(0, 300), maxReady: between(1, 300) }))],
    ([maxInFlight, connections]) => {
      const counts = shares(connections, maxInFlight, first)
      assert.strictEqual(counts.length, connections.length)
      assert.isAtMost(counts.reduce((sum, count) => sum + count, 0), maxInFlight)
      assert.isTrue(counts.every((count, i) => count <= (connections[i]?.maxReady ?? 0)))
      assert.isTrue(counts.some((count) => count > 0))
    }
  )

  it("ready counts stay at their connections while connections outnumber messages", () => {
    const connections = [0, 1, 0, 1].map((ready) => ({ ready, maxReady: 2500 }))
    assert.deepStrictEqual(shares(connections, 2, first), [0, 1, 0, 1])
    assert.deepStrictEqual(shares(connections, 3, first), [1, 1, 0, 1])
  })
})

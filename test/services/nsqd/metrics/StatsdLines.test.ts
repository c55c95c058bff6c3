import { assert, describe, it } from "@effect/vitest"
import * as StatsdLines from "../../../../src/services/nsqd/metrics/StatsdLines.ts"

const packed = (lines: ReadonlyArray<string>, maxBytes: number) => {
  const packets = new StatsdLines.Packets(maxBytes)
  // Wherever one topic's lines end and the next one's start.
  packets.add(lines.slice(0, 1))
  packets.add(lines.slice(1))
  return packets.end().map(String)
}

describe("packing of statsd datagrams", () => {
  it("fills each up to the limit and never splits a line", () => {
    assert.deepStrictEqual(packed(["aaaa", "bbbb", "cccc"], 10), ["aaaa\nbbbb\n", "cccc\n"])
    assert.deepStrictEqual(packed(["aaaa", "bbbb", "cccc"], 9), ["aaaa\n", "bbbb\n", "cccc\n"])
  })

  it("sends a line that is longer than the limit alone", () => {
    assert.deepStrictEqual(packed(["a", "long line", "b"], 4), ["a\n", "long line\n", "b\n"])
  })

  it("takes a limit of 0 as none that matters, and makes nothing of nothing", () => {
    assert.deepStrictEqual(packed(["a", "b"], 0), ["a\nb\n"])
    assert.deepStrictEqual(packed([], 508), [])
  })
})

describe("names of percentiles", () => {
  it("are whole percents, half to even as Go prints them", () => {
    assert.deepStrictEqual([1, 0.99, 0.999, 0.5, 0.995, 0.985, 0.125].map(StatsdLines.wholePercent), [
      100,
      99,
      100,
      50,
      100,
      98,
      12
    ])
  })
})

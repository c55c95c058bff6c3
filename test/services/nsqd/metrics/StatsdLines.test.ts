import { assert, describe, it } from "@effect/vitest"
import * as StatsdLines from "../../../../src/services/nsqd/metrics/StatsdLines.ts"

const packed = (lines: ReadonlyArray<string>, maxBytes: number) => {
  const packets = new StatsdLines.Packets(maxBytes)
  // At every boundary between two topics' lines.
  packets.add(lines.slice(0, 1))
  packets.add(lines.slice(1))
  return packets.end().map(String)
}

describe("packing of statsd datagrams", () => {
  it("datagrams are filled up to the limit, and no line is split", () => {
    assert.deepStrictEqual(packed(["aaaa", "bbbb", "cccc"], 10), ["aaaa\nbbbb\n", "cccc\n"])
    assert.deepStrictEqual(packed(["aaaa", "bbbb", "cccc"], 9), ["aaaa\n", "bbbb\n", "cccc\n"])
  })

  it("a line that is longer than the limit gets its own datagram", () => {
    assert.deepStrictEqual(packed(["a", "long line", "b"], 4), ["a\n", "long line\n", "b\n"])
  })

  it("a limit of 0 means Go's default, and no lines make no datagram", () => {
    assert.deepStrictEqual(packed(["a", "b"], 0), ["a\nb\n"])
    assert.deepStrictEqual(packed([], 508), [])
  })
})

describe("names of percentiles", () => {
  it("names of percentiles have whole percents, rounded half to even as in Go", () => {
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

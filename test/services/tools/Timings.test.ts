import { assert, describe, it } from "@effect/vitest"
import { Timings } from "../../../src/services/tools/Timings.ts"

const lines = (every: number, times: ReadonlyArray<number>) => {
  const timings = new Timings(every, "[aggregate]:")
  return times.map((time) => timings.note(time)).flatMap((line, i) => line === undefined ? [] : [[i + 1, line]])
}

describe("timing lines", () => {
  it("a timing line comes after each interval of requests", () => {
    assert.deepStrictEqual(lines(5, Array.from({ length: 11 }, (_, i) => i + 1)), [
      [6, "[aggregate]: finished 5 - 99th: 6.00ms - 95th: 6.00ms - avg: 4.00ms"],
      [11, "[aggregate]: finished 5 - 99th: 11.00ms - 95th: 11.00ms - avg: 9.00ms"]
    ])
  })

  it("a timing line has the percentiles of all requests in its interval", () => {
    const times = Array.from({ length: 201 }, (_, i) => 201 - i)
    assert.deepStrictEqual(lines(200, times), [
      [201, "[aggregate]: finished 200 - 99th: 200.00ms - 95th: 192.00ms - avg: 100.50ms"]
    ])
  })

  it("an interval of 0 disables timing lines", () => {
    assert.deepStrictEqual(lines(0, [1, 2, 3]), [])
  })
})

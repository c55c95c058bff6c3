import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Result, Schema } from "effect"
import * as GoDuration from "../../../src/services/core/GoDuration.ts"

const nanosOf = (text: string) => Result.map(GoDuration.parse(text), GoDuration.toNanos)

const longest = 2 ** 53 - 1
const Nanos = Schema.Int.pipe(Schema.check(Schema.isBetween({ minimum: -longest, maximum: longest })))

describe("GoDuration", () => {
  it("durations with every unit, sums, signs and fractions are parsed", () => {
    const cases: ReadonlyArray<readonly [string, bigint]> = [
      ["0", 0n],
      ["+0", 0n],
      ["5ns", 5n],
      ["1500us", 1_500_000n],
      ["2\u00b5s", 2_000n],
      ["2\u03bcs", 2_000n],
      ["250ms", 250_000_000n],
      ["1.5s", 1_500_000_000n],
      [".5s", 500_000_000n],
      ["1.s", 1_000_000_000n],
      ["1h15m30.5s", 4_530_500_000_000n],
      ["36h", 129_600_000_000_000n],
      ["-1m", -60_000_000_000n],
      ["+2m", 120_000_000_000n],
      ["0.000000001s", 1n],
      ["9223372036854775807ns", 2n ** 63n - 1n],
      ["-9223372036854775808ns", -(2n ** 63n)]
    ]
    for (const [text, nanos] of cases) assert.deepStrictEqual(nanosOf(text), Result.succeed(nanos), text)
  })

  it("invalid durations fail with Go's error texts", () => {
    const cases: ReadonlyArray<readonly [string, string]> = [
      ["", "time: invalid duration \"\""],
      ["soon", "time: invalid duration \"soon\""],
      [".s", "time: invalid duration \".s\""],
      ["-", "time: invalid duration \"-\""],
      ["5", "time: missing unit in duration \"5\""],
      ["1.2.3s", "time: missing unit in duration \"1.2.3s\""],
      ["1d", "time: unknown unit \"d\" in duration \"1d\""],
      ["9223372036854775808ns", "time: invalid duration \"9223372036854775808ns\""]
    ]
    for (const [text, message] of cases) {
      const parsed = GoDuration.parse(text)
      assert.strictEqual(Result.isFailure(parsed) && parsed.failure.message, message, text)
    }
  })

  it("durations are formatted as in Go", () => {
    const cases: ReadonlyArray<readonly [bigint, string]> = [
      [0n, "0s"],
      [1n, "1ns"],
      [1_500n, "1.5\u00b5s"],
      [25_000_000n, "25ms"],
      [1_500_000_000n, "1.5s"],
      [60_000_000_000n, "1m0s"],
      [3_600_000_000_000n, "1h0m0s"],
      [4_530_500_000_000n, "1h15m30.5s"],
      [-90_000_000_000n, "-1m30s"]
    ]
    for (const [nanos, text] of cases) assert.strictEqual(GoDuration.format(GoDuration.fromNanos(nanos)), text)
  })

  it("whole milliseconds are stored as milliseconds", () => {
    assert.isTrue(Duration.equals(GoDuration.fromNanos(1_500_000_000n), Duration.millis(1500)))
  })

  it.effect.prop(
    "every formatted duration parses to itself",
    { nanos: Nanos },
    ({ nanos }) =>
      Effect.sync(() =>
        assert.deepStrictEqual(
          nanosOf(GoDuration.format(GoDuration.fromNanos(BigInt(nanos)))),
          Result.succeed(BigInt(nanos))
        )
      )
  )

  it.effect.prop(
    "parsing any string returns a duration or an error",
    { text: Schema.String },
    ({ text }) => Effect.sync(() => assert.isTrue(Result.isResult(GoDuration.parse(text))))
  )
})

import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Layer } from "effect"
import { TestClock } from "effect/testing"
import { LogOutput } from "../../../src/services/logging/LogOutput.ts"
import { LogThreshold } from "../../../src/services/logging/LogThreshold.ts"
import * as NsqLogger from "../../../src/services/logging/NsqLogger.ts"

/** The lines that an effect logs. */
const linesOf = Effect.fnUntraced(function*<A, E>(
  effect: Effect.Effect<A, E>,
  settings: Partial<NsqLogger.LogSettings> = {}
) {
  const lines: Array<string> = []
  const logs = NsqLogger.layer({ level: "info", prefix: "[nsqd] ", format: "nsq", ...settings })
  const output = Layer.succeed(LogOutput, { write: (line) => lines.push(line) })
  yield* Effect.provide(effect, Layer.provide(logs, output))
  return lines
})

const everyLevel = Effect.all([
  Effect.logTrace("t"),
  Effect.logDebug("d"),
  Effect.logInfo("i"),
  Effect.logWarning("w"),
  Effect.logError("e"),
  Effect.logFatal("f")
])

const levelsAndTexts = (lines: ReadonlyArray<string>) => lines.map((line) => line.replace(/^.*\.\d{6} /, ""))

describe("NsqLogger", () => {
  it.effect("a log line has prefix, local time with microseconds, level and text", () =>
    Effect.gen(function*() {
      const stamp = new Date(2026, 0, 2, 3, 4, 5, 67).getTime()
      yield* TestClock.setTime(stamp)
      assert.deepStrictEqual(yield* linesOf(Effect.logInfo("TCP: listening on", 4150)), [
        "[nsqd] 2026/01/02 03:04:05.067000 INFO: TCP: listening on 4150"
      ])
      assert.strictEqual(NsqLogger.formatTime(BigInt(stamp) * 1_000_000n + 89_999n), "2026/01/02 03:04:05.067089")
    }))

  it.effect("log levels have NSQ's names, and less severe lines are dropped", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(levelsAndTexts(yield* linesOf(everyLevel, { level: "debug" })), [
        "DEBUG: t",
        "DEBUG: d",
        "INFO: i",
        "WARNING: w",
        "ERROR: e",
        "FATAL: f"
      ])
      assert.deepStrictEqual(levelsAndTexts(yield* linesOf(everyLevel, { level: "warn" })), [
        "WARNING: w",
        "ERROR: e",
        "FATAL: f"
      ])
      assert.deepStrictEqual(levelsAndTexts(yield* linesOf(everyLevel, { level: "fatal" })), ["FATAL: f"])
    }))

  it.effect("the log threshold can be changed at run time", () =>
    Effect.gen(function*() {
      const lines = yield* linesOf(Effect.gen(function*() {
        const threshold = yield* LogThreshold
        yield* Effect.logDebug("1")
        threshold.set("debug")
        yield* Effect.logDebug("2")
        threshold.set("error")
        yield* Effect.logWarning("3")
        assert.strictEqual(threshold.level(), "error")
      }))
      assert.deepStrictEqual(levelsAndTexts(lines), ["DEBUG: 2"])
    }))

  it.effect("credentials of URLs in messages and causes are masked in both formats", () =>
    Effect.gen(function*() {
      const log = Effect.logError("GET http://me:s3cret@a/b failed", Cause.die("http://me:s3cret@a/b"))
      for (const format of ["nsq", "json"] as const) {
        const text = (yield* linesOf(log, { format })).join("\n")
        assert.notInclude(text, "s3cret")
        assert.include(text, "@a/b failed")
      }
    }))

  it.effect("control characters in a message cannot forge a log line", () =>
    Effect.gen(function*() {
      const lines = yield* linesOf(Effect.logError("invalid command X\n[nsqd] \u001b[31mfine\u2028"))
      assert.deepStrictEqual(levelsAndTexts(lines), [
        "ERROR: invalid command X\\u000a[nsqd] \\u001b[31mfine\\u2028"
      ])
    }))

  it.effect("each line of a cause is a log line of its own", () =>
    Effect.gen(function*() {
      const lines = yield* linesOf(Effect.logError("it broke", Cause.die(new Error("boom"))))
      assert.match(lines[0] ?? "", / ERROR: it broke$/)
      assert.match(lines[1] ?? "", / ERROR: Error: boom$/)
      for (const line of lines) assert.match(line, /^\[nsqd\] \d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d\.\d{6} ERROR: ./)
    }))

  it.effect("the JSON format has one object per line, with annotations and cause", () =>
    Effect.gen(function*() {
      const lines = yield* linesOf(
        Effect.logWarning("slow\nconsumer", Cause.die("boom")).pipe(Effect.annotateLogs({ client: "c1", big: 1n })),
        { format: "json" }
      )
      assert.strictEqual(lines.length, 1)
      const { cause, ...rest } = JSON.parse(lines[0] ?? "")
      assert.deepStrictEqual(rest, {
        time: "1970-01-01T00:00:00.000Z",
        level: "warn",
        prefix: "[nsqd] ",
        message: "slow\nconsumer",
        annotations: { client: "c1", big: "1n" }
      })
      assert.match(cause, /boom/)
    }))
})

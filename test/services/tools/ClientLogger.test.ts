import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import * as ClientLogger from "../../../src/services/tools/ClientLogger.ts"

describe("log lines of the tools", () => {
  it.effect("a log line has the time, a level, and its consumer", () =>
    Effect.gen(function*() {
      const lines: Array<string> = []
      const logger = Logger.map(
        ClientLogger.format,
        (line) => void lines.push(line.slice("YYYY/MM/DD HH:MM:SS".length))
      )
      yield* Effect.gen(function*() {
        yield* Effect.logInfo("(a:1) connected")
        yield* ClientLogger.ofConsumer("t", "c")(Effect.logWarning("backing off"))
        yield* ClientLogger.ofConsumer("t", "c")(ClientLogger.note("a line without a level"))
        yield* Effect.logWarning("from a peer\n2026/01/01 00:00:00 INF forged\u001b[2J")
      }).pipe(Effect.provide(Logger.layer([logger])))
      assert.deepStrictEqual(lines, [
        " INF (a:1) connected",
        " WRN [t/c] backing off",
        " a line without a level",
        " WRN from a peer\\u000a2026/01/01 00:00:00 INF forged\\u001b[2J"
      ])
    }))
})

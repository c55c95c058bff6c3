import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { LogOutput } from "../../../src/services/logging/LogOutput.ts"
import * as StandardError from "../../../src/services/logging/StandardError.ts"

describe("LogOutput", () => {
  it.effect("log lines go to standard error, unless the program provides another output", () =>
    Effect.gen(function*() {
      assert.strictEqual((yield* LogOutput).write, StandardError.writeLine)
      const lines: Array<string> = []
      const write = Effect.map(LogOutput, (output) => output.write("a line"))
      yield* Effect.provideService(write, LogOutput, { write: (line) => void lines.push(line) })
      assert.deepStrictEqual(lines, ["a line"])
    }))
})

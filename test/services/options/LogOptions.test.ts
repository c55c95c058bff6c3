import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as CommandLine from "../../../src/services/options/CommandLine.ts"
import * as LogOptions from "../../../src/services/options/LogOptions.ts"
import * as OptionTable from "../../../src/services/options/OptionTable.ts"

describe("LogOptions", () => {
  it("a daemon logs from the level info in NSQ's form, with its name as the prefix", () => {
    assert.deepStrictEqual(OptionTable.defaults(LogOptions.rows("nsqd")), {
      logLevel: "info",
      logPrefix: "[nsqd] ",
      logFormat: "nsq"
    })
    assert.strictEqual(OptionTable.defaults(LogOptions.rows("standalone", "warn")).logLevel, "warn")
  })

  it("a log format other than nsq and json is refused", () => {
    const parsed = CommandLine.parse({ table: LogOptions.rows("nsqd") }, ["--log-format=xml"])
    assert.strictEqual(
      Result.isFailure(parsed) && parsed.failure.message,
      "invalid value \"xml\" for flag -log-format: must be one of nsq, json"
    )
  })
})

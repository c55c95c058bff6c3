import { assert, describe, it } from "@effect/vitest"
import { OptionsError, OptionsErrorReason, refusedValue } from "../../../src/services/options/OptionsError.ts"

describe("OptionsError", () => {
  it("the message of each reason is the text that the program prints", () => {
    const description = "NSQD_MEM_QUEUE_SIZE: parse error"
    const logFormat = "nsq"
    const cases: ReadonlyArray<readonly [OptionsErrorReason, string]> = [
      [OptionsErrorReason.HelpRequest(), "the usage text is requested"],
      [OptionsErrorReason.VersionRequest(), "the version is requested"],
      [OptionsErrorReason.InvalidCommandLine({ description }), description],
      [OptionsErrorReason.UnknownFlag({ name: "nope" }), "flag provided but not defined: -nope"],
      [OptionsErrorReason.InvalidItem({ description }), description],
      [OptionsErrorReason.RefusedValue({ description }), description],
      [
        OptionsErrorReason.InvalidEnvironment({ description, logFormat }),
        `failed to read the environment - ${description}`
      ],
      [
        OptionsErrorReason.InvalidConfigFile({ path: "nsqd.cfg", description: "unknown key \"x\"", logFormat }),
        "failed to load config file nsqd.cfg - unknown key \"x\""
      ]
    ]
    for (const [reason, message] of cases) assert.strictEqual(new OptionsError({ reason }).message, message)
    assert.deepStrictEqual(refusedValue(description).reason, OptionsErrorReason.RefusedValue({ description }))
  })
})

import { assert, describe, it } from "@effect/vitest"
import { Duration, Result } from "effect"
import * as DaemonCommand from "../../../src/services/options/DaemonCommand.ts"
import * as GoFlags from "../../../src/services/options/GoFlags.ts"
import * as Kind from "../../../src/services/options/OptionKind.ts"
import { row } from "../../../src/services/options/OptionTable.ts"
import { table } from "./demo.ts"

const former = [{ name: "verbose", use: "loud" }, { name: "quiet", use: "loud" }]
const parse = (...args: ReadonlyArray<string>) => DaemonCommand.parse(table, former, args)
const failure = (...args: ReadonlyArray<string>) => {
  const result = parse(...args)
  return Result.isFailure(result) ? result.failure : undefined
}

describe("DaemonCommand", () => {
  it("an empty command line sets no option, has no config file and no warnings", () => {
    assert.deepStrictEqual(parse(), Result.succeed({ version: false, config: undefined, given: {}, warnings: [] }))
  })

  it("the options are those that are given, even if they equal the defaults", () => {
    const { given } = Result.getOrThrow(parse("--max-size=10", "--wait", "5s", "--loud", "--host=a", "-host=b"))
    assert.deepStrictEqual(given, { maxSize: 10, wait: Duration.seconds(5), loud: true, hosts: ["a", "b"] })
  })

  it("the last --version and the last --config count", () => {
    const command = (...args: ReadonlyArray<string>) => {
      const { config, version } = Result.getOrThrow(parse(...args))
      return { config, version }
    }
    assert.deepStrictEqual(command("-version", "--config=a", "--config", "b"), { version: true, config: "b" })
    assert.deepStrictEqual(command("--version", "--version=F", "--config="), { version: false, config: "" })
  })

  it("deprecated flags cause a warning each, with the flag to use", () => {
    const { given, warnings } = Result.getOrThrow(parse("--quiet=false", "--verbose", "--verbose", "--limit=5"))
    assert.deepStrictEqual(given, { maxSize: 5 })
    assert.deepStrictEqual(warnings, [
      "--limit is deprecated, use --max-size",
      "--verbose is deprecated and has no effect, use --loud",
      "--quiet is deprecated and has no effect, use --loud"
    ])
  })

  it("a command line that is not valid fails with Go's text", () => {
    assert.deepStrictEqual(
      failure("--nope"),
      new GoFlags.UsageError({ message: "flag provided but not defined: -nope" })
    )
    assert.deepStrictEqual(
      failure("--max-size=many"),
      new GoFlags.UsageError({ message: "invalid value \"many\" for flag -max-size: parse error" })
    )
    assert.deepStrictEqual(
      failure("--version=maybe"),
      new GoFlags.UsageError({ message: "invalid boolean value \"maybe\" for -version: parse error" })
    )
    assert.deepStrictEqual(failure("--config"), new GoFlags.UsageError({ message: "flag needs an argument: -config" }))
    assert.deepStrictEqual(failure("--help"), new GoFlags.HelpRequested())
  })

  it("a number of a list that is not valid ends the program without usage text", () => {
    const ratios = { ratios: row("ratio", Kind.floats, () => [], "numbers") }
    const result = DaemonCommand.parse(ratios, [], ["--ratio=1", "--ratio=high"])
    assert.deepStrictEqual(
      Result.isFailure(result) && result.failure,
      new GoFlags.FatalValue({ message: "Could not parse: high" })
    )
  })

  it("the usage text has the options, --version, --config and deprecated flags", () => {
    assert.strictEqual(
      GoFlags.usage("demo", DaemonCommand.flags(table, former)),
      [
        "Usage of demo:",
        "  -config string",
        "    \tpath of the config file",
        "  -host value",
        "    \thost (may be given several times)",
        "  -limit int",
        "    \t[deprecated] use --max-size",
        "  -loud",
        "    \tlog more",
        "  -max-length int",
        "    \t[deprecated] use --max-size",
        "  -max-size int",
        "    \tlargest size (default 10)",
        "  -name string",
        "    \tname to show (default \"demo\")",
        "  -quiet",
        "    \t[deprecated] has no effect, use --loud",
        "  -verbose",
        "    \t[deprecated] has no effect, use --loud",
        "  -version",
        "    \tprint the version and exit",
        "  -wait duration",
        "    \ttime to wait (default 1m30s)",
        ""
      ].join("\n")
    )
  })
})

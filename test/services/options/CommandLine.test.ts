import { assert, describe, it } from "@effect/vitest"
import { Duration, Result, Schema } from "effect"
import * as CommandLine from "../../../src/services/options/CommandLine.ts"
import * as Kind from "../../../src/services/options/OptionKind.ts"
import * as Row from "../../../src/services/options/OptionRow.ts"
import { OptionsErrorReason } from "../../../src/services/options/OptionsError.ts"
import { table } from "./demo.ts"

const invalid = (description: string) => OptionsErrorReason.InvalidCommandLine({ description })

const former = [{ name: "verbose", use: "loud" }, { name: "quiet", use: "loud" }]
const syntax = { table, former, hasConfig: true }
const parse = (...args: ReadonlyArray<string>) => CommandLine.parse(syntax, args)
const failure = (...args: ReadonlyArray<string>) => {
  const result = parse(...args)
  return Result.isFailure(result) ? result.failure.reason : undefined
}

describe("CommandLine", () => {
  it("an empty command line sets no option, has no config file and no warnings", () => {
    assert.deepStrictEqual(parse(), Result.succeed({ given: {}, config: undefined, warnings: [], rest: [] }))
  })

  it("the options are those that are given, even if they equal the defaults", () => {
    const { given } = Result.getOrThrow(parse("--max-size=10", "--wait", "5s", "--loud", "--host=a", "-host=b"))
    assert.deepStrictEqual(given, { maxSize: 10, wait: Duration.seconds(5), loud: true, hosts: ["a", "b"] })
  })

  it("the last value of a repeated flag counts, lists accumulate, and the arguments after the flags are returned", () => {
    const { given, rest } = Result.getOrThrow(
      parse("--max-size=1", "--host=a", "--max-size", "2", "--host=b", "file", "--loud")
    )
    assert.deepStrictEqual(given, { maxSize: 2, hosts: ["a", "b"] })
    assert.deepStrictEqual(rest, ["file", "--loud"])
  })

  it.prop("the value of a string flag is not changed", [Schema.String], ([name]) => {
    assert.deepStrictEqual(Result.getOrThrow(parse(`--name=${name}`)).given, { name })
  })

  it("the last --config counts", () => {
    assert.strictEqual(Result.getOrThrow(parse("--config=a", "-config", "b")).config, "b")
    assert.strictEqual(Result.getOrThrow(parse("--config=a", "--config=")).config, "")
  })

  it("the version is requested by the last --version, if the rest of the command line is valid", () => {
    for (const args of [["--version"], ["-version", "--max-size=5"], ["--version=false", "--version=T"]]) {
      assert.deepStrictEqual(failure(...args), OptionsErrorReason.VersionRequest())
    }
    assert.isUndefined(failure("--version", "--version=F"))
    assert.strictEqual(failure("--version", "--nope")?._tag, "UnknownFlag")
  })

  it("a program without --version, --config and deprecated flags does not accept them", () => {
    const bare = { table, hasVersion: false }
    for (const name of ["version", "config", "verbose"]) {
      const parsed = CommandLine.parse(bare, [`--${name}`])
      assert.deepStrictEqual(
        Result.isFailure(parsed) && parsed.failure.reason,
        OptionsErrorReason.UnknownFlag({ name })
      )
      assert.notInclude(CommandLine.usage("demo", bare), `-${name}`)
    }
    assert.isTrue(Result.isFailure(CommandLine.parse({ table }, ["--version"])))
  })

  it("each flag is parsed once", () => {
    const parsed: Array<string> = []
    const counted: Kind.OptionKind<string> = {
      ...Kind.string,
      parse: (text) => {
        parsed.push(text)
        return Result.succeed(text)
      }
    }
    const names = { name: Row.row("name", counted, () => "", "a name", { aliases: ["title"] }) }
    CommandLine.parse({ table: names }, ["--name=a", "--title", "b", "--name=c"])
    assert.deepStrictEqual(parsed, ["a", "b", "c"])
  })

  it("an alias sets the same option as its flag, with a warning", () => {
    const { given, warnings } = Result.getOrThrow(parse("--max-size=1", "--limit=2", "--max-length=3", "--limit=4"))
    assert.deepStrictEqual(given, { maxSize: 4 })
    assert.deepStrictEqual(warnings, [
      "--limit is deprecated, use --max-size",
      "--max-length is deprecated, use --max-size"
    ])
  })

  it("a deprecated flag has no effect and causes one warning, in the order of the command line", () => {
    const { given, warnings } = Result.getOrThrow(parse("--quiet=false", "--verbose", "--verbose", "--limit=5"))
    assert.deepStrictEqual(given, { maxSize: 5 })
    assert.deepStrictEqual(warnings, [
      "--quiet is deprecated and has no effect, use --loud",
      "--verbose is deprecated and has no effect, use --loud",
      "--limit is deprecated, use --max-size"
    ])
  })

  it("a command line that is not valid fails with Go's text", () => {
    assert.deepStrictEqual(
      failure("--nope"),
      OptionsErrorReason.UnknownFlag({ name: "nope" })
    )
    assert.deepStrictEqual(
      failure("--max-size=many"),
      invalid("invalid value \"many\" for flag -max-size: parse error")
    )
    assert.deepStrictEqual(
      failure("--version=maybe"),
      invalid("invalid boolean value \"maybe\" for -version: parse error")
    )
    assert.deepStrictEqual(failure("--config"), invalid("flag needs an argument: -config"))
    assert.deepStrictEqual(failure("--help"), OptionsErrorReason.HelpRequest())
  })

  it("a number of a list that is not valid ends the program without usage text", () => {
    const ratios = { ratios: Row.row("ratio", Kind.floats, (): ReadonlyArray<number> => [], "numbers") }
    const result = CommandLine.parse({ table: ratios }, ["--ratio=1", "--ratio=high"])
    assert.deepStrictEqual(
      Result.isFailure(result) && result.failure.reason,
      OptionsErrorReason.InvalidItem({ description: "Could not parse: high" })
    )
  })

  it("the usage text has the options, --version, --config and deprecated flags", () => {
    assert.strictEqual(
      CommandLine.usage("demo", syntax),
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

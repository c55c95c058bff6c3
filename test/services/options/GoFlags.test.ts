import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Result, Schema } from "effect"
import * as GoFlags from "../../../src/services/options/GoFlags.ts"
import * as Kind from "../../../src/services/options/OptionKind.ts"

type Given = ReadonlyArray<readonly [name: string, text: string]>

/** A flag that records its name and its text. */
const flag = <A>(name: string, kind: Kind.OptionKind<A>, initial: A): GoFlags.GoFlag<Given> => ({
  name,
  group: "",
  help: `what ${name} does`,
  isSwitch: kind.isSwitch,
  placeholder: kind.placeholder,
  defaultText: kind.format(initial),
  set: (given, text) => Result.map(kind.parse(text, undefined), () => [...given, [name, text]])
})

const flags = [
  flag("size", Kind.int, 10),
  flag("name", Kind.string, "x"),
  flag("loud", Kind.bool, false),
  flag("wait", Kind.duration, Duration.zero),
  flag("level", Kind.logLevel, "info"),
  flag("tls", Kind.tlsRequired, false),
  flag("ratio", Kind.floats, [])
]

const given = (...args: ReadonlyArray<string>) => Result.map(GoFlags.parse(flags, [], args), ({ state }) => state)

const refusal = (...args: ReadonlyArray<string>) => {
  const parsed = GoFlags.parse(flags, [], args)
  return Result.isFailure(parsed) && ["InvalidCommandLine", "UnknownFlag"].includes(parsed.failure.reason._tag)
    ? parsed.failure.message
    : parsed
}

describe("GoFlags", () => {
  it("a flag has one dash or two, and a value after = or as the next argument", () => {
    assert.deepStrictEqual(
      given("-size", "1", "--size=2", "-size=3", "--size", "4"),
      Result.succeed([["size", "1"], ["size", "2"], ["size", "3"], ["size", "4"]])
    )
  })

  it("a bare switch is true, and a switch takes a value only after =", () => {
    assert.deepStrictEqual(given("--loud", "false", "--size=1"), Result.succeed([["loud", "true"]]))
    assert.deepStrictEqual(
      given("--loud=F", "-tls", "-tls=tcp-https"),
      Result.succeed([["loud", "F"], ["tls", "true"], ["tls", "tcp-https"]])
    )
  })

  it("a value may be empty and may contain equal signs, dashes and line ends", () => {
    assert.deepStrictEqual(
      given("--name=", "--name=a=b", "--name", "-size", "--name=a\nb"),
      Result.succeed([["name", ""], ["name", "a=b"], ["name", "-size"], ["name", "a\nb"]])
    )
  })

  it("parsing stops at -- and at the first non-flag argument, and the arguments after the flags are returned", () => {
    const cases: ReadonlyArray<readonly [rest: ReadonlyArray<string>, args: ReadonlyArray<string>]> = [
      [[], []],
      [["--nope"], ["--", "--nope"]],
      [["file", "--nope"], ["file", "--nope"]],
      [["-", "--nope"], ["-", "--nope"]],
      [["", "--nope"], ["", "--nope"]]
    ]
    for (const [rest, args] of cases) {
      assert.deepStrictEqual(
        GoFlags.parse(flags, [], ["--loud", ...args]),
        Result.succeed({ state: [["loud", "true"] as const], rest })
      )
    }
  })

  it("the state goes from flag to flag, starting with the initial one", () => {
    assert.deepStrictEqual(
      GoFlags.parse(flags, [["before", ""]], ["--size=1"]),
      Result.succeed({ state: [["before", ""] as const, ["size", "1"] as const], rest: [] })
    )
  })

  it("--help and -h request the usage text", () => {
    for (const arg of ["--help", "-help", "-h", "--h"]) {
      const parsed = GoFlags.parse(flags, [], [arg])
      assert.isTrue(Result.isFailure(parsed) && parsed.failure.reason._tag === "HelpRequest")
    }
  })

  it("errors have Go's texts", () => {
    assert.strictEqual(refusal("--nope"), "flag provided but not defined: -nope")
    assert.strictEqual(refusal("-nope=5"), "flag provided but not defined: -nope")
    assert.strictEqual(refusal("---size"), "bad flag syntax: ---size")
    assert.strictEqual(refusal("--=5"), "bad flag syntax: --=5")
    assert.strictEqual(refusal("--size"), "flag needs an argument: -size")
    assert.strictEqual(refusal("--size=abc"), "invalid value \"abc\" for flag -size: parse error")
    assert.strictEqual(refusal("--size=1.5"), "invalid value \"1.5\" for flag -size: parse error")
    assert.strictEqual(refusal("--size="), "invalid value \"\" for flag -size: parse error")
    assert.strictEqual(
      refusal("--size=99999999999999999999"),
      "invalid value \"99999999999999999999\" for flag -size: value out of range"
    )
    assert.strictEqual(refusal("--wait=5"), "invalid value \"5\" for flag -wait: parse error")
    assert.strictEqual(refusal("--loud=maybe"), "invalid boolean value \"maybe\" for -loud: parse error")
    assert.strictEqual(
      refusal("--tls=maybe"),
      "invalid boolean value \"maybe\" for -tls: strconv.ParseBool: parsing \"maybe\": invalid syntax"
    )
    assert.strictEqual(
      refusal("--level=verbose"),
      "invalid value \"verbose\" for flag -level: invalid log level 'verbose' (debug, info, warn, error, fatal)"
    )
  })

  it("an invalid number in a list is a fatal error", () => {
    const parsed = GoFlags.parse(flags, [], ["--ratio=0.5,abc"])
    assert.isTrue(Result.isFailure(parsed) && parsed.failure.reason._tag === "InvalidItem")
    assert.strictEqual(Result.isFailure(parsed) && parsed.failure.message, "Could not parse: abc")
  })

  it("integers have Go's syntax", () => {
    const cases: ReadonlyArray<readonly [string, number]> = [
      ["0x10", 16],
      ["0b101", 5],
      ["0o17", 15],
      ["017", 15],
      ["1_000", 1000],
      ["-5", -5],
      ["+5", 5],
      ["0", 0],
      ["-0", 0]
    ]
    for (const [text, value] of cases) {
      assert.deepStrictEqual(Kind.int.parse(text, undefined), Result.succeed(value), text)
    }
    for (const text of ["08", "1__0", "_1", "1_", "0x", "1e3", " 1", "one"]) {
      assert.isTrue(Result.isFailure(Kind.int.parse(text, undefined)), text)
    }
  })

  it("the usage text is Go's, sorted by name", () => {
    assert.strictEqual(
      GoFlags.usage("demo", flags.slice(0, 3)),
      [
        "Usage of demo:",
        "  -loud",
        "    \twhat loud does",
        "  -name string",
        "    \twhat name does (default \"x\")",
        "  -size int",
        "    \twhat size does (default 10)",
        ""
      ].join("\n")
    )
  })

  it("the usage text has flags without a heading first, then each group", () => {
    const grouped = [
      { ...flag("port", Kind.int, 0), group: "Network" },
      { ...flag("verbose", Kind.bool, false), group: "Log" },
      flag("name", Kind.string, ""),
      { ...flag("host", Kind.string, ""), group: "Network" }
    ]
    const headings = GoFlags.usage("demo", grouped).split("\n").filter((line) => !line.startsWith("    \t"))
    assert.deepStrictEqual(headings, [
      "Usage of demo:",
      "  -name string",
      "",
      "Network:",
      "  -host string",
      "  -port int",
      "",
      "Log:",
      "  -verbose",
      ""
    ])
  })

  it.effect.prop(
    "every value after = is returned unchanged",
    { values: Schema.Array(Schema.String) },
    ({ values }) =>
      Effect.sync(() =>
        assert.deepStrictEqual(
          given(...values.map((value) => `--name=${value}`)),
          Result.succeed(values.map((value) => ["name", value]))
        )
      )
  )

  it.effect.prop(
    "parsing any arguments returns flags or an error",
    { args: Schema.Array(Schema.String) },
    ({ args }) => Effect.sync(() => assert.isTrue(Result.isResult(GoFlags.parse(flags, [], args))))
  )

  it.effect.prop(
    "every safe integer parses to itself",
    { value: Schema.Int },
    ({ value }) =>
      Effect.sync(() => assert.deepStrictEqual(Kind.int.parse(String(value), undefined), Result.succeed(value + 0)))
  )
})

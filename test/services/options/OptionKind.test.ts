import { assert, describe, it } from "@effect/vitest"
import { Duration, Result, Schema } from "effect"
import * as GoDuration from "../../../src/services/core/GoDuration.ts"
import * as Kind from "../../../src/services/options/OptionKind.ts"

const { bool, duration, float, floats, int, count, logLevel, span, string, strings, tlsRequired, tlsVersion } = Kind
const words = Kind.oneOf(["nsq", "json"])

/** The value of a text, or why it is refused. */
const parsed = <A>(kind: Kind.OptionKind<A>, text: string, before?: A): A | string =>
  Result.getOrElse(kind.parse(text, before), ({ reason }) => reason)
const decoded = <A>(kind: Kind.OptionKind<A>, value: unknown): A | string =>
  Result.getOrElse(kind.decode(value), ({ reason }) => reason)
const rendered = <A>(kind: Kind.OptionKind<A>, value: A) => {
  const shown = kind.render(value)
  return shown._tag === "Text" ? shown.text : shown.json
}

/** A text that is valid for some kind, or any other. */
const Text = Schema.Union([
  Schema.String,
  Schema.Literals(["", "0", "-7", "+0x1F", "1_000", "true", "F", "1.5", ".5e3", "inf", "json", "WARN", "tls1.3", "1h"])
])

/** Fails if a flag and a variable of this text differ. Returns nothing, so that kinds of any type can be listed. */
const agrees = <A>(kind: Kind.OptionKind<A>) => (text: string): void => {
  const [flag, variable] = [kind.parse(text, undefined), kind.decode(text)]
  assert.deepStrictEqual(Result.getOrUndefined(flag), Result.getOrUndefined(variable), text)
  assert.strictEqual(Result.isFailure(flag), Result.isFailure(variable), text)
}

/** Returns why a kind refuses a value of a config file; undefined if it accepts the value. */
const refusal = <A>(kind: Kind.OptionKind<A>) => (value: unknown): string | undefined => {
  const result = kind.decode(value)
  return Result.isFailure(result) ? result.failure.reason : undefined
}

describe("OptionKind", () => {
  it.prop("a flag and an environment variable with the same text have the same value", [Text], ([text]) => {
    const kinds = [
      agrees(string),
      agrees(int),
      agrees(count),
      agrees(bool),
      agrees(float),
      agrees(words),
      agrees(logLevel),
      agrees(tlsRequired),
      agrees(tlsVersion)
    ]
    for (const compare of kinds) compare(text)
  })

  it("each kind refuses TOML values of other types, and states what it expects", () => {
    const kinds = [
      [refusal(string), "must be a string"],
      [refusal(int), "must be an integer"],
      [refusal(count), "must be an integer"],
      [refusal(bool), "must be true or false"],
      [refusal(duration), "must be a duration such as \"5s\", or whole milliseconds"],
      [refusal(strings), "must be a list of strings"],
      [refusal(float), "must be a number"],
      [refusal(floats), "must be a list of numbers"],
      [refusal(words), "must be one of nsq, json"],
      [refusal(logLevel), "must be the name of a log level"],
      [refusal(tlsRequired), "must be true, false or \"tcp-https\""],
      [refusal(tlsVersion), "must be the name of a TLS version"]
    ] as const
    for (const [refuse, expected] of kinds) {
      for (const value of [{}, new Date(0), null, undefined, [[]], [{}]]) assert.strictEqual(refuse(value), expected)
    }
  })

  it.prop("a string is any text, and its default is shown in quotes", [Schema.String], ([text]) => {
    assert.strictEqual(parsed(string, text), text)
    assert.strictEqual(string.format(text), text === "" ? "" : JSON.stringify(text))
  })

  it.prop("an integer survives flag, config file and environment", [Schema.Int], ([value]) => {
    const shown = int.format(value)
    assert.strictEqual(shown === "" ? 0 : parsed(int, shown), value + 0)
    assert.strictEqual(decoded(int, BigInt(value)), value + 0)
    assert.strictEqual(rendered(int, value), value)
  })

  it("an integer that cannot be represented exactly is out of range", () => {
    assert.strictEqual(parsed(int, "9007199254740991"), Number.MAX_SAFE_INTEGER)
    assert.strictEqual(parsed(int, "-9007199254740991"), Number.MIN_SAFE_INTEGER)
    for (const text of ["9007199254740992", "-9007199254740992", "0x20000000000000"]) {
      assert.strictEqual(parsed(int, text), "value out of range")
    }
    assert.strictEqual(decoded(int, 2n ** 60n), "value out of range")
  })

  it("a boolean has Go's spellings, and no others", () => {
    for (const text of ["1", "t", "T", "true", "TRUE", "True"]) assert.isTrue(parsed(bool, text), text)
    for (const text of ["0", "f", "F", "false", "FALSE", "False"]) assert.isFalse(parsed(bool, text), text)
    for (const text of ["", "yes", "on", "tRUE", " true", "2"]) assert.strictEqual(parsed(bool, text), "parse error")
    assert.deepStrictEqual([bool.isSwitch, bool.format(true), bool.format(false)], [true, "true", ""])
  })

  it.prop(
    "a duration survives flag, config file and environment to the nanosecond",
    [Schema.Int, Schema.Literals([1, 1000])],
    ([value, factor]) => {
      const nanos = BigInt(value) * BigInt(factor)
      const shown = GoDuration.format(GoDuration.fromNanos(nanos))
      for (const result of [parsed(duration, shown), decoded(duration, shown)]) {
        assert.isTrue(Duration.isDuration(result) && GoDuration.toNanos(result) === nanos, shown)
      }
    }
  )

  it("a number without a unit is milliseconds in a config file and a variable, and no valid flag", () => {
    for (const value of [1500n, "1500"]) assert.deepStrictEqual(decoded(duration, value), Duration.millis(1500))
    assert.strictEqual(parsed(duration, "1500"), "parse error")
    for (const value of [10n ** 30n, "9".repeat(30)]) assert.strictEqual(decoded(duration, value), "value out of range")
    assert.strictEqual(decoded(duration, "5 apples"), "time: unknown unit \" apples\" in duration \"5 apples\"")
  })

  it("a duration has no default text if it is zero, and /config returns it in nanoseconds", () => {
    assert.deepStrictEqual([duration.format(Duration.zero), duration.format(Duration.seconds(90))], ["", "1m30s"])
    assert.strictEqual(rendered(duration, Duration.millis(250)), 250_000_000)
  })

  it.prop("list flags accumulate in order", [Schema.Array(Schema.String)], ([texts]) => {
    let value: ReadonlyArray<string> | undefined
    for (const text of texts) value = Result.getOrThrow(strings.parse(text, value))
    assert.deepStrictEqual(value ?? [], texts)
  })

  it("a list in one string is separated by commas, and an empty string is an empty list", () => {
    assert.deepStrictEqual(decoded(strings, "a:1, b:2 ,c:3"), ["a:1", "b:2", "c:3"])
    assert.deepStrictEqual(decoded(strings, ""), [])
    assert.deepStrictEqual(decoded(strings, ["a,b", ""]), ["a,b", ""])
  })

  it.prop("a finite number survives flag, config file and environment", [Schema.Finite], ([value]) => {
    const shown = float.format(value)
    assert.strictEqual(shown === "" ? 0 : parsed(float, shown), value + 0)
    assert.strictEqual(decoded(float, value), value)
  })

  it("a number is decimal, and neither empty nor hexadecimal", () => {
    assert.deepStrictEqual([parsed(float, "-1.5e3"), parsed(float, ".5"), decoded(float, 2n)], [-1500, 0.5, 2])
    for (const text of ["", ".", "1e", "0x1", "1,5", " 1"]) {
      assert.deepStrictEqual([parsed(float, text), decoded(float, text)], ["parse error", "must be a number"])
    }
  })

  it.prop("number flags accumulate from high to low", [Schema.Array(Schema.Finite)], ([numbers]) => {
    let value: ReadonlyArray<number> | undefined
    for (const number of numbers) value = Result.getOrThrow(floats.parse(String(number), value))
    assert.deepStrictEqual(
      (value ?? []).map((number) => number + 0),
      [...numbers].sort((a, b) => b - a).map((n) => n + 0)
    )
  })

  it("numbers of one list flag are separated by commas, and one that is not valid ends the program", () => {
    assert.deepStrictEqual(parsed(floats, "0.5,1,0.99", [0.75]), [1, 0.99, 0.75, 0.5])
    const refused = floats.parse("0.5,high", undefined)
    assert.deepStrictEqual(
      Result.isFailure(refused) && refused.failure,
      { _tag: "InvalidItem", reason: "Could not parse: high" }
    )
    assert.deepStrictEqual(decoded(floats, [0.5, 1n]), [0.5, 1])
    assert.deepStrictEqual([decoded(floats, "0.5, 1"), decoded(floats, "")], [[0.5, 1], []])
  })

  it("a word of a fixed set is case sensitive, and the error names the set", () => {
    assert.deepStrictEqual([parsed(words, "json"), parsed(words, "JSON")], ["json", "must be one of nsq, json"])
  })

  it("a log level is case insensitive, and /config returns its number", () => {
    for (const [index, level] of Kind.logLevels.entries()) {
      assert.strictEqual(parsed(logLevel, level.toUpperCase()), level)
      assert.strictEqual(rendered(logLevel, level), index + 1)
    }
    assert.strictEqual(
      parsed(logLevel, "Loud"),
      "invalid log level 'Loud' (debug, info, warn, error, fatal)"
    )
  })

  it("required TLS is off, on, or on except for HTTP", () => {
    const cases = [["false", false, 0], ["TCP-HTTPS", "tcp-https", 1], ["True", true, 2]] as const
    for (const [text, value, code] of cases) {
      assert.strictEqual(parsed(tlsRequired, text), value)
      assert.strictEqual(rendered(tlsRequired, value), code)
    }
    assert.strictEqual(parsed(tlsRequired, "Tcp"), "strconv.ParseBool: parsing \"tcp\": invalid syntax")
  })

  it("a span is a duration from 0 on, wherever it is set", () => {
    assert.deepStrictEqual(parsed(span, "90s"), Duration.seconds(90))
    assert.deepStrictEqual(parsed(span, "0"), Duration.zero)
    assert.strictEqual(parsed(span, "-1ns"), "must be at least 0")
    assert.strictEqual(parsed(span, "soon"), "parse error")
    assert.strictEqual(decoded(span, "-5s"), "must be at least 0")
    assert.deepStrictEqual(decoded(span, 5n), Duration.millis(5))
  })

  it("a count is an integer from 0 on, wherever it is set", () => {
    for (const text of ["0", "-0", "1_000"]) assert.strictEqual(parsed(count, text), parsed(int, text))
    assert.strictEqual(parsed(count, "-1"), "must be at least 0")
    assert.strictEqual(parsed(count, "many"), "parse error")
    assert.strictEqual(decoded(count, 5n), 5)
    for (const value of [-1n, "-1"]) assert.strictEqual(decoded(count, value), "must be at least 0")
  })

  it("a TLS version has NSQ's name, also in the usage text, an empty one is TLS 1.2, and /config returns its number", () => {
    const cases = [
      ["", "TLSv1.2", 771],
      ["tls1.0", "TLSv1", 769],
      ["TLS1.1", "TLSv1.1", 770],
      ["tls1.2", "TLSv1.2", 771],
      ["tls1.3", "TLSv1.3", 772]
    ] as const
    for (const [text, version, code] of cases) {
      assert.strictEqual(parsed(tlsVersion, text), version)
      assert.strictEqual(rendered(tlsVersion, version), code)
      assert.strictEqual(tlsVersion.format(version), text === "" ? "tls1.2" : text.toLowerCase())
    }
    assert.strictEqual(parsed(tlsVersion, "SSL3"), "unknown tlsVersionOption \"ssl3\"")
  })

  it("/config shows no passwords of addresses", () => {
    assert.strictEqual(rendered(string, "http://user:secret@host/"), "http://user:***@host/")
    assert.deepStrictEqual(rendered(strings, ["user:secret@host:1", "host:2"]), ["user:***@host:1", "host:2"])
  })
})

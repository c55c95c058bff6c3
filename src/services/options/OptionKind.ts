/**
 * What kinds of values NSQ's options have: how each is read from a flag, a config file or the environment, shown as a
 * default in the usage text and represented by `GET /config/:opt`. Texts of refusals are Go's, because people and scripts know them. A kind says
 * nothing of ranges: whether a value makes sense for its option is checked when a daemon starts.
 */
import { Data, type Duration, Result } from "effect"
import * as GoDuration from "../core/GoDuration.ts"
import { maskedAddress } from "../core/Masked.ts"

/** How `GET /config/:opt` answers: bare text for strings, JSON for everything else. */
export type ConfigValue =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Json"; readonly json: boolean | number | ReadonlyArray<string> | ReadonlyArray<number> }

const asText = (text: string): ConfigValue => ({ _tag: "Text", text: maskedAddress(text) })
const asJson = (json: boolean | number | ReadonlyArray<string> | ReadonlyArray<number>): ConfigValue => ({
  _tag: "Json",
  json
})

/**
 * Why a value was refused. `fatal` marks the one kind whose refusal ends the program at once with exit code 1 and
 * this text alone, where every other refusal shows the usage and exits with 2.
 */
export class InvalidText extends Data.TaggedError("InvalidText")<{
  readonly reason: string
  readonly fatal: boolean
}> {}

/** A kind of option value; see the module's head. */
export interface OptionKind<in out A> {
  /** A bare `--name` means true, and a value can only be given with `=`. */
  readonly isSwitch: boolean
  /** What the usage text calls the value; empty for switches. */
  readonly placeholder: string
  /** Reads one value; `before` is what an earlier flag of the same name gave, for kinds that accumulate. */
  readonly parse: (text: string, before: A | undefined) => Result.Result<A, InvalidText>
  /**
   * Reads a value of a config file, as TOML gives it with whole numbers as bigints, or the text of an environment
   * variable. Every kind takes its text form, which for lists is comma separated. The failure says what is expected.
   */
  readonly decode: (value: unknown) => Result.Result<A, string>
  /** The default as the usage text shows it; empty when it goes without saying. */
  readonly format: (value: A) => string
  /** The value as `GET /config/:opt` answers it, without the credentials of addresses. */
  readonly render: (value: A) => ConfigValue
}

const refuse = (reason: string) => Result.fail(new InvalidText({ reason, fatal: false }))
const parseError = refuse("parse error")
const rangeError = refuse("value out of range")

const reasonOf = ({ reason }: InvalidText): string => reason

/** Takes the text form of a kind and nothing else. */
const decodeText =
  <A>(parse: (text: string) => Result.Result<A, InvalidText>, expected: string): OptionKind<A>["decode"] => (value) =>
    typeof value === "string" ? Result.mapError(parse(value), reasonOf) : Result.fail(`must be ${expected}`)

const items = (text: string): ReadonlyArray<string> => text === "" ? [] : text.split(",").map((item) => item.trim())

/** Any text. */
export const string: OptionKind<string> = {
  isSwitch: false,
  placeholder: "string",
  parse: (text) => Result.succeed(text),
  decode: (value) => typeof value === "string" ? Result.succeed(value) : Result.fail("must be a text"),
  format: (value) => value === "" ? "" : JSON.stringify(value),
  render: asText
}

const integer = /^[+-]?(?:0[xX](?:_?[\da-fA-F])+|0[bB](?:_?[01])+|0[oO]?(?:_?[0-7])+|0|[1-9](?:_?\d)*)$/

const magnitude = (digits: string): number => {
  if (/^0\d/.test(digits)) return Number(`0o${digits.slice(1)}`)
  return Number(digits)
}

const parseInteger = (text: string): Result.Result<number, InvalidText> => {
  if (!integer.test(text)) return parseError
  const value = magnitude(text.replace(/^[+-]/, "").replaceAll("_", ""))
  if (!Number.isSafeInteger(value)) return rangeError
  return Result.succeed(text.startsWith("-") && value !== 0 ? -value : value)
}

/**
 * A whole number in Go's syntax: base prefixes, a leading zero for octal, underscores between digits. NSQ takes 64
 * bits; here a number beyond 2^53 is out of range, since it could not be kept exactly.
 */
export const int: OptionKind<number> = {
  isSwitch: false,
  placeholder: "int",
  parse: parseInteger,
  decode: (value) =>
    typeof value === "bigint"
      ? Result.mapError(parseInteger(String(value)), reasonOf)
      : decodeText(parseInteger, "a whole number")(value),
  format: (value) => value === 0 ? "" : String(value),
  render: asJson
}

const booleans = new Map<string, boolean>([
  ...["1", "t", "T", "true", "TRUE", "True"].map((text) => [text, true] as const),
  ...["0", "f", "F", "false", "FALSE", "False"].map((text) => [text, false] as const)
])

const parseBoolean = (text: string): Result.Result<boolean, InvalidText> => {
  const value = booleans.get(text)
  return value === undefined ? parseError : Result.succeed(value)
}

/** True or false in the spellings Go knows. Numbers of a config file are refused: NSQ takes 0 for true there. */
export const bool: OptionKind<boolean> = {
  isSwitch: true,
  placeholder: "",
  parse: parseBoolean,
  decode: (value) =>
    typeof value === "boolean" ? Result.succeed(value) : decodeText(parseBoolean, "true or false")(value),
  format: (value) => value ? "true" : "",
  render: asJson
}

/** A number without a unit, which config files may use; flags may not. */
const milliseconds = (digits: string): Result.Result<Duration.Duration, string> =>
  Result.orElse(GoDuration.parse(`${digits}ms`), () => Result.fail("value out of range"))

/**
 * A duration in Go's syntax, answered by `/config` in nanoseconds. In config files and in the environment a bare number
 * is of milliseconds, because some of NSQ's durations were such numbers once.
 */
export const duration: OptionKind<Duration.Duration> = {
  isSwitch: false,
  placeholder: "duration",
  parse: (text) => Result.orElse(GoDuration.parse(text), () => parseError),
  decode: (value) => {
    if (typeof value === "bigint") return milliseconds(String(value))
    if (typeof value !== "string") return Result.fail("must be a duration such as \"5s\", or whole milliseconds")
    return /^\d+$/.test(value) ? milliseconds(value) : GoDuration.parse(value)
  },
  format: (value) => GoDuration.toNanos(value) === 0n ? "" : GoDuration.format(value),
  render: (value) => asJson(Number(GoDuration.toNanos(value)))
}

/** A list of texts, one more with each flag. */
export const strings: OptionKind<ReadonlyArray<string>> = {
  isSwitch: false,
  placeholder: "value",
  parse: (text, before = []) => Result.succeed([...before, text]),
  decode: (value) => {
    if (typeof value === "string") return Result.succeed(items(value))
    return Array.isArray(value) && value.every((item) => typeof item === "string")
      ? Result.succeed(value)
      : Result.fail("must be a list of texts")
  },
  format: (value) => value.join(","),
  render: (value) => asJson(value.map(maskedAddress))
}

const floatSyntax = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const special = new Map([["inf", Infinity], ["+inf", Infinity], ["-inf", -Infinity], ["nan", NaN]])

const parseFloat = (text: string): number | undefined =>
  floatSyntax.test(text) ? Number(text) : special.get(text.toLowerCase())

/** A number, which may have a fraction. */
export const float: OptionKind<number> = {
  isSwitch: false,
  placeholder: "float",
  parse: (text) => {
    const value = parseFloat(text)
    return value === undefined ? parseError : Result.succeed(value)
  },
  decode: (value) => {
    const number = typeof value === "string" ? parseFloat(value) : decodeFloat(value)
    return number === undefined ? Result.fail("must be a number") : Result.succeed(number)
  },
  format: (value) => value === 0 ? "" : String(value),
  render: asJson
}

const decodeFloat = (item: unknown): number | undefined => {
  if (typeof item === "number") return item
  return typeof item === "bigint" ? Number(item) : undefined
}

/**
 * A list of numbers, comma separated and over several flags, kept from the highest to the lowest; that of a config file is
 * kept as it is.
 */
export const floats: OptionKind<ReadonlyArray<number>> = {
  isSwitch: false,
  placeholder: "value",
  parse: (text, before = []) => {
    const values = [...before]
    for (const item of text.split(",")) {
      const value = parseFloat(item)
      if (value === undefined) return Result.fail(new InvalidText({ reason: `Could not parse: ${item}`, fatal: true }))
      values.push(value)
    }
    return Result.succeed(values.sort((a, b) => b - a))
  },
  decode: (value) => {
    const values = typeof value === "string"
      ? items(value).map(parseFloat)
      : Array.isArray(value)
      ? value.map(decodeFloat)
      : [undefined]
    return values.every((item) => item !== undefined)
      ? Result.succeed(values)
      : Result.fail("must be a list of numbers")
  },
  format: (value) => value.join(","),
  render: asJson
}

/** One of a few words, exactly as written. */
export const oneOf = <const Word extends string>(words: ReadonlyArray<Word>): OptionKind<Word> => {
  const expected = `one of ${words.join(", ")}`
  const parse = (text: string) => {
    const word = words.find((word) => word === text)
    return word === undefined ? refuse(`must be ${expected}`) : Result.succeed(word)
  }
  return {
    isSwitch: false,
    placeholder: "string",
    parse,
    decode: decodeText(parse, expected),
    format: (value) => JSON.stringify(value),
    render: asText
  }
}

/** NSQ's log levels, from the most talkative to the most silent. */
export const logLevels = ["debug", "info", "warn", "error", "fatal"] as const

/** One of NSQ's five log levels. */
export type NsqLogLevel = typeof logLevels[number]

const parseLogLevel = (text: string): Result.Result<NsqLogLevel, InvalidText> => {
  const level = logLevels.find((level) => level === text.toLowerCase())
  return level === undefined
    ? refuse(`invalid log level '${text}' (${logLevels.join(", ")})`)
    : Result.succeed(level)
}

/** A log level in any case; `/config` numbers them from 1 for debug to 5 for fatal. */
export const logLevel: OptionKind<NsqLogLevel> = {
  isSwitch: false,
  placeholder: "value",
  parse: parseLogLevel,
  decode: decodeText(parseLogLevel, "the name of a log level"),
  format: (value) => value === "warn" ? "WARNING" : value.toUpperCase(),
  render: (value) => asJson(logLevels.indexOf(value) + 1)
}

/** Whether clients must use TLS: on every port, on every port but plain HTTP, or on none. */
export type TlsRequired = boolean | "tcp-https"

const parseTlsRequired = (text: string): Result.Result<TlsRequired, InvalidText> => {
  const lower = text.toLowerCase()
  const value = lower === "tcp-https" ? lower : booleans.get(lower)
  return value === undefined
    ? refuse(`strconv.ParseBool: parsing ${JSON.stringify(lower)}: invalid syntax`)
    : Result.succeed(value)
}

/** A switch with a third state; `/config` answers 0 (no), 1 (`tcp-https`) or 2 (yes). */
export const tlsRequired: OptionKind<TlsRequired> = {
  isSwitch: true,
  placeholder: "",
  parse: parseTlsRequired,
  decode: (value) =>
    typeof value === "boolean"
      ? Result.succeed(value)
      : decodeText(parseTlsRequired, "true, false or \"tcp-https\"")(value),
  format: (value) => value === false ? "" : String(value),
  render: (value) => asJson(value === true ? 2 : value === false ? 0 : 1)
}

/** The lowest TLS version accepted, under the names that Node's `node:tls` uses. */
export type TlsVersion = "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3"

const tlsVersions = new Map<string, TlsVersion>([
  ["", "TLSv1.2"],
  ["tls1.0", "TLSv1"],
  ["tls1.1", "TLSv1.1"],
  ["tls1.2", "TLSv1.2"],
  ["tls1.3", "TLSv1.3"]
])
const tlsVersionCode = { "TLSv1": 769, "TLSv1.1": 770, "TLSv1.2": 771, "TLSv1.3": 772 }

const parseTlsVersion = (text: string): Result.Result<TlsVersion, InvalidText> => {
  const version = tlsVersions.get(text.toLowerCase())
  return version === undefined
    ? refuse(`unknown tlsVersionOption ${JSON.stringify(text.toLowerCase())}`)
    : Result.succeed(version)
}

/** `tls1.0` to `tls1.3`; an empty string means the default. `/config` answers the number TLS itself uses. */
export const tlsVersion: OptionKind<TlsVersion> = {
  isSwitch: false,
  placeholder: "value",
  parse: parseTlsVersion,
  decode: decodeText(parseTlsVersion, "the name of a TLS version"),
  format: (value) => String(tlsVersionCode[value]),
  render: (value) => asJson(tlsVersionCode[value])
}

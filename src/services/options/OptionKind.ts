/**
 * The kinds of option values in NSQ: how each is parsed from a flag, a config file or the environment, shown as a default in
 * the usage text and represented by `GET /config/:opt`. Error texts are Go's, which operators and scripts know. Kinds do not
 * check ranges: each daemon checks its options when it starts.
 */
import { type Duration, Result } from "effect"
import * as GoDuration from "../core/GoDuration.ts"
import { maskedAddress, maskedWebhook } from "../core/Masked.ts"

/** The response of `GET /config/:opt`: plain text for strings, JSON for everything else. */
export type ConfigValue =
  | { readonly _tag: "Text"; readonly text: string }
  | { readonly _tag: "Json"; readonly json: boolean | number | ReadonlyArray<string> | ReadonlyArray<number> }

const asText = (text: string): ConfigValue => ({ _tag: "Text", text: maskedAddress(text) })
const asJson = (json: boolean | number | ReadonlyArray<string> | ReadonlyArray<number>): ConfigValue => ({
  _tag: "Json",
  json
})

/**
 * Why a value is not valid. As in NSQ, the program prints the reason of an `InvalidItem`, in a list of numbers, without the usage
 * text and exits with code 1; otherwise it prints the usage as well and exits with code 2.
 */
export interface InvalidText {
  readonly _tag: "InvalidText" | "InvalidItem"
  readonly reason: string
}

/** Creates an `InvalidText`. */
export const invalidText = (reason: string): InvalidText => ({ _tag: "InvalidText", reason })

/** A kind of option value. */
export interface OptionKind<in out A> {
  /** A bare `--name` means true; a value has to follow `=`. */
  readonly isSwitch: boolean
  /** The name of the value in the usage text; empty for switches. */
  readonly placeholder: string
  /** Parses one value; `before` is the value of earlier flags of the same name, for kinds that accumulate. */
  readonly parse: (text: string, before: A | undefined) => Result.Result<A, InvalidText>
  /**
   * Decodes a value of a config file, as the TOML parser returns it with integers as bigints, or the string of an environment
   * variable. Every kind accepts its string form, which for lists is comma separated. The failure states what is expected.
   */
  readonly decode: (value: unknown) => Result.Result<A, InvalidText>
  /** The default in the usage text; empty for the zero value of the kind. */
  readonly format: (value: A) => string
  /** The value in the response of `GET /config/:opt`, with the credentials of addresses masked. */
  readonly render: (value: A) => ConfigValue
}

const refuse = (reason: string): Result.Result<never, InvalidText> => Result.fail(invalidText(reason))
const parseError = refuse("parse error")
const rangeError = refuse("value out of range")

/** Decodes only the string form of a kind. */
const decodeText =
  <A>(parse: (text: string) => Result.Result<A, InvalidText>, expected: string): OptionKind<A>["decode"] => (value) =>
    typeof value === "string" ? parse(value) : refuse(`must be ${expected}`)

const items = (text: string): ReadonlyArray<string> => text === "" ? [] : text.split(",").map((item) => item.trim())

/** Any string. */
export const string: OptionKind<string> = {
  isSwitch: false,
  placeholder: "string",
  parse: (text) => Result.succeed(text),
  decode: (value) => typeof value === "string" ? Result.succeed(value) : refuse("must be a string"),
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
 * An integer in Go's syntax: base prefixes, a leading zero for octal, underscores between digits. NSQ accepts 64 bits; here a
 * number beyond 2^53 is out of range, because it could not be represented exactly.
 */
export const int: OptionKind<number> = {
  isSwitch: false,
  placeholder: "int",
  parse: parseInteger,
  decode: (value) =>
    typeof value === "bigint"
      ? parseInteger(String(value))
      : decodeText(parseInteger, "an integer")(value),
  format: (value) => value === 0 ? "" : String(value),
  render: asJson
}

const notNegative = (value: number): Result.Result<number, InvalidText> =>
  value < 0 ? refuse("must be at least 0") : Result.succeed(value)

/** An integer from 0 on: a size, a count, or a limit where 0 means no limit. */
export const count: OptionKind<number> = {
  ...int,
  parse: (text) => Result.flatMap(parseInteger(text), notNegative),
  decode: (value) => Result.flatMap(int.decode(value), notNegative)
}

const booleans = new Map<string, boolean>([
  ...["1", "t", "T", "true", "TRUE", "True"].map((text) => [text, true] as const),
  ...["0", "f", "F", "false", "FALSE", "False"].map((text) => [text, false] as const)
])

const parseBoolean = (text: string): Result.Result<boolean, InvalidText> => {
  const value = booleans.get(text)
  return value === undefined ? parseError : Result.succeed(value)
}

/** A boolean in Go's spellings. Numbers in a config file are refused, because NSQ reads 0 as true there. */
export const bool: OptionKind<boolean> = {
  isSwitch: true,
  placeholder: "",
  parse: parseBoolean,
  decode: (value) =>
    typeof value === "boolean" ? Result.succeed(value) : decodeText(parseBoolean, "true or false")(value),
  format: (value) => value ? "true" : "",
  render: asJson
}

/** Parses a number without a unit, which is valid in config files but not in flags. */
const milliseconds = (digits: string): Result.Result<Duration.Duration, InvalidText> =>
  Result.orElse(GoDuration.parse(`${digits}ms`), () => rangeError)

/**
 * A duration in Go's syntax; `/config` returns nanoseconds. In config files and in the environment a number without a unit is
 * in milliseconds, because some of NSQ's durations were such numbers in old versions.
 */
export const duration: OptionKind<Duration.Duration> = {
  isSwitch: false,
  placeholder: "duration",
  parse: (text) => Result.orElse(GoDuration.parse(text), () => parseError),
  decode: (value) => {
    if (typeof value === "bigint") return milliseconds(String(value))
    if (typeof value !== "string") return refuse("must be a duration such as \"5s\", or whole milliseconds")
    return /^\d+$/.test(value)
      ? milliseconds(value)
      : Result.mapError(GoDuration.parse(value), ({ message }) => invalidText(message))
  },
  format: (value) => GoDuration.toNanos(value) === 0n ? "" : GoDuration.format(value),
  render: (value) => asJson(Number(GoDuration.toNanos(value)))
}

const notBackwards = (value: Duration.Duration): Result.Result<Duration.Duration, InvalidText> =>
  GoDuration.toNanos(value) < 0n ? refuse("must be at least 0") : Result.succeed(value)

/** A duration from 0 on. NSQ accepts negative ones, with which timers fire at once or panic. */
export const span: OptionKind<Duration.Duration> = {
  ...duration,
  parse: (text) => Result.flatMap(duration.parse(text, undefined), notBackwards),
  decode: (value) => Result.flatMap(duration.decode(value), notBackwards)
}

/** A list of strings; each flag adds one. */
export const strings: OptionKind<ReadonlyArray<string>> = {
  isSwitch: false,
  placeholder: "value",
  parse: (text, before = []) => Result.succeed([...before, text]),
  decode: (value) => {
    if (typeof value === "string") return Result.succeed(items(value))
    return Array.isArray(value) && value.every((item) => typeof item === "string")
      ? Result.succeed(value)
      : refuse("must be a list of strings")
  },
  format: (value) => value.join(","),
  render: (value) => asJson(value.map(maskedAddress))
}

/** A list of URLs whose paths may be secret. */
export const webhooks: OptionKind<ReadonlyArray<string>> = {
  ...strings,
  render: (value) => asJson(value.map(maskedWebhook))
}

const floatSyntax = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/
const special = new Map([["inf", Infinity], ["+inf", Infinity], ["-inf", -Infinity], ["nan", NaN]])

const parseFloat = (text: string): number | undefined =>
  floatSyntax.test(text) ? Number(text) : special.get(text.toLowerCase())

/** A number, possibly with a fraction. */
export const float: OptionKind<number> = {
  isSwitch: false,
  placeholder: "float",
  parse: (text) => {
    const value = parseFloat(text)
    return value === undefined ? parseError : Result.succeed(value)
  },
  decode: (value) => {
    const number = typeof value === "string" ? parseFloat(value) : decodeFloat(value)
    return number === undefined ? refuse("must be a number") : Result.succeed(number)
  },
  format: (value) => value === 0 ? "" : String(value),
  render: asJson
}

const decodeFloat = (item: unknown): number | undefined => {
  if (typeof item === "number") return item
  return typeof item === "bigint" ? Number(item) : undefined
}

/**
 * A list of numbers, comma separated and over several flags, sorted in descending order; the order of a config file is kept.
 */
export const floats: OptionKind<ReadonlyArray<number>> = {
  isSwitch: false,
  placeholder: "value",
  parse: (text, before = []) => {
    const values = [...before]
    for (const item of text.split(",")) {
      const value = parseFloat(item)
      if (value === undefined) return Result.fail({ _tag: "InvalidItem", reason: `Could not parse: ${item}` })
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
      : refuse("must be a list of numbers")
  },
  format: (value) => value.join(","),
  render: asJson
}

/** One of the given words, case sensitive. */
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

/** NSQ's log levels, from the least to the most severe. */
export const logLevels = ["debug", "info", "warn", "error", "fatal"] as const

/** One of NSQ's five log levels. */
export type NsqLogLevel = typeof logLevels[number]

const parseLogLevel = (text: string): Result.Result<NsqLogLevel, InvalidText> => {
  const level = logLevels.find((level) => level === text.toLowerCase())
  return level === undefined
    ? refuse(`invalid log level '${text}' (${logLevels.join(", ")})`)
    : Result.succeed(level)
}

/** A log level, case insensitive; `/config` returns 1 (debug) to 5 (fatal). */
export const logLevel: OptionKind<NsqLogLevel> = {
  isSwitch: false,
  placeholder: "value",
  parse: parseLogLevel,
  decode: decodeText(parseLogLevel, "the name of a log level"),
  format: (value) => value === "warn" ? "WARNING" : value.toUpperCase(),
  render: (value) => asJson(logLevels.indexOf(value) + 1)
}

/** Whether clients must use TLS: on every port (`true`), on every port except HTTP (`tcp-https`), or not at all. */
export type TlsRequired = boolean | "tcp-https"

const parseTlsRequired = (text: string): Result.Result<TlsRequired, InvalidText> => {
  const lower = text.toLowerCase()
  const value = lower === "tcp-https" ? lower : booleans.get(lower)
  return value === undefined
    ? refuse(`strconv.ParseBool: parsing ${JSON.stringify(lower)}: invalid syntax`)
    : Result.succeed(value)
}

/** A switch with a third state; `/config` returns 0 (false), 1 (`tcp-https`) or 2 (true). */
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

/** The lowest accepted TLS version, with the names of `node:tls`. */
export type TlsVersion = "TLSv1" | "TLSv1.1" | "TLSv1.2" | "TLSv1.3"

const tlsVersions = new Map<string, TlsVersion>([
  ["", "TLSv1.2"],
  ["tls1.0", "TLSv1"],
  ["tls1.1", "TLSv1.1"],
  ["tls1.2", "TLSv1.2"],
  ["tls1.3", "TLSv1.3"]
])
const tlsVersionName = { "TLSv1": "tls1.0", "TLSv1.1": "tls1.1", "TLSv1.2": "tls1.2", "TLSv1.3": "tls1.3" }
const tlsVersionCode = { "TLSv1": 769, "TLSv1.1": 770, "TLSv1.2": 771, "TLSv1.3": 772 }

const parseTlsVersion = (text: string): Result.Result<TlsVersion, InvalidText> => {
  const version = tlsVersions.get(text.toLowerCase())
  return version === undefined
    ? refuse(`unknown tlsVersionOption ${JSON.stringify(text.toLowerCase())}`)
    : Result.succeed(version)
}

/**
 * `tls1.0` to `tls1.3`; an empty string means the default, TLS 1.2. `/config` returns the version number of the TLS protocol, as
 * NSQ does. NSQ's usage text shows this number as the default, which the flag does not accept; here it shows the name.
 */
export const tlsVersion: OptionKind<TlsVersion> = {
  isSwitch: false,
  placeholder: "value",
  parse: parseTlsVersion,
  decode: decodeText(parseTlsVersion, "the name of a TLS version"),
  format: (value) => tlsVersionName[value],
  render: (value) => asJson(tlsVersionCode[value])
}

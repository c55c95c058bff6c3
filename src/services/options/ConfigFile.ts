/**
 * Config files of the daemons (docs/protocol/options.md#config-keys): TOML, option names with underscores, all at the top level.
 * Stricter than NSQ in one point: an unknown key, which NSQ ignores, is an error, because a misspelt limit has no effect.
 */
import { Effect, Result, Struct } from "effect"
import { readFile } from "node:fs/promises"
import * as SystemText from "../core/SystemText.ts"
import { closest } from "./FlagHint.ts"
import type { LogFormat } from "./LogOptions.ts"
import { type InvalidText, invalidText } from "./OptionKind.ts"
import { OptionsError, OptionsErrorReason } from "./OptionsError.ts"
import * as OptionTable from "./OptionTable.ts"

/** The options that a config file sets. */
export interface Settings<Options> {
  readonly given: Partial<Options>
  /** Warnings to log at start. */
  readonly warnings: ReadonlyArray<string>
}

/** Keys that NSQ parses before all others, with another error text. */
const parsedFirst = new Set(["log_level", "tls_required", "tls_min_version"])

const describe = (value: unknown): string => {
  if (Array.isArray(value)) return "a list"
  if (typeof value === "object") return value instanceof Date ? "a date" : "a table"
  return String(value).slice(0, 256)
}

const wrongValue = (key: string, value: unknown, reason: string): string =>
  parsedFirst.has(key)
    ? `failed parsing ${key} ${describe(value)} - ${reason}`
    : `failed to coerce value ${describe(value)} for ${key} - ${reason}`

const unknownKey = (key: string, known: Iterable<string>): string => {
  const similar = closest(key.replaceAll("-", "_").toLowerCase(), known)
  return `unknown key ${JSON.stringify(key)}${similar === undefined ? "" : `; did you mean ${similar}?`}`
}

/** Indexes the options by each name that a file may use. Names are compared with underscores in place of dashes. */
const fieldsByName = <Options extends object>(table: OptionTable.OptionTable<Options>) => {
  const named = (names: (field: keyof Options) => ReadonlyArray<string>) =>
    new Map(
      Struct.keys(table).flatMap((field) => names(field).map((name) => [name.replaceAll("-", "_"), field] as const))
    )
  return {
    byKey: named((field) => [table[field].key]),
    formerly: named((field) => table[field].aliases),
    byFlag: named((field) => [table[field].flag])
  }
}

/**
 * Reads the options of a parsed file. `unused` are keys of old versions that have no effect and cause a warning. The name of a
 * flag, or a key with dashes, is accepted with a warning, too. The failure names the key that is wrong.
 */
export const decode = <Options extends object>(
  table: OptionTable.OptionTable<Options>,
  file: Readonly<Record<string, unknown>>,
  unused: ReadonlySet<string>
): Result.Result<Settings<Options>, InvalidText> => {
  const { byFlag, byKey, formerly } = fieldsByName(table)
  const given: Partial<Options> = {}
  const warnings: Array<string> = []
  const keys = new Map<keyof Options, string>()
  for (const [key, value] of Object.entries(file)) {
    const name = key.replaceAll("-", "_")
    const former = formerly.get(name)
    const field = byKey.get(name) ?? former ?? byFlag.get(name)
    if (field === undefined) {
      if (!unused.has(name)) return Result.fail(invalidText(unknownKey(key, byKey.keys())))
      warnings.push(`${key} in the config file is deprecated and has no effect`)
      continue
    }
    const same = keys.get(field)
    if (same !== undefined) {
      return Result.fail(invalidText(`${same} and ${key} in the config file are the same option`))
    }
    keys.set(field, key)
    const right = table[field].key
    if (field === former) warnings.push(`${key} in the config file is deprecated, use ${right}`)
    else if (key !== right) warnings.push(`${key} in the config file should be ${right}`)
    const change = OptionTable.decode(table, { field, value })
    if (Result.isFailure(change)) return Result.fail(invalidText(wrongValue(key, value, change.failure.reason)))
    Object.assign(given, change.success)
  }
  return Result.succeed({ given, warnings })
}

const firstLine = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).split("\n", 1).join("")

/** A config file to read. */
export interface Source {
  readonly path: string
  /** Keys of old versions that have no effect and cause a warning. */
  readonly unused: ReadonlySet<string>
  /** The form of the FATAL line if the file cannot be used. */
  readonly logFormat: LogFormat
}

const errorOf = ({ logFormat, path }: Source, description: string): OptionsError =>
  new OptionsError({ reason: OptionsErrorReason.InvalidConfigFile({ path, description, logFormat }) })

const parse = Effect.fnUntraced(
  function*(source: Source, text: string): Effect.fn.Return<Record<string, unknown>, OptionsError> {
    // Loaded on demand: only daemons with a config file need it.
    const { parse, TomlError } = yield* Effect.promise(() => import("smol-toml"))
    return yield* Effect.try({
      try: () => parse(text, { integersAsBigInt: true }),
      catch: (cause) => {
        const place = cause instanceof TomlError ? `line ${cause.line}, column ${cause.column}: ` : ""
        return errorOf(source, place + firstLine(cause))
      }
    })
  }
)

/** Reads a config file. Fails with the reason `InvalidConfigFile`. */
export const load = Effect.fnUntraced(function*<Options extends object>(
  table: OptionTable.OptionTable<Options>,
  source: Source
): Effect.fn.Return<Settings<Options>, OptionsError> {
  const text = yield* Effect.tryPromise({
    try: () => readFile(source.path, "utf8"),
    catch: (cause) => errorOf(source, SystemText.ofFile(source.path, cause))
  })
  const settings = decode(table, yield* parse(source, text), source.unused)
  return yield* Effect.mapError(Effect.fromResult(settings), ({ reason }) => errorOf(source, reason))
})

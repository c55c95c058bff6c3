/**
 * Config files of the daemons (docs/protocol/options.md#config-keys): TOML, option names with underscores, all at the top level.
 * Stricter than NSQ in one point: an unknown key, which NSQ ignores, is an error, because a misspelt limit has no effect.
 */
import { Data, Effect, Result, Struct } from "effect"
import { readFile } from "node:fs/promises"
import * as OptionTable from "./OptionTable.ts"

/** A config file that cannot be used; the message names the key that is wrong, if any. */
export class ConfigFileError extends Data.TaggedError("ConfigFileError")<{ readonly message: string }> {}

/** The options that a config file sets. */
export interface Settings<Options> {
  readonly given: Partial<Options>
  /** Warnings to log at start. */
  readonly warnings: ReadonlyArray<string>
}

/** Keys that NSQ parses before all others, with another error text. */
const parsedFirst = new Set(["log_level", "tls_required", "tls_min_version"])

const fail = (message: string) => Result.fail(new ConfigFileError({ message }))

const describe = (value: unknown): string => {
  if (Array.isArray(value)) return "a list"
  if (typeof value === "object") return value instanceof Date ? "a date" : "a table"
  return String(value).slice(0, 256)
}

const wrongValue = (key: string, value: unknown, reason: string): string =>
  parsedFirst.has(key)
    ? `failed parsing ${key} ${describe(value)} - ${reason}`
    : `failed to coerce value ${describe(value)} for ${key} - ${reason}`

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
 * flag, or a key with dashes, is accepted with a warning, too.
 */
export const decode = <Options extends object>(
  table: OptionTable.OptionTable<Options>,
  file: Readonly<Record<string, unknown>>,
  unused: ReadonlySet<string>
): Result.Result<Settings<Options>, ConfigFileError> => {
  const { byFlag, byKey, formerly } = fieldsByName(table)
  const given: Partial<Options> = {}
  const warnings: Array<string> = []
  const keys = new Map<keyof Options, string>()
  for (const [key, value] of Object.entries(file)) {
    const name = key.replaceAll("-", "_")
    const former = formerly.get(name)
    const field = byKey.get(name) ?? former ?? byFlag.get(name)
    if (field === undefined) {
      if (!unused.has(name)) return fail(`unknown key ${JSON.stringify(key)}`)
      warnings.push(`${key} in the config file is deprecated and has no effect`)
      continue
    }
    const same = keys.get(field)
    if (same !== undefined) return fail(`${same} and ${key} in the config file are the same option`)
    keys.set(field, key)
    const right = table[field].key
    if (field === former) warnings.push(`${key} in the config file is deprecated, use ${right}`)
    else if (key !== right) warnings.push(`${key} in the config file should be ${right}`)
    const change = OptionTable.decode(table, { field, value })
    if (Result.isFailure(change)) return fail(wrongValue(key, value, change.failure))
    Object.assign(given, change.success)
  }
  return Result.succeed({ given, warnings })
}

const firstLine = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).split("\n", 1).join("")

const parse = Effect.fnUntraced(function*(text: string): Effect.fn.Return<Record<string, unknown>, ConfigFileError> {
  // Loaded on demand: only daemons with a config file need it.
  const { parse, TomlError } = yield* Effect.promise(() => import("smol-toml"))
  return yield* Effect.try({
    try: () => parse(text, { integersAsBigInt: true }),
    catch: (cause) =>
      new ConfigFileError({
        message: cause instanceof TomlError
          ? `line ${cause.line}, column ${cause.column}: ${firstLine(cause)}`
          : firstLine(cause)
      })
  })
})

/** Reads a config file; `unused` as for `decode`. */
export const load = Effect.fnUntraced(function*<Options extends object>(
  table: OptionTable.OptionTable<Options>,
  path: string,
  unused: ReadonlySet<string>
): Effect.fn.Return<Settings<Options>, ConfigFileError> {
  const text = yield* Effect.tryPromise({
    try: () => readFile(path, "utf8"),
    catch: (cause) => new ConfigFileError({ message: firstLine(cause) })
  })
  return yield* Effect.fromResult(decode(table, yield* parse(text), unused))
})

/**
 * The options of a daemon as one declarative table: field, flag, config key, kind, default and help text. Flag parsing,
 * the usage text, the defaults and `GET /config/:opt` are derived from it, so they cannot disagree. Each daemon defines its
 * own table.
 */
import { Result, Struct } from "effect"
import type * as GoFlags from "./GoFlags.ts"
import type { ConfigValue, InvalidText, OptionKind } from "./OptionKind.ts"

/** One option. */
export interface Row<in out A> {
  /** The flag's name without dashes. */
  readonly flag: string
  /** The name in config files and in `/config/:opt`. */
  readonly key: string
  /** Deprecated names that are still accepted, each with a warning. */
  readonly aliases: ReadonlyArray<string>
  readonly kind: OptionKind<A>
  /** Returns the default. Evaluated on demand, because some defaults come from the operating system. */
  readonly initial: () => A
  readonly help: string
}

/** One row for each field of `Options`. */
export type OptionTable<Options> = { readonly [K in keyof Options]: Row<Options[K]> }

/** Returns a row. Default of `more.key`: the flag's name with underscores. Default of `more.aliases`: empty. */
export const row = <A>(
  flag: string,
  kind: OptionKind<A>,
  initial: () => A,
  help: string,
  more: { readonly key?: string; readonly aliases?: ReadonlyArray<string> } = {}
): Row<A> => ({ flag, key: more.key ?? flag.replaceAll("-", "_"), aliases: more.aliases ?? [], kind, initial, help })

interface InitialValue extends Struct.Lambda {
  <A>(row: Row<A>): A
  readonly "~lambda.out": this["~lambda.in"] extends Row<infer A> ? A : never
}

/** Maps each row of a table to its default. */
export const initialValue = Struct.lambda<InitialValue>((row) => row.initial())

const rowFlags = <A>({ aliases, flag, help, initial, kind }: Row<A>): Array<GoFlags.GoFlag> => {
  const check = (text: string) => Result.map(kind.parse(text, undefined), () => undefined)
  const { isSwitch, placeholder } = kind
  return [
    { name: flag, help, isSwitch, placeholder, defaultText: kind.format(initial()), check },
    ...aliases.map((name) => ({
      name,
      help: `[deprecated] use --${flag}`,
      isSwitch,
      placeholder,
      defaultText: "",
      check
    }))
  ]
}

/** Returns the flags of a table, for parsing and for the usage text. */
export const flags = <Options extends object>(table: OptionTable<Options>): Array<GoFlags.GoFlag> =>
  Struct.keys(table).flatMap((field) => rowFlags(table[field]))

/** The options that are set, and a warning for each deprecated name in use. */
export interface Assigned<Options> {
  readonly given: Partial<Options>
  readonly deprecated: ReadonlyArray<string>
}

/** Converts parsed flags to values: the last of a repeated flag counts, lists accumulate. Ignores flags without a row. */
export const assign = <Options extends object>(
  table: OptionTable<Options>,
  parsed: ReadonlyArray<GoFlags.Given>
): Result.Result<Assigned<Options>, InvalidText> => {
  const fields = new Map(
    Struct.keys(table).flatMap((field) => [table[field].flag, ...table[field].aliases].map((name) => [name, field]))
  )
  const deprecated: Array<string> = []
  const given: Partial<Options> = {}
  for (const { name, text } of parsed) {
    const field = fields.get(name)
    if (field === undefined) continue
    const value = table[field].kind.parse(text, given[field])
    if (Result.isFailure(value)) return Result.fail(value.failure)
    Object.assign(given, { [field]: value.success })
    if (name !== table[field].flag) deprecated.push(`--${name} is deprecated, use --${table[field].flag}`)
  }
  return Result.succeed({ given, deprecated })
}

/** A value for an option from another source than a flag. */
export interface Assignment<Options> {
  readonly field: keyof Options
  readonly value: unknown
}

/** Decodes one such value; the failure states what is expected. */
export const decode = <Options extends object>(
  table: OptionTable<Options>,
  { field, value }: Assignment<Options>
): Result.Result<Partial<Options>, string> => {
  const change: Partial<Options> = {}
  return Result.map(
    table[field].kind.decode(value),
    (decoded) => Object.assign(change, { [field]: decoded })
  )
}

/** Returns the response of `GET /config/:opt` for a key; undefined if the option does not exist. */
export const render = <Options extends object>(
  table: OptionTable<Options>,
  options: Options,
  key: string
): ConfigValue | undefined => {
  for (const field of Struct.keys(table)) {
    if (table[field].key === key) return table[field].kind.render(options[field])
  }
  return undefined
}

/**
 * A daemon's options as one declarative table: field, flag, config key, kind, default and help text. Flag parsing,
 * the usage text, the defaults and `GET /config/:opt` are all derived from it, so they cannot disagree. Holds no
 * options itself: each daemon writes its own table.
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
  /** Former names that are still taken, each with a warning. */
  readonly aliases: ReadonlyArray<string>
  readonly kind: OptionKind<A>
  /** Evaluated when first needed: some defaults ask the operating system. */
  readonly initial: () => A
  readonly help: string
}

/** A row for every field of `Options`. */
export type OptionTable<Options> = { readonly [K in keyof Options]: Row<Options[K]> }

/** One row; the config key is the flag's name with underscores unless `more.key` says otherwise. */
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

/** Maps a table to the value of each default. */
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

/** The flags of a table, for parsing and for the usage text. */
export const flags = <Options extends object>(table: OptionTable<Options>): Array<GoFlags.GoFlag> =>
  Struct.keys(table).flatMap((field) => rowFlags(table[field]))

/** The options given, and which old names they were given under. */
export interface Assigned<Options> {
  readonly given: Partial<Options>
  readonly deprecated: ReadonlyArray<string>
}

/** Turns parsed flags into values: the last of a repeated flag wins, lists add up. Flags of no row are left alone. */
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

/** A value that was given to an option by some other way than a flag. */
export interface Assignment<Options> {
  readonly field: keyof Options
  readonly value: unknown
}

/** Reads one such value into the options it belongs to; the failure says what is expected. */
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

/** What `GET /config/:opt` answers for a key; undefined when there is no such option. */
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

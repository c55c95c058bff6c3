/**
 * The options of a program as one declarative table: a row for each option. Flag parsing, the usage text, the defaults, config
 * keys and `GET /config/:opt` are derived from it, so they cannot disagree. Each program defines its own table.
 */
import { Duration, Option, Result, Struct } from "effect"
import { type ConfigValue, duration, type InvalidText } from "./OptionKind.ts"
import type { Row } from "./OptionRow.ts"

/** One row for each field of `Options`. */
export type OptionTable<Options> = { readonly [K in keyof Options]: Row<Options[K]> }

/** The options that a table defines. Comments on its rows are the documentation of their fields. */
export type OptionsOf<Table> = { readonly [K in keyof Table]: Struct.Apply<InitialValue, Table[K]> }

interface InitialValue extends Struct.Lambda {
  <A>(row: Row<A>): A
  readonly "~lambda.out": this["~lambda.in"] extends Row<infer A> ? A : never
}

const initialValue = Struct.lambda<InitialValue>((row) => row.initial())

/** Returns the defaults of a table. */
export const defaults = <Table extends object>(table: Table): OptionsOf<Table> => Struct.map(initialValue)(table)

/** Changes of options, in which a duration may be any of Effect's inputs. */
export type Changes<Options> = {
  readonly [K in keyof Options]?: Options[K] extends Duration.Duration ? Duration.Input : Options[K]
}

const isDurationInput = (value: unknown): value is Duration.Input =>
  Duration.isDuration(value) || ["number", "bigint", "string", "object"].includes(typeof value)

/** Returns the duration. Throws if it is not valid: the types of a program exclude it. */
const durationOf = (flag: string, value: unknown): Duration.Duration => {
  const found = isDurationInput(value) ? Duration.fromInput(value) : Option.none()
  if (Option.isNone(found)) throw new Error(`--${flag}: ${String(value)} is not a duration`)
  return found.value
}

/** Returns the options with the changes. Throws for a duration that is not valid. */
export const change = <Options extends object>(
  table: OptionTable<Options>,
  options: Options,
  changes: Options | Changes<Options>
): Options => {
  const changed = { ...options }
  for (const field of Struct.keys(table)) {
    const value: unknown = changes[field]
    if (value === undefined) continue
    const { flag, kind } = table[field]
    Object.assign(changed, { [field]: Object.is(kind, duration) ? durationOf(flag, value) : value })
  }
  return changed
}

/** Returns the fields whose values differ from those of `defaults`, as `/config` shows them. */
export const changedFields = <Options extends object>(
  table: OptionTable<Options>,
  options: Options,
  defaults: Options
): ReadonlyArray<keyof Options> => {
  const shown = (field: keyof Options, of: Options) => JSON.stringify(table[field].kind.render(of[field]))
  return Struct.keys(table).filter((field) => shown(field, options) !== shown(field, defaults))
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
): Result.Result<Partial<Options>, InvalidText> => {
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

/**
 * The options of a program as one declarative table: a row for each option. Flag parsing, the usage text, the defaults, config
 * keys and `GET /config/:opt` are derived from it, so they cannot disagree. Each program defines its own table.
 */
import { Result, Struct } from "effect"
import type { ConfigValue, InvalidText } from "./OptionKind.ts"
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

/**
 * One option: its flag, config key, kind, default and help text. `OptionTable` holds the options of a program. The short forms
 * are for options with a constant default.
 */
import { Duration, Struct } from "effect"
import * as Kind from "./OptionKind.ts"

/** One option. */
export interface Row<in out A> {
  /** The flag's name without dashes. */
  readonly flag: string
  /** The name in config files and in `/config/:opt`. */
  readonly key: string
  /** Deprecated names that are still accepted, each with a warning. */
  readonly aliases: ReadonlyArray<string>
  readonly kind: Kind.OptionKind<A>
  /** Returns the default. Evaluated on demand, because some defaults come from the operating system. */
  readonly initial: () => A
  readonly help: string
  /** The heading above the option in the usage text; empty for none. */
  readonly group: string
}

/** Names of an option besides its flag. Default of `key`: the flag's name with underscores. Default of `aliases`: empty. */
export interface Names {
  readonly key?: string
  readonly aliases?: ReadonlyArray<string>
}

/** Returns a row. */
export const row = <A>(
  flag: string,
  kind: Kind.OptionKind<A>,
  initial: () => A,
  help: string,
  { aliases = [], key = flag.replaceAll("-", "_") }: Names = {}
): Row<A> => ({ flag, key, aliases, kind, initial, help, group: "" })

/** Returns rows under a heading. */
export const group = <Rows extends object>(heading: string, rows: Rows): Rows => {
  const grouped: Rows = { ...rows }
  for (const field of Struct.keys(rows)) Object.assign(grouped, { [field]: { ...rows[field], group: heading } })
  return grouped
}

/** A string. */
export const string = (flag: string, initial: string, help: string, names?: Names): Row<string> =>
  row(flag, Kind.string, () => initial, help, names)

/** An integer from 0 on. */
export const count = (flag: string, initial: number, help: string, names?: Names): Row<number> =>
  row(flag, Kind.count, () => initial, help, names)

/** A limit; 0 means no limit, which the help text states. */
export const limit = (flag: string, initial: number, help: string, names?: Names): Row<number> =>
  row(flag, Kind.count, () => initial, `${help}; 0 for no limit`, names)

/** A switch. */
export const bool = (flag: string, initial: boolean, help: string, names?: Names): Row<boolean> =>
  row(flag, Kind.bool, () => initial, help, names)

/** A duration from 0 on. */
export const duration = (
  flag: string,
  initial: Duration.Input,
  help: string,
  names?: Names
): Row<Duration.Duration> => row(flag, Kind.span, () => Duration.fromInputUnsafe(initial), help, names)

/** One of the given words; the help text has them. */
export const oneOf = <const Word extends string>(
  flag: string,
  words: ReadonlyArray<Word>,
  initial: NoInfer<Word>,
  help: string,
  names?: Names
): Row<Word> => row<Word>(flag, Kind.oneOf(words), () => initial, help, names)

/** A list of strings, empty by default; each flag adds one. The help text states that the flag may be repeated. */
export const strings = (flag: string, help: string, names?: Names): Row<ReadonlyArray<string>> =>
  row(flag, Kind.strings, (): ReadonlyArray<string> => [], `${help} (may be given several times)`, names)

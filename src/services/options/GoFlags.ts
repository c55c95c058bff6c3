/**
 * Command-line flags with the syntax of Go's `flag` package, which every NSQ program uses: one or two dashes, a value after `=`
 * or as the next argument, bare switches, Go's error texts and Go's usage text. Pure: it neither prints nor exits.
 * The flags themselves parse their values, each once, into a state of the caller's.
 */
import { Result } from "effect"
import type { InvalidText } from "./OptionKind.ts"
import { OptionsError, OptionsErrorReason } from "./OptionsError.ts"

/** The definition of a flag that changes a `State`. */
export interface GoFlag<in out State> {
  readonly name: string
  readonly help: string
  /** The heading above the flag in the usage text; empty for none. */
  readonly group: string
  /** A bare `--name` means `true`; a value has to follow `=`. */
  readonly isSwitch: boolean
  /** The name of the value in the usage text; empty for switches. */
  readonly placeholder: string
  /** The default in the usage text; empty for the zero value of the kind, which Go does not show. */
  readonly defaultText: string
  /** Parses the value and returns the state with it. */
  readonly set: (state: State, text: string) => Result.Result<State, InvalidText>
}

const failed = (reason: OptionsErrorReason): Result.Result<never, OptionsError> =>
  Result.fail(new OptionsError({ reason }))

const invalid = (description: string) => failed(OptionsErrorReason.InvalidCommandLine({ description }))

const refused = <State>(flag: GoFlag<State>, text: string, { _tag, reason }: InvalidText) => {
  if (_tag === "InvalidItem") return failed(OptionsErrorReason.InvalidItem({ description: reason }))
  const value = JSON.stringify(text)
  return invalid(
    flag.isSwitch
      ? `invalid boolean value ${value} for -${flag.name}: ${reason}`
      : `invalid value ${value} for flag -${flag.name}: ${reason}`
  )
}

/** The state after all flags, and the arguments after them. */
export interface Parsed<State> {
  readonly state: State
  readonly rest: ReadonlyArray<string>
}

/**
 * Parses flags in their order, up to `--` or the first non-flag argument, starting with the initial state. Fails with the reason
 * `HelpRequest` (if the program defines no flag of that name), `UnknownFlag`, `InvalidCommandLine` or `InvalidItem`.
 */
export const parse = <State>(
  flags: Iterable<GoFlag<State>>,
  initial: State,
  args: ReadonlyArray<string>
): Result.Result<Parsed<State>, OptionsError> => {
  const byName = new Map(Array.from(flags, (flag) => [flag.name, flag]))
  let state = initial
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? ""
    if (arg === "--") return Result.succeed({ state, rest: args.slice(i + 1) })
    if (arg.length < 2 || !arg.startsWith("-")) return Result.succeed({ state, rest: args.slice(i) })
    const [, name = "", value] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(arg) ?? []
    if (name === "") return invalid(`bad flag syntax: ${arg}`)
    const flag = byName.get(name)
    if (flag === undefined) {
      return name === "help" || name === "h"
        ? failed(OptionsErrorReason.HelpRequest())
        : failed(OptionsErrorReason.UnknownFlag({ name }))
    }
    const text = value ?? (flag.isSwitch ? "true" : args[++i])
    if (text === undefined) return invalid(`flag needs an argument: -${name}`)
    const changed = flag.set(state, text)
    if (Result.isFailure(changed)) return refused(flag, text, changed.failure)
    state = changed.success
  }
  return Result.succeed({ state, rest: [] })
}

/**
 * Returns the usage text: flags without a heading first, then each group in the order of its first flag; alphabetically within a
 * group, each flag with its help text and its default. NSQ's text has no groups.
 */
export const usage = <State>(program: string, flags: Iterable<GoFlag<State>>): string => {
  const byGroup = Map.groupBy(flags, ({ group }) => group)
  const lines = Array.from(byGroup.keys())
    .toSorted((a, b) => Number(a !== "") - Number(b !== ""))
    .flatMap((group) => [...group === "" ? [] : ["", `${group}:`], ...flagLines(byGroup.get(group) ?? [])])
  return [`Usage of ${program}:`, ...lines, ""].join("\n")
}

const flagLines = <State>(flags: ReadonlyArray<GoFlag<State>>): ReadonlyArray<string> =>
  flags
    .toSorted((a, b) => a.name < b.name ? -1 : 1)
    .map(({ defaultText, help, name, placeholder }) =>
      `  -${name}${placeholder === "" ? "" : ` ${placeholder}`}\n    \t${help}` +
      (defaultText === "" ? "" : ` (default ${defaultText})`)
    )

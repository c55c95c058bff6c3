/**
 * Command-line flags with the syntax of Go's `flag` package, which every NSQ program uses: one or two dashes, a value after `=`
 * or as the next argument, bare switches, Go's error texts and Go's usage text. Pure: it neither prints nor exits.
 * OptionTable gives the values their meaning.
 */
import { Data, Result } from "effect"
import type { InvalidText } from "./OptionKind.ts"

/** The definition of a flag. */
export interface GoFlag {
  readonly name: string
  readonly help: string
  /** A bare `--name` means `true`; a value has to follow `=`. */
  readonly isSwitch: boolean
  /** The name of the value in the usage text; empty for switches. */
  readonly placeholder: string
  /** The default in the usage text; empty for the zero value of the kind, which Go does not show. */
  readonly defaultText: string
  readonly check: (text: string) => Result.Result<void, InvalidText>
}

/** A flag on the command line. */
export interface Given {
  readonly name: string
  readonly text: string
}

/** The command line has `--help` or `-h`, and the program defines no flag of that name. */
export class HelpRequested extends Data.TaggedError("HelpRequested") {}

/** The command line is not valid; `message` is Go's error text, which is printed before the usage text. */
export class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

/** A value that ends the program without a usage text. */
export class FatalValue extends Data.TaggedError("FatalValue")<{ readonly message: string }> {}

/** The reasons why a command line cannot be used. */
export type FlagError = HelpRequested | UsageError | FatalValue

const usageError = (message: string): Result.Result<never, FlagError> => Result.fail(new UsageError({ message }))

const refused = (flag: GoFlag, text: string, { fatal, reason }: InvalidText): FlagError => {
  if (fatal) return new FatalValue({ message: reason })
  const value = JSON.stringify(text)
  return new UsageError({
    message: flag.isSwitch
      ? `invalid boolean value ${value} for -${flag.name}: ${reason}`
      : `invalid value ${value} for flag -${flag.name}: ${reason}`
  })
}

/** The flags of a command line, and the arguments after them. */
export interface Parsed {
  readonly given: ReadonlyArray<Given>
  readonly rest: ReadonlyArray<string>
}

/** Parses flags up to `--` or the first non-flag argument. Ignores further arguments, as NSQ's daemons do. */
export const parse = (
  flags: Iterable<GoFlag>,
  args: ReadonlyArray<string>
): Result.Result<ReadonlyArray<Given>, FlagError> => Result.map(parseAll(flags, args), ({ given }) => given)

/** Parses flags up to `--` or the first non-flag argument; returns the flags and the further arguments. */
export const parseAll = (
  flags: Iterable<GoFlag>,
  args: ReadonlyArray<string>
): Result.Result<Parsed, FlagError> => {
  const byName = new Map(Array.from(flags, (flag) => [flag.name, flag]))
  const given: Array<Given> = []
  let rest: ReadonlyArray<string> = []
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? ""
    if (arg.length < 2 || !arg.startsWith("-") || arg === "--") {
      rest = args.slice(arg === "--" ? i + 1 : i)
      break
    }
    const [, name = "", value] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(arg) ?? []
    if (name === "") return usageError(`bad flag syntax: ${arg}`)
    const flag = byName.get(name)
    if (flag === undefined) {
      return name === "help" || name === "h"
        ? Result.fail(new HelpRequested())
        : usageError(`flag provided but not defined: -${name}`)
    }
    const text = value ?? (flag.isSwitch ? "true" : args[++i])
    if (text === undefined) return usageError(`flag needs an argument: -${name}`)
    const checked = flag.check(text)
    if (Result.isFailure(checked)) return Result.fail(refused(flag, text, checked.failure))
    given.push({ name, text })
  }
  return Result.succeed({ given, rest })
}

/** Returns the usage text: flags in alphabetical order, each with its help text and its default. */
export const usage = (program: string, flags: Iterable<GoFlag>): string => {
  const lines = Array.from(flags)
    .sort((a, b) => a.name < b.name ? -1 : 1)
    .map(({ defaultText, help, name, placeholder }) =>
      `  -${name}${placeholder === "" ? "" : ` ${placeholder}`}\n    \t${help}` +
      (defaultText === "" ? "" : ` (default ${defaultText})`)
    )
  return [`Usage of ${program}:`, ...lines, ""].join("\n")
}

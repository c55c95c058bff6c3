/**
 * Command line flags as Go's `flag` package reads them, which is what every NSQ program does: one or two dashes, a
 * value after `=` or as the next argument, bare switches, Go's error texts and Go's usage text. Pure: it prints
 * nothing and ends nothing. It does not know what the values mean; see OptionTable.
 */
import { Data, Result } from "effect"
import type { InvalidText } from "./OptionKind.ts"

/** A flag that may be given. */
export interface GoFlag {
  readonly name: string
  readonly help: string
  /** A bare `--name` means `true`; a value is only taken after `=`. */
  readonly isSwitch: boolean
  /** What the usage text calls the value; empty for switches. */
  readonly placeholder: string
  /** Shown in the usage text; empty when it goes without saying. */
  readonly defaultText: string
  readonly check: (text: string) => Result.Result<void, InvalidText>
}

/** A flag as it was given. */
export interface Given {
  readonly name: string
  readonly text: string
}

/** `--help` or `-h` was given and the program has no flag of that name. */
export class HelpRequested extends Data.TaggedError("HelpRequested") {}

/** The command line is wrong; `message` is Go's, shown before the usage text. */
export class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

/** A value whose refusal ends the program without a usage text. */
export class FatalValue extends Data.TaggedError("FatalValue")<{ readonly message: string }> {}

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

/** Flags, and the arguments that follow them. */
export interface Parsed {
  readonly given: ReadonlyArray<Given>
  readonly rest: ReadonlyArray<string>
}

/** Reads flags up to `--` or the first argument that is none; what follows is ignored, as NSQ's daemons do. */
export const parse = (
  flags: Iterable<GoFlag>,
  args: ReadonlyArray<string>
): Result.Result<ReadonlyArray<Given>, FlagError> => Result.map(parseAll(flags, args), ({ given }) => given)

/** Reads flags up to `--` or the first argument that is none, and says what follows. */
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

/** The usage text: flags in the order of their names, each with its help and its default. */
export const usage = (program: string, flags: Iterable<GoFlag>): string => {
  const lines = Array.from(flags)
    .sort((a, b) => a.name < b.name ? -1 : 1)
    .map(({ defaultText, help, name, placeholder }) =>
      `  -${name}${placeholder === "" ? "" : ` ${placeholder}`}\n    \t${help}` +
      (defaultText === "" ? "" : ` (default ${defaultText})`)
    )
  return [`Usage of ${program}:`, ...lines, ""].join("\n")
}

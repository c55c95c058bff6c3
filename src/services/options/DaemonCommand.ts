/**
 * The command line that all daemons share: the flags of the daemon's options table, and `--version`, `--config` and flags
 * of old that do nothing. Pure: it says what was asked for and leaves it to the program to do it.
 */
import { Result } from "effect"
import * as GoFlags from "./GoFlags.ts"
import * as Kind from "./OptionKind.ts"
import * as OptionTable from "./OptionTable.ts"

/** What a command line asks for. */
export interface DaemonCommand<Options> {
  /** Print the version and end. */
  readonly version: boolean
  /** Path of a config file; empty for none, undefined when the command line does not say. */
  readonly config: string | undefined
  /** The options given on the command line, and only those. */
  readonly given: Partial<Options>
  /** What to warn of at start. */
  readonly warnings: ReadonlyArray<string>
}

/** A flag that does nothing any more, and the one to use instead. */
export interface FormerFlag {
  readonly name: string
  readonly use: string
}

const flag = <A>(name: string, kind: Kind.OptionKind<A>, help: string): GoFlags.GoFlag => ({
  name,
  help,
  isSwitch: kind.isSwitch,
  placeholder: kind.placeholder,
  defaultText: "",
  check: (text) => Result.map(kind.parse(text, undefined), () => undefined)
})

/** The flags of a daemon. */
export const flags = <Options extends object>(
  table: OptionTable.OptionTable<Options>,
  former: ReadonlyArray<FormerFlag>
): ReadonlyArray<GoFlags.GoFlag> => [
  ...OptionTable.flags(table),
  flag("version", Kind.bool, "print the version and exit"),
  flag("config", Kind.string, "path of the config file"),
  ...former.map(({ name, use }) => flag(name, Kind.bool, `[deprecated] has no effect, use --${use}`))
]

/** Reads the arguments that follow the program's name. */
export const parse = <Options extends object>(
  table: OptionTable.OptionTable<Options>,
  former: ReadonlyArray<FormerFlag>,
  args: ReadonlyArray<string>
): Result.Result<DaemonCommand<Options>, GoFlags.FlagError> =>
  Result.gen(function*() {
    const parsed = yield* GoFlags.parse(flags(table, former), args)
    const { deprecated, given } = yield* Result.mapError(
      OptionTable.assign(table, parsed),
      ({ reason }) => new GoFlags.FatalValue({ message: reason })
    )
    const last = (name: string) => parsed.findLast((flag) => flag.name === name)?.text
    return {
      version: Result.getOrElse(Kind.bool.parse(last("version") ?? "false", undefined), () => false),
      config: last("config"),
      given,
      warnings: [
        ...deprecated,
        ...former.filter(({ name }) => last(name) !== undefined)
          .map(({ name, use }) => `--${name} is deprecated and has no effect, use --${use}`)
      ]
    }
  })

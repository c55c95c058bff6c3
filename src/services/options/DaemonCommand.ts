/**
 * The command line of the daemons (docs/protocol/options.md#command-line): the flags of the daemon's options table, `--version`,
 * `--config`, and deprecated flags without effect. Pure: it returns the request, and the program acts on it.
 */
import { Result } from "effect"
import * as GoFlags from "./GoFlags.ts"
import * as Kind from "./OptionKind.ts"
import * as OptionTable from "./OptionTable.ts"

/** The content of a command line. */
export interface DaemonCommand<Options> {
  /** Print the version and exit. */
  readonly version: boolean
  /** Path of a config file; empty for no file, undefined without `--config`. */
  readonly config: string | undefined
  /** The options given on the command line, and only those. */
  readonly given: Partial<Options>
  /** Warnings to log at start. */
  readonly warnings: ReadonlyArray<string>
}

/** A deprecated flag without effect, and the flag that replaces it. */
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

/** Returns the flags of a daemon. */
export const flags = <Options extends object>(
  table: OptionTable.OptionTable<Options>,
  former: ReadonlyArray<FormerFlag>
): ReadonlyArray<GoFlags.GoFlag> => [
  ...OptionTable.flags(table),
  flag("version", Kind.bool, "print the version and exit"),
  flag("config", Kind.string, "path of the config file"),
  ...former.map(({ name, use }) => flag(name, Kind.bool, `[deprecated] has no effect, use --${use}`))
]

/** Parses the arguments after the program's name. */
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

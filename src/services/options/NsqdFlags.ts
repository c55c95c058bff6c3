/**
 * The command line of nsqd: the flags of the options table and the few that are no options. Pure: it says what was
 * asked for and leaves it to the program to do it.
 */
import * as Result from "effect/Result"
import * as GoFlags from "./GoFlags.ts"
import * as NsqdOptions from "./NsqdOptions.ts"
import * as Kind from "./OptionKind.ts"
import * as OptionTable from "./OptionTable.ts"

/** What a command line asks for. */
export interface NsqdCommand {
  /** Print the version and end. */
  readonly version: boolean
  /** Path of a config file; empty for none, undefined when the command line does not say. */
  readonly config: string | undefined
  /** The options given on the command line, and only those. */
  readonly given: Partial<NsqdOptions.NsqdOptions>
  /** What to warn of at start. */
  readonly warnings: ReadonlyArray<string>
}

const flag = <A>(name: string, kind: Kind.OptionKind<A>, help: string): GoFlags.GoFlag => ({
  name,
  help,
  isSwitch: kind.isSwitch,
  placeholder: kind.placeholder,
  defaultText: "",
  check: (text) => Result.map(kind.parse(text, undefined), () => undefined)
})

const flags = (): ReadonlyArray<GoFlags.GoFlag> => [
  ...OptionTable.flags(NsqdOptions.table),
  flag("version", Kind.bool, "print the version and exit"),
  flag("config", Kind.string, "path of the config file"),
  flag("verbose", Kind.bool, "[deprecated] has no effect, use --log-level"),
  flag("worker-id", Kind.bool, "[deprecated] has no effect, use --node-id")
]

/** The usage text. */
export const usage = (): string => GoFlags.usage("nsqd", flags())

/** Reads the arguments that follow the program's name. */
export const parse = (args: ReadonlyArray<string>): Result.Result<NsqdCommand, GoFlags.FlagError> =>
  Result.gen(function*() {
    const parsed = yield* GoFlags.parse(flags(), args)
    const { deprecated, given } = yield* Result.mapError(
      OptionTable.assign(NsqdOptions.table, parsed),
      ({ reason }) => new GoFlags.FatalValue({ message: reason })
    )
    const last = (name: string) => parsed.findLast((flag) => flag.name === name)?.text
    return {
      version: Result.getOrElse(Kind.bool.parse(last("version") ?? "false", undefined), () => false),
      config: last("config"),
      given,
      warnings: [
        ...deprecated,
        ...(last("verbose") === undefined ? [] : ["--verbose is deprecated and has no effect, use --log-level"]),
        ...(last("worker-id") === undefined ? [] : ["--worker-id is deprecated and has no effect, use --node-id"])
      ]
    }
  })

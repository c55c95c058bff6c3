/**
 * The command line of a program (docs/protocol/options.md#command-line): the flags of its options table, `--version`, and for
 * daemons `--config` and deprecated flags without effect. Each flag is parsed once, where it stands. Pure: it returns the
 * content or the request, and the program acts on it.
 */
import { Result, Struct } from "effect"
import * as GoFlags from "./GoFlags.ts"
import * as Kind from "./OptionKind.ts"
import type { Row } from "./OptionRow.ts"
import { OptionsError, OptionsErrorReason } from "./OptionsError.ts"
import type * as OptionTable from "./OptionTable.ts"

/** The content of a command line. */
export interface CommandLine<Options> {
  /** The options given on the command line, and only those. The last of a repeated flag counts; lists accumulate. */
  readonly given: Partial<Options>
  /** Path of a config file; empty for no file, undefined without `--config`. */
  readonly config: string | undefined
  /** Warnings to log at start, each once. */
  readonly warnings: ReadonlyArray<string>
  /** The arguments after the flags. */
  readonly rest: ReadonlyArray<string>
}

/** A deprecated flag without effect, and the flag that replaces it. */
export interface FormerFlag {
  readonly name: string
  readonly use: string
}

/** The flags of a program. */
export interface Syntax<Options> {
  readonly table: OptionTable.OptionTable<Options>
  /** Whether it has `--version`. Default: true. */
  readonly hasVersion?: boolean
  /** Whether it has `--config`. Default: false. */
  readonly hasConfig?: boolean
  /** Deprecated flags without effect. Default: none. */
  readonly former?: ReadonlyArray<FormerFlag>
}

/** The command line up to a flag. */
interface Progress<Options> extends Omit<CommandLine<Options>, "rest"> {
  readonly version: boolean
}

type Flag<Options> = GoFlags.GoFlag<Progress<Options>>

/** The heading of flags that are not options. */
const general = ""

const withWarning = <Options>(progress: Progress<Options>, warning: string): Progress<Options> =>
  progress.warnings.includes(warning) ? progress : { ...progress, warnings: [...progress.warnings, warning] }

const flag = <A, Options>(
  name: string,
  kind: Kind.OptionKind<A>,
  help: string,
  set: (progress: Progress<Options>, value: A) => Progress<Options>
): Flag<Options> => ({
  name,
  group: general,
  help,
  isSwitch: kind.isSwitch,
  placeholder: kind.placeholder,
  defaultText: "",
  set: (progress, text) => Result.map(kind.parse(text, undefined), (value) => set(progress, value))
})

const rowFlags = <Options, K extends keyof Options>(
  field: K,
  { aliases, flag: name, group, help, initial, kind }: Row<Options[K]>
): ReadonlyArray<Flag<Options>> => {
  const set: Flag<Options>["set"] = (progress, text) =>
    Result.map(kind.parse(text, progress.given[field]), (value) => ({
      ...progress,
      given: Object.assign({ ...progress.given }, { [field]: value })
    }))
  const { isSwitch, placeholder } = kind
  return [
    { name, group, help, isSwitch, placeholder, defaultText: kind.format(initial()), set },
    ...aliases.map((alias): Flag<Options> => ({
      name: alias,
      group,
      help: `[deprecated] use --${name}`,
      isSwitch,
      placeholder,
      defaultText: "",
      set: (progress, text) => set(withWarning(progress, `--${alias} is deprecated, use --${name}`), text)
    }))
  ]
}

const flags = <Options extends object>(
  { former = [], hasConfig = false, hasVersion = true, table }: Syntax<Options>
): ReadonlyArray<Flag<Options>> => [
  ...Struct.keys(table).flatMap((field) => rowFlags(field, table[field])),
  ...hasVersion
    ? [flag("version", Kind.bool, "print the version and exit", (progress: Progress<Options>, version) => ({
      ...progress,
      version
    }))]
    : [],
  ...hasConfig
    ? [flag("config", Kind.string, "path of the config file", (progress: Progress<Options>, config) => ({
      ...progress,
      config
    }))]
    : [],
  ...former.map(({ name, use }) =>
    flag(
      name,
      Kind.bool,
      `[deprecated] has no effect, use --${use}`,
      (progress: Progress<Options>) => withWarning(progress, `--${name} is deprecated and has no effect, use --${use}`)
    )
  )
]

/** Returns the usage text of a program. */
export const usage = <Options extends object>(program: string, syntax: Syntax<Options>): string =>
  GoFlags.usage(program, flags(syntax))

/** Parses the arguments after the program's name. Fails like `GoFlags.parse`, or with the reason `VersionRequest`. */
export const parse = <Options extends object>(
  syntax: Syntax<Options>,
  args: ReadonlyArray<string>
): Result.Result<CommandLine<Options>, OptionsError> => {
  const nothing: Progress<Options> = { given: {}, config: undefined, warnings: [], version: false }
  return Result.flatMap(
    GoFlags.parse(flags(syntax), nothing, args),
    ({ rest, state: { version, ...given } }) =>
      version
        ? Result.fail(new OptionsError({ reason: OptionsErrorReason.VersionRequest() }))
        : Result.succeed({ ...given, rest })
  )
}

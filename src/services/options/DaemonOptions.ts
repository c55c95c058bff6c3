/**
 * The options of a daemon, from its table: defaults, usage text, the values from command line, environment and config file, and
 * the Layer that provides them to services. A flag takes precedence over the environment, the environment over the file, the file
 * over the default. Lists are replaced, never joined. Each daemon has a module with its own table and its check of ranges and
 * combinations, and takes everything else from here.
 */
import { Context, Effect, Layer } from "effect"
import * as CommandLine from "./CommandLine.ts"
import * as ConfigFile from "./ConfigFile.ts"
import * as Environment from "./Environment.ts"
import type { LogOptions } from "./LogOptions.ts"
import { OptionsError, OptionsErrorReason } from "./OptionsError.ts"
import * as OptionTable from "./OptionTable.ts"

/**
 * Changes of options, as a program writes them: a duration may be any of Effect's inputs, such as `"5 seconds"`. A duration that
 * is not valid is a defect of the Layer.
 *
 * @since 0.2.0
 * @category models
 */
export type Changes<Options> = OptionTable.Changes<Options>

/** What distinguishes the options of a daemon. */
export interface Definition<Options> {
  /** The name of the program: in the usage text, in the names of variables (`NSQD_TCP_ADDRESS`), and in log lines. */
  readonly program: string
  readonly table: OptionTable.OptionTable<Options>
  readonly defaults: () => Options
  /** Deprecated flags without effect. Config files may have them as keys. */
  readonly former: ReadonlyArray<CommandLine.FormerFlag>
  /** Returns warnings about options that are set but have no effect. Default: none. */
  readonly warnings?: (given: Partial<Options>) => ReadonlyArray<string>
}

/**
 * The options of a daemon that starts, and the warnings about them.
 *
 * @since 0.2.0
 * @category models
 */
export interface Settings<Options> {
  readonly options: Options
  /** Warnings to log at start. */
  readonly warnings: ReadonlyArray<string>
}

/** The options of a daemon: what its program needs. */
export interface DaemonOptions<Options> {
  readonly program: string
  readonly usage: () => string
  /**
   * Combines the arguments after the program's name, the environment and the config file that one of them names. Fails if a value
   * is not valid for its option, or if help or the version is requested. Does not check ranges and combinations.
   */
  readonly fromCommandLine: (
    args: ReadonlyArray<string>,
    environment: Environment.Environment
  ) => Effect.Effect<Settings<Options>, OptionsError>
  /** Provides the defaults with the given changes. */
  readonly layer: (changes: Options | Changes<Options>) => Layer.Layer<never>
}

/** The options of a daemon, with the reference that its services read. */
export interface Made<Options> extends DaemonOptions<Options> {
  /** Default: the defaults, so that an embedded daemon needs no configuration. */
  readonly reference: Context.Reference<Options>
}

/** Returns the options of a daemon. */
export const make = <Options extends LogOptions>(
  { defaults, former, program, table, warnings = () => [] }: Definition<Options>
): Made<Options> => {
  const syntax: CommandLine.Syntax<Options> = { table, former, hasConfig: true }
  const formerKeys = new Set(former.map(({ name }) => name.replaceAll("-", "_")))
  const reference = Context.Reference<Options>(`effect-nsq/options/${program}`, { defaultValue: defaults })

  const fromCommandLine = Effect.fnUntraced(function*(
    args: ReadonlyArray<string>,
    environment: Environment.Environment
  ): Effect.fn.Return<Settings<Options>, OptionsError> {
    const command = yield* Effect.fromResult(CommandLine.parse(syntax, args))
    const formatOf = ({ logFormat }: Partial<LogOptions>) => logFormat ?? defaults().logFormat
    const variables = yield* Effect.mapError(
      Effect.fromResult(Environment.read(table, program, environment)),
      ({ reason: description }) => {
        const logFormat = formatOf(command.given)
        return new OptionsError({ reason: OptionsErrorReason.InvalidEnvironment({ description, logFormat }) })
      }
    )
    const path = command.config ?? environment[Environment.variable(program, "config")] ?? ""
    const none: ConfigFile.Settings<Options> = { given: {}, warnings: [] }
    const logFormat = formatOf({ ...variables, ...command.given })
    const file = path === "" ? none : yield* ConfigFile.load(table, { path, unused: formerKeys, logFormat })
    const given = { ...file.given, ...variables, ...command.given }
    return {
      options: { ...defaults(), ...given },
      warnings: [...command.warnings, ...file.warnings, ...warnings(given)]
    }
  })

  return {
    program,
    usage: () => CommandLine.usage(program, syntax),
    fromCommandLine,
    layer: (changes) => Layer.sync(reference, () => OptionTable.change(table, defaults(), changes)),
    reference
  }
}

/**
 * Merges the options of a daemon from flags, environment and config file: a flag takes precedence over the environment, the
 * environment over the file, the file over the default. Lists are replaced, never joined. Does not check ranges.
 */
import { Data, Effect } from "effect"
import * as ConfigFile from "./ConfigFile.ts"
import type { DaemonCommand } from "./DaemonCommand.ts"
import * as Environment from "./Environment.ts"
import type { OptionTable } from "./OptionTable.ts"

/** The environment or the config file cannot be used; the message is `failed to <stage> - <detail>`. */
export class ConfigError extends Data.TaggedError("ConfigError")<{
  readonly stage: "read the environment" | `load config file ${string}`
  readonly detail: string
}> {
  override get message(): string {
    return `failed to ${this.stage} - ${this.detail}`
  }
}

/** Returns the options of a program that are set in any of these places, and the warnings to log. */
export const settle = Effect.fnUntraced(function*<Options extends object>(
  program: string,
  table: OptionTable<Options>,
  unusedKeys: ReadonlySet<string>,
  command: DaemonCommand<Options>,
  environment: Environment.Environment
): Effect.fn.Return<ConfigFile.Settings<Options>, ConfigError> {
  const variables = yield* Effect.fromResult(Environment.read(table, program, environment)).pipe(
    Effect.mapError(({ message }) => new ConfigError({ stage: "read the environment", detail: message }))
  )
  const path = command.config ?? environment[Environment.variable(program, "config")] ?? ""
  const none: ConfigFile.Settings<Options> = { given: {}, warnings: [] }
  const file = path === "" ? none : yield* Effect.mapError(
    ConfigFile.load(table, path, unusedKeys),
    ({ message }) => new ConfigError({ stage: `load config file ${path}`, detail: message })
  )
  const given = { ...file.given, ...variables, ...command.given }
  return { given, warnings: [...command.warnings, ...file.warnings] }
})

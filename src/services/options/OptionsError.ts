/** The error of options: why a program with these options does not run. */
import { Data } from "effect"
import type { LogFormat } from "./LogOptions.ts"

/**
 * The reasons of an `OptionsError`. `description` names the flag, the variable or the key, and what is expected.
 *
 * @since 0.2.0
 * @category errors
 */
export type OptionsErrorReason = Data.TaggedEnum<{
  /** The command line has `--help` or `-h`. */
  HelpRequest: {}
  /** The command line has `--version`. */
  VersionRequest: {}
  /** The command line is not valid; `description` is Go's text, which is printed before the usage text. */
  InvalidCommandLine: { readonly description: string }
  /** The command line has a flag that the program does not have; `name` without dashes. */
  UnknownFlag: { readonly name: string }
  /** An item of a list flag is not valid. As in NSQ, it is printed without the usage text. */
  InvalidItem: { readonly description: string }
  /** The value of an environment variable is not valid. `logFormat` is the form of the FATAL line. */
  InvalidEnvironment: { readonly description: string; readonly logFormat: LogFormat }
  /** The config file cannot be read, or is not valid. `logFormat` is the form of the FATAL line. */
  InvalidConfigFile: { readonly path: string; readonly description: string; readonly logFormat: LogFormat }
  /** A value is out of range, contradicts another option, or names something that does not exist. */
  RefusedValue: { readonly description: string }
}>

/**
 * Constructors of the reasons, and `$match`.
 *
 * @since 0.2.0
 * @category constructors
 */
export const OptionsErrorReason = Data.taggedEnum<OptionsErrorReason>()

/**
 * Options with which a program does not run.
 *
 * @since 0.2.0
 * @category errors
 */
export class OptionsError extends Data.TaggedError("OptionsError")<{ readonly reason: OptionsErrorReason }> {
  override get message(): string {
    const { reason } = this
    switch (reason._tag) {
      case "HelpRequest":
        return "the usage text is requested"
      case "VersionRequest":
        return "the version is requested"
      case "InvalidEnvironment":
        return `failed to read the environment - ${reason.description}`
      case "InvalidConfigFile":
        return `failed to load config file ${reason.path} - ${reason.description}`
      case "UnknownFlag":
        return `flag provided but not defined: -${reason.name}`
      case "InvalidCommandLine":
      case "InvalidItem":
      case "RefusedValue":
        return reason.description
    }
  }
}

/** The check of a daemon's options refuses a value. */
export const refusedValue = (description: string): OptionsError =>
  new OptionsError({ reason: OptionsErrorReason.RefusedValue({ description }) })

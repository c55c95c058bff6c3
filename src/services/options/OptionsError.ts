/** The error of options that a daemon refuses at its start, after parsing. */
import { Data } from "effect"

/** An option is out of range, contradicts another one, or names something that does not exist. The message names its flag. */
export class OptionsError extends Data.TaggedError("OptionsError")<{ readonly message: string }> {}

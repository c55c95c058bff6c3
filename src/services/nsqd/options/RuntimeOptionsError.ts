/** The error of the options of a running nsqd. */
import { Data } from "effect"

/**
 * The reasons of a `RuntimeOptionsError`.
 *
 * @since 0.2.0
 * @category errors
 */
export type RuntimeOptionsErrorReason = Data.TaggedEnum<{
  /** The option does not exist, or cannot change. */
  UnknownOption: { readonly key: string }
  /** The value is not valid for the option. */
  InvalidValue: { readonly key: string }
}>

/**
 * Constructors of the reasons, and `$match`.
 *
 * @since 0.2.0
 * @category constructors
 */
export const RuntimeOptionsErrorReason = Data.taggedEnum<RuntimeOptionsErrorReason>()

/**
 * An option cannot be read or changed. The message is NSQ's code.
 *
 * @since 0.2.0
 * @category errors
 */
export class RuntimeOptionsError extends Data.TaggedError("RuntimeOptionsError")<{
  readonly reason: RuntimeOptionsErrorReason
}> {
  override get message(): string {
    return this.reason._tag === "InvalidValue" ? "INVALID_VALUE" : "INVALID_OPTION"
  }
}

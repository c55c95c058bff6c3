/** The error of the daemons in one process. */
import { Data } from "effect"
import type { NsqadminError } from "../nsqadmin/NsqadminError.ts"
import type { NsqdError } from "../nsqd/NsqdError.ts"
import type { NsqlookupdError } from "../nsqlookupd/NsqlookupdError.ts"

/**
 * The reasons of a `StandaloneError`: the error of the daemon that failed, or the data directory could not be created.
 *
 * @since 0.2.0
 * @category errors
 */
export type StandaloneErrorReason = NsqdError | NsqlookupdError | NsqadminError | {
  readonly _tag: "DataDirectoryFailure"
  readonly description: string
}

/**
 * A daemon cannot start, or cannot continue. The message is the text of the FATAL line.
 *
 * @since 0.2.0
 * @category errors
 */
export class StandaloneError extends Data.TaggedError("StandaloneError")<{ readonly reason: StandaloneErrorReason }> {
  override get message(): string {
    const { reason } = this
    return reason._tag === "DataDirectoryFailure"
      ? `cannot create the data directory - ${reason.description}`
      : reason.message
  }
}

/** The error of nsqlookupd. */
import { Data } from "effect"

/**
 * The reasons of a `NsqlookupdError`.
 *
 * @since 0.2.0
 * @category errors
 */
export type NsqlookupdErrorReason = Data.TaggedEnum<{
  /** nsqlookupd cannot start: an option is not valid. */
  InvalidOption: { readonly description: string }
  /** nsqlookupd cannot start: an address cannot be listened on. */
  ListenFailure: { readonly description: string }
  /** A listener accepts no connections any more. */
  ListenerLoss: { readonly description: string }
}>

/**
 * Constructors of the reasons, and `$match`.
 *
 * @since 0.2.0
 * @category constructors
 */
export const NsqlookupdErrorReason = Data.taggedEnum<NsqlookupdErrorReason>()

/**
 * nsqlookupd cannot start, or cannot continue. The message is the text of the FATAL line.
 *
 * @since 0.2.0
 * @category errors
 */
export class NsqlookupdError extends Data.TaggedError("NsqlookupdError")<{ readonly reason: NsqlookupdErrorReason }> {
  override get message(): string {
    const { _tag, description } = this.reason
    return _tag === "ListenerLoss" ? description : `failed to instantiate nsqlookupd - ${description}`
  }
}

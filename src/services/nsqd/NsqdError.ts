/** The error of nsqd. */
import { Data } from "effect"

/**
 * The reasons of a `NsqdError`. All but `ListenerLoss` end the start.
 *
 * @since 0.2.0
 * @category errors
 */
export type NsqdErrorReason = Data.TaggedEnum<{
  /** An option, or a file that it names, is not valid. */
  InvalidOption: { readonly description: string }
  /** The data directory is missing, in use, or cannot be locked. */
  LockFailure: { readonly description: string }
  /** The metadata cannot be read or written. */
  MetadataFailure: { readonly action: "load" | "persist"; readonly description: string }
  /** An address cannot be listened on, or not be sent to. */
  NetworkFailure: { readonly description: string }
  /** A listener accepts no connections any more. */
  ListenerLoss: { readonly description: string }
}>

/**
 * Constructors of the reasons, and `$match`.
 *
 * @since 0.2.0
 * @category constructors
 */
export const NsqdErrorReason = Data.taggedEnum<NsqdErrorReason>()

/**
 * nsqd cannot start, or cannot continue. The message is the text of the FATAL line.
 *
 * @since 0.2.0
 * @category errors
 */
export class NsqdError extends Data.TaggedError("NsqdError")<{ readonly reason: NsqdErrorReason }> {
  override get message(): string {
    const { reason } = this
    switch (reason._tag) {
      case "ListenerLoss":
        return reason.description
      case "MetadataFailure":
        return `failed to ${reason.action} metadata - ${reason.description}`
      default:
        return `failed to instantiate nsqd - ${reason.description}`
    }
  }
}

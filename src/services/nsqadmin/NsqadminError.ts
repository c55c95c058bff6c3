/** The error of nsqadmin. */
import { Data } from "effect"

/**
 * The reasons of a `NsqadminError`. Those of a start and of a listener end nsqadmin; the others are responses to requests.
 *
 * @since 0.2.0
 * @category errors
 */
export type NsqadminErrorReason = Data.TaggedEnum<{
  /** nsqadmin cannot start: an option, or a file that it names, is not valid. */
  InvalidOption: { readonly description: string }
  /** nsqadmin cannot start: its pages have not been built. */
  MissingPages: { readonly description: string }
  /** nsqadmin cannot start: its address cannot be listened on. */
  ListenFailure: { readonly description: string }
  /** The listener accepts no connections any more. */
  ListenerLoss: { readonly description: string }
  /** Graphite failed or returned an invalid response. */
  GraphiteFailure: { readonly description: string }
  /** A file of the history cannot be read or written. The history continues in memory. */
  HistoryFailure: { readonly description: string }
  /** An option of a `/config` request does not exist, or cannot change. */
  UnknownOption: { readonly key: string }
  /** A value of a `/config` request is not valid for its option. */
  InvalidValue: { readonly key: string }
}>

/**
 * Constructors of the reasons, and `$match`.
 *
 * @since 0.2.0
 * @category constructors
 */
export const NsqadminErrorReason = Data.taggedEnum<NsqadminErrorReason>()

/**
 * nsqadmin cannot start, cannot continue, or cannot respond to a request. The message is the text of the FATAL line, or of the
 * response.
 *
 * @since 0.2.0
 * @category errors
 */
export class NsqadminError extends Data.TaggedError("NsqadminError")<{ readonly reason: NsqadminErrorReason }> {
  override get message(): string {
    const { reason } = this
    switch (reason._tag) {
      case "InvalidOption":
      case "MissingPages":
      case "ListenFailure":
        return `failed to instantiate nsqadmin - ${reason.description}`
      case "ListenerLoss":
        return reason.description
      case "GraphiteFailure":
        return `graphite request failed - ${reason.description}`
      case "HistoryFailure":
        return `history failed - ${reason.description}`
      case "UnknownOption":
        return "INVALID_OPTION"
      case "InvalidValue":
        return "INVALID_VALUE"
    }
  }
}

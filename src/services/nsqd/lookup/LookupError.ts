/** The error of a connection to an nsqlookupd. */
import { Data } from "effect"

/** The reasons of a `LookupError`. */
export type LookupErrorReason = Data.TaggedEnum<{
  /** The nsqlookupd cannot be connected to. */
  ConnectFailure: { readonly description: string }
  /** The connection ended. */
  ConnectionLoss: { readonly description: string }
  /** Connecting, or a response, took more than NSQ's timeout. */
  Timeout: {}
  /** The response to a command is an error, or another one than its command has. */
  Refusal: { readonly description: string }
  /** A response cannot be decoded, or belongs to no command. */
  InvalidResponse: { readonly description: string }
}>

/** Constructors of the reasons. */
export const LookupErrorReason = Data.taggedEnum<LookupErrorReason>()

/** The connection to an nsqlookupd could not be established, or failed. */
export class LookupError extends Data.TaggedError("LookupError")<{ readonly reason: LookupErrorReason }> {
  override get message(): string {
    const { reason } = this
    return reason._tag === "Timeout" ? "i/o timeout" : reason.description
  }
}

/** Creates the error with a reason that has a description. */
export const lookupError = (tag: Exclude<LookupErrorReason["_tag"], "Timeout">, description: string): LookupError =>
  new LookupError({ reason: LookupErrorReason[tag]({ description }) })

/**
 * The error of the tools. One that ends a tool does so with exit code 1; as in NSQ, its message goes to standard error after the
 * time.
 */
import { Data } from "effect"

/** The reasons of a `ToolError`, each with the text that the user sees. */
export type ToolErrorReason = Data.TaggedEnum<{
  /** An option is missing or has an invalid value. */
  InvalidOption: { readonly description: string }
  /** A daemon cannot be reached, refuses this tool, or fails. */
  DaemonFailure: { readonly description: string }
  /** No nsqd has the channel. */
  MissingChannel: { readonly description: string }
  /** A message lacks the field whose value the filter requires; the message is requeued. */
  MissingField: { readonly description: string }
  /** A web server did not take a message; the message is requeued. */
  RequestFailure: { readonly description: string }
  /** Standard input cannot be read. */
  InputFailure: { readonly description: string }
  /** Standard output cannot be written. */
  OutputFailure: { readonly description: string }
  /** A file cannot be written, synced or moved. */
  FileFailure: { readonly description: string }
}>

const Reason = Data.taggedEnum<ToolErrorReason>()

/** A tool cannot start or continue, or did not hand on a message. */
export class ToolError extends Data.TaggedError("ToolError")<{ readonly reason: ToolErrorReason }> {
  override get message(): string {
    const { _tag, description } = this.reason
    return _tag === "FileFailure" ? `FATAL: ${description}` : description
  }
}

/** Creates the error with one of its reasons. */
export const toolError = (tag: ToolErrorReason["_tag"], description: string): ToolError =>
  new ToolError({ reason: Reason[tag]({ description }) })

/** Creates the error of an invalid option. */
export const invalidOption = (description: string): ToolError => toolError("InvalidOption", description)

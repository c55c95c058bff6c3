/**
 * The error of the commands of `nsq`, with a tagged reason. Its message is what the user reads.
 */
import { Data } from "effect"
import * as failureText from "./failureText.ts"

/** The reasons of a `CliError`. */
export type CliErrorReason = Data.TaggedEnum<{
  /** The file of contexts cannot be used, or has no context of that name. */
  InvalidContext: { readonly description: string }
  /** A daemon refuses, or cannot be reached. */
  DaemonFailure: { readonly description: string }
  /** The user has not confirmed. */
  NotConfirmed: { readonly description: string }
  /** An argument is not valid. */
  InvalidArgument: { readonly description: string }
  /** A check has found something; the report is printed already. */
  Findings: { readonly description: string }
}>

/** Constructors of the reasons, and `$match`. */
export const CliErrorReason = Data.taggedEnum<CliErrorReason>()

/** Exit codes of `nsq`, by the reason; 0 for success. */
const exitCodes: { readonly [Tag in CliErrorReason["_tag"]]: number } = {
  DaemonFailure: 1,
  InvalidContext: 2,
  InvalidArgument: 2,
  NotConfirmed: 3,
  Findings: 4
}

/** A command of `nsq` failed. */
export class CliError extends Data.TaggedError("CliError")<{ readonly reason: CliErrorReason }> {
  override get message(): string {
    return this.reason.description
  }
  /** 1 if a daemon failed, 2 for invalid input, 3 without confirmation, 4 if a check has found something. */
  get exitCode(): number {
    return exitCodes[this.reason._tag]
  }
}

/** A daemon failed. The message says what to do if that follows from the failure. */
export const daemonFailure = (error: { readonly message: string }): CliError =>
  new CliError({ reason: CliErrorReason.DaemonFailure({ description: failureText.of(error) }) })

/** A topic, a channel or something else does not exist on any nsqd. */
export const missing = (description: string): CliError =>
  new CliError({ reason: CliErrorReason.DaemonFailure({ description }) })

/** An argument is not valid. */
export const invalidArgument = (description: string): CliError =>
  new CliError({ reason: CliErrorReason.InvalidArgument({ description }) })

/**
 * The error of the cluster: all daemons of a query or an action failed.
 */
import { Data } from "effect"
import type { HttpError } from "../http/HttpError.ts"

/** The daemons of a query or an action. */
export type Kind = "nsqd" | "nsqlookupd"

/**
 * The reasons of a `ClusterError`, with the error of each daemon; none if the list of daemons is empty.
 *
 * @since 0.2.0
 * @category errors
 */
export type ClusterErrorReason = Data.TaggedEnum<{
  /** No daemon replied to a query. */
  QueryFailure: { readonly kind: Kind; readonly failures: ReadonlyArray<HttpError> }
  /** No daemon created a topic or a channel. */
  CreateFailure: { readonly kind: Kind; readonly failures: ReadonlyArray<HttpError> }
}>

/**
 * Constructors of the reasons.
 *
 * @since 0.2.0
 * @category errors
 */
export const ClusterErrorReason = Data.taggedEnum<ClusterErrorReason>()

/**
 * All daemons failed. The message has the error of each, one per line.
 *
 * @since 0.2.0
 * @category errors
 */
export class ClusterError extends Data.TaggedError("ClusterError")<{ readonly reason: ClusterErrorReason }> {
  override get message(): string {
    const { _tag, failures, kind } = this.reason
    return `failed to ${_tag === "QueryFailure" ? "query" : "reach"} any ${kind}: ${reasons(failures)}`
  }
}

/** Joins the messages of the errors, one per line. */
export const reasons = (failures: ReadonlyArray<HttpError>): string => failures.map(({ message }) => message).join("\n")

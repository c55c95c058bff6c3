/**
 * The error of the administration client, with a tagged reason: `Effect.catchReason("AdminError", "TopicNotFound", ...)` handles one.
 */
import { Data } from "effect"
import type { HttpError } from "../http/HttpError.ts"

/**
 * The reasons of an `AdminError`.
 *
 * @since 0.2.0
 * @category errors
 */
export type AdminErrorReason = Data.TaggedEnum<{
  /** The daemon does not have the topic. */
  TopicNotFound: { readonly topic: string }
  /** The daemon does not have the channel, or not its topic. */
  ChannelNotFound: { readonly topic: string; readonly channel: string }
  /**
   * The daemon refused the request. `code` is NSQ's error code, for example `INVALID_TOPIC` or `MSG_TOO_BIG`, and empty for a response
   * without one; `description` is the whole text of the response.
   */
  Refusal: { readonly status: number; readonly code: string; readonly description: string }
  /** `ping` or `ready`: the daemon works, but not as it should, for example because its disk is full. */
  Unhealthy: { readonly description: string }
  /** The request did not reach the daemon, was not completed in time, or its response has another form. */
  RequestFailure: { readonly error: HttpError }
}>

/**
 * Constructors of the reasons, and `$match`.
 *
 * @since 0.2.0
 * @category constructors
 */
export const AdminErrorReason = Data.taggedEnum<AdminErrorReason>()

const describe: (reason: AdminErrorReason) => string = AdminErrorReason.$match({
  TopicNotFound: ({ topic }) => `topic ${topic} does not exist`,
  ChannelNotFound: ({ channel, topic }) => `channel ${topic}:${channel} does not exist`,
  Refusal: ({ description, status }) => `got response ${status} ${description}`.trim(),
  Unhealthy: ({ description }) => description,
  RequestFailure: ({ error }) => error.message
})

/**
 * A request to a daemon failed. The message names the daemon and the reason.
 *
 * @since 0.2.0
 * @category errors
 */
export class AdminError extends Data.TaggedError("AdminError")<{
  /** The address of the daemon, as given, without credentials. */
  readonly address: string
  readonly reason: AdminErrorReason
}> {
  override get message(): string {
    const { address, reason } = this
    return reason._tag === "RequestFailure" ? describe(reason) : `${address}: ${describe(reason)}`
  }
}

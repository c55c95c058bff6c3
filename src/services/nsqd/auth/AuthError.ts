/** The error of authorization. No message contains a client's secret. */
import { Data } from "effect"

/**
 * The reasons of an `AuthError`.
 *
 * @since 0.2.0
 * @category errors
 */
export type AuthErrorReason = Data.TaggedEnum<{
  /** The authorizer refuses the client, or none of its auth servers returned permissions. */
  Refusal: { readonly description: string }
  /** A request to an auth server failed. */
  RequestFailure: { readonly description: string }
  /** The response of an auth server is not valid. `description` quotes only its patterns, permissions and numbers. */
  InvalidResponse: { readonly description: string }
  /** A pattern for topics or channels does not compile, or is too long. */
  InvalidPattern: { readonly description: string }
  /** The address of an auth server is neither `host:port` nor an HTTP URL. */
  InvalidAddress: { readonly description: string }
}>

/**
 * Constructors of the reasons, and `$match`.
 *
 * @since 0.2.0
 * @category constructors
 */
export const AuthErrorReason = Data.taggedEnum<AuthErrorReason>()

/**
 * No authorization could be obtained. The message is for the log, not for the client.
 *
 * @since 0.2.0
 * @category errors
 */
export class AuthError extends Data.TaggedError("AuthError")<{ readonly reason: AuthErrorReason }> {
  override get message(): string {
    return this.reason.description
  }

  /** Creates the error that an `Authorizer` refuses a client with. */
  static refusal(description: string): AuthError {
    return authError("Refusal", description)
  }
}

/** Creates the error with one of its reasons. */
export const authError = (tag: AuthErrorReason["_tag"], description: string): AuthError =>
  new AuthError({ reason: AuthErrorReason[tag]({ description }) })

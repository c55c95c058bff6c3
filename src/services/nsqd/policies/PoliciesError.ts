/** The error of policies: a request to change them was refused. */
import { Data } from "effect"

/**
 * The reasons of a `PoliciesError`.
 *
 * @since 0.2.0
 * @category errors
 */
export type PoliciesErrorReason = Data.TaggedEnum<{
  /** The policy is not valid: the field, and what is wrong with it. */
  InvalidPolicy: { readonly field: string; readonly why: string }
  /** There is no policy with this pattern. */
  MissingPolicy: { readonly match: string }
  /** The policy comes from the options of the daemon, and cannot be deleted at run time. */
  PolicyOfConfig: { readonly match: string }
  /** There are `max` policies already. */
  PolicyLimit: { readonly max: number }
}>

/**
 * Constructors of the reasons, and `$match`.
 *
 * @since 0.2.0
 * @category constructors
 */
export const PoliciesErrorReason = Data.taggedEnum<PoliciesErrorReason>()

/**
 * A change of the policies was refused.
 *
 * @since 0.2.0
 * @category errors
 */
export class PoliciesError extends Data.TaggedError("PoliciesError")<{ readonly reason: PoliciesErrorReason }> {
  override get message(): string {
    const { reason } = this
    switch (reason._tag) {
      case "InvalidPolicy":
        return `${reason.field}: ${reason.why}`
      case "MissingPolicy":
        return `there is no policy for "${reason.match}"`
      case "PolicyOfConfig":
        return `the policy for "${reason.match}" comes from the options of nsqd; change --policy or its config file, or set another one`
      case "PolicyLimit":
        return `there are ${reason.max} policies already; delete one first`
    }
  }
}

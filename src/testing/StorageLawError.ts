/**
 * The error of a law for Storage that does not hold.
 */
import { Cause, Data } from "effect"
import { inspect } from "node:util"

/**
 * The reasons of a `StorageLawError`.
 *
 * @since 0.2.0
 * @category errors
 */
export type StorageLawErrorReason = Data.TaggedEnum<{
  /** The Storage does something else than the law requires. `rule` is the part of the law that does not hold. */
  Violation: { readonly rule: string; readonly expected: unknown; readonly found: unknown }
  /** An operation failed, or the Layer could not be built. */
  Failure: { readonly cause: Cause.Cause<unknown> }
}>

/**
 * Constructors of the reasons, and `$match`.
 *
 * @since 0.2.0
 * @category constructors
 */
export const StorageLawErrorReason = Data.taggedEnum<StorageLawErrorReason>()

const show = (value: unknown): string => inspect(value, { depth: 6, breakLength: 100, maxArrayLength: 50 })

/**
 * A law does not hold.
 *
 * @since 0.2.0
 * @category errors
 */
export class StorageLawError extends Data.TaggedError("StorageLawError")<{
  /** The name of the law. */
  readonly law: string
  readonly reason: StorageLawErrorReason
}> {
  override get message(): string {
    const { law, reason } = this
    return reason._tag === "Violation"
      ? `"${law}" does not hold: ${reason.rule}: expected ${show(reason.expected)}, found ${show(reason.found)}`
      : `"${law}" cannot be checked: ${Cause.pretty(reason.cause)}`
  }
}

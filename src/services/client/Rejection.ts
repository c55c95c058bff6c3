/** The reasons of rejected messages, which nsqd keeps beside its dead letters (docs/policies.md#dead-letters). */
import { Cause } from "effect"
import { masked } from "../core/Masked.ts"

/** What nsqd keeps of a reason, in characters. */
const maxLength = 256

/** The reason of a message that is rejected without one. */
const unknown = "rejected"

/** Returns a reason that fits into a line: without control characters, and not empty. */
export const printable = (reason: string): string => {
  const line = Array.from(
    reason.toWellFormed(),
    (character) => character < " " || character === "\u007f" ? " " : character
  ).slice(0, maxLength).join("").trim()
  return line === "" ? unknown : line
}

/** Returns the reason of a message whose handler failed: the message of its error, or its name. */
export const reasonOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause)
  if (typeof error === "string") return printable(masked(error))
  if (!(error instanceof Error)) return unknown
  const { message, name } = error
  return printable(masked(message === "" ? name : message))
}

/** What came of the last thing that somebody did, as all pages show it. */
import { Cause, Exit } from "effect"
import { Atom } from "effect/reactivity"
import { messageOf } from "./api.ts"

export interface Outcome {
  readonly kind: "success" | "warning" | "error"
  readonly text: string
}

/** What the server answered, or what went wrong. A success that came with a warning is one in part. */
export const outcomeOf = (exit: Exit.Exit<{ readonly message: string }, unknown>, done: string): Outcome => {
  if (Exit.isFailure(exit)) {
    const wasLeft = Cause.hasInterruptsOnly(exit.cause)
    return { kind: "error", text: wasLeft ? "The page was left before nsqadmin had answered." : messageOf(exit.cause) }
  }
  const { message } = exit.value
  return message === "" ? { kind: "success", text: done } : { kind: "warning", text: `${done} ${message}` }
}

/**
 * The last outcome. It outlives what was acted upon: when a topic is deleted, its page is left, and what was said of it stays
 * to be read.
 */
export const outcomeAtom: Atom.Writable<Outcome | undefined> = Atom.keepAlive(
  Atom.make<Outcome | undefined>(undefined)
)

/** The outcome of the last action of the user, which every page shows. */
import { Cause, Exit } from "effect"
import { Atom } from "effect/reactivity"
import { messageOf } from "./api.ts"

/** The outcome of an action. */
export interface Outcome {
  readonly kind: "success" | "warning" | "error"
  readonly text: string
  /** The technical text, shown on demand. */
  readonly raw?: string
}

/** Converts the response to an action. A success with a message is a partial success: a warning. */
export const outcomeOf = (exit: Exit.Exit<{ readonly message: string }, unknown>, done: string): Outcome => {
  if (Exit.isFailure(exit)) {
    const wasLeft = Cause.hasInterruptsOnly(exit.cause)
    if (wasLeft) return { kind: "error", text: "The page was left before nsqadmin responded." }
    const message = messageOf(exit.cause)
    return message.startsWith("UPSTREAM_ERROR")
      ? { kind: "error", text: "Nothing has changed: no daemon responded to nsqadmin's request.", raw: message }
      : { kind: "error", text: message }
  }
  const { message } = exit.value
  return message === ""
    ? { kind: "success", text: done }
    : { kind: "warning", text: `${done} Not every daemon did so.`, raw: message }
}

/** The last outcome. It outlives the page of its action, because the deletion of a topic also leaves the topic's page. */
export const outcomeAtom: Atom.Writable<Outcome | undefined> = Atom.keepAlive(
  Atom.make<Outcome | undefined>(undefined)
)

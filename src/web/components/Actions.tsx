import { Exit } from "effect"
import { type ReactNode, useEffect, useId, useRef, useState } from "react"
import { messageOf } from "../api.ts"
import { settings } from "../settings.ts"
import { Notice } from "./Notice.tsx"

/** Something an admin can do. */
export interface Action {
  readonly label: string
  /** Asks before it is done, naming what is hit. */
  readonly question?: string
  /** What it means, below the question. */
  readonly detail?: ReactNode
  readonly danger?: boolean
  /** Has it done; answers with the server's message. */
  readonly run: () => Promise<Exit.Exit<{ readonly message: string }, unknown>>
  /** What to say when it is done. */
  readonly done: string
  /** After that. */
  readonly after?: () => void
}

type Outcome = { readonly kind: "success" | "warning" | "error"; readonly text: string }

const outcomeOf = (exit: Exit.Exit<{ readonly message: string }, unknown>, done: string): Outcome => {
  if (Exit.isFailure(exit)) return { kind: "error", text: messageOf(exit.cause) }
  const { message } = exit.value
  return message === "" ? { kind: "success", text: done } : { kind: "warning", text: `${done} ${message}` }
}

const Confirmation = ({ action, onClose, onConfirm }: {
  readonly action: Action
  readonly onClose: () => void
  readonly onConfirm: () => void
}) => {
  const dialog = useRef<HTMLDialogElement>(null)
  const [question, detail] = [useId(), useId()]
  useEffect(() => dialog.current?.showModal(), [])
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby={question} aria-describedby={detail}>
      <h2 id={question}>{action.question}</h2>
      <div id={detail}>{action.detail}</div>
      <div className="buttons">
        <button type="button" onClick={onClose}>Cancel</button>
        <button type="button" className={action.danger === true ? "danger" : "primary"} onClick={onConfirm}>
          {action.label}
        </button>
      </div>
    </dialog>
  )
}

/** Buttons for what admins can do, and what came of it. Others see none. */
export const Actions = ({ actions, compact = false, label }: {
  readonly actions: ReadonlyArray<Action>
  /** What all of them are about, for those who do not see it. */
  readonly label: string
  readonly compact?: boolean
}) => {
  const [asking, setAsking] = useState<Action>()
  const [busy, setBusy] = useState(false)
  const [outcome, setOutcome] = useState<Outcome>()
  if (!settings.isAdmin) return null
  const run = (action: Action) => {
    setAsking(undefined)
    setBusy(true)
    setOutcome(undefined)
    void action.run().then((exit) => {
      setBusy(false)
      setOutcome(outcomeOf(exit, action.done))
      if (Exit.isSuccess(exit)) action.after?.()
    })
  }
  return (
    <>
      <div className={compact ? "buttons compact" : "buttons"} role="group" aria-label={label}>
        {actions.map((action) => (
          <button
            key={action.label}
            type="button"
            className={action.danger === true ? "danger" : undefined}
            disabled={busy}
            aria-label={compact ? `${action.label}: ${label}` : undefined}
            onClick={() => action.question === undefined ? run(action) : setAsking(action)}
          >
            {action.label}
          </button>
        ))}
      </div>
      {outcome !== undefined && <Notice kind={outcome.kind}>{outcome.text}</Notice>}
      {asking !== undefined && (
        <Confirmation
          action={asking}
          onClose={() => setAsking(undefined)}
          onConfirm={() => run(asking)}
        />
      )}
    </>
  )
}

import { useAtomSet } from "@effect/atom-react"
import { Exit } from "effect"
import { type ReactNode, useEffect, useId, useRef, useState } from "react"
import { outcomeAtom, outcomeOf } from "../core/outcome.ts"
import { settings } from "../core/settings.ts"

/** Something an admin can do. */
export interface Action {
  /** Stays the same when the label changes. */
  readonly key: string
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

const Confirmation = ({ action, onClose, onConfirm }: {
  readonly action: Action
  readonly onClose: () => void
  readonly onConfirm: () => void
}) => {
  const dialog = useRef<HTMLDialogElement>(null)
  const [question, detail] = [useId(), useId()]
  useEffect(() => dialog.current?.showModal(), [])
  // Closing gives the keyboard back to the button that asked.
  const close = () => dialog.current?.close()
  const confirm = () => {
    close()
    onConfirm()
  }
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby={question} aria-describedby={detail}>
      <h2 id={question}>{action.question}</h2>
      <div id={detail}>{action.detail}</div>
      <div className="buttons">
        <button type="button" onClick={close}>Cancel</button>
        <button type="button" className={action.danger === true ? "danger" : "primary"} onClick={confirm}>
          {action.label}
        </button>
      </div>
    </dialog>
  )
}

/** Has actions done, one at a time, and says what came of them. */
export const useRun = () => {
  const [busy, setBusy] = useState(false)
  const setOutcome = useAtomSet(outcomeAtom)
  const run = (action: Action) => {
    if (busy) return
    setBusy(true)
    setOutcome(undefined)
    void action.run().then((exit) => {
      setBusy(false)
      if (Exit.isSuccess(exit)) action.after?.()
      setOutcome(outcomeOf(exit, action.done))
    })
  }
  return { busy, run }
}

/** Buttons for what admins can do. Others see none. */
export const Actions = ({ actions, compact = false, label }: {
  readonly actions: ReadonlyArray<Action>
  /** What all of them are about, for those who do not see it. */
  readonly label: string
  readonly compact?: boolean
}) => {
  const [askedKey, setAskedKey] = useState<string>()
  const { busy, run } = useRun()
  if (!settings.isAdmin) return null
  // What is asked follows what it is about, as long as it is asked.
  const asking = actions.find(({ key }) => key === askedKey)
  return (
    <>
      <div className={compact ? "buttons compact" : "buttons"} role="group" aria-label={label}>
        {actions.map((action) => (
          <button
            key={action.key}
            type="button"
            className={action.danger === true ? "danger" : undefined}
            // Not `disabled`, which would take the keyboard away from it.
            aria-disabled={busy}
            aria-label={compact ? `${action.label}: ${label}` : undefined}
            onClick={() => busy || (action.question === undefined ? run(action) : setAskedKey(action.key))}
          >
            {action.label}
          </button>
        ))}
      </div>
      {asking !== undefined && (
        <Confirmation
          action={asking}
          onClose={() => setAskedKey(undefined)}
          onConfirm={() => run(asking)}
        />
      )}
    </>
  )
}

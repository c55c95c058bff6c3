import { useAtomSet } from "@effect/atom-react"
import { Exit } from "effect"
import { type ReactNode, useEffect, useId, useRef, useState } from "react"
import { outcomeAtom, outcomeOf } from "../core/outcome.ts"
import { settings } from "../core/settings.ts"

/** An action of an administrator. */
export interface Action {
  /** Identifies the action; the label may change. */
  readonly key: string
  readonly label: string
  /** The question of the confirmation dialog, which names the subject. Without it the action runs at once. */
  readonly question?: string
  /** The consequences, shown below the question. */
  readonly detail?: ReactNode
  readonly danger?: boolean
  /** The name that the user has to type before the action is allowed. */
  readonly typed?: string
  /** Sends the request and returns the response. */
  readonly run: () => Promise<Exit.Exit<{ readonly message: string }, unknown>>
  /** The text shown after success. */
  readonly done: string
  /** Runs after success. */
  readonly after?: () => void
}

const Confirmation = ({ action, onClose, onConfirm }: {
  readonly action: Action
  readonly onClose: () => void
  readonly onConfirm: () => void
}) => {
  const dialog = useRef<HTMLDialogElement>(null)
  const [question, detail] = [useId(), useId()]
  const [name, setName] = useState("")
  const isAllowed = action.typed === undefined || name === action.typed
  useEffect(() => dialog.current?.showModal(), [])
  // Closing the dialog returns the focus to the button that opened it.
  const close = () => dialog.current?.close()
  const confirm = () => {
    close()
    onConfirm()
  }
  return (
    <dialog ref={dialog} onClose={onClose} aria-labelledby={question} aria-describedby={detail}>
      <h2 id={question}>{action.question}</h2>
      <div id={detail}>{action.detail}</div>
      {action.typed !== undefined && (
        <label className="typed">
          Type <strong>{action.typed}</strong> to confirm
          <input value={name} onChange={({ target }) => setName(target.value)} autoComplete="off" spellCheck={false} />
        </label>
      )}
      <div className="buttons">
        <button type="button" onClick={close}>Cancel</button>
        <button
          type="button"
          className={action.danger === true ? "danger" : "primary"}
          disabled={!isAllowed}
          onClick={confirm}
        >
          {action.label}
        </button>
      </div>
    </dialog>
  )
}

/** Returns a function that runs actions, one at a time, and shows their outcomes. */
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

/** Buttons for actions. Renders nothing unless the user is an administrator. */
export const Actions = ({ actions, compact = false, label }: {
  readonly actions: ReadonlyArray<Action>
  /** The subject of all actions, for screen readers. */
  readonly label: string
  readonly compact?: boolean
}) => {
  const [pendingKey, setPendingKey] = useState<string>()
  const { busy, run } = useRun()
  if (!settings.isAdmin) return null
  // The open dialog follows changes of its action, such as a new depth.
  const pending = actions.find(({ key }) => key === pendingKey)
  return (
    <>
      <div className={compact ? "buttons compact" : "buttons"} role="group" aria-label={label}>
        {actions.map((action) => (
          <button
            key={action.key}
            type="button"
            // `disabled` would remove the keyboard focus from the button.
            aria-disabled={busy}
            aria-label={compact ? `${action.label}: ${label}` : undefined}
            onClick={() => busy || (action.question === undefined ? run(action) : setPendingKey(action.key))}
          >
            {action.label}
          </button>
        ))}
      </div>
      {pending !== undefined && (
        <Confirmation
          action={pending}
          onClose={() => setPendingKey(undefined)}
          onConfirm={() => run(pending)}
        />
      )}
    </>
  )
}

import { useAtomSet, useAtomValue } from "@effect/atom-react"
import { AsyncResult } from "effect/reactivity"
import { useEffect, useId, useRef, useState } from "react"
import { useRewind } from "../core/act.ts"
import { AdminClient, messageOf } from "../core/api.ts"
import * as Format from "../core/format.ts"
import { outcomeAtom, outcomeOf } from "../core/outcome.ts"
import { settings } from "../core/settings.ts"
import * as Storage from "../core/storage.ts"
import { Notice } from "./Notice.tsx"
import { Skeleton } from "./Waiting.tsx"

/** The place of the form as nsqd names it; undefined while the time is not complete. */
const placeOf = (where: string, time: string): string | undefined => {
  if (where !== "time") return where
  const at = new Date(time)
  return Number.isNaN(at.getTime()) ? undefined : at.toISOString()
}

/** How many messages come on each nsqd, and whether the rewind is possible. */
const usePreview = (topic: string, channel: string, to: string) => {
  const result = useAtomValue(
    AdminClient.query("storage", "preview", { params: { topic, channel }, query: { to } })
  )
  const known = AsyncResult.value(result)
  const failure = result._tag === "Failure" ? messageOf(result.cause) : undefined
  return { failure, nodes: failure === undefined && known._tag === "Some" ? known.value.nodes : undefined }
}

const Preview = ({ channel, onPossible, to, topic }: {
  readonly topic: string
  readonly channel: string
  readonly to: string
  readonly onPossible: (to: string) => void
}) => {
  const { failure, nodes } = usePreview(topic, channel, to)
  const isPossible = nodes !== undefined
  useEffect(() => {
    if (isPossible) onPossible(to)
  }, [isPossible, onPossible, to])
  if (failure !== undefined) return <Notice kind="error">{Storage.refusal(failure, topic)}</Notice>
  if (nodes === undefined) return <Skeleton />
  const sum = nodes.reduce((total, { messages }) => total + (messages ?? 0), 0)
  return (
    <>
      <p role="status">{Format.quantity(sum, "message")} will be delivered from there on.</p>
      <dl>
        {nodes.map(({ error, messages, node }) => (
          <div key={node} style={{ display: "contents" }}>
            <dt>{node}</dt>
            <dd>{messages === null ? Storage.refusal(error, topic) : Format.quantity(messages, "message")}</dd>
          </div>
        ))}
      </dl>
    </>
  )
}

const Dialog = ({ channel, onClose, onDone, topic }: {
  readonly topic: string
  readonly channel: string
  readonly onClose: () => void
  readonly onDone: () => void
}) => {
  const dialog = useRef<HTMLDialogElement>(null)
  const title = useId()
  const [where, setWhere] = useState("beginning")
  const [time, setTime] = useState("")
  const [possible, setPossible] = useState<string>()
  const rewind = useRewind()
  const setOutcome = useAtomSet(outcomeAtom)
  useEffect(() => dialog.current?.showModal(), [])
  const to = placeOf(where, time)
  const close = () => dialog.current?.close()
  const confirm = () => {
    if (to === undefined) return
    close()
    void rewind({ params: { topic, channel }, payload: { to } }).then((exit) => {
      setOutcome(outcomeOf(exit, `The channel ${channel} has been rewound.`))
      onDone()
    })
  }
  return (
    <dialog ref={dialog} className="rewind" onClose={onClose} aria-labelledby={title}>
      <h2 id={title}>Rewind channel {channel}?</h2>
      <p>
        Its messages are redelivered from the chosen place. Messages in flight are forgotten. Other channels do not
        notice.
      </p>
      <div className="fields">
        <label>
          To{" "}
          <select value={where} onChange={({ target }) => setWhere(target.value)}>
            <option value="beginning">the beginning of the log</option>
            <option value="time">a time</option>
            <option value="end">the end</option>
          </select>
        </label>
        {where === "time" && (
          <label>
            Time <input type="datetime-local" step="1" value={time} onChange={({ target }) => setTime(target.value)} />
          </label>
        )}
      </div>
      {to !== undefined && <Preview topic={topic} channel={channel} to={to} onPossible={setPossible} />}
      <div className="buttons">
        <button type="button" onClick={close}>Cancel</button>
        <button
          type="button"
          className="danger"
          disabled={to === undefined || possible !== to}
          onClick={confirm}
        >
          Rewind channel
        </button>
      </div>
    </dialog>
  )
}

/** A button that opens the dialog for a rewind of a channel. Renders nothing unless the user is an administrator. */
export const Rewind = ({ channel, onDone, topic }: {
  readonly topic: string
  readonly channel: string
  readonly onDone: () => void
}) => {
  const [isOpen, setOpen] = useState(false)
  if (!settings.isAdmin) return null
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>Rewind channel</button>
      {isOpen && <Dialog topic={topic} channel={channel} onClose={() => setOpen(false)} onDone={onDone} />}
    </>
  )
}

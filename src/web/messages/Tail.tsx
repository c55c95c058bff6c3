import { useAtomValue } from "@effect/atom-react"
import { Stream } from "effect"
import { AsyncResult, Atom } from "effect/reactivity"
import { memo, useEffect, useMemo, useState } from "react"
import { maxTailedBytes, type TailMessage } from "../../protocol/http/admin/AdminLive.ts"
import { Notice } from "../components/Notice.tsx"
import { Section } from "../components/Section.tsx"
import { AdminClient, messageOf } from "../core/api.ts"
import * as Format from "../core/format.ts"
import { settings } from "../core/settings.ts"
import * as Body from "./body.ts"
import * as TailState from "./tailState.ts"

/** A run of a tail. `attempt` distinguishes it from the runs before, which may have failed. */
interface Run {
  readonly topic: string
  readonly sample: number
  readonly attempt: number
}

/** A tail of a topic, which runs while a component uses it. */
const tailOf = Atom.family(({ sample, topic }: Run) =>
  AdminClient.runtime.atom(
    Stream.unwrap(AdminClient.use((client) => client.messages.tail({ params: { topic }, query: { sample } }))).pipe(
      Stream.scan(() => TailState.initial, TailState.next)
    )
  )
)

const Message = memo(({ message, view }: { readonly message: TailMessage; readonly view: Body.View }) => {
  const shown = useMemo(() => Body.show(Body.bytesOf(message.body), view), [message.body, view])
  return (
    <li>
      <p className="meta">
        <time>{Format.second(message.at)}</time> <code>{message.id}</code> {message.node}, {Format.bytes(message.size)}
        {message.size > maxTailedBytes && ` (first ${Format.bytes(maxTailedBytes)} shown)`}
        {message.attempts > 1 && `, attempt ${message.attempts}`}, {shown.view}
      </p>
      <pre tabIndex={0}>{shown.text}</pre>
    </li>
  )
})

const Running = ({ attempt, sample, topic, view }: Run & { readonly view: Body.View }) => {
  const { channel, messages, nodes, skipped } = AsyncResult.getOrElse(
    useAtomValue(tailOf({ topic, sample, attempt })),
    () => TailState.initial
  )
  return (
    <>
      <p role="status">
        {channel === ""
          ? "Connecting…"
          : `Reading from channel ${channel} on ${
            Format.quantity(nodes.length, "node")
          }. Stopping the tail deletes the channel.`}
        {skipped > 0 && ` Skipped ${Format.quantity(skipped, "message")} that arrived too fast.`}
      </p>
      <ol className="messages" aria-label="Messages, newest first">
        {messages.map((message) => (
          <Message key={`${message.node} ${message.id} ${message.attempts}`} message={message} view={view} />
        ))}
      </ol>
    </>
  )
}

/** Runs a tail. A refused or failed one calls `onEnd` with the reason. */
const Watched = ({ attempt, onEnd, sample, topic, view }: Run & {
  readonly view: Body.View
  readonly onEnd: (reason: string) => void
}) => {
  const result = useAtomValue(tailOf({ topic, sample, attempt }))
  useEffect(() => {
    if (result._tag === "Failure") onEnd(messageOf(result.cause))
    // The reason is reported once, with the failure.
  }, [result])
  return <Running topic={topic} sample={sample} attempt={attempt} view={view} />
}

const samples = [100, 50, 10, 1]

const Controls = ({ topic }: { readonly topic: string }) => {
  const [running, setRunning] = useState(false)
  const [sample, setSample] = useState(100)
  const [view, setView] = useState<Body.View>("json")
  const [reason, setReason] = useState("")
  const [attempt, setAttempt] = useState(0)
  const toggle = () => {
    setReason("")
    setAttempt((attempt) => attempt + 1)
    setRunning((running) => !running)
  }
  const end = (reason: string) => {
    setReason(reason)
    setRunning(false)
  }
  return (
    <>
      <div className="fields">
        <label>
          Sample rate{" "}
          <select value={sample} disabled={running} onChange={({ target }) => setSample(Number(target.value))}>
            {samples.map((percent) => <option key={percent} value={percent}>{percent}%</option>)}
          </select>
        </label>
        <label>
          Show as{" "}
          <select
            value={view}
            onChange={({ target }) =>
              setView(target.value === "hex" ? "hex" : target.value === "text" ? "text" : "json")}
          >
            <option value="json">JSON</option>
            <option value="text">text</option>
            <option value="hex">hex</option>
          </select>
        </label>
        <button type="button" className="primary" onClick={toggle}>
          {running ? "Stop tail" : "Start tail"}
        </button>
      </div>
      {reason !== "" && <Notice kind="error">{reason}</Notice>}
      {running && <Watched topic={topic} sample={sample} attempt={attempt} view={view} onEnd={end} />}
    </>
  )
}

/** A section that tails a topic; closing it ends the tail. Renders nothing unless the user is an administrator. */
export const Tail = ({ topic }: { readonly topic: string }) =>
  settings.isAdmin
    ? (
      <Section summary="Tail messages">
        <Controls topic={topic} />
      </Section>
    )
    : null

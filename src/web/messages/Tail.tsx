import { useAtomValue } from "@effect/atom-react"
import { Stream } from "effect"
import { AsyncResult, Atom } from "effect/reactivity"
import { memo, useMemo, useState } from "react"
import { maxTailedBytes, type TailMessage } from "../../protocol/http/admin/AdminLive.ts"
import { Notice } from "../components/Notice.tsx"
import { Section } from "../components/Section.tsx"
import { AdminClient, messageOf } from "../core/api.ts"
import * as Format from "../core/format.ts"
import { settings } from "../core/settings.ts"
import * as Body from "./body.ts"
import * as TailState from "./tailState.ts"

/** A tail of a topic, which runs while a component uses it. */
const tailOf = Atom.family(({ sample, topic }: { readonly topic: string; readonly sample: number }) =>
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

const Running = ({ sample, topic, view }: {
  readonly topic: string
  readonly sample: number
  readonly view: Body.View
}) => {
  const result = useAtomValue(tailOf({ topic, sample }))
  const { channel, messages, nodes, skipped } = AsyncResult.getOrElse(result, () => TailState.initial)
  return (
    <>
      {result._tag === "Failure"
        ? <Notice kind="error">{messageOf(result.cause)}</Notice>
        : (
          <p role="status">
            {channel === ""
              ? "Connecting…"
              : `Reading from channel ${channel} on ${
                Format.quantity(nodes.length, "node")
              }. Stopping the tail deletes the channel.`}
            {skipped > 0 && ` Skipped ${Format.quantity(skipped, "message")} that arrived too fast.`}
          </p>
        )}
      <ol className="messages" aria-label="Messages, newest first">
        {messages.map((message) => (
          <Message key={`${message.node} ${message.id} ${message.attempts}`} message={message} view={view} />
        ))}
      </ol>
    </>
  )
}

const samples = [100, 50, 10, 1]

const Controls = ({ topic }: { readonly topic: string }) => {
  const [running, setRunning] = useState(false)
  const [sample, setSample] = useState(100)
  const [view, setView] = useState<Body.View>("json")
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
        <button type="button" className="primary" onClick={() => setRunning((running) => !running)}>
          {running ? "Stop tail" : "Start tail"}
        </button>
      </div>
      {running && <Running topic={topic} sample={sample} view={view} />}
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

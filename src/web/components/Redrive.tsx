import { useAtomRefresh, useAtomValue } from "@effect/atom-react"
import { Option } from "effect"
import { AsyncResult } from "effect/reactivity"
import { useEffect, useRef, useState } from "react"
import type { RedriveProgress } from "../../protocol/http/RedriveResponse.ts"
import { useRedrive } from "../core/act.ts"
import { AdminClient } from "../core/api.ts"
import * as Format from "../core/format.ts"
import * as Route from "../core/route.ts"
import { type Action, Actions } from "./Actions.tsx"
import { Link } from "./Link.tsx"

/** Milliseconds between requests for the progress of a redrive. */
const pollMillis = 1000

/** Limit for the dead letters that are counted before a redrive. */
const mostCounted = 100

/** The dead letters that a page shows. */
interface DeadLetters {
  readonly topic: string
  readonly node: string
  /** The channel whose messages are published again; undefined for a topic without channels. */
  readonly channel: string | undefined
}

/** The redrive of a topic on an nsqd: undefined until it is known, null before the first. */
const useProgress = ({ node, topic }: DeadLetters) => {
  const query = AdminClient.query("storage", "redriveProgress", { params: { node }, query: { topic } })
  const refresh = useAtomRefresh(query)
  const redrive = Option.getOrUndefined(AsyncResult.value(useAtomValue(query)))?.redrive
  return { redrive, refresh }
}

/** A button that publishes a single dead letter again. */
export const RedriveOne = ({ id, letters, sequence }: {
  readonly letters: DeadLetters
  readonly sequence: number
  readonly id: string
}) => {
  const { channel, node, topic } = letters
  const { begin } = useRedrive()
  const { refresh } = useProgress(letters)
  const action: Action = {
    key: "redrive",
    label: "Redrive message",
    question: `Redrive message ${sequence} of ${topic}?`,
    detail: "It is published to the topic that it came from, and leaves the dead letters.",
    run: () => begin({ params: { node }, payload: { topic, id, ...(channel === undefined ? {} : { channel }) } }),
    done: `The redrive of message ${sequence} has begun.`,
    after: refresh
  }
  return <Actions label={`Redrive of message ${sequence}`} actions={[action]} />
}

const Progress = ({ redrive: { error, ended_at, moved, scanned, skipped, state, to } }: {
  readonly redrive: RedriveProgress
}) => (
  <p role="status">
    {state === "running"
      ? "Redrive in progress"
      : `Last redrive ${state} at ${Format.exact(ended_at * 1000, Date.now())}`}
    : {Format.quantity(moved, "message")} published {to === "" ? "to where they came from" : `to ${to}`},{" "}
    {Format.count(scanned)} read{skipped === 0 ? "" : `, ${Format.count(skipped)} without an origin left`}
    {error === undefined ? "" : `. ${error}`}
  </p>
)

/** How many messages wait, in words; undefined until they are counted. */
const useCount = (
  { channel, node, topic }: DeadLetters,
  depth: number,
  filter: string,
  text: string,
  moved: string
) => {
  const query = AdminClient.query("storage", "browse", {
    params: { node },
    query: {
      topic,
      state: "waiting",
      limit: String(mostCounted),
      ...(channel === undefined ? {} : { channel }),
      ...(text === "" ? {} : { [filter]: text })
    }
  })
  const refresh = useAtomRefresh(query)
  useEffect(() => {
    if (moved !== "") refresh()
  }, [moved, refresh])
  const known = Option.getOrUndefined(AsyncResult.value(useAtomValue(query)))
  if (known === undefined) return undefined
  const { messages: { length }, next } = known
  if (next === null) return length === 0 ? undefined : Format.quantity(length, "message")
  return text === "" && depth > length
    ? Format.quantity(depth, "message")
    : `at least ${Format.quantity(length, "message")}`
}

/** The form, the progress and the end of redrives of the dead letters on an nsqd, by the filter of the page. */
const Form = ({ depth, filter, letters, onMoved, text }: {
  readonly letters: DeadLetters
  readonly depth: number
  readonly filter: string
  readonly text: string
  readonly onMoved: () => void
}) => {
  const { channel, node, topic } = letters
  const { begin, cancel } = useRedrive()
  const { redrive, refresh } = useProgress(letters)
  const [to, setTo] = useState("")
  const [rate, setRate] = useState("")
  const isRunning = redrive?.state === "running"
  useEffect(() => {
    if (!isRunning) return
    const timer = setInterval(refresh, pollMillis)
    return () => clearInterval(timer)
  }, [isRunning, refresh])
  const end = redrive === undefined || redrive === null || isRunning
    ? ""
    : `${redrive.started_at} ${redrive.state} ${redrive.moved} ${redrive.scanned}`
  const seen = useRef<string>(undefined)
  useEffect(() => {
    if (redrive === undefined) return
    if (seen.current !== undefined && seen.current !== end && end !== "") onMoved()
    seen.current = end
  }, [redrive, end, onMoved])
  const count = useCount(letters, depth, filter, text, end)
  const actions: ReadonlyArray<Action> = isRunning
    ? [{
      key: "cancel",
      label: "Cancel redrive",
      run: () => cancel({ params: { node }, query: { topic } }),
      done: "The redrive has been cancelled.",
      after: refresh
    }]
    : count === undefined
    ? []
    : [{
      key: "redrive",
      label: `Redrive ${count}`,
      question: `Redrive ${count} of ${topic} on ${node}?`,
      detail: `They are published to ${to === "" ? "the topics that they came from" : `topic ${to}`}${
        rate === "" ? "" : `, ${rate} per second`
      }, and leave the dead letters. Messages in flight stay.`,
      run: () =>
        begin({
          params: { node },
          payload: {
            topic,
            ...(channel === undefined ? {} : { channel }),
            ...(text === "" ? {} : { [filter]: text }),
            ...(to === "" ? {} : { to }),
            ...(rate === "" ? {} : { rate: Number(rate) })
          }
        }),
      done: "The redrive has begun.",
      after: refresh
    }]
  return (
    <>
      <div className="fields">
        <label>
          Redrive to{" "}
          <input
            value={to}
            placeholder="the topics of origin"
            spellCheck={false}
            onChange={({ target }) => setTo(target.value.trim())}
          />
        </label>
        <label>
          Messages per second{" "}
          <input
            type="number"
            min="1"
            step="1"
            value={rate}
            placeholder="no limit"
            onChange={({ target }) => setRate(target.value)}
          />
        </label>
      </div>
      {redrive !== undefined && redrive !== null && <Progress redrive={redrive} />}
      <Actions label="Redrive of dead letters" actions={actions} />
    </>
  )
}

/** The channels of the topic on the nsqd, with the number of their waiting messages. */
export type Depths = ReadonlyArray<readonly [channel: string, depth: number]>

/** Returns the dead letters of a page; undefined if the topic has several channels and the page is of none. */
export const lettersOf = (
  topic: string,
  node: string,
  channel: string | undefined,
  depths: Depths
): DeadLetters | undefined =>
  channel === undefined && depths.length > 1 ? undefined : { topic, node, channel: channel ?? depths[0]?.[0] }

/** The panel that publishes dead letters again. */
export const Redrive = ({ channel, depths, filter, node, onMoved, text, topic }: {
  readonly topic: string
  readonly node: string
  readonly channel: string | undefined
  readonly depths: Depths
  readonly filter: string
  readonly text: string
  readonly onMoved: () => void
}) => {
  const letters = lettersOf(topic, node, channel, depths)
  return (
    <section className="panel redrive" aria-label="Dead letters">
      <div className="bar">
        <h2>Dead letters</h2>
      </div>
      {letters === undefined
        ? (
          <p>
            Choose the channel whose messages are redriven:{" "}
            {depths.map(([name]) => <Link key={name} to={Route.messages(topic, name)}>{name}</Link>)}
          </p>
        )
        : (
          <Form
            key={`${node} ${letters.channel ?? ""}`}
            letters={letters}
            depth={depths.find(([name]) => name === letters.channel)?.[1] ?? 0}
            filter={filter}
            text={text}
            onMoved={onMoved}
          />
        )}
    </section>
  )
}

import { useAtomRefresh, useAtomValue } from "@effect/atom-react"
import { AsyncResult } from "effect/reactivity"
import { type FormEvent, useMemo, useState } from "react"
import type { BrowsedMessage } from "../../protocol/http/MessagesResponse.ts"
import { type Action, Actions } from "../components/Actions.tsx"
import { Badge } from "../components/Badge.tsx"
import { Breadcrumb } from "../components/Breadcrumb.tsx"
import { Properties } from "../components/Figures.tsx"
import { Notice } from "../components/Notice.tsx"
import { QueryResponse } from "../components/QueryResponse.tsx"
import { type Depths, lettersOf, Redrive, RedriveOne } from "../components/Redrive.tsx"
import { Section } from "../components/Section.tsx"
import { Skeleton, Waiting } from "../components/Waiting.tsx"
import { useStoredMessage } from "../core/act.ts"
import { AdminClient, messageOf } from "../core/api.ts"
import * as Format from "../core/format.ts"
import * as Route from "../core/route.ts"
import { useSearch } from "../core/search.ts"
import { settings } from "../core/settings.ts"
import * as Storage from "../core/storage.ts"
import { liveAtom } from "../live/live.ts"
import { usePoints } from "../live/points.ts"
import * as Body from "../messages/body.ts"
import { Missing } from "./Missing.tsx"

/** The messages of a page. */
const pageSize = 50

/** What is shown. */
interface Shown {
  readonly topic: string
  readonly channel: string | undefined
  readonly node: string
  readonly state: string
  readonly filter: string
  readonly text: string
  /** The channels of the topic on the node. */
  readonly depths: Depths
}

const Details = (
  { actions, message }: { readonly message: BrowsedMessage; readonly actions: ReadonlyArray<Action> }
) => {
  const bytes = useMemo(() => Storage.bodyOf(message), [message])
  const shown = useMemo(() => Body.show(bytes, "json"), [bytes])
  const published = Storage.publishedAt(message)
  const name = Storage.nameOf(message)
  return (
    <>
      <Properties
        caption={`Message ${name}`}
        of={[
          ["Id", message.id],
          ["Published", new Date(published).toISOString()],
          ["State", Storage.stateName(message.state)],
          ["Attempts", Storage.attempts(message) === "" ? undefined : String(message.attempts)],
          ["Held by", message.client],
          ["Due", message.due === undefined ? undefined : new Date(message.due).toISOString()],
          ["Size", Format.bytes(message.body_size)],
          ...Storage.originOf(message)?.properties ?? [],
          ...Storage.otherHeaders(message).map(([name, value]) => [`Header ${name}`, value] as const)
        ]}
      />
      <pre tabIndex={0} aria-label={`Body of message ${name}`}>{shown.text}</pre>
      {bytes.length < message.body_size && (
        <p className="muted">The first {Format.bytes(bytes.length)} of {Format.bytes(message.body_size)}.</p>
      )}
      {actions.length > 0 && <Actions label={`Actions on message ${name}`} actions={actions} />}
    </>
  )
}

const Row = ({ message, onChange, shown: { channel, depths, node, topic } }: {
  readonly message: BrowsedMessage
  readonly shown: Shown
  readonly onChange: () => void
}) => {
  const { remove, requeue } = useStoredMessage()
  const { id, sequence, state } = message
  const name = Storage.nameOf(message)
  const origin = Storage.originOf(message)
  const letters = lettersOf(topic, node, channel, depths)
  const isRedrivable = origin !== undefined && (state === "waiting" || state === "deferred")
  const isHeld = state === "in_flight" || state === "deferred"
  const request = { params: { node, sequence: name }, query: { topic, channel: channel ?? "" } }
  // The sequence of a dead letter is that of another topic.
  const isOpen = state !== "retained" && state !== "dead"
  const actions: ReadonlyArray<Action> = channel === undefined || !isOpen ? [] : [
    ...isHeld
      ? [{
        key: "requeue",
        label: "Requeue message",
        question: `Requeue message ${name} of ${topic} / ${channel}?`,
        detail: state === "in_flight"
          ? "It is taken from its consumer, whose FIN will fail, and is delivered next."
          : "Its delay ends, and it is delivered next.",
        run: () => requeue(request),
        done: `Message ${name} has been requeued.`,
        after: onChange
      }]
      : [],
    {
      key: "delete",
      label: "Delete message",
      question: `Delete message ${name} from ${topic} / ${channel}?`,
      detail: "The channel does not deliver it any more. Other channels keep it.",
      danger: true,
      run: () => remove(request),
      done: `Message ${name} has been deleted.`,
      after: onChange
    }
  ]
  return (
    <li>
      <Section
        isPlain
        summary={
          <span className="row">
            <strong>{sequence === undefined ? id : `#${sequence}`}</strong>
            <Badge kind={state === "in_flight" ? "good" : state === "deferred" ? "warning" : "plain"}>
              {Storage.stateName(state)}
            </Badge>
            <time>{Format.exact(Storage.publishedAt(message), Date.now())}</time>
            <span>{Storage.attempts(message)}</span>
            <span>{Format.bytes(message.body_size)}</span>
            <code>{Storage.preview(message)}</code>
            {origin !== undefined && (
              <span className="origin">
                from {origin.topic} / {origin.channel}: {origin.reason}
              </span>
            )}
          </span>
        }
      >
        <Details message={message} actions={actions} />
        {isRedrivable && sequence !== undefined && letters !== undefined && (
          <RedriveOne letters={letters} sequence={sequence} id={id} />
        )}
      </Section>
    </li>
  )
}

/** A page of messages. */
const Page = ({ from, isFirst, onClear, onNext, onStart, shown }: {
  readonly shown: Shown
  /** Ends the filter and shows all states. */
  readonly onClear: () => void
  readonly from: string | undefined
  readonly isFirst: boolean
  readonly onNext: (from: string) => void
  readonly onStart: () => void
}) => {
  const { channel, depths, filter, node, state, text, topic } = shown
  const query = AdminClient.query("storage", "browse", {
    params: { node },
    query: {
      topic,
      limit: String(pageSize),
      ...(channel === undefined ? {} : { channel }),
      ...(state === "" ? {} : { state }),
      ...(text === "" ? {} : { [filter]: text }),
      ...(from === undefined ? {} : { from })
    }
  })
  const result = useAtomValue(query)
  const refresh = useAtomRefresh(query)
  if (result._tag === "Failure") {
    const message = messageOf(result.cause)
    return (
      <Notice kind={/^NOT_(?:DURABLE|SUPPORTED)/.test(message) ? "info" : "error"}>
        {Storage.refusal(message, topic)} <button type="button" onClick={refresh}>Try again</button>
      </Notice>
    )
  }
  const known = AsyncResult.value(result)
  if (known._tag === "None") {
    return (
      <>
        <Skeleton />
        <p className="muted">Waiting for the reply of {node}.</p>
      </>
    )
  }
  const { messages, next, scanned } = known.value
  // Only the log of a durable topic can be redriven.
  const hasLog = messages.every(({ sequence }) => sequence !== undefined)
  return (
    <>
      <p role="status" className="muted">
        {Format.quantity(messages.length, "message")}, {Format.count(scanned)} searched
        {next === null ? "" : ". There are more."}
      </p>
      {hasLog &&
        (Storage.isDeadLetterTopic(topic) || messages.some((message) => Storage.originOf(message) !== undefined)) && (
        <Redrive
          topic={topic}
          node={node}
          channel={channel}
          depths={depths}
          filter={filter}
          text={text}
          onMoved={refresh}
        />
      )}
      <ol className="stored" aria-label="Messages">
        {messages.map((message) => (
          <Row key={`${node} ${Storage.nameOf(message)}`} message={message} shown={shown} onChange={refresh} />
        ))}
        {messages.length === 0 && (
          <li className="empty">
            {next !== null
              ? "None in this part of the messages. Go on with the next page."
              : state === "" && text === ""
              ? `No messages on ${node}.`
              : (
                <>
                  No such messages on {node}. <button type="button" onClick={onClear}>Show all messages</button>
                </>
              )}
            {next === null && channel === undefined && depths.length > 0 &&
              " Messages of a topic that is not durable wait in its channels: browse one of them."}
          </li>
        )}
      </ol>
      <div className="buttons">
        {!isFirst && <button type="button" onClick={onStart}>First page</button>}
        {next !== null && <button type="button" onClick={() => onNext(String(next))}>Next page</button>}
        <button type="button" onClick={refresh}>Refresh messages</button>
      </div>
    </>
  )
}

interface Subject {
  readonly topic: string
  readonly channel: string | undefined
}

/** An nsqd that has the topic, and the channels there. */
interface OnNode {
  readonly node: string
  readonly depths: Depths
}

const Browse = ({ channel, nodes, topic }: Subject & { readonly nodes: ReadonlyArray<OnNode> }) => {
  const names = nodes.map(({ node }) => node)
  const [node, setNode] = useSearch("node", names[0] ?? "")
  const depths = nodes.find((one) => one.node === node)?.depths ?? []
  const [state, setState] = useSearch("state")
  const [filter, setFilter] = useSearch("by", "contains")
  const [text, setText] = useSearch("filter")
  const [typed, setTyped] = useState(text)
  const [from, setFrom] = useState<string>()
  const start = () => setFrom(undefined)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    start()
    setText(typed)
  }
  const change = (set: (value: string) => void) => ({ target }: { readonly target: { readonly value: string } }) => {
    start()
    set(target.value)
  }
  return (
    <>
      <form className="fields" onSubmit={submit} aria-label="Filter of messages">
        <label>
          Node{" "}
          <select value={node} onChange={change(setNode)}>
            {/* A node that is away stays the one that is named. */}
            {(names.includes(node) ? names : [node, ...names]).map((name) => <option key={name}>{name}</option>)}
          </select>
        </label>
        <label>
          State{" "}
          <select value={state} onChange={change(setState)}>
            <option value="">all</option>
            {Storage.states.map(([value, name]) => <option key={value} value={value}>{name}</option>)}
          </select>
        </label>
        <label>
          Filter by{" "}
          <select value={filter} onChange={change(setFilter)}>
            {Storage.filters.map(([value, name]) => <option key={value} value={value}>{name}</option>)}
          </select>
        </label>
        <label>
          Filter{" "}
          <input type="search" value={typed} spellCheck={false} onChange={({ target }) => setTyped(target.value)} />
        </label>
        <button type="submit" className="primary">Search messages</button>
      </form>
      <Page
        shown={{ topic, channel, node, state, filter, text, depths }}
        from={from}
        isFirst={from === undefined}
        onClear={() => {
          start()
          setState("")
          setText("")
          setTyped("")
        }}
        onNext={setFrom}
        onStart={start}
      />
    </>
  )
}

/** The nsqds that have the topic, as requested from all of them: until the samples have a new topic. */
const Requested = ({ channel, topic }: Subject) => {
  const query = AdminClient.query("topics", "get", { params: { topic } })
  const refresh = useAtomRefresh(query)
  return (
    <QueryResponse of={query} whenMissing={<Missing topic={topic} refresh={refresh} />}>
      {({ nodes }) =>
        nodes.length === 0
          ? <Missing topic={topic} refresh={refresh} />
          : (
            <Browse
              topic={topic}
              channel={channel}
              nodes={nodes.map(({ channels, node }) => ({
                node,
                depths: channels.map(({ channel_name, depth }) => [channel_name, depth])
              }))}
            />
          )}
    </QueryResponse>
  )
}

/** The nsqds that have the topic, as sampled: none of them delays the page. */
const Known = ({ channel, topic }: Subject) => {
  const { at } = useAtomValue(liveAtom)
  const points = usePoints(topic)
  const nodes = points.on("").filter(({ away }) => away === null).map(({ node }): OnNode => ({
    node,
    depths: points.all.filter((point) => point.node === node && point.channel !== "")
      .map((point) => [point.channel, point.depth])
  }))
  if (at === 0) return <Waiting />
  return nodes.length > 0
    ? <Browse topic={topic} channel={channel} nodes={nodes} />
    : <Requested topic={topic} channel={channel} />
}

/** The page of the stored messages of a topic, or of a channel. */
export const MessagesPage = ({ channel, topic }: { readonly topic: string; readonly channel?: string }) => {
  const way = [["Topics", Route.topics], [topic, Route.topic(topic)]] as const
  return (
    <>
      <Breadcrumb
        way={channel === undefined ? way : [...way, [channel, Route.channel(topic, channel)]]}
        here="Messages"
      />
      <h1>
        Messages of <span className="name">{channel === undefined ? topic : `${topic} / ${channel}`}</span>
      </h1>
      {settings.isAdmin
        ? <Known topic={topic} channel={channel} />
        : <Notice kind="info">Only administrators read the bodies of messages.</Notice>}
    </>
  )
}

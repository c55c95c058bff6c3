import { useAtomRefresh, useAtomValue } from "@effect/atom-react"
import { type FormEvent, useState } from "react"
import { isChannelName, isTopicName } from "../../protocol/client/Names.ts"
import { Actions, useRun } from "../components/Actions.tsx"
import { DaemonBadge } from "../components/Badge.tsx"
import { Link } from "../components/Link.tsx"
import { NameField } from "../components/NameField.tsx"
import { NameRule } from "../components/NameRule.tsx"
import { Notice } from "../components/Notice.tsx"
import { QueryResponse } from "../components/QueryResponse.tsx"
import { useActions, useCreate } from "../core/act.ts"
import { AdminClient } from "../core/api.ts"
import * as Format from "../core/format.ts"
import * as Route from "../core/route.ts"
import { settings } from "../core/settings.ts"
import { liveAtom } from "../live/live.ts"

const inactive = AdminClient.query("topics", "list", { query: { inactive: "true" } })

const CreateForm = ({ refresh }: { readonly refresh: () => void }) => {
  const [topic, setTopic] = useState("")
  const [channel, setChannel] = useState("")
  const create = useCreate()
  const { busy, run } = useRun()
  const isTopicWrong = topic !== "" && !isTopicName(topic)
  const isChannelWrong = channel !== "" && !isChannelName(channel)
  const wanted = channel === "" ? { topic } : { topic, channel }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (topic === "" || isTopicWrong || isChannelWrong) return
    run({
      key: "create",
      label: "Create topic",
      run: () => create({ payload: wanted }),
      done: channel === "" ? `Topic ${topic} has been created.` : `Channel ${topic} / ${channel} has been created.`,
      after: refresh
    })
  }
  return (
    <form className="section create" onSubmit={submit}>
      <h2>Create topic and channel</h2>
      <p>
        Creates a topic, and optionally a channel, before the first producer or consumer connects. The channel then
        receives every message published to the topic.
      </p>
      <div className="fields">
        <NameField label="Topic name" value={topic} onChange={setTopic} rule="rule" isWrong={isTopicWrong} />
        <NameField
          label="Channel name (optional)"
          value={channel}
          onChange={setChannel}
          rule="rule"
          isWrong={isChannelWrong}
        />
        <button
          type="submit"
          className="primary"
          disabled={topic === "" || isTopicWrong || isChannelWrong}
          aria-disabled={busy}
        >
          {channel === "" ? "Create topic" : "Create channel"}
        </button>
      </div>
      <NameRule id="rule" isBroken={isTopicWrong || isChannelWrong} />
    </form>
  )
}

const Forgotten = ({ channel, name, refresh, topic }: {
  readonly topic: string
  readonly channel?: string
  readonly name: string
  readonly refresh: () => void
}) => {
  const { remove } = useActions(topic, channel)
  const kind = channel === undefined ? "topic" : "channel"
  return (
    <Actions
      compact
      label={name}
      actions={[{
        key: "delete",
        label: `Delete ${kind}`,
        question: `Delete ${kind} ${name}?`,
        detail: `It will be deleted from ${Format.quantity(settings.nsqlookupd.length, "nsqlookupd")}.`,
        danger: true,
        run: remove,
        done: `The ${kind} ${name} has been deleted.`,
        after: refresh
      }]}
    />
  )
}

const Tree = ({ refresh, topics }: {
  readonly topics: Readonly<Record<string, ReadonlyArray<string> | null>>
  readonly refresh: () => void
}) => (
  <ul className="tree">
    {Object.entries(topics).map(([topic, channels]) => (
      <li key={topic}>
        <Link to={Route.topic(topic)}>{topic}</Link>
        <Forgotten topic={topic} name={topic} refresh={refresh} />
        {channels !== null && (
          <ul>
            {channels.map((channel) => (
              <li key={channel}>
                {channel}
                <Forgotten topic={topic} channel={channel} name={`${topic} / ${channel}`} refresh={refresh} />
              </li>
            ))}
          </ul>
        )}
      </li>
    ))}
  </ul>
)

const Registry = () => {
  const refresh = useAtomRefresh(inactive)
  const { at, daemons } = useAtomValue(liveAtom)
  const lookupds = daemons.filter(({ kind }) => kind === "nsqlookupd")
  const gone = lookupds.filter(({ reachable }) => !reachable).length
  return (
    <>
      <h2>nsqlookupd hosts</h2>
      <ul>
        {settings.nsqlookupd.map((address) => {
          const daemon = lookupds.find((one) => one.address === address)
          return (
            <li key={address}>
              {address} {daemon !== undefined && <DaemonBadge daemon={daemon} now={at} />}
            </li>
          )
        })}
      </ul>
      {settings.isAdmin && <CreateForm refresh={refresh} />}
      <h2>Topics without producers</h2>
      <QueryResponse of={inactive} live>
        {({ topics }) =>
          topics === null || "length" in topics || Object.keys(topics).length === 0
            ? (
              <Notice kind="info">
                {gone === 0
                  ? "Every topic in nsqlookupd has a producer."
                  : `Every topic in the nsqlookupds that respond has a producer; ${gone} of ${lookupds.length} ${
                    gone === 1 ? "does" : "do"
                  } not respond.`}
              </Notice>
            )
            : <Tree topics={topics} refresh={refresh} />}
      </QueryResponse>
    </>
  )
}

/** The page of the nsqlookupds: their addresses, a form for new topics, and topics without producers. */
export const LookupPage = () => (
  <>
    <h1>Lookup</h1>
    {settings.nsqlookupd.length === 0
      ? <Notice kind="info">No nsqlookupd is configured. nsqadmin queries the nsqds directly.</Notice>
      : <Registry />}
  </>
)

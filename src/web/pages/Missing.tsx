import { useAtomValue } from "@effect/atom-react"
import { Actions } from "../components/Actions.tsx"
import { channelColumn, channelColumns, hostColumn, topicColumns } from "../components/figureColumns.tsx"
import { Link } from "../components/Link.tsx"
import { Notice } from "../components/Notice.tsx"
import { standardActions } from "../components/standardActions.tsx"
import { Table } from "../components/Table.tsx"
import { useActions } from "../core/act.ts"
import * as FlowRows from "../core/flowRows.ts"
import * as Format from "../core/format.ts"
import { goTo } from "../core/navigation.ts"
import * as Route from "../core/route.ts"
import { canCreateTopics, settings } from "../core/settings.ts"
import * as Stakes from "../core/stakes.ts"
import { liveAtom } from "../live/live.ts"
import { usePoints } from "../live/points.ts"

/** The last known figures of a topic or a channel that only nsqds that are away have. */
const LastKnown = ({ channel, points, topic }: {
  readonly topic: string
  readonly channel: string
  readonly points: FlowRows.Points
}) => {
  const { at } = useAtomValue(liveAtom)
  const away = points.away(channel)
  const rows = away.map((point) => FlowRows.ofPoint(point, "", points.channelsOn(point.node)))
  const channels = channel === ""
    ? points.all.filter((point) => point.channel !== "" && point.node === "")
      .map((point) => FlowRows.ofPoint(point, "", 0))
    : []
  return (
    <>
      <Notice kind="error">
        {channel === "" ? `Topic ${topic}` : `Channel ${channel}`} is known only on{" "}
        {away.map(({ node }) => node).join(", ")}
        , which {away.length === 1 ? "does" : "do"} not respond. The figures below are the last known ones.
      </Notice>
      <Table<FlowRows.FlowRow>
        caption={channel === "" ? "Topic on its nsqds" : "Channel on its nsqds"}
        rows={rows.map((row) => [row.node, row, "away"])}
        columns={[hostColumn(at), ...(channel === "" ? topicColumns(at) : channelColumns(at))]}
      />
      {channels.length > 0 && (
        <Table<FlowRows.FlowRow>
          caption="Channels"
          rows={channels.map((row) => [row.channel, row, "away"])}
          columns={[channelColumn(at), ...channelColumns(at)]}
        />
      )}
    </>
  )
}

/** What a topic or a channel needs to exist, or that this is not known while daemons do not respond. */
const Unknown = ({ channel, topic }: { readonly topic: string; readonly channel: string }) => {
  const { daemons } = useAtomValue(liveAtom)
  const gone = daemons.filter(({ reachable }) => !reachable).length
  const subject = channel === "" ? `topic ${topic}` : `channel ${channel}`
  return (
    <Notice kind="warning">
      {gone === 0
        ? `The ${subject} does not exist. `
        : `No daemon that responds has the ${subject}, and ${Format.quantity(gone, "daemon")} ${
          gone === 1 ? "does" : "do"
        } not respond. `}
      {channel === ""
        ? (
          <>
            A topic is created with its first message{canCreateTopics && (
              <>
                , or on the page <Link to={Route.lookup}>Lookup</Link>
              </>
            )}. See all <Link to={Route.topics}>topics</Link>.
          </>
        )
        : (
          <>
            A consumer creates it when it subscribes{settings.isAdmin ? ", or you do on the page of " : ". See "}
            <Link to={Route.topic(topic)}>topic {topic}</Link>.
          </>
        )}
    </Notice>
  )
}

/** The page of a topic or a channel that no reachable nsqd has: its last known figures, or what to do next. */
export const Missing = ({ channel = "", refresh, topic }: {
  readonly topic: string
  readonly channel?: string
  readonly refresh: () => void
}) => {
  const points = usePoints(topic)
  const { topics } = useAtomValue(liveAtom)
  const kind = channel === "" ? "topic" : "channel"
  const name = channel === "" ? topic : channel
  const isAway = points.away(channel).length > 0
  const stakes = channel === ""
    ? Stakes.ofTopic({ nodes: [] }, points)
    : Stakes.ofChannel({ channel_name: channel, nodes: [] }, points)
  const isRegistered = channel === "" && topics.has(topic) && settings.nsqlookupd.length > 0
  const actions = standardActions(
    { kind, name, paused: false, emptied: stakes, deleted: stakes },
    useActions(topic, channel === "" ? undefined : channel),
    refresh,
    () => goTo(channel === "" ? Route.topics : Route.topic(topic))
  )
  return (
    <>
      {(isAway || isRegistered) && <Actions label={`Actions on ${kind} ${name}`} actions={actions} />}
      {isAway
        ? <LastKnown topic={topic} channel={channel} points={points} />
        : isRegistered
        ? (
          <Notice kind="warning">
            No nsqd has this topic. <Link to={Route.lookup}>Lookup</Link> shows its registrations in nsqlookupd.
          </Notice>
        )
        : <Unknown topic={topic} channel={channel} />}
    </>
  )
}

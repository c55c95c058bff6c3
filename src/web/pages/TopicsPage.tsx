import { useAtomValue } from "@effect/atom-react"
import { memo, useDeferredValue, useMemo } from "react"
import type { TopicSummary, Warning } from "../../protocol/http/admin/AdminLive.ts"
import { TopicSpark } from "../charts/Spark.tsx"
import { Away, Badge, Paused } from "../components/Badge.tsx"
import { Filter } from "../components/Filter.tsx"
import { Link } from "../components/Link.tsx"
import { Notice } from "../components/Notice.tsx"
import { useVisible } from "../components/useVisible.ts"
import { Waiting } from "../components/Waiting.tsx"
import * as Format from "../core/format.ts"
import * as Route from "../core/route.ts"
import { useSearch } from "../core/search.ts"
import { canCreateTopics, settings } from "../core/settings.ts"
import * as TopicList from "../core/topicList.ts"
import { Picture } from "../graphite/Picture.tsx"
import { liveAtom } from "../live/live.ts"
import * as Words from "../warnings/words.ts"

interface TopicColumn {
  readonly key: TopicList.SortKey
  readonly name: string
  readonly title: string
  readonly cell: (summary: TopicSummary, now: number) => string
}

const columns: ReadonlyArray<TopicColumn> = [
  {
    key: "backlog",
    name: "Backlog",
    title: "Messages that wait in the topic, and in its channel with most messages",
    cell: ({ backlog }) => Format.count(backlog)
  },
  {
    key: "total",
    name: "In all channels",
    title: "Messages that wait in the topic and in all of its channels",
    cell: (summary) => Format.count(TopicList.totalOf(summary))
  },
  {
    key: "oldest",
    name: "Oldest",
    title: "The least age of the oldest message, estimated from nsqd's counters",
    cell: ({ oldest }, now) => Format.age(oldest, now)
  },
  { key: "rate", name: "In /s", title: "Messages published per second", cell: ({ rate }) => Format.rate(rate) },
  {
    key: "finish_rate",
    name: "Finished /s",
    title: "Messages finished per second by all channels together",
    cell: ({ finish_rate }) => Format.rate(finish_rate)
  },
  {
    key: "in_flight_count",
    name: "In flight",
    title: "Messages that consumers have received and not yet finished",
    cell: ({ in_flight_count }) => Format.count(in_flight_count)
  },
  {
    key: "deferred_count",
    name: "Deferred",
    title: "Messages that wait for a later time",
    cell: ({ deferred_count }) => Format.count(deferred_count)
  },
  {
    key: "channel_count",
    name: "Channels",
    title: "The number of channels",
    cell: ({ channel_count }) => Format.count(channel_count)
  },
  {
    key: "client_count",
    name: "Consumers",
    title: "Connections of consumers",
    cell: ({ client_count }) => Format.count(client_count)
  }
]

/** The number of columns, including the name and Graphite's pictures. */
const columnCount = columns.length + (settings.graphite.enabled ? 2 : 1)

const hasChart = (key: TopicList.SortKey): key is "backlog" | "rate" => key === "backlog" || key === "rate"

/** Limit for the lines with channels in a row. */
const maxLines = 3

/** Returns the channels that match the filter, if the topic's own name does not. */
const matchesOf = (summary: TopicSummary, filter: string): ReadonlyArray<string> =>
  TopicList.isWanted(summary.topic, filter) ? [] : TopicList.wantedChannels(summary, filter)

/** Returns the lines that the channels take in a row, the same in all rows. */
const linesOf = (shown: ReadonlyArray<TopicSummary>, filter: string): number => {
  if (filter === "") return 0
  let most = 0
  for (const summary of shown) most = Math.max(most, matchesOf(summary, filter).length)
  return Math.min(most, maxLines)
}

/** Links to the channels that match the filter, each in a line. */
const Channels = ({ filter, summary }: { readonly summary: TopicSummary; readonly filter: string }) => {
  const wanted = matchesOf(summary, filter)
  const named = wanted.length > maxLines ? wanted.slice(0, maxLines - 1) : wanted
  return wanted.length === 0 ? null : (
    <span className="matches">
      {named.map((channel) => (
        <span key={channel} title={channel}>
          <Link to={Route.channel(summary.topic, channel)}>/ {channel}</Link>
        </span>
      ))}
      {wanted.length > named.length && <span>and {wanted.length - named.length} more</span>}
    </span>
  )
}

/** A row of the list. `index` is its position among all rows, counting the headings as 1; only visible rows are rendered. */
const Row = memo(({ filter, index, now, summary, warning }: {
  readonly summary: TopicSummary
  readonly warning: Warning | undefined
  readonly filter: string
  readonly index: number
  readonly now: number
}) => (
  <tr aria-rowindex={index} role="row">
    <th scope="row" role="rowheader">
      <Link to={Route.topic(summary.topic)}>{summary.topic}</Link>{" "}
      {warning !== undefined && (
        <Badge kind={Words.isSerious(warning) ? "error" : "warning"} title={Words.sentence(warning, now)}>
          {Words.nameOf(warning)}
        </Badge>
      )} <Paused paused={summary.paused} /> <Away since={summary.away} now={now} />
      <Channels summary={summary} filter={filter} />
    </th>
    {columns.map(({ cell, key, name }) => (
      <td key={key} role="cell" className={`numeric ${key}`} data-name={name}>
        {hasChart(key) && <TopicSpark topic={summary.topic} metric={key} now={summary[key]} />}
        <span>{cell(summary, now)}</span>
      </td>
    ))}
    {settings.graphite.enabled && (
      <td role="cell" className="pictures">
        <Picture metric="depth" of={{ _tag: "Topic", topic: summary.topic, node: "*" }} />{" "}
        <Picture metric="message_count" of={{ _tag: "Topic", topic: summary.topic, node: "*" }} />
      </td>
    )}
  </tr>
))

const Gap = ({ height }: { readonly height: number }) =>
  height === 0 ? null : (
    <tr aria-hidden="true" className="gap">
      <td colSpan={columnCount} style={{ height, padding: 0 }} />
    </tr>
  )

const List = ({ now, topics }: { readonly topics: ReadonlyMap<string, TopicSummary>; readonly now: number }) => {
  const [filter, setFilter] = useSearch("filter")
  const [order, setOrder] = useSearch("sort", TopicList.formatSorting(TopicList.initialSorting))
  const sorting = useMemo(() => TopicList.parseSorting(order) ?? TopicList.initialSorting, [order])
  const wanted = useDeferredValue(filter)
  const shown = useMemo(() => TopicList.arrange(topics.values(), wanted, sorting), [topics, wanted, sorting])
  const { warnings } = useAtomValue(liveAtom)
  const worst = useMemo(() => Words.worstByTopic(warnings), [warnings])
  const lines = useMemo(() => linesOf(shown, wanted), [shown, wanted])
  const { body, end, first, rowHeight } = useVisible(shown.length, lines)
  const direction = sorting.descending ? "descending" : "ascending"
  const heading = (key: TopicList.SortKey, name: string, title: string, className: string) => (
    <th
      key={key}
      scope="col"
      role="columnheader"
      title={title}
      className={className}
      aria-sort={sorting.key === key ? direction : undefined}
    >
      <button type="button" onClick={() => setOrder(TopicList.formatSorting(TopicList.sortBy(sorting, key)))}>
        {name}
      </button>
    </th>
  )
  return (
    <>
      <Filter value={filter} onChange={setFilter} shown={shown.length} all={topics.size} />
      <div className="panel table" role="region" aria-label="Topics" tabIndex={0}>
        <table
          className={settings.graphite.enabled ? "topics pictured" : "topics"}
          data-lines={lines}
          role="table"
          aria-label="Topics"
          aria-rowcount={shown.length + 1}
        >
          <thead role="rowgroup">
            <tr role="row">
              {heading("topic", "Topic", "The name of the topic", "name")}
              {columns.map(({ key, name, title }) => heading(key, name, title, `numeric ${key}`))}
              {settings.graphite.enabled && <th scope="col" className="pictures">Graphite: depth, messages</th>}
            </tr>
          </thead>
          <tbody ref={body} role="rowgroup">
            <Gap height={first * rowHeight} />
            {shown.slice(first, end).map((summary, i) => (
              <Row
                key={summary.topic}
                summary={summary}
                warning={worst.get(summary.topic)}
                index={first + i + 2}
                now={now}
                filter={wanted}
              />
            ))}
            <Gap height={(shown.length - end) * rowHeight} />
            {shown.length === 0 && (
              <tr role="row">
                <td role="cell" className="empty" colSpan={columnCount}>
                  No topic and no channel matches.{" "}
                  <button type="button" onClick={() => setFilter("")}>Clear filter</button>
                </td>
              </tr>
            )}
          </tbody>
        </table>
      </div>
    </>
  )
}

/** The page of all topics. */
export const TopicsPage = () => {
  const { at, daemons, topics } = useAtomValue(liveAtom)
  return (
    <>
      <h1>Topics</h1>
      {topics.size > 0
        ? <List topics={topics} now={at} />
        : at === 0
        ? <Waiting />
        : daemons.some(({ reachable }) => reachable) && (
          <Notice kind="info">
            No topics found. A topic exists with its first message{canCreateTopics
              ? (
                <>
                  ; you can also <Link to={Route.lookup}>create one</Link>.
                </>
              )
              : "."}
          </Notice>
        )}
    </>
  )
}

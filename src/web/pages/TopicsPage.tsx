import { useAtomValue } from "@effect/atom-react"
import { Fragment, memo, useDeferredValue, useEffect, useMemo, useRef, useState } from "react"
import type { TopicSummary } from "../../protocol/http/admin/AdminLive.ts"
import { TopicSpark } from "../charts/Spark.tsx"
import { Paused } from "../components/Badge.tsx"
import { Filter } from "../components/Filter.tsx"
import { Link } from "../components/Link.tsx"
import { Notice } from "../components/Notice.tsx"
import { Waiting } from "../components/Waiting.tsx"
import * as Format from "../core/format.ts"
import * as Route from "../core/route.ts"
import { settings } from "../core/settings.ts"
import * as TopicList from "../core/topicList.ts"
import { Picture } from "../graphite/Picture.tsx"
import { liveAtom } from "../live/live.ts"

const rowHeight = 40

const columns: ReadonlyArray<readonly [TopicList.SortKey, string]> = [
  ["topic", "Topic"],
  ["depth", "Depth"],
  ["channel_depth", "In channels"],
  ["in_flight_count", "In flight"],
  ["rate", "Messages/s"],
  ["message_count", "Messages"],
  ["channel_count", "Channels"]
]

/** The number of columns, including the two charts and Graphite's pictures. */
const columnCount = columns.length + (settings.graphite.enabled ? 3 : 2)

/** A row of the list. `index` is its position among all rows, counting the headings as 1; only visible rows are rendered. */
const Row = memo(({ index, summary }: { readonly summary: TopicSummary; readonly index: number }) => (
  <tr aria-rowindex={index}>
    <th scope="row">
      <Link to={Route.topic(summary.topic)}>{summary.topic}</Link> <Paused paused={summary.paused} />
    </th>
    <td className="numeric">{Format.count(summary.depth)}</td>
    <td className="spark">
      <TopicSpark topic={summary.topic} metric="depth" now={summary.depth} />
    </td>
    <td className="numeric">{Format.count(summary.channel_depth)}</td>
    <td className="numeric">{Format.count(summary.in_flight_count)}</td>
    <td className="numeric">{Format.rate(summary.rate)}</td>
    <td className="spark">
      <TopicSpark topic={summary.topic} metric="rate" now={summary.rate} />
    </td>
    <td className="numeric">{Format.count(summary.message_count)}</td>
    <td className="numeric">{Format.count(summary.channel_count)}</td>
    {settings.graphite.enabled && (
      <td>
        <Picture metric="depth" of={{ _tag: "Topic", topic: summary.topic, node: "*" }} />{" "}
        <Picture metric="message_count" of={{ _tag: "Topic", topic: summary.topic, node: "*" }} />
      </td>
    )}
  </tr>
))

/** Tracks the visible rows while the user scrolls. */
const useVisible = (rows: number) => {
  const body = useRef<HTMLTableSectionElement>(null)
  const [range, setRange] = useState({ first: 0, end: Math.min(rows, 60) })
  useEffect(() => {
    let frame = 0
    const measure = () => {
      frame = 0
      const top = -(body.current?.getBoundingClientRect().top ?? 0)
      const next = TopicList.visibleRows(rows, rowHeight, top, innerHeight)
      setRange((range) => range.first === next.first && range.end === next.end ? range : next)
    }
    const schedule = () => {
      if (frame === 0) frame = requestAnimationFrame(measure)
    }
    measure()
    addEventListener("scroll", schedule, { passive: true })
    addEventListener("resize", schedule)
    return () => {
      cancelAnimationFrame(frame)
      removeEventListener("scroll", schedule)
      removeEventListener("resize", schedule)
    }
  }, [rows])
  return { body, first: Math.min(range.first, rows), end: Math.min(range.end, rows) }
}

const Gap = ({ rows }: { readonly rows: number }) =>
  rows === 0 ? null : (
    <tr aria-hidden="true">
      <td colSpan={columnCount} style={{ height: rows * rowHeight, padding: 0 }} />
    </tr>
  )

const List = ({ topics }: { readonly topics: ReadonlyMap<string, TopicSummary> }) => {
  const [filter, setFilter] = useState("")
  const [sorting, setSorting] = useState<TopicList.Sorting>({ key: "topic", descending: false })
  const wanted = useDeferredValue(filter)
  const shown = useMemo(() => TopicList.arrange(topics.values(), wanted, sorting), [topics, wanted, sorting])
  const { body, end, first } = useVisible(shown.length)
  const direction = sorting.descending ? "descending" : "ascending"
  return (
    <>
      <Filter value={filter} onChange={setFilter} shown={shown.length} all={topics.size} />
      <div className="table wide" role="region" aria-label="Topics" tabIndex={0}>
        <table className={settings.graphite.enabled ? "fixed pictured" : "fixed"} aria-rowcount={shown.length + 1}>
          <caption className="hidden">Topics</caption>
          <thead>
            <tr>
              {columns.map(([key, name]) => (
                <Fragment key={key}>
                  <th
                    scope="col"
                    className={key === "topic" ? "name" : "numeric"}
                    aria-sort={sorting.key === key ? direction : undefined}
                  >
                    <button type="button" onClick={() => setSorting(TopicList.sortBy(sorting, key))}>{name}</button>
                  </th>
                  {(key === "depth" || key === "rate") && <th scope="col" className="spark">Past hour</th>}
                </Fragment>
              ))}
              {settings.graphite.enabled && <th scope="col" className="pictures">Graphite: depth, messages</th>}
            </tr>
          </thead>
          <tbody ref={body}>
            <Gap rows={first} />
            {shown.slice(first, end).map((summary, i) => (
              <Row key={summary.topic} summary={summary} index={first + i + 2} />
            ))}
            <Gap rows={shown.length - end} />
          </tbody>
        </table>
      </div>
    </>
  )
}

/** The page of all topics. */
export const TopicsPage = () => {
  const { at, message, topics } = useAtomValue(liveAtom)
  return (
    <>
      <h1>Topics</h1>
      {topics.size > 0
        ? <List topics={topics} />
        : at === 0
        ? <Waiting />
        : message === "" && <Notice kind="info">No topics found</Notice>}
    </>
  )
}

import { useAtomValue } from "@effect/atom-react"
import { AsyncResult } from "effect/reactivity"
import { useMemo } from "react"
import type { HistoryResponse } from "../../protocol/http/admin/AdminLive.ts"
import * as Format from "../core/format.ts"
import { detailHistory, type Series, topicHistory } from "../live/history.ts"
import { liveAtom } from "../live/live.ts"
import type { Metric } from "./Chart.tsx"
import { SmallChart } from "./SmallChart.tsx"

/** The points of one line. */
export interface ChartData {
  /** Unix milliseconds, ascending. */
  readonly times: ReadonlyArray<number>
  readonly values: ReadonlyArray<number | null>
}

const none: ChartData = { times: [], values: [] }

/** Returns the past hour, with the current value appended if known. */
export const withNow = (
  series: Series | undefined,
  metric: Metric,
  at: number,
  now: number | null | undefined
): ChartData => {
  const { times, values } = series === undefined ? none : { times: series.times, values: series.values[metric] }
  if (now === undefined || at <= (times.at(-1) ?? 0)) return { times, values }
  // The server's point of these seconds has no sample yet, which is not a gap.
  const known = values.at(-1) === null && now !== null && values.at(-2) !== null ? -1 : times.length
  return { times: [...times.slice(0, known), at], values: [...values.slice(0, known), now] }
}

const find = (
  { series, times }: HistoryResponse,
  channel: string,
  node: string
): Series | undefined => {
  const values = series.find((one) => one.channel === channel && one.node === node)
  return values === undefined ? undefined : { times, values }
}

/** What each metric is called. */
const nameOf: { readonly [M in Metric]: string } = {
  backlog: "backlog",
  rate: "messages received per second",
  finish_rate: "messages finished per second",
  requeue_rate: "messages requeued per second",
  timeout_rate: "messages timed out per second"
}

export const labelOf = (metric: Metric, { values }: ChartData, words = "past hour"): string => {
  const known = values.filter((value) => value !== null)
  const format = metric === "backlog" ? Format.count : Format.rate
  if (known.length === 0) return `${nameOf[metric]}: no data yet`
  const now = values.at(-1) ?? null
  const current = now === null ? "current unknown" : `current ${format(now)}`
  return `${nameOf[metric]} in the ${words}: ${current}, maximum ${format(Math.max(...known))}`
}

/** Small charts show the past hour. */
const hourMillis = 3_600_000

const Drawn = ({ data, metric }: { readonly data: ChartData; readonly metric: Metric }) => (
  <SmallChart times={data.times} values={data.values} metric={metric} span={hourMillis} label={labelOf(metric, data)} />
)

/** A small chart of a topic's past hour, for the list of topics. */
export const TopicSpark = ({ metric, now, topic }: {
  readonly topic: string
  readonly metric: Metric
  readonly now: number | null
}) => {
  const history = AsyncResult.getOrElse(useAtomValue(topicHistory(topic)), () => undefined)
  const { at } = useAtomValue(liveAtom)
  const data = useMemo(() => withNow(history, metric, at, now), [history, metric, at, now])
  return <Drawn data={data} metric={metric} />
}

export const nothing: HistoryResponse = { times: [], series: [] }

export interface SeriesProps {
  readonly topic: string
  readonly channel?: string
  readonly node?: string
}

/** The past hour of a series, up to the last live sample on the topic's own page. */
export const useSeries = (metric: Metric, { channel = "", node = "", topic }: SeriesProps): ChartData => {
  const history = AsyncResult.getOrElse(useAtomValue(detailHistory(topic)), () => nothing)
  const { at, points } = useAtomValue(liveAtom)
  const point = points.find((point) => point.topic === topic && point.channel === channel && point.node === node)
  // The last known figures of an nsqd that is away are no points.
  const now = point === undefined ? undefined : node !== "" && point.away !== null ? null : point[metric]
  return useMemo(
    () => withNow(find(history, channel, node), metric, at, now),
    [history, channel, node, metric, at, now]
  )
}

/** A small chart of the backlog in the past hour. Empty names have the meaning that they have in `LivePoint`. */
export const BacklogChart = (series: SeriesProps) => <Drawn data={useSeries("backlog", series)} metric="backlog" />

/** A small chart of the messages received per second in the past hour. */
export const RateChart = (series: SeriesProps) => <Drawn data={useSeries("rate", series)} metric="rate" />

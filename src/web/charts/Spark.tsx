import { useAtomValue } from "@effect/atom-react"
import { AsyncResult } from "effect/reactivity"
import { useMemo } from "react"
import type { HistoryResponse } from "../../protocol/http/admin/AdminLive.ts"
import * as Format from "../core/format.ts"
import { detailHistory, type Series, topicHistory } from "../live/history.ts"
import { liveAtom } from "../live/live.ts"
import { Chart, type ChartData } from "./Chart.tsx"

/** The charted figures. */
export type Metric = "depth" | "rate"

const none: ChartData = { times: [], values: [] }

/** Returns the past hour, with the current value appended if known. */
const withNow = (
  series: Series | undefined,
  metric: Metric,
  at: number,
  now: number | null | undefined
): ChartData => {
  const { times, values } = series === undefined ? none : { times: series.times, values: series.values[metric] }
  return now === undefined || at <= (times.at(-1) ?? 0)
    ? { times, values }
    : { times: [...times, at], values: [...values, now] }
}

const find = (
  { series, times }: HistoryResponse,
  channel: string,
  node: string
): Series | undefined => {
  const values = series.find((one) => one.channel === channel && one.node === node)
  return values === undefined ? undefined : { times, values }
}

const labelOf = (metric: Metric, { values }: ChartData): string => {
  const known = values.filter((value) => value !== null)
  const format = metric === "depth" ? Format.count : Format.rate
  if (known.length === 0) return `${metric}: no data yet`
  return `${metric} in the past hour: current ${format(known.at(-1) ?? 0)}, maximum ${format(Math.max(...known))}`
}

const Drawn = ({ data, metric, size }: {
  readonly data: ChartData
  readonly metric: Metric
  readonly size: "small" | "large"
}) => <Chart data={data} kind={metric} size={size} label={labelOf(metric, data)} />

/** A small chart of a topic's past hour, for the list of topics. */
export const TopicSpark = ({ metric, now, topic }: {
  readonly topic: string
  readonly metric: Metric
  readonly now: number | null
}) => {
  const history = AsyncResult.getOrElse(useAtomValue(topicHistory(topic)), () => undefined)
  const { at } = useAtomValue(liveAtom)
  const data = useMemo(() => withNow(history, metric, at, now), [history, metric, at, now])
  return <Drawn data={data} metric={metric} size="small" />
}

const nothing: HistoryResponse = { times: [], series: [] }

interface SeriesProps {
  readonly topic: string
  readonly channel?: string
  readonly node?: string
  readonly metric: Metric
}

/** The past hour of a series, up to the last live sample on the topic's own page. */
const useSeries = ({ channel = "", metric, node = "", topic }: SeriesProps): ChartData => {
  const history = AsyncResult.getOrElse(useAtomValue(detailHistory(topic)), () => nothing)
  const { at, points } = useAtomValue(liveAtom)
  const now = points.find((point) => point.topic === topic && point.channel === channel && point.node === node)
  const value = now?.[metric]
  return useMemo(
    () => withNow(find(history, channel, node), metric, at, value),
    [history, channel, node, metric, at, value]
  )
}

/** A chart of the past hour of a series. Empty names have the meaning that they have in `LivePoint`. */
export const Spark = ({ size = "small", ...series }: SeriesProps & { readonly size?: "small" | "large" }) => (
  <Drawn data={useSeries(series)} metric={series.metric} size={size} />
)

/** A small chart of the depth in the past hour. */
export const DepthChart = (series: Omit<SeriesProps, "metric">) => <Spark {...series} metric="depth" />

/** The current rate in messages per second, and a small chart of the past hour. */
export const Rate = (series: Omit<SeriesProps, "metric">) => {
  const data = useSeries({ ...series, metric: "rate" })
  return (
    <span className="rated">
      <span>{Format.rate(data.values.at(-1) ?? null)}</span>
      <Drawn data={data} metric="rate" size="small" />
    </span>
  )
}

import { useAtom, useAtomValue } from "@effect/atom-react"
import { AsyncResult } from "effect/reactivity"
import { useMemo } from "react"
import * as Range from "../core/range.ts"
import { rangeHistory, type Series } from "../live/history.ts"
import { liveAtom } from "../live/live.ts"
import { Chart, type Line, type Metric } from "./Chart.tsx"
import { compareAtom, rangeAtom, RangeMenu, wordsOf } from "./Range.tsx"
import { type ChartData, labelOf, nothing, type SeriesProps, useSeries, withNow } from "./Spark.tsx"

const dayMillis = 86_400_000

/** The rates of a topic or a channel. */
const rates: ReadonlyArray<Metric> = ["rate", "finish_rate", "requeue_rate", "timeout_rate"]

/** Returns the values at these times of a series that is a day older; null where it has none nearby. */
export const dayBefore = (
  times: ReadonlyArray<number>,
  older: ReadonlyArray<number>,
  values: ReadonlyArray<number | null>
): ReadonlyArray<number | null> => {
  const step = (older[1] ?? 0) - (older[0] ?? 0)
  let next = 0
  return times.map((time) => {
    while ((older[next] ?? Infinity) + dayMillis <= time) next++
    const at = older[next - 1]
    return at === undefined || time - dayMillis - at > step ? null : values[next - 1] ?? null
  })
}

/** The response for a range, or for the one before it until it arrives. */
const useRangeHistory = (
  { channel = "", topic }: SeriesProps,
  { span, to }: Range.Range,
  before: number
): Series | undefined => {
  const atom = rangeHistory({ topic, channel, span, to, before })
  const { series: [values], times } = AsyncResult.getOrElse(useAtomValue(atom), () => nothing)
  return useMemo(() => values === undefined ? undefined : { times, values }, [values, times])
}

/** The lines of a chart, all over the same times. */
interface Lines {
  readonly times: ReadonlyArray<number>
  readonly lines: ReadonlyArray<Line>
  readonly label: string
}

/** Puts series together: their times differ by the live value, which all or none have. */
const together = (
  metrics: ReadonlyArray<Metric>,
  data: ReadonlyArray<ChartData>,
  older: Series | undefined,
  words: string
): Lines => {
  const times = data[0]?.times ?? []
  const lines = metrics.map((metric, i) => ({ metric, values: data[i]?.values ?? [] }))
  const [first] = metrics
  return {
    times,
    lines: older === undefined || first === undefined ? lines : [
      ...lines,
      { metric: first, values: dayBefore(times, older.times, older.values[first]), isBefore: true }
    ],
    label: metrics.map((metric, i) => labelOf(metric, data[i] ?? { times: [], values: [] }, words)).join("; ")
  }
}

interface DrawnProps {
  readonly range: Range.Range
  readonly older: Series | undefined
  readonly dataOf: { readonly [M in Metric]: ChartData }
}

const Drawn = ({ dataOf, older, range }: DrawnProps) => {
  const [, setRange] = useAtom(rangeAtom)
  const words = wordsOf(range)
  const zoom = (from: number, to: number) => {
    const chosen = Range.between(from, to)
    if (chosen !== undefined) setRange(chosen)
  }
  const chart = (caption: string, metrics: ReadonlyArray<Metric>) => (
    <figure>
      <figcaption>{caption}, {words}</figcaption>
      <Chart
        {...together(metrics, metrics.map((metric) => dataOf[metric]), older, words)}
        span={range.span}
        isLive={range.to === 0}
        onZoom={zoom}
      />
    </figure>
  )
  return (
    <div className="charts">
      {chart("Waiting messages", ["backlog"])}
      {chart("Messages per second", rates)}
    </div>
  )
}

/** The past hour or less, at the resolution of the live figures. */
const Recent = ({ range, series }: { readonly range: Range.Range; readonly series: SeriesProps }) => {
  const dataOf = {
    backlog: useSeries("backlog", series),
    rate: useSeries("rate", series),
    finish_rate: useSeries("finish_rate", series),
    requeue_rate: useSeries("requeue_rate", series),
    timeout_rate: useSeries("timeout_rate", series)
  }
  return <Compared range={range} series={series} dataOf={dataOf} />
}

/** Any other range. One that ends now continues to the last live sample. */
const Past = ({ range, series }: { readonly range: Range.Range; readonly series: SeriesProps }) => {
  const past = useRangeHistory(series, range, 0)
  const { at, points } = useAtomValue(liveAtom)
  const { channel = "", topic } = series
  const point = points.find((point) => point.topic === topic && point.channel === channel && point.node === "")
  const of = (metric: Metric): ChartData =>
    withNow(past, metric, at, range.to === 0 && point !== undefined ? point[metric] : undefined)
  const dataOf = {
    backlog: of("backlog"),
    rate: of("rate"),
    finish_rate: of("finish_rate"),
    requeue_rate: of("requeue_rate"),
    timeout_rate: of("timeout_rate")
  }
  return <Compared range={range} series={series} dataOf={dataOf} />
}

const WithDayBefore = ({ series, ...shown }: Omit<DrawnProps, "older"> & { readonly series: SeriesProps }) => (
  <Drawn {...shown} older={useRangeHistory(series, shown.range, dayMillis)} />
)

const Compared = (props: Omit<DrawnProps, "older"> & { readonly series: SeriesProps }) =>
  useAtomValue(compareAtom) ? <WithDayBefore {...props} /> : <Drawn {...props} older={undefined} />

/**
 * The large charts of a topic or a channel: its backlog, and the rates of received, finished, requeued and timed out messages, in the
 * chosen range. Dragging over a chart chooses the time under the pointer.
 */
export const LargeCharts = (series: SeriesProps) => {
  const range = useAtomValue(rangeAtom)
  const isRecent = range.to === 0 && range.span <= Range.initial.span
  return (
    <>
      <RangeMenu />
      {isRecent ? <Recent range={range} series={series} /> : <Past range={range} series={series} />}
    </>
  )
}

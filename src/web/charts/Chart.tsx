import { useEffect, useRef, useState } from "react"
import UPlot from "uplot"
import * as Format from "../core/format.ts"

/** The charted figures. */
export type Metric = "backlog" | "rate" | "finish_rate" | "requeue_rate" | "timeout_rate"

/** One line of a chart; null where no value is known. */
export interface Line {
  readonly metric: Metric
  readonly values: ReadonlyArray<number | null>
}

/** The longest and the shortest time that a chart shows, in seconds. */
const hour = 3600
const shortest = 600

const labels: { readonly [M in Metric]: string } = {
  backlog: "Backlog",
  rate: "Received",
  finish_rate: "Finished",
  requeue_rate: "Requeued",
  timeout_rate: "Timed out"
}
const colors: { readonly [M in Metric]: string } = {
  backlog: "--depth",
  rate: "--rate",
  finish_rate: "--finish",
  requeue_rate: "--requeue",
  timeout_rate: "--timeout"
}

const style = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

/** Formats a value for the legend, with its unit. */
const valueText = (metric: Metric, value: number | null | undefined): string => {
  if (value === null || value === undefined) return "–"
  return metric === "backlog" ? Format.count(value) : `${Format.rate(value)}/s`
}

/**
 * The least height of the axis: a chart of very few messages does not look like one of very many. Above it the line fills the chart.
 */
const leastTop = (metrics: ReadonlyArray<Metric>): number => metrics.includes("backlog") ? 10 : 1

const optionsOf = (
  size: "small" | "large",
  metrics: ReadonlyArray<Metric>,
  width: number,
  onPoint: (index: number | null) => void
): UPlot.Options => {
  const axis = {
    stroke: style("--muted"),
    font: "12px system-ui, sans-serif",
    grid: { stroke: style("--line"), width: 1 },
    ticks: { show: false }
  }
  const large = size === "large"
  const isCount = metrics.includes("backlog")
  return {
    width,
    height: large ? 176 : 24,
    padding: large ? [8, 16, 0, 0] : [2, 0, 2, 0],
    cursor: { show: large, drag: { x: false, y: false } },
    legend: { show: false },
    select: { show: false, left: 0, top: 0, width: 0, height: 0 },
    scales: {
      x: { range: (_, oldest, newest) => [Math.max(newest - hour, Math.min(oldest, newest - shortest)), newest] },
      y: { range: (_, __, max) => [0, Math.max(leastTop(metrics), (max ?? 0) * 1.05)] }
    },
    axes: large
      ? [
        { ...axis, size: 26, space: 64, values: (_, times) => times.map((time) => Format.minute(time * 1000)) },
        {
          ...axis,
          size: 52,
          ...(isCount ? { incrs: wholeSteps } : {}),
          values: (_, all) => all.map((value) => isCount ? Format.short(value) : Format.rate(value))
        }
      ]
      : [{ show: false }, { show: false }],
    series: [
      {},
      ...metrics.map((metric, i) => {
        const stroke = style(colors[metric])
        return {
          label: labels[metric],
          stroke,
          width: large ? 2 : 1.5,
          ...(i === 0 ? { fill: `${stroke}22` } : {}),
          spanGaps: false,
          points: { show: false }
        }
      })
    ],
    hooks: { setCursor: [({ cursor }: UPlot) => onPoint(cursor.idx ?? null)] }
  }
}

/** Steps of an axis of counts, which are whole numbers. */
const wholeSteps = Array.from({ length: 15 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat()

interface ChartProps {
  /** Unix milliseconds, ascending. */
  readonly times: ReadonlyArray<number>
  readonly lines: ReadonlyArray<Line>
  readonly size: "small" | "large"
  /** Describes the chart for screen readers. */
  readonly label: string
}

const toData = ({ lines, times }: ChartProps): UPlot.AlignedData => [
  times.map((time) => time / 1000),
  ...lines.map(({ values }) => [...values])
]

/** The values at the pointer, or the current ones. */
const Legend = ({ at, lines, times }: ChartProps & { readonly at: number | null }) => {
  const index = at ?? times.length - 1
  const time = times[index]
  return (
    <p className="legend" aria-hidden="true">
      <span>
        {time === undefined ? "No data yet" : at === null ? `Now, ${Format.second(time)}` : Format.second(time)}
      </span>
      {lines.map(({ metric, values }) => (
        <span key={metric} className={metric}>
          <i /> {labels[metric]} <b>{valueText(metric, values[index])}</b>
        </span>
      ))}
    </p>
  )
}

/** A line chart over time, drawn on a canvas. A large one has axes and a legend with the values at the pointer. */
export const Chart = (props: ChartProps) => {
  const { label, lines, size } = props
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<UPlot>(undefined)
  const latest = useRef(props)
  latest.current = props
  const [at, setAt] = useState<number | null>(null)
  const metrics = lines.map(({ metric }) => metric).join()
  useEffect(() => {
    const element = place.current
    if (element === null) return
    const make = () => {
      plot.current?.destroy()
      const shown = latest.current.lines.map(({ metric }) => metric)
      plot.current = new UPlot(optionsOf(size, shown, element.clientWidth, setAt), toData(latest.current), element)
    }
    make()
    const scheme = matchMedia("(prefers-color-scheme: dark)")
    const themed = new MutationObserver(make)
    themed.observe(document.documentElement, { attributeFilter: ["data-theme"] })
    scheme.addEventListener("change", make)
    const resized = new ResizeObserver(() => {
      if (plot.current !== undefined && element.clientWidth !== plot.current.width) {
        plot.current.setSize({ width: element.clientWidth, height: plot.current.height })
      }
    })
    resized.observe(element)
    return () => {
      scheme.removeEventListener("change", make)
      themed.disconnect()
      resized.disconnect()
      plot.current?.destroy()
      plot.current = undefined
    }
  }, [metrics, size])
  useEffect(() => plot.current?.setData(toData(latest.current)), [props.times, ...lines.map(({ values }) => values)])
  return (
    <>
      <div ref={place} className={`chart ${size}`} role="img" aria-label={label} />
      {size === "large" && <Legend {...props} at={at} />}
    </>
  )
}

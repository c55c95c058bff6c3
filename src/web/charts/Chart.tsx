import { useEffect, useRef, useState } from "react"
import UPlot from "uplot"
import { rateSteps, wholeSteps } from "../core/axis.ts"
import * as Format from "../core/format.ts"

/** The charted figures. */
export type Metric = "backlog" | "rate" | "finish_rate" | "requeue_rate" | "timeout_rate"

/** One line of a chart; null where no value is known. */
export interface Line {
  readonly metric: Metric
  readonly values: ReadonlyArray<number | null>
  /** Whether these are the values of the day before. */
  readonly isBefore?: boolean
}

/** The shortest time that a chart shows, in seconds. */
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
  return metric === "backlog" ? Format.count(value) : Format.perSecond(value)
}

/**
 * The least height of the axis: a chart of very few messages does not look like one of very many. Above it the line fills the chart.
 */
export const leastTop = (metrics: ReadonlyArray<Metric>): number => metrics.includes("backlog") ? 10 : 1

const optionsOf = (
  lines: ReadonlyArray<Line>,
  span: number,
  width: number,
  onPoint: (index: number | null) => void,
  onZoom: ((from: number, to: number) => void) | undefined
): UPlot.Options => {
  const metrics = lines.map(({ metric }) => metric)
  const axis = {
    stroke: style("--muted"),
    font: "12px system-ui, sans-serif",
    grid: { stroke: style("--line"), width: 1 },
    ticks: { show: false }
  }
  const isCount = metrics.includes("backlog")
  return {
    width,
    height: 176,
    padding: [8, 16, 0, 0],
    cursor: { drag: { x: onZoom !== undefined, y: false, setScale: false } },
    legend: { show: false },
    select: { show: onZoom !== undefined, left: 0, top: 0, width: 0, height: 0 },
    scales: {
      x: {
        range: (_, oldest, newest) => [Math.max(newest - span / 1000, Math.min(oldest, newest - shortest)), newest]
      },
      y: { range: (_, __, max) => [0, Math.max(leastTop(metrics), (max ?? 0) * 1.05)] }
    },
    axes: [
      { ...axis, size: 26, space: 64, values: (_, times) => times.map((time) => Format.tick(time * 1000, span)) },
      {
        ...axis,
        size: 52,
        incrs: [...(isCount ? wholeSteps : rateSteps)],
        values: (_, all) => all.map((value) => isCount ? Format.short(value) : Format.rate(value))
      }
    ],
    series: [
      {},
      ...lines.map(({ isBefore = false, metric }, i) => {
        const color = style(colors[metric])
        const stroke = isBefore ? `${color}88` : color
        return {
          label: labels[metric],
          stroke,
          width: isBefore ? 1 : 2,
          ...(isBefore ? { dash: [4, 3] } : {}),
          ...(i === 0 ? { fill: `${stroke}22` } : {}),
          spanGaps: false,
          points: { show: false }
        }
      })
    ],
    hooks: {
      setCursor: [({ cursor }: UPlot) => onPoint(cursor.idx ?? null)],
      setSelect: [(plot: UPlot) => {
        const { left, width } = plot.select
        if (width === 0) return
        const [from, to] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")]
        plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
        onZoom?.(from * 1000, to * 1000)
      }]
    }
  }
}

interface ChartProps {
  /** Unix milliseconds, ascending. */
  readonly times: ReadonlyArray<number>
  readonly lines: ReadonlyArray<Line>
  /** The longest time that is shown, in milliseconds. */
  readonly span: number
  /** Whether the last values are the current ones. Default: true. */
  readonly isLive?: boolean
  /** Receives two times in Unix milliseconds when the user has dragged over the time between them. */
  readonly onZoom?: (from: number, to: number) => void
  /** Describes the chart for screen readers. */
  readonly label: string
}

const toData = ({ lines, times }: ChartProps): UPlot.AlignedData => [
  times.map((time) => time / 1000),
  ...lines.map(({ values }) => [...values])
]

/** The values at the pointer, or the current ones. */
const Legend = ({ at, isLive = true, lines, span, times }: ChartProps & { readonly at: number | null }) => {
  const index = at ?? times.length - 1
  const time = times[index]
  const when = time === undefined ? "No data yet" : Format.moment(time, span)
  return (
    <p className="legend" aria-hidden="true">
      <span>{time !== undefined && at === null && isLive ? `Now, ${when}` : when}</span>
      {lines.map(({ isBefore = false, metric, values }) => (
        <span key={`${metric} ${isBefore}`} className={isBefore ? `${metric} before` : metric}>
          <i /> {isBefore ? "Day before" : labels[metric]} <b>{valueText(metric, values[index])}</b>
        </span>
      ))}
    </p>
  )
}

/** A line chart over time, drawn on a canvas, with axes and a legend with the values at the pointer. */
export const Chart = (props: ChartProps) => {
  const { label, lines, onZoom, span } = props
  const canZoom = onZoom !== undefined
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<UPlot>(undefined)
  const latest = useRef(props)
  latest.current = props
  const [at, setAt] = useState<number | null>(null)
  const drawn = lines.map(({ isBefore = false, metric }) => `${metric} ${isBefore}`).join()
  useEffect(() => {
    const element = place.current
    if (element === null) return
    const make = () => {
      plot.current?.destroy()
      const zoom = canZoom ? (from: number, to: number) => latest.current.onZoom?.(from, to) : undefined
      const options = optionsOf(latest.current.lines, span, element.clientWidth, setAt, zoom)
      plot.current = new UPlot(options, toData(latest.current), element)
    }
    // In a task of its own: drawing takes as long as the rest of a page.
    const first = setTimeout(make)
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
      clearTimeout(first)
      scheme.removeEventListener("change", make)
      themed.disconnect()
      resized.disconnect()
      plot.current?.destroy()
      plot.current = undefined
    }
  }, [drawn, span, canZoom])
  useEffect(() => plot.current?.setData(toData(latest.current)), [props.times, ...lines.map(({ values }) => values)])
  return (
    <>
      <div ref={place} className="chart large" role="img" aria-label={label} />
      <Legend {...props} at={at} />
    </>
  )
}

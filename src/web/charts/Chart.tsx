import { useEffect, useRef } from "react"
import UPlot from "uplot"
import * as Format from "../core/format.ts"

/** The points of a chart. */
export interface ChartData {
  /** Unix milliseconds, ascending. */
  readonly times: ReadonlyArray<number>
  readonly values: ReadonlyArray<number | null>
}

/** The longest and the shortest time that a chart shows, in seconds. */
const hour = 3600
const shortest = 600

const style = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

const optionsOf = (size: "small" | "large", kind: "depth" | "rate", width: number): UPlot.Options => {
  const stroke = style(kind === "depth" ? "--depth" : "--rate")
  const axis = {
    stroke: style("--muted"),
    font: "12px system-ui, sans-serif",
    grid: { stroke: style("--line"), width: 1 },
    ticks: { show: false }
  }
  const value = (now: number | null) => now === null ? "–" : kind === "depth" ? Format.count(now) : Format.rate(now)
  const large = size === "large"
  return {
    width,
    height: large ? 160 : 24,
    padding: large ? [8, 20, 0, 0] : [2, 0, 2, 0],
    cursor: { show: large, drag: { x: false, y: false } },
    legend: { show: large, markers: { show: false } },
    select: { show: false, left: 0, top: 0, width: 0, height: 0 },
    scales: {
      x: { range: (_, oldest, newest) => [Math.max(newest - hour, Math.min(oldest, newest - shortest)), newest] },
      y: { range: (_, __, max) => [0, Math.max(1, max * 1.05)] }
    },
    axes: large
      ? [
        { ...axis, size: 26, space: 64, values: (_, times) => times.map((time) => Format.minute(time * 1000)) },
        { ...axis, size: 56, ...(kind === "depth" ? { incrs: wholeSteps } : {}), values: (_, all) => all.map(value) }
      ]
      : [{ show: false }, { show: false }],
    series: [
      { label: "Time", value: (plot, time, _, at) => Format.second((at === null ? last(plot, 0) : time) * 1000) },
      {
        label: kind === "depth" ? "Depth" : "Messages per second",
        value: (plot, now, _, at) => value(at === null ? last(plot, 1) : now),
        stroke,
        width: large ? 2 : 1.5,
        fill: `${stroke}22`,
        points: { show: false }
      }
    ]
  }
}

/** Steps of an axis of depths, which are whole numbers. */
const wholeSteps = Array.from({ length: 15 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat()

/** The value in the legend while the pointer is outside the chart. */
const last = (plot: UPlot, series: number): number => plot.data[series]?.at(-1) ?? 0

const toData = ({ times, values }: ChartData): UPlot.AlignedData => [times.map((time) => time / 1000), [...values]]

/** A line chart over time, drawn on a canvas. `label` describes it for screen readers. */
export const Chart = ({ data, kind, label, size }: {
  readonly data: ChartData
  readonly kind: "depth" | "rate"
  readonly size: "small" | "large"
  readonly label: string
}) => {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<UPlot>(undefined)
  const latest = useRef(data)
  latest.current = data
  useEffect(() => {
    const element = place.current
    if (element === null) return
    const make = () => {
      plot.current?.destroy()
      plot.current = new UPlot(optionsOf(size, kind, element.clientWidth), toData(latest.current), element)
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
  }, [kind, size])
  useEffect(() => plot.current?.setData(toData(data)), [data])
  return <div ref={place} className={`chart ${size}`} role="img" aria-label={label} />
}

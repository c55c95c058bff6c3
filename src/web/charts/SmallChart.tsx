import { memo } from "react"
import { leastTop, type Metric } from "./Chart.tsx"

const width = 96
const height = 24
/** Keeps the line within the chart at its highest and its lowest. */
const inset = 2

/** The shortest time that a chart shows, in milliseconds. */
const shortest = 600_000

/** Returns the path of each part without a gap, as points of the line. */
const partsOf = (
  times: ReadonlyArray<number>,
  values: ReadonlyArray<number | null>,
  span: number,
  top: number
): ReadonlyArray<ReadonlyArray<readonly [x: number, y: number]>> => {
  const newest = times.at(-1) ?? 0
  const from = Math.max(newest - span, Math.min(times[0] ?? 0, newest - shortest))
  const parts: Array<Array<readonly [number, number]>> = []
  let part: Array<readonly [number, number]> | undefined
  for (const [i, time] of times.entries()) {
    const value = values[i] ?? null
    if (value === null || time < from) {
      part = undefined
      continue
    }
    if (part === undefined) parts.push(part = [])
    part.push([(time - from) / (newest - from) * width, inset + (1 - value / top) * (height - 2 * inset)])
  }
  return parts
}

const lineOf = (part: ReadonlyArray<readonly [number, number]>): string =>
  part.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")

const areaOf = (part: ReadonlyArray<readonly [number, number]>): string =>
  `M${part[0]?.[0].toFixed(1)} ${height}L${lineOf(part)}L${part.at(-1)?.[0].toFixed(1)} ${height}Z`

/** A line without axes, for tables. It is an SVG because a list shows very many, and a canvas takes a hundred times as long to make. */
export const SmallChart = memo(({ label, metric, span, times, values }: {
  /** Unix milliseconds, ascending. */
  readonly times: ReadonlyArray<number>
  readonly values: ReadonlyArray<number | null>
  readonly metric: Metric
  /** The longest time that is shown, in milliseconds. */
  readonly span: number
  /** Describes the chart for screen readers. */
  readonly label: string
}) => {
  const greatest = values.reduce<number>((most, value) => Math.max(most, value ?? 0), 0)
  const parts = partsOf(times, values, span, Math.max(leastTop([metric]), greatest * 1.05))
  return (
    <svg
      className={`chart small ${metric}`}
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
    >
      <path className="area" d={parts.map(areaOf).join("")} />
      <path className="line" d={parts.map((part) => `M${lineOf(part)}`).join("")} />
    </svg>
  )
})

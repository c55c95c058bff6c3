import { useAtomValue } from "@effect/atom-react"
import { settings } from "../settings.ts"
import * as Keys from "./keys.ts"
import { timeframeAtom, TimeframeMenu } from "./Timeframe.tsx"

const { basePath, graphite } = settings

const graphs: ReadonlyArray<readonly [string, ReadonlyArray<string>]> = [
  ["GC Pressure", ["next_gc_bytes"]],
  ["GC Pause Percentiles", ["gc_pause_usec_100", "gc_pause_usec_99", "gc_pause_usec_95"]],
  ["GC Runs", ["gc_runs"]],
  ["Heap Objects In-Use", ["heap_objects"]]
]
const size = [400, 225] as const

/** Graphite's pictures of an nsqd's process; nothing without Graphite. */
export const NodeGraphs = ({ node }: { readonly node: string }) => {
  const timeframe = useAtomValue(timeframeAtom)
  if (!graphite.enabled) return null
  return (
    <div className="graphite">
      <TimeframeMenu />
      {timeframe !== "off" && graphs.map(([name, metrics]) => {
        const targets = metrics.map((metric) => Keys.memoryTarget(graphite, metric, node))
        const src = Keys.pictureUrl(graphite, basePath, targets, "red,green,blue,purple", timeframe, size)
        return (
          <figure key={name}>
            <figcaption>{name}</figcaption>
            <img src={src} width={size[0]} height={size[1]} alt={`${name} in Graphite`} loading="lazy" />
          </figure>
        )
      })}
    </div>
  )
}

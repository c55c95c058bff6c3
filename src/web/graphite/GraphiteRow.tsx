import { useAtomValue } from "@effect/atom-react"
import { settings } from "../settings.ts"
import * as Keys from "./keys.ts"
import { timeframeAtom, TimeframeMenu } from "./Timeframe.tsx"

const { basePath, graphite } = settings
const small = [120, 20] as const
const large = [800, 450] as const

/** Graphite's pictures of a topic or a channel over all nodes; each leads to a large one. Nothing without Graphite. */
export const GraphiteRow = ({ channel, metrics, topic }: {
  readonly topic: string
  readonly channel?: string
  readonly metrics: ReadonlyArray<string>
}) => {
  const timeframe = useAtomValue(timeframeAtom)
  if (!graphite.enabled) return null
  return (
    <div className="graphite">
      <TimeframeMenu />
      {timeframe !== "off" && metrics.map((metric) => {
        const target = Keys.queueTarget(graphite, metric, channel === undefined ? { topic } : { topic, channel })
        const picture = (size: readonly [number, number]) =>
          Keys.pictureUrl(graphite, basePath, [target], Keys.colorOf(metric), timeframe, size)
        return (
          <a key={metric} href={picture(large)} rel="noreferrer">
            <figure>
              <figcaption>{metric}</figcaption>
              <img src={picture(small)} width={small[0]} height={small[1]} alt={`${metric} in Graphite`} />
            </figure>
          </a>
        )
      })}
    </div>
  )
}

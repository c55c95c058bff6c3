import { useAtomValue } from "@effect/atom-react"
import { settings } from "../core/settings.ts"
import * as Keys from "./keys.ts"
import { timeframeAtom } from "./Timeframe.tsx"

const { basePath, graphite } = settings

/** A small picture of a metric from Graphite, with a link to the large one. Renders nothing without Graphite. */
export const Picture = ({ metric, of: subject }: { readonly metric: string; readonly of: Keys.Subject }) => {
  const timeframe = useAtomValue(timeframeAtom)
  if (!graphite.enabled || timeframe === "off") return null
  const url = (size: "small" | "large") => Keys.pictureUrl(graphite, basePath, metric, subject, timeframe, size)
  return (
    <a className="picture" href={url("large")} rel="noreferrer">
      <img src={url("small")} width={120} height={20} loading="lazy" alt={`${metric} in Graphite`} />
    </a>
  )
}

/** A large picture of a metric from Graphite, with a title. Renders nothing without Graphite. */
export const LargePicture = ({ metric, of: subject, title }: {
  readonly metric: string
  readonly of: Keys.Subject
  readonly title: string
}) => {
  const timeframe = useAtomValue(timeframeAtom)
  if (!graphite.enabled || timeframe === "off") return null
  const url = Keys.pictureUrl(graphite, basePath, metric, subject, timeframe, "large")
  return (
    <figure>
      <figcaption>{title}</figcaption>
      <a href={url} rel="noreferrer">
        <img src={url} width={400} height={225} loading="lazy" alt={`${title} in Graphite`} />
      </a>
    </figure>
  )
}

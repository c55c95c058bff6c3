import { useAtomValue } from "@effect/atom-react"
import type { Warning } from "../../protocol/http/admin/AdminLive.ts"
import { Badge } from "../components/Badge.tsx"
import { Link } from "../components/Link.tsx"
import * as Format from "../core/format.ts"
import * as Route from "../core/route.ts"
import { liveAtom } from "../live/live.ts"
import { MuteMenu } from "./MuteMenu.tsx"
import * as Words from "./words.ts"

/** A link to the page where an operator can examine the subject. */
const Subject = ({ warning: { channel, kind, node, topic } }: { readonly warning: Warning }) => {
  const { daemons } = useAtomValue(liveAtom)
  if (channel !== "") return <Link to={Route.channel(topic, channel)}>{topic} / {channel}</Link>
  if (topic !== "") return <Link to={Route.topic(topic)}>{topic}</Link>
  if (daemons.some((daemon) => daemon.kind === "nsqlookupd" && daemon.address === node)) {
    return <Link to={Route.daemons}>{node}</Link>
  }
  if (node !== "") return <Link to={Route.node(node)}>{node}</Link>
  return kind === "versions_differ" ? <Link to={Route.nodes}>nodes</Link> : <Link to={Route.topics}>topics</Link>
}

/** Warnings, each with its subject, a sentence and a menu to mute it. `now` is the time of the last sample. */
export const WarningList = ({ isOwnPage = false, now, warnings }: {
  readonly warnings: ReadonlyArray<Warning>
  readonly now: number
  /** Omits the subject, on its own page. */
  readonly isOwnPage?: boolean
}) => (
  <ul className={isOwnPage ? "warnings own" : "warnings"}>
    {warnings.map((warning) => (
      <li
        key={Words.keyOf(warning)}
        className={Words.isMuted(warning) ? "muted" : Words.isSerious(warning) ? "serious" : undefined}
      >
        <Badge kind={Words.isSerious(warning) ? "error" : "warning"}>{Words.nameOf(warning)}</Badge>
        {!isOwnPage && (
          <span className="subject">
            <Subject warning={warning} />
          </span>
        )}
        <span className="text">{Words.sentence(warning, now)}</span>
        <span className="since">
          {warning.muted_until === null
            ? Format.span(now - warning.since)
            : `muted until ${Format.beginning(warning.muted_until, now)}`}
        </span>
        <MuteMenu warning={warning} now={now} />
      </li>
    ))}
  </ul>
)

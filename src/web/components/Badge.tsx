import type { ReactNode } from "react"
import type { DaemonState } from "../../protocol/http/admin/AdminLive.ts"
import type { NodeDrain } from "../../protocol/http/NodeResponse.ts"
import * as Daemons from "../core/daemons.ts"
import * as Format from "../core/format.ts"
import * as NodeFigures from "../core/nodeFigures.ts"

/** A short label with a color. */
export const Badge = ({ children, kind = "plain", title }: {
  readonly kind?: "plain" | "warning" | "error" | "good"
  readonly title?: string
  readonly children: ReactNode
}) => <span className={`badge ${kind}`} title={title}>{children}</span>

/** The badge of a paused topic or channel; nothing for others. */
export const Paused = ({ paused }: { readonly paused: boolean }) => paused ? <Badge kind="warning">paused</Badge> : null

/** The badge of figures that include those of an nsqd that is away, with their age; nothing for current ones. */
export const Away = ({ isSum = false, now, since }: {
  readonly since: number | null
  readonly now: number
  /** Whether current figures are part of them, too. Default: not stated. */
  readonly isSum?: boolean
}) =>
  since === null ? null : (
    <Badge
      kind="error"
      title={`${isSum ? "Includes last known figures of nsqds that are away" : "Last known figures"}, from ${
        Format.beginning(since, now)
      }`}
    >
      {isSum ? "includes stale" : "stale"}: {Format.span(now - since)} old
    </Badge>
  )

/** The state of a daemon; of one that is unreachable also since when. */
export const DaemonBadge = ({ daemon, now }: { readonly daemon: DaemonState; readonly now: number }) => {
  const { error, reachable } = daemon
  if (!reachable) return <Badge kind="error">unreachable: {Daemons.shortSilence(daemon, now)}</Badge>
  return error === "" ? <Badge kind="good">healthy</Badge> : <Badge kind="warning" title={error}>degraded</Badge>
}

/** The state of a node that drains. */
export const DrainBadge = ({ drain }: { readonly drain: NodeDrain }) => (
  <Badge kind={drain.drained ? "good" : "warning"} title={NodeFigures.drainLeft(drain)}>
    {drain.drained ? "drained" : `draining: ${Format.count(drain.depth + drain.in_flight_count)} left`}
  </Badge>
)

/**
 * Which alerts a sample of the cluster causes: one when a warning begins, and one when it ends. Muted warnings cause none until they are
 * unmuted; what was raised before it was muted is still cleared. Pure.
 */
import type { Warning } from "../../protocol/http/admin/AdminLive.ts"
import { keyOf } from "./Notices.ts"

/** A warning that has been raised. */
export type Raised = Omit<Warning, "muted_until">

/** A change to report. */
export interface Change {
  readonly event: "raised" | "cleared"
  readonly warning: Raised
}

/** The warnings that have been raised and not cleared, by `keyOf`. */
export interface AlertState {
  readonly raised: ReadonlyMap<string, Raised>
  /** The keys of those that an nsqadmin before this one raised and that have not been seen yet. */
  readonly unseen: ReadonlySet<string>
}

/** The state after a start. `raised` has the warnings that an nsqadmin before this one has raised. */
export const initial = (raised: ReadonlyArray<Raised>): AlertState => {
  const known = new Map(raised.map((warning) => [keyOf(warning), warning]))
  return { raised: known, unseen: new Set(known.keys()) }
}

/**
 * Returns the changes, and the state after them. Warnings of a former nsqadmin are not cleared while `isSettling`: most need some samples
 * before they are there again.
 */
export const observe = (
  before: AlertState,
  warnings: ReadonlyArray<Warning>,
  isSettling: boolean
): { readonly changes: ReadonlyArray<Change>; readonly state: AlertState } => {
  const changes: Array<Change> = []
  const raised = new Map<string, Raised>()
  const current = new Set<string>()
  for (const { muted_until, ...warning } of warnings) {
    const key = keyOf(warning)
    current.add(key)
    const known = before.raised.get(key)
    if (known !== undefined) raised.set(key, known)
    else if (muted_until === null) {
      raised.set(key, warning)
      changes.push({ event: "raised", warning })
    }
  }
  const unseen = new Set([...before.unseen].filter((key) => isSettling && !current.has(key)))
  for (const [key, warning] of before.raised) {
    if (current.has(key)) continue
    if (unseen.has(key)) raised.set(key, warning)
    else changes.push({ event: "cleared", warning })
  }
  return { changes, state: { raised, unseen } }
}

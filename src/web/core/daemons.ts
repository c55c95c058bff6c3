/** The words for daemons that are unreachable. Pure. */
import type { DaemonState } from "../../protocol/http/admin/AdminLive.ts"
import * as Format from "./format.ts"

/** Returns since when an unreachable daemon has not replied: `last reply 15:04, 3 m 20 s ago`. */
export const silence = ({ has_replied, since }: DaemonState, now: number): string =>
  `${has_replied ? "last reply" : "no reply yet, first request"} ${Format.beginning(since, now)}, ${
    Format.span(now - since)
  } ago`

/** The same in few words, for a label: `last reply 3 m 20 s ago`. */
export const shortSilence = ({ has_replied, since }: DaemonState, now: number): string =>
  has_replied ? `last reply ${Format.span(now - since)} ago` : `no reply in ${Format.span(now - since)}`

/** Returns the sentence about an unreachable daemon. */
export const sentence = (daemon: DaemonState, now: number): string => {
  const { address, hostname, kind } = daemon
  const name = hostname === "" || address.startsWith(hostname) ? address : `${hostname} (${address})`
  return `${kind} ${name} is unreachable: ${silence(daemon, now)}.`
}

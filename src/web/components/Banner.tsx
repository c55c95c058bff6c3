import { useAtomValue } from "@effect/atom-react"
import * as Daemons from "../core/daemons.ts"
import * as Route from "../core/route.ts"
import { liveAtom } from "../live/live.ts"
import { Link } from "./Link.tsx"
import { Notice, Raw } from "./Notice.tsx"

/** Limit for daemons named in the banner. */
const maxNamed = 4

/** The daemons that are unreachable, on every page; nothing while all respond. The errors are shown on demand. */
export const Banner = () => {
  const { at, daemons, message } = useAtomValue(liveAtom)
  const gone = daemons.filter(({ reachable }) => !reachable)
  if (gone.length === 0) {
    return message === "" ? null : (
      <Notice kind="warning">
        The last sample of the cluster is incomplete. <Raw text={message} />
      </Notice>
    )
  }
  const isNsqd = gone.some(({ kind }) => kind === "nsqd")
  return (
    <Notice kind="error">
      <ul className="plain">
        {gone.slice(0, maxNamed).map((daemon) => (
          <li key={`${daemon.kind} ${daemon.address}`}>{Daemons.sentence(daemon, at)}</li>
        ))}
        {gone.length > maxNamed && (
          <li>
            {gone.length - maxNamed} more: see <Link to={Route.daemons}>all daemons</Link>.
          </li>
        )}
      </ul>
      {isNsqd && <p>Figures of unreachable nsqds are the last known ones, marked as stale.</p>}
      <Raw text={gone.map(({ address, error, kind }) => `${kind} ${address}: ${error}`).join("\n")} />
    </Notice>
  )
}

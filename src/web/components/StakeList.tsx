import { useAtomValue } from "@effect/atom-react"
import * as Format from "../core/format.ts"
import * as Stakes from "../core/stakes.ts"
import { liveAtom } from "../live/live.ts"

const partsOf = ({ deferred, inFlight, waiting }: Omit<Stakes.Stake, "node" | "away">): string =>
  `${Format.count(waiting)} waiting, ${Format.count(inFlight)} in flight, ${Format.count(deferred)} deferred`

/** What the daemons that do not respond leave open. */
const Unknown = ({ name, stakes }: { readonly name: string; readonly stakes: ReadonlyArray<Stakes.Stake> }) => {
  const { at, daemons } = useAtomValue(liveAtom)
  const away = stakes.filter((stake) => stake.away !== null)
  const lookupds = daemons.filter(({ kind, reachable }) => kind === "nsqlookupd" && !reachable)
  if (away.length === 0 && lookupds.length === 0) return null
  return (
    <div className="notice warning">
      <strong>nsqadmin does not know everything at the moment.</strong>
      {away.map((stake) => (
        <p key={stake.node}>
          nsqd {stake.node} does not respond. It is left as it is and keeps its messages: {partsOf(stake)}{" "}
          when it was last seen, {Format.span(at - (stake.away ?? at))} ago. {name} is there again when it comes back.
        </p>
      ))}
      {lookupds.map(({ address }) => (
        <p key={address}>nsqlookupd {address} does not respond. It may list further nsqds.</p>
      ))}
    </div>
  )
}

/** The messages that an action loses, in total and on each nsqd. `name` is the subject, such as `Topic orders`. */
export const StakeList = ({ kept, name, stakes }: {
  readonly name: string
  readonly stakes: ReadonlyArray<Stakes.Stake>
  /** A sentence about what is not lost. */
  readonly kept?: string
}) => {
  const present = stakes.filter(({ away }) => away === null)
  const count = Stakes.countOf(stakes)
  return (
    <>
      {present.length > 0 && (
        <p>
          {Format.quantity(count, "message")} will be lost: {partsOf(Stakes.sumOf(stakes))}. {kept}
        </p>
      )}
      {present.length > 1 && count > 0 && (
        <ul>{present.map((stake) => <li key={stake.node}>{stake.node}: {partsOf(stake)}</li>)}</ul>
      )}
      <Unknown name={name} stakes={stakes} />
    </>
  )
}

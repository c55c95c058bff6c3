import { useAtom } from "@effect/atom-react"
import { Atom } from "effect/reactivity"
import { settings } from "../core/settings.ts"

const key = "nsqadmin-timeframe"
const timeframes = ["1h", "2h", "12h", "24h", "48h", "168h", "off"] as const
/** The time that Graphite's pictures show; `off` hides them. */
export type Timeframe = typeof timeframes[number]

const known = (text: string | null): Timeframe | undefined => timeframes.find((timeframe) => timeframe === text)

/** The current timeframe: from the parameter `t` of the address, or the last choice. Default `2h`. */
export const timeframeAtom = Atom.keepAlive(
  Atom.make<Timeframe>(known(new URLSearchParams(location.search).get("t")) ?? known(localStorage.getItem(key)) ?? "2h")
)

/** A menu for the timeframe. Renders nothing without Graphite. */
export const TimeframeMenu = () => {
  const [timeframe, setTimeframe] = useAtom(timeframeAtom)
  return !settings.graphite.enabled ? null : (
    <label>
      Graphite{" "}
      <select
        value={timeframe}
        onChange={({ target }) => {
          const chosen = known(target.value) ?? "2h"
          localStorage.setItem(key, chosen)
          setTimeframe(chosen)
        }}
      >
        {timeframes.map((timeframe) => <option key={timeframe}>{timeframe}</option>)}
      </select>
    </label>
  )
}

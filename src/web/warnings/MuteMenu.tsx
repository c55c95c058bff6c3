import type { Warning } from "../../protocol/http/admin/AdminLive.ts"
import { useRun } from "../components/Actions.tsx"
import { useMute } from "../core/act.ts"
import * as Format from "../core/format.ts"
import { settings } from "../core/settings.ts"
import * as Words from "./words.ts"

const times = [["1 hour", 60], ["4 hours", 240], ["1 day", 1440], ["1 week", 10_080]] as const

/** A menu that mutes a warning for a time, or ends its mute. Renders nothing unless the user is an administrator. */
export const MuteMenu = ({ now, warning }: { readonly warning: Warning; readonly now: number }) => {
  const mute = useMute()
  const { busy, run } = useRun()
  if (!settings.isAdmin) return null
  const { channel, kind, muted_until: until, node, topic } = warning
  const name = `${Words.nameOf(warning)} ${[topic, channel, node].filter((part) => part !== "").join(" / ")}`
  const set = (minutes: number, done: string) =>
    run({
      key: "mute",
      label: "Mute",
      run: () => mute({ payload: { kind, topic, channel, node, minutes } }),
      done
    })
  return until !== null
    ? (
      <button
        type="button"
        className="quiet"
        aria-disabled={busy}
        aria-label={`Unmute ${name}`}
        onClick={() => set(0, "The warning is shown again.")}
      >
        Unmute
      </button>
    )
    : (
      <select
        className="quiet"
        value=""
        aria-label={`Mute ${name}`}
        disabled={busy}
        onChange={({ target }) =>
          set(
            Number(target.value),
            `The warning is muted until ${Format.beginning(now + Number(target.value) * 60_000, now)}.`
          )}
      >
        <option value="">Mute…</option>
        {times.map(([label, minutes]) => <option key={label} value={minutes}>for {label}</option>)}
      </select>
    )
}

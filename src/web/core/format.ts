/** Formats numbers, durations and times for the pages; durations as on NSQ's pages. */

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 })
const oneDigit = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 })

/** Formats a count: `1,234,567`. */
export const count = (value: number): string => whole.format(value)

/** Formats a rate per second: `12.5`, `1,234`; `–` for null, before the second sample. */
export const rate = (value: number | null): string =>
  value === null ? "–" : value >= 100 ? whole.format(value) : oneDigit.format(value)

const trimmed = (value: number): string => value.toFixed(2).replace(/\.?0+$/, "")

/** Formats nanoseconds as hours and minutes, then seconds, `ms`, `us` or `ns` with up to two decimals. */
export const nanoseconds = (nanos: number): string => {
  const hours = Math.floor(nanos / 3.6e12)
  const minutes = Math.floor((nanos % 3.6e12) / 6e10)
  const rest = nanos % 6e10
  const parts = [
    ...(hours > 0 ? [`${hours}h`] : []),
    ...(minutes > 0 ? [`${minutes}m`] : [])
  ]
  if (rest === 0 && parts.length > 0) return parts.join("")
  if (rest >= 1e9 || parts.length > 0) return [...parts, `${trimmed(rest / 1e9)}s`].join("")
  if (rest >= 1e6) return `${trimmed(rest / 1e6)}ms`
  if (rest >= 1e3) return `${trimmed(rest / 1e3)}us`
  return `${trimmed(rest)}ns`
}

const suffixes = ["th", "st", "nd", "rd"]

/** Formats a quantile as a heading, with NSQ's suffixes: `99th`, `99.9th`, `91st`. */
export const percentile = (quantile: number): string => {
  const suffix = suffixes[Math.floor(quantile * 100) % 10] ?? "th"
  return `${Number((quantile * 100).toFixed(2))}${suffix}`
}

const units: ReadonlyArray<readonly [Intl.RelativeTimeFormatUnit, number]> = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000]
]
const relative = new Intl.RelativeTimeFormat("en", { numeric: "always" })

/** Formats the time since `at`: `3 minutes ago`. Both times are Unix milliseconds. */
export const ago = (at: number, now: number): string => {
  const elapsed = Math.max(0, now - at)
  const [unit, millis] = units.find(([, millis]) => elapsed >= millis) ?? ["second", 1000]
  return relative.format(-Math.floor(elapsed / millis), unit)
}

/** Formats a size in bytes: `1.2 kB`. */
export const bytes = (size: number): string => {
  if (size < 1000) return `${size} B`
  return size < 1e6 ? `${oneDigit.format(size / 1e3)} kB` : `${oneDigit.format(size / 1e6)} MB`
}

/** Formats a count with its noun: `1 node`, `3 nodes`. */
export const quantity = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? "" : "s"}`

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" })
const exactClock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" })

/** Formats Unix milliseconds in the browser's time zone: `15:04`. */
export const minute = (at: number): string => clock.format(at)

/** Formats Unix milliseconds in the browser's time zone: `15:04:05`. */
export const second = (at: number): string => exactClock.format(at)

/** Formats numbers, durations and times for the pages; durations as on NSQ's pages. */

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 })
const oneDigit = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 })

/** Formats a count: `1,234,567`. */
export const count = (value: number): string => whole.format(value)

/** Formats a rate per second: `12.5`, `1,234`; `–` for null, before the second sample. */
export const rate = (value: number | null): string =>
  value === null ? "–" : value >= 100 ? whole.format(value) : oneDigit.format(value)

/** Formats a rate with its unit: `12.5/s`; `–` for null. */
export const perSecond = (value: number | null): string => value === null ? "–" : `${rate(value)}/s`

/** Three digits are enough for a duration. */
const trimmed = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2).replace(/\.?0+$/, "")

/** Formats nanoseconds as other time spans, and those below a minute as `2.35 s`, `281 ms`, `1.5 µs` or `12 ns`. */
export const nanoseconds = (nanos: number): string => {
  if (nanos >= 6e10) return span(nanos / 1e6)
  if (nanos >= 1e9) return `${trimmed(nanos / 1e9)} s`
  if (nanos >= 1e6) return `${trimmed(nanos / 1e6)} ms`
  if (nanos >= 1e3) return `${trimmed(nanos / 1e3)} µs`
  return `${trimmed(nanos)} ns`
}

/** Formats a latency in nanoseconds; `–` without messages, because 0 would stand for a very fast consumer. */
export const latency = (nanos: number | undefined, messages: number): string =>
  nanos === undefined || messages === 0 ? "–" : nanoseconds(nanos)

/** Formats a quantile as a heading: `p50`, `p99.9`; `max` for 1. */
export const percentile = (quantile: number): string =>
  quantile >= 1 ? "max" : `p${Number((quantile * 100).toFixed(2))}`

const ageUnits = [["d", 86_400_000], ["h", 3_600_000], ["m", 60_000], ["s", 1000]] as const

/** Formats a time span in its two largest units: `3 m 20 s`, `2 h`, `5 d 1 h`. */
export const span = (millis: number): string => {
  let rest = Math.max(0, millis)
  const parts: Array<string> = []
  for (const [unit, size] of ageUnits) {
    const amount = Math.floor(rest / size)
    rest -= amount * size
    if (amount > 0) parts.push(`${amount} ${unit}`)
    else if (parts.length > 0) break
    if (parts.length === 2) break
  }
  return parts.length === 0 ? "0 s" : parts.join(" ")
}

/** Formats the age of the oldest message; `–` if no message waits. */
export const age = (oldest: number | null, now: number): string => oldest === null ? "–" : span(now - oldest)

/** Formats a size in bytes: `1.2 kB`. */
export const bytes = (size: number): string => {
  if (size < 1000) return `${size} B`
  if (size < 1e6) return `${oneDigit.format(size / 1e3)} kB`
  if (size < 1e9) return `${oneDigit.format(size / 1e6)} MB`
  return size < 1e12 ? `${oneDigit.format(size / 1e9)} GB` : `${oneDigit.format(size / 1e12)} TB`
}

/** Formats a part of a whole: `29%`. */
export const percent = (part: number, whole: number): string =>
  whole <= 0 ? "–" : `${Math.floor((part / whole) * 100)}%`

/** Formats a count with its noun: `1 node`, `3 nodes`. */
export const quantity = (value: number, noun: string): string => `${count(value)} ${noun}${value === 1 ? "" : "s"}`

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" })
const exactClock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" })

/** Formats Unix milliseconds in the browser's time zone: `15:04`. */
export const minute = (at: number): string => clock.format(at)

/** Formats Unix milliseconds in the browser's time zone: `15:04:05`. */
export const second = (at: number): string => exactClock.format(at)

const dayAndClock = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit"
})

/** Formats the beginning of something: `15:04`, with the date unless it is today. */
export const beginning = (at: number, now: number): string =>
  new Date(at).toDateString() === new Date(now).toDateString() ? clock.format(at) : dayAndClock.format(at)

/** Formats the time of an event: `15:04:05`, and the date and the minute unless it is today. */
export const exact = (at: number, now: number): string =>
  new Date(at).toDateString() === new Date(now).toDateString() ? exactClock.format(at) : dayAndClock.format(at)

/** Formats the time since the beginning of something: `15:04, for 3 m 20 s`. */
export const since = (at: number, now: number): string => `${beginning(at, now)}, for ${span(now - at)}`

const dayOnly = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" })

/** Formats a time for the axis of a chart of `span` milliseconds: the clock, or the date at midnight, or both in a long chart. */
export const tick = (at: number, span: number): string => {
  if (span <= 86_400_000) return clock.format(at)
  return new Date(at).getHours() === 0 && new Date(at).getMinutes() === 0 ? dayOnly.format(at) : clock.format(at)
}

/** Formats a time under the pointer in a chart of `span` milliseconds: seconds in a short one, the date in a long one. */
export const moment = (at: number, span: number): string =>
  span <= 3_600_000 ? exactClock.format(at) : dayAndClock.format(at)

/** Formats a range: `29 Nov, 15:04 to 30 Nov, 16:04`. */
export const range = (from: number, to: number): string => `${dayAndClock.format(from)} to ${dayAndClock.format(to)}`

/** Formats a large count for an axis: `950`, `12k`, `3.5M`. */
export const short = (value: number): string => compact.format(value).replace("K", "k")

const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 })

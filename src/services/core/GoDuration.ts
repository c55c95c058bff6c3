/**
 * Go's string form of a duration, which every NSQ flag, config file and log line uses: `1h30m`, `1.5s`, `250ms`, `0`.
 * Parses like Go's `time.ParseDuration` and formats like Go's `Duration.String`. Supports neither days and weeks nor
 * Effect's own forms ("5 seconds").
 */
import { Data, Duration, Result } from "effect"

const unitNanos = new Map<string, bigint>([
  ["ns", 1n],
  ["us", 1_000n],
  ["\u00b5s", 1_000n], // micro sign
  ["\u03bcs", 1_000n], // Greek letter mu
  ["ms", 1_000_000n],
  ["s", 1_000_000_000n],
  ["m", 60_000_000_000n],
  ["h", 3_600_000_000_000n]
])

/** Go keeps a duration in 64 bits: at most about 292 years. */
const maxNanos = 2n ** 63n - 1n

const part = /^(\d*)(?:(\.)(\d*))?([^\d.]*)/

/** Returns the duration of `nanos` nanoseconds; whole milliseconds are stored as such, which is cheaper to compute with. */
export const fromNanos = (nanos: bigint): Duration.Duration =>
  nanos % 1_000_000n === 0n ? Duration.millis(Number(nanos / 1_000_000n)) : Duration.nanos(nanos)

/** Returns the duration in whole nanoseconds; a fraction of a nanosecond is truncated. */
export const toNanos = (duration: Duration.Duration): bigint => Duration.toNanosUnsafe(duration)

/** The text is not a duration in Go's syntax, or is too long. The message is Go's. */
export class DurationError extends Data.TaggedError("DurationError")<{ readonly message: string }> {}

const refuse = (message: string): Result.Result<never, DurationError> => Result.fail(new DurationError({ message }))

const refuseAll = (text: string) => refuse(`time: invalid duration ${JSON.stringify(text)}`)

/** Parses Go's duration syntax. */
export const parse = (text: string): Result.Result<Duration.Duration, DurationError> => {
  const negative = text.startsWith("-")
  let rest = negative || text.startsWith("+") ? text.slice(1) : text
  if (rest === "0") return Result.succeed(Duration.zero)
  if (rest === "") return refuseAll(text)
  let total = 0n
  while (rest !== "") {
    const [whole = "", digits = "", , fraction = "", unit = ""] = part.exec(rest) ?? []
    if (digits === "" && fraction === "") return refuseAll(text)
    if (unit === "") return refuse(`time: missing unit in duration ${JSON.stringify(text)}`)
    const nanos = unitNanos.get(unit)
    if (nanos === undefined) {
      return refuse(`time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`)
    }
    total += BigInt(digits) * nanos + BigInt(fraction) * nanos / 10n ** BigInt(fraction.length)
    if (total > maxNanos + (negative ? 1n : 0n)) return refuseAll(text)
    rest = rest.slice(whole.length)
  }
  return Result.succeed(fromNanos(negative ? -total : total))
}

const decimal = (nanos: bigint, unit: bigint): string => {
  const fraction = (nanos % unit).toString().padStart(unit.toString().length - 1, "0").replace(/0+$/, "")
  return fraction === "" || unit === 1n ? `${nanos / unit}` : `${nanos / unit}.${fraction}`
}

/** Formats a duration as Go does: `1h0m0s`, `1m30s`, `1.5s`, `250ms`, `0s`. */
export const format = (duration: Duration.Duration): string => {
  const signed = toNanos(duration)
  const nanos = signed < 0n ? -signed : signed
  const sign = signed < 0n ? "-" : ""
  if (nanos === 0n) return "0s"
  if (nanos < 1_000n) return `${sign}${nanos}ns`
  if (nanos < 1_000_000n) return `${sign}${decimal(nanos, 1_000n)}\u00b5s`
  if (nanos < 1_000_000_000n) return `${sign}${decimal(nanos, 1_000_000n)}ms`
  const minutes = nanos / 60_000_000_000n
  const seconds = `${decimal(nanos % 60_000_000_000n, 1_000_000_000n)}s`
  if (minutes === 0n) return sign + seconds
  return minutes < 60n ? `${sign}${minutes}m${seconds}` : `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}`
}

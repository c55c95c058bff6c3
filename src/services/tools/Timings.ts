/**
 * Percentiles of the last response times, logged repeatedly (docs/protocol/tools.md#timing-lines): `[aggregate]: finished 250 -
 * 99th: 1.50ms - ...`.
 */
import { Effect } from "effect"
import * as ClientLogger from "./ClientLogger.ts"

/** Response times of the last `every` requests in ms. */
export class Timings {
  private readonly every: number
  private readonly prefix: string
  private readonly times: Array<number> = []
  private position = 0

  /** `every` 0 disables it. */
  constructor(every: number, prefix: string) {
    this.every = every
    this.prefix = prefix
  }

  /** Records a request. Returns the line if `every` others were recorded since the last line. */
  note(millis: number): string | undefined {
    if (this.every <= 0) return undefined
    const isFull = this.position === this.every
    if (isFull) this.position = 0
    this.times[this.position++] = millis
    return isFull ? this.line() : undefined
  }

  private line(): string {
    const sorted = this.times.toSorted((a, b) => a - b)
    const average = sorted.reduce((sum, time) => sum + time, 0) / sorted.length
    const [p99, p95, avg] = [percentile(99, sorted), percentile(95, sorted), average].map((time) => time.toFixed(2))
    return `${this.prefix} finished ${sorted.length} - 99th: ${p99}ms - 95th: ${p95}ms - avg: ${avg}ms`
  }
}

const percentile = (percent: number, sorted: ReadonlyArray<number>): number =>
  sorted[Math.min(Math.ceil(percent / 100 * sorted.length + 0.5), sorted.length - 1)] ?? 0

/** Timing lines of all requests, and of each address if there are several. */
export interface StatusLog {
  readonly note: (index: number, millis: number) => Effect.Effect<void>
  /** Records a request in the aggregate. */
  readonly noteAll: (millis: number) => Effect.Effect<void>
}

const log = (line: string | undefined): Effect.Effect<void> =>
  line === undefined ? Effect.void : ClientLogger.note(line)

/** Creates the log, with a line after every `every` requests; 0 for no lines. */
export const make = Effect.fnUntraced(function*(
  every: number,
  addresses: ReadonlyArray<string>
): Effect.fn.Return<StatusLog> {
  const each = addresses.length === 1 ? [] : addresses.map((address) => new Timings(every, `[${address}]:`))
  const all = new Timings(every, "[aggregate]:")
  const warning = `Warning: use more than 100 status values for accurate percentiles (configured with ${every})`
  if (every > 0 && every < 100) yield* Effect.forEach([...each, all], () => ClientLogger.note(warning))
  return {
    note: (index, millis) => log(each[index]?.note(millis)),
    noteAll: (millis) => log(all.note(millis))
  }
})

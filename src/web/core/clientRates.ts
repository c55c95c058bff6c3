/** Rates of clients, which nsqd reports as counters only, over the last seconds. Pure. */

/** A connection to an nsqd. */
export interface Connected {
  /** `host:port` of the nsqd's HTTP API. */
  readonly node: string
  readonly remote_address: string
}

/** Identifies a connection. */
export const keyOf = ({ node, remote_address }: Connected): string => `${node} ${remote_address}`

interface Seen<A> {
  readonly clients: ReadonlyMap<string, A>
  /** Milliseconds of a clock that never goes back. */
  readonly at: number
}

/** Messages come in bursts: a rate is over this time, or as near to it as the responses allow, in milliseconds. */
const period = 5000
/** A rate over less time would be chance. */
const shortestPeriod = 1000
/** Responses that follow each other sooner are not kept. */
const keptApart = 500

/** The responses of the last seconds, and the rates between them. */
export class ClientRates<A extends Connected> {
  /** Oldest first. The first one is the newest that is old enough, or the oldest one that is known. */
  private past: ReadonlyArray<Seen<A>> = []
  private current: Seen<A> | undefined

  /** Adds a response. */
  add(clients: ReadonlyArray<A>, at: number): void {
    const { current, past } = this
    const keptSince = (past.at(-1)?.at ?? -Infinity) + keptApart
    const all = current !== undefined && current.at >= keptSince ? [...past, current] : past
    const first = all.findLastIndex((seen) => at - seen.at >= period)
    this.past = all.slice(Math.max(0, first))
    this.current = { clients: new Map(clients.map((client) => [keyOf(client), client])), at }
  }

  /** Returns the rate of a counter of a client per second; null until responses about it are a second apart. */
  rateOf(key: string, count: (client: A) => number): number | null {
    const { current, past: [base] } = this
    const [before, now] = [base?.clients.get(key), current?.clients.get(key)]
    if (base === undefined || current === undefined || before === undefined || now === undefined) return null
    const millis = current.at - base.at
    return millis < shortestPeriod ? null : (Math.max(0, count(now) - count(before)) * 1000) / millis
  }
}

/**
 * How many messages each connection of a consumer may have in flight (section 5 of the client notes). Pure.
 */

/** A connection as far as shares are concerned. */
export interface Shareable {
  /** What it was last told. */
  readonly ready: number
  /** What the server allows at most. */
  readonly maxReady: number
}

/** The share of each of `connections` connections; their sum may exceed `maxInFlight` only where there are more of them. */
export const share = (maxInFlight: number, connections: number): number =>
  maxInFlight === 0 || connections === 0
    ? 0
    : Math.min(Math.max(1, Math.floor(maxInFlight / connections)), maxInFlight)

/**
 * The ready count of every connection, in their order. With more connections than messages may be in flight, those that have
 * something keep it, and `chosen` gives the rest to others, by index; all else is 0.
 */
export const shares = (
  connections: ReadonlyArray<Shareable>,
  maxInFlight: number,
  chosen: (candidates: ReadonlyArray<number>, count: number) => ReadonlyArray<number>
): ReadonlyArray<number> => {
  if (connections.length <= maxInFlight) {
    const each = share(maxInFlight, connections.length)
    return connections.map(({ maxReady }) => Math.min(each, maxReady))
  }
  const keep = connections.flatMap(({ ready }, index) => ready > 0 ? [index] : []).slice(0, maxInFlight)
  const idle = connections.flatMap((_, index) => keep.includes(index) ? [] : [index])
  const ready = new Set([...keep, ...chosen(idle, maxInFlight - keep.length)])
  return connections.map((_, index) => ready.has(index) ? 1 : 0)
}

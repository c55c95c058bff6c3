/**
 * The RDY count of each connection of a consumer (docs/protocol/library.md#rdy). Pure.
 */

/** The state of a connection that its share depends on. */
export interface Shareable {
  /** The RDY count sent last. */
  readonly ready: number
  /** The server's `max_rdy_count`. */
  readonly maxReady: number
}

/** Returns the share of each connection. The sum exceeds `maxInFlight` only with more connections than `maxInFlight`. */
export const share = (maxInFlight: number, connections: number): number =>
  maxInFlight === 0 || connections === 0
    ? 0
    : Math.min(Math.max(1, Math.floor(maxInFlight / connections)), maxInFlight)

/**
 * Returns the RDY count of every connection, in order. With more connections than `maxInFlight`, those with a count above 0
 * keep 1, `chosen` selects others for the rest by index, and all others have 0.
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

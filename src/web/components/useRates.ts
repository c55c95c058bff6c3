/** Rates of clients, which nsqd reports as counters only. */
import { useRef } from "react"

/** A connection to an nsqd. */
interface Connected {
  /** `host:port` of the nsqd's HTTP API. */
  readonly node: string
  readonly remote_address: string
}

interface Seen<A> {
  readonly clients: ReadonlyArray<A>
  /** Milliseconds of a clock that never goes back. */
  readonly at: number
}

/** Identifies a connection. */
export const keyOf = ({ node, remote_address }: Connected): string => `${node} ${remote_address}`

const indexed = <A extends Connected>(clients: ReadonlyArray<A>): ReadonlyMap<string, A> =>
  new Map(clients.map((client) => [keyOf(client), client]))

/**
 * Returns a function that computes the rate of a counter per second from the last two responses, by the node and the address of the
 * client; null before the second response.
 */
export const useRates = <A extends Connected>(clients: ReadonlyArray<A>) => {
  const now = useRef<Seen<A>>({ clients, at: performance.now() })
  const before = useRef<Seen<A>>(undefined)
  if (now.current.clients !== clients) {
    before.current = now.current
    now.current = { clients, at: performance.now() }
  }
  const last = now.current
  const previous = before.current
  const [current, former] = [indexed(last.clients), indexed(previous?.clients ?? [])]
  return (key: string, count: (client: A) => number): number | null => {
    const [a, b] = [former.get(key), current.get(key)]
    if (previous === undefined || a === undefined || b === undefined) return null
    const seconds = (last.at - previous.at) / 1000
    return seconds <= 0 ? null : Math.max(0, count(b) - count(a)) / seconds
  }
}

/** Rates of clients, which nsqd reports as counters only. */
import { useRef } from "react"
import type { ClientStats } from "../../protocol/http/admin/AdminStats.ts"

interface Seen {
  readonly clients: ReadonlyArray<ClientStats>
  /** Milliseconds of a clock that never goes back. */
  readonly at: number
}

const indexed = (clients: ReadonlyArray<ClientStats>): ReadonlyMap<string, ClientStats> =>
  new Map(clients.map((client) => [`${client.node} ${client.remote_address}`, client]))

/**
 * Returns a function that computes the rate of a counter per second from the last two responses, by the node and the address of the
 * client; null before the second response.
 */
export const useRates = (clients: ReadonlyArray<ClientStats>) => {
  const now = useRef<Seen>({ clients, at: performance.now() })
  const before = useRef<Seen>(undefined)
  if (now.current.clients !== clients) {
    before.current = now.current
    now.current = { clients, at: performance.now() }
  }
  const last = now.current
  const previous = before.current
  const [current, former] = [indexed(last.clients), indexed(previous?.clients ?? [])]
  return (key: string, count: (client: ClientStats) => number): number | null => {
    const [a, b] = [former.get(key), current.get(key)]
    if (previous === undefined || a === undefined || b === undefined) return null
    const seconds = (last.at - previous.at) / 1000
    return seconds <= 0 ? null : Math.max(0, count(b) - count(a)) / seconds
  }
}

/** Rates of the clients of a query that is repeated. */
import { useRef, useState } from "react"
import { ClientRates, type Connected } from "../core/clientRates.ts"

/**
 * Returns a function that computes the rate of a counter per second from the responses of the last seconds, by the node and the address
 * of the client; null while they are too few.
 */
export const useRates = <A extends Connected>(clients: ReadonlyArray<A>) => {
  const [rates] = useState(() => new ClientRates<A>())
  const last = useRef<ReadonlyArray<A>>(undefined)
  if (last.current !== clients) rates.add(clients, performance.now())
  last.current = clients
  return (key: string, count: (client: A) => number): number | null => rates.rateOf(key, count)
}

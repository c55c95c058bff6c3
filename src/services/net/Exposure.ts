/**
 * The warning at start of a daemon that every host on the network can use: with NSQ's defaults a daemon listens on all addresses
 * and requires no credentials.
 */
import { Effect } from "effect"
import { splitAddress } from "./Transport.ts"

/** A listener in the warning. */
export interface Exposed {
  /** `TCP`, `HTTP`. */
  readonly name: string
  /** As bound: `host:port`, or the path of a unix socket. */
  readonly address: string
}

const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || /^(::ffff:)?127\./.test(host)

/** Whether other machines can reach the address. */
export const isOpen = (address: string): boolean => {
  const split = splitAddress(address)
  return split !== undefined && !isLoopback(split.host)
}

/** Logs one warning that lists the listeners without authentication that other machines can reach, if there are any. */
export const warn = (unauthenticated: ReadonlyArray<Exposed>): Effect.Effect<void> => {
  const open = unauthenticated.filter(({ address }) => isOpen(address))
  if (open.length === 0) return Effect.void
  const listed = open.map(({ address, name }) => `${address} (${name})`).join(", ")
  return Effect.logWarning(
    `no authentication on ${listed}: every machine that reaches it has full access; ` +
      "listen on 127.0.0.1, or see docs/security.md"
  )
}

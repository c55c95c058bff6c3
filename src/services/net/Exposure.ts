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

/** Warns of an address without a port: it is a unix socket, but perhaps not meant to be one. */
const warnOfMissingPorts = (listeners: ReadonlyArray<Exposed>): Effect.Effect<void> =>
  Effect.forEach(
    listeners.filter(({ address }) => splitAddress(address) === undefined && !address.includes("/")),
    ({ address, name }) =>
      Effect.logWarning(
        `${address} (${name}) has no port, so it is a unix socket in the working directory; ` +
          `write ./${address} for a socket, <addr>:<port> for a port`
      ),
    { discard: true }
  )

/**
 * Logs one warning that lists the listeners without authentication that other machines can reach, if there are any, and one for each
 * address that is a unix socket although it does not look like a path.
 */
export const warn = Effect.fnUntraced(function*(unauthenticated: ReadonlyArray<Exposed>) {
  yield* warnOfMissingPorts(unauthenticated)
  const open = unauthenticated.filter(({ address }) => isOpen(address))
  if (open.length === 0) return
  const listed = open.map(({ address, name }) => `${address} (${name})`).join(", ")
  yield* Effect.logWarning(
    `no authentication on ${listed}: every machine that reaches it has full access; ` +
      "listen on 127.0.0.1, or see docs/security.md"
  )
})

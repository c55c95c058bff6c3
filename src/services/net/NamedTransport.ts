/** A transport for connections to addresses that daemons announce: see `DaemonNetworks`. */
import { Effect } from "effect"
import type { DaemonNetworks, Origin } from "./DaemonNetworks.ts"
import { connectFailure } from "./NetError.ts"
import type { Transport } from "./Transport.ts"

/** Returns `transport`, restricted to connections that `networks` allow; `originOf` returns the origin of an address. */
export const make = (
  transport: Transport["Service"],
  networks: DaemonNetworks,
  originOf: (address: string) => Origin
): Transport["Service"] => ({
  ...transport,
  connect: (address) =>
    networks.resolve(address, originOf(address)).pipe(
      Effect.mapError(({ message }) => connectFailure(address, message)),
      Effect.flatMap((allowed) => Effect.firstSuccessOf(allowed.map(transport.connect)))
    )
})

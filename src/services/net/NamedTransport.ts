/** The network as seen by those who connect to addresses that daemons name: see `DaemonNetworks`. */
import { Effect } from "effect"
import type { DaemonNetworks, Origin } from "./DaemonNetworks.ts"
import { ConnectError, type Transport } from "./Transport.ts"

/** `transport`, which connects only to what `networks` allow; `originOf` says who has named an address. */
export const make = (
  transport: Transport["Service"],
  networks: DaemonNetworks,
  originOf: (address: string) => Origin
): Transport["Service"] => ({
  ...transport,
  connect: (address) =>
    networks.resolve(address, originOf(address)).pipe(
      Effect.mapError(({ reason }) => new ConnectError({ address, reason })),
      Effect.flatMap((allowed) => Effect.firstSuccessOf(allowed.map(transport.connect)))
    )
})

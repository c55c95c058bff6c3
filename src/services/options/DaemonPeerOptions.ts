/** The options of every program that follows addresses which daemons name, and reads what these say. */
import * as Kind from "./OptionKind.ts"
import { row } from "./OptionTable.ts"

const none = (): ReadonlyArray<string> => []

export const allowedDaemonNetworks = row(
  "allowed-daemon-networks",
  Kind.strings,
  none,
  "networks, as CIDR, of addresses that daemons may name (may be given several times); by default all but link-local, multicast " +
    "and unspecified ones, and loopback unless the daemon that names it is on loopback itself"
)

export const maxDaemonResponseSize = row(
  "max-daemon-response-size",
  Kind.int,
  () => 64 * 1024 * 1024,
  "most bytes of a daemon's response; 0 for no limit"
)

/** The options of every program that connects to addresses given by daemons and reads their responses. */
import * as Row from "./OptionRow.ts"

/** `--allowed-daemon-networks`; empty by default, which is the default rule of `DaemonNetworks`. */
export const allowedDaemonNetworks = Row.strings(
  "allowed-daemon-networks",
  "networks, as CIDR, of addresses that daemons may announce; by default all except link-local, multicast, unspecified and " +
    "loopback addresses; loopback is allowed from daemons that are on loopback themselves"
)

/** `--max-daemon-response-size` in bytes; default 64 MiB, 0 for no limit. */
export const maxDaemonResponseSize = Row.limit(
  "max-daemon-response-size",
  64 * 1024 * 1024,
  "maximum size of a daemon's response in bytes"
)

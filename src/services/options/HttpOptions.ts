/** The options of the HTTP listeners of all daemons. */
import * as Kind from "./OptionKind.ts"
import { row } from "./OptionTable.ts"

const none = (): ReadonlyArray<string> => []

/** `--max-http-connections`; default 10000, 0 for no limit. */
export const maxHttpConnections = row(
  "max-http-connections",
  Kind.int,
  () => 10_000,
  "maximum number of HTTP connections; 0 for no limit"
)

/** `--http-allowed-host`; empty by default. */
export const httpAllowedHosts = row(
  "http-allowed-host",
  Kind.strings,
  none,
  "host name that web browsers may use besides IP addresses, private names and the daemon's own; * for all (may be given several times)",
  { key: "http_allowed_hosts" }
)

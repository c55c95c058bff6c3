/** The options of the HTTP listeners of all daemons. */
import * as Row from "./OptionRow.ts"

/** `--max-http-connections`; default 10000, 0 for no limit. */
export const maxHttpConnections = Row.limit(
  "max-http-connections",
  10_000,
  "maximum number of HTTP connections"
)

/** `--http-allowed-host`; empty by default. */
export const httpAllowedHosts = Row.strings(
  "http-allowed-host",
  "host name that web browsers may use besides IP addresses, private names and the daemon's own; * for all",
  { key: "http_allowed_hosts" }
)

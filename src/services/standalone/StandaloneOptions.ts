/**
 * The command line of `standalone`: addresses and the data directory; everything else has NSQ's defaults. As it is for
 * development, the default addresses are on loopback.
 */
import { Struct } from "effect"
import * as HttpOptions from "../options/HttpOptions.ts"
import * as Kind from "../options/OptionKind.ts"
import { initialValue, type OptionTable, row } from "../options/OptionTable.ts"

/** Options of the program `standalone`. */
export interface StandaloneOptions {
  /** Data directory of nsqd; created if it does not exist. */
  readonly dataPath: string
  readonly tcpAddress: string
  readonly httpAddress: string
  readonly lookupdTcpAddress: string
  readonly lookupdHttpAddress: string
  readonly adminHttpAddress: string
  /** Host names that browsers may use, for all three daemons. */
  readonly httpAllowedHosts: ReadonlyArray<string>
  readonly logLevel: Kind.NsqLogLevel
}

const level = (): Kind.NsqLogLevel => "warn"

/** The options of `standalone`: flag, kind, default, help. */
export const table: OptionTable<StandaloneOptions> = {
  dataPath: row("data-path", Kind.string, () => "data", "directory of nsqd's messages and metadata"),
  tcpAddress: row("tcp-address", Kind.string, () => "127.0.0.1:4150", "address for clients of nsqd"),
  httpAddress: row("http-address", Kind.string, () => "127.0.0.1:4151", "address of nsqd's HTTP API"),
  lookupdTcpAddress: row("lookupd-tcp-address", Kind.string, () => "127.0.0.1:4160", "address of nsqlookupd for nsqd"),
  lookupdHttpAddress: row(
    "lookupd-http-address",
    Kind.string,
    () => "127.0.0.1:4161",
    "address of nsqlookupd's HTTP API"
  ),
  adminHttpAddress: row("admin-http-address", Kind.string, () => "127.0.0.1:4171", "address of nsqadmin's pages"),
  httpAllowedHosts: HttpOptions.httpAllowedHosts,
  logLevel: row("log-level", Kind.logLevel, level, "least severe level to log: debug, info, warn, error or fatal")
}

/** Returns the defaults. */
export const defaults = (): StandaloneOptions => Struct.map(initialValue)(table)

/**
 * The options of the program `standalone`: addresses, the data directory and logs; everything else has NSQ's defaults. As it is
 * for development, the default addresses are on loopback, and topics are durable. The parts that all daemons share are in `options/DaemonOptions.ts`.
 */
import type { Context } from "effect"
import { join } from "node:path"
import type { NsqadminOptions } from "../nsqadmin/NsqadminOptions.ts"
import type { NsqdOptions } from "../nsqd/options/NsqdOptions.ts"
import type { NsqlookupdOptions } from "../nsqlookupd/NsqlookupdOptions.ts"
import * as DaemonOptions from "../options/DaemonOptions.ts"
import * as HttpOptions from "../options/HttpOptions.ts"
import * as LogOptions from "../options/LogOptions.ts"
import * as Row from "../options/OptionRow.ts"
import * as OptionTable from "../options/OptionTable.ts"

/** Flag, kind, default and help text of every option. */
export const table = {
  ...LogOptions.rows("standalone", "warn"),
  /** Data directory of nsqd, with nsqadmin's history in `nsqadmin`; created if it does not exist. */
  dataPath: Row.string("data-path", "data", "directory of nsqd's messages and metadata, and of nsqadmin's history"),
  /** What an `OK` of nsqd means. Unlike nsqd's, the default keeps every acknowledged message if the process is killed. */
  durability: Row.oneOf(
    "durability",
    ["memory", "written", "synced"],
    "written",
    "what an OK for a published message means: memory (as in NSQ), written (in the log, survives a kill) or synced (survives a loss of power)"
  ),
  tcpAddress: Row.string("tcp-address", "127.0.0.1:4150", "address for clients of nsqd"),
  httpAddress: Row.string("http-address", "127.0.0.1:4151", "address of nsqd's HTTP API"),
  lookupdTcpAddress: Row.string("lookupd-tcp-address", "127.0.0.1:4160", "address of nsqlookupd for nsqd"),
  lookupdHttpAddress: Row.string("lookupd-http-address", "127.0.0.1:4161", "address of nsqlookupd's HTTP API"),
  adminHttpAddress: Row.string("admin-http-address", "127.0.0.1:4171", "address of nsqadmin's pages"),
  /** Host names that browsers may use, for all three daemons. */
  httpAllowedHosts: HttpOptions.httpAllowedHosts
}

/** The options of `standalone`. The defaults are in `table`. */
export interface StandaloneOptions extends LogOptions.LogOptions, OptionTable.OptionsOf<typeof table> {}

/** The defaults. */
export const defaults = (): StandaloneOptions => OptionTable.defaults(table)

const made = DaemonOptions.make<StandaloneOptions>({ program: "standalone", table, defaults, former: [] })

/** The options of the running program. */
export const StandaloneOptions: Context.Reference<StandaloneOptions> = made.reference

/** The defaults with the given changes. */
export const layer = made.layer

/** The name of the program, its usage text, and its options by command line, environment and config file. */
export const { fromCommandLine, program, usage } = made

/**
 * Options of the three daemons; the rest has NSQ's defaults.
 *
 * @since 0.2.0
 * @category models
 */
export interface DaemonsOptions {
  readonly nsqd: DaemonOptions.Changes<NsqdOptions>
  readonly nsqlookupd: DaemonOptions.Changes<NsqlookupdOptions>
  readonly nsqadmin: DaemonOptions.Changes<NsqadminOptions>
}

/** Returns the options of the three daemons. Each daemon checks its own. */
export const daemons = (options: StandaloneOptions): DaemonsOptions => {
  const { adminHttpAddress, dataPath, durability, httpAddress, httpAllowedHosts, tcpAddress } = options
  return {
    nsqd: { dataPath, durability, tcpAddress, httpAddress, httpAllowedHosts },
    nsqlookupd: {
      tcpAddress: options.lookupdTcpAddress,
      httpAddress: options.lookupdHttpAddress,
      httpAllowedHosts
    },
    nsqadmin: { httpAddress: adminHttpAddress, httpAllowedHosts, historyDir: join(dataPath, "nsqadmin") }
  }
}

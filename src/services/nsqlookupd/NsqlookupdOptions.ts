/**
 * nsqlookupd's options: the table, the command line, the check and the Layer. The parts that all daemons share are in
 * `options/DaemonOptions.ts`.
 */
import type { Context } from "effect"
import * as DaemonOptions from "../options/DaemonOptions.ts"
import * as OptionReads from "../options/OptionReads.ts"
import * as OptionTable from "../options/OptionTable.ts"
import * as Table from "./NsqlookupdTable.ts"

export { check } from "./NsqlookupdOptionsCheck.ts"
export { table } from "./NsqlookupdTable.ts"

/** The options of an nsqlookupd. The defaults are in `table`. */
export type NsqlookupdOptions = Table.NsqlookupdOptions

/**
 * Changes of the options, in which a duration may be any of Effect's inputs, such as `"5 seconds"`.
 *
 * @since 0.2.0
 * @category models
 */
export type Changes = DaemonOptions.Changes<NsqlookupdOptions>

/** NSQ's defaults. */
export const defaults = (): NsqlookupdOptions => OptionTable.defaults(Table.table)

const made = DaemonOptions.make<NsqlookupdOptions>({
  program: "nsqlookupd",
  table: Table.table,
  defaults,
  former: [{ name: "verbose", use: "log-level" }]
})

/** The options that services read. Default: NSQ's defaults. */
export const NsqlookupdOptions: Context.Reference<NsqlookupdOptions> = made.reference

/** NSQ's defaults with the given changes. */
export const layer = made.layer

/** The name of the program, its usage text, and its options by command line, environment and config file. */
export const { fromCommandLine, program, usage } = made

/** The options of the log. */
export const ofLog = ["logLevel", "logPrefix", "logFormat"] as const

/** The options of the HTTP listener. */
export const ofHttp = ["httpAddress", "httpAllowedHosts", "maxHttpConnections"] as const

/** The options of the registrations. */
export const ofRegistrations = [
  "inactiveProducerTimeout",
  "tombstoneLifetime",
  "maxRegistrationsPerProducer",
  "maxRegistrations",
  "maxUnusedNames",
  "unusedNameLifetime"
] as const

/** Which options the pieces of an nsqlookupd read. */
export const reads = OptionReads.make<NsqlookupdOptions>({
  program: "nsqlookupd",
  table: Table.table,
  defaults,
  reference: made.reference,
  optional: [...ofLog, ...ofHttp, ...ofRegistrations, "tcpAddress"]
})

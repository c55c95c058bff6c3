/**
 * nsqadmin's options: the table, the command line, the check and the Layer. The parts that all daemons share are in
 * `options/DaemonOptions.ts`.
 */
import type { Context } from "effect"
import * as DaemonOptions from "../options/DaemonOptions.ts"
import * as OptionReads from "../options/OptionReads.ts"
import * as OptionTable from "../options/OptionTable.ts"
import * as Table from "./NsqadminTable.ts"

export { check, type CheckedOptions } from "./NsqadminOptionsCheck.ts"
export { table } from "./NsqadminTable.ts"

/** The options of an nsqadmin. The defaults are in `table`. */
export type NsqadminOptions = Table.NsqadminOptions

/**
 * Changes of the options, in which a duration may be any of Effect's inputs, such as `"5 seconds"`.
 *
 * @since 0.2.0
 * @category models
 */
export type Changes = DaemonOptions.Changes<NsqadminOptions>

/** NSQ's defaults. */
export const defaults = (): NsqadminOptions => OptionTable.defaults(Table.table)

const made = DaemonOptions.make<NsqadminOptions>({
  program: "nsqadmin",
  table: Table.table,
  defaults,
  former: [{ name: "verbose", use: "log-level" }]
})

/** The options that services read. Default: NSQ's defaults. */
export const NsqadminOptions: Context.Reference<NsqadminOptions> = made.reference

/** NSQ's defaults with the given changes. */
export const layer = made.layer

/** The name of the program, its usage text, and its options by command line, environment and config file. */
export const { fromCommandLine, program, usage } = made

/** The options of the log. */
export const ofLog = ["logLevel", "logPrefix", "logFormat"] as const

/** The options of the access control. */
export const ofAccess = ["adminUsers", "aclHttpHeader"] as const

/** The options of notifications. */
export const ofNotifications = ["notificationHttpEndpoint"] as const

/** Which options the pieces of an nsqadmin read. */
export const reads = OptionReads.make<NsqadminOptions>({
  program: "nsqadmin",
  table: Table.table,
  defaults,
  reference: made.reference,
  optional: [...ofLog, ...ofAccess, ...ofNotifications]
})

/**
 * nsqd's options: the table, the command line, the check and the Layer. The parts that all daemons share are in
 * `options/DaemonOptions.ts`.
 */
import type { Context } from "effect"
import * as DaemonOptions from "../../options/DaemonOptions.ts"
import type { ConfigValue } from "../../options/OptionKind.ts"
import * as OptionTable from "../../options/OptionTable.ts"
import * as Table from "./NsqdTable.ts"

export type { Settings } from "../../options/DaemonOptions.ts"
export type { LogOptions } from "../../options/LogOptions.ts"
export { check, type CheckedOptions, isPlainHttpRefused, isTlsRequired } from "./NsqdOptionsCheck.ts"
export { table } from "./NsqdTable.ts"

/**
 * The options of an nsqd. The defaults are in `table`.
 *
 * @since 0.1.0
 * @category models
 */
export type NsqdOptions = Table.NsqdOptions

/**
 * Changes of the options, in which a duration may be any of Effect's inputs, such as `"5 seconds"`.
 *
 * @since 0.2.0
 * @category models
 */
export type Changes = DaemonOptions.Changes<NsqdOptions>

/**
 * NSQ's defaults.
 *
 * @since 0.1.0
 * @category operations
 */
export const defaults = (): NsqdOptions => OptionTable.defaults(Table.table)

/** NSQ options that are accepted but have no effect, each with the reason. */
const withoutMeaning: ReadonlyArray<{ readonly field: keyof NsqdOptions; readonly why: string }> = [
  { field: "queueScanWorkerPoolMax", why: "timeouts are driven by timers, not by scan workers" },
  { field: "queueScanSelectionCount", why: "the timeouts of all channels are tracked, not those of a selection" }
]

const experiments = ["topology-aware-consumption"]

const warnings = (given: Partial<NsqdOptions>): ReadonlyArray<string> => [
  ...withoutMeaning
    .filter(({ field }) => given[field] !== undefined)
    .map(({ field, why }) => `--${Table.table[field].flag} has no effect: ${why}`),
  ...(given.enableExperiment ?? [])
    .filter((name) => !experiments.includes(name))
    .map((name) => `--enable-experiment=${name} has no effect: unknown experiment`)
]

const made = DaemonOptions.make<NsqdOptions>({
  program: "nsqd",
  table: Table.table,
  defaults,
  former: [{ name: "verbose", use: "log-level" }, { name: "worker-id", use: "node-id" }],
  warnings
})

/** The options that services read. Default: NSQ's defaults, so that an embedded broker needs no configuration. */
export const NsqdOptions: Context.Reference<NsqdOptions> = made.reference

/**
 * NSQ's defaults with the given changes.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = made.layer

/**
 * The name of the program, its usage text, and its options by command line, environment and config file.
 *
 * @since 0.2.0
 * @category operations
 */
export const { fromCommandLine, program, usage } = made

/**
 * The `GET /config/:opt` value of a config key; `undefined` for an unknown key.
 *
 * @since 0.1.0
 * @category operations
 */
export const renderConfigValue = (options: NsqdOptions, key: string): ConfigValue | undefined =>
  OptionTable.render(Table.table, options, key)

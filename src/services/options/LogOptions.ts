/** The options of every daemon's log. */
import * as Kind from "./OptionKind.ts"
import * as Row from "./OptionRow.ts"
import type { OptionTable } from "./OptionTable.ts"

/** The forms of log lines. */
export type LogFormat = "nsq" | "json"

/**
 * The options of a daemon's log.
 *
 * @since 0.2.0
 * @category models
 */
export interface LogOptions {
  /** The least severe level that is logged. nsqd and nsqadmin can change it while they run. Default: `info`. */
  readonly logLevel: Kind.NsqLogLevel
  /** The start of every log line, also in JSON. FATAL lines always have the default. Default: `[nsqd] `, the name of the program. */
  readonly logPrefix: string
  /** NSQ's form, or one JSON object per line. Default: `nsq`. */
  readonly logFormat: LogFormat
}

/** The form of log lines, an option of daemons and tools. */
export const formatRow = Row.oneOf<LogFormat>(
  "log-format",
  ["nsq", "json"],
  "nsq",
  "form of log lines: nsq, or json for one JSON object per line"
)

/** Returns the rows for a program, whose name is the default prefix. Default of `level`: `info`, as in NSQ. */
export const rows = (program: string, level: Kind.NsqLogLevel = "info"): OptionTable<LogOptions> => ({
  logLevel: Row.row(
    "log-level",
    Kind.logLevel,
    () => level,
    "least severe level to log: debug, info, warn, error or fatal"
  ),
  logPrefix: Row.string("log-prefix", `[${program}] `, "start of every log line"),
  logFormat: formatRow
})

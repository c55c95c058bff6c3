/**
 * The least severe level that is logged; can be changed while the daemon runs (`PUT /config/log_level`). Code whose log line is
 * expensive to build calls `allows` first; all other code just logs.
 */
import { Context } from "effect"
import { logLevels, type NsqLogLevel } from "../options/OptionKind.ts"

/** The current threshold. */
export interface LogThreshold {
  readonly level: () => NsqLogLevel
  readonly set: (level: NsqLogLevel) => void
  /** Whether lines of this level are currently written. */
  readonly allows: (level: NsqLogLevel) => boolean
}

/** Returns a new threshold. */
export const make = (initial: NsqLogLevel): LogThreshold => {
  let current = initial
  let lowest = logLevels.indexOf(initial)
  return {
    level: () => current,
    set: (level) => {
      current = level
      lowest = logLevels.indexOf(level)
    },
    allows: (level) => logLevels.indexOf(level) >= lowest
  }
}

const unused = make("info")

/** The threshold of the logger. Default: a threshold at `info` without effect, for programs that do not use NsqLogger. */
export const LogThreshold: Context.Reference<LogThreshold> = Context.Reference("effect-nsq/logging/LogThreshold", {
  defaultValue: () => unused
})

/** Whether NsqLogger uses the threshold, and with it the options of the log. */
export const isUsed = (threshold: LogThreshold): boolean => threshold !== unused

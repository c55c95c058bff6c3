/**
 * How severe a log line must be to be written, changeable while the daemon runs (`PUT /config/log_level`). Code whose
 * log line is costly to build asks `allows` first; everyone else just logs.
 */
import { Context } from "effect"
import { logLevels, type NsqLogLevel } from "../options/OptionKind.ts"

/** The current threshold. */
export interface LogThreshold {
  readonly level: () => NsqLogLevel
  readonly set: (level: NsqLogLevel) => void
  /** Whether lines of this level are written at the moment. */
  readonly allows: (level: NsqLogLevel) => boolean
}

/** A threshold of its own. */
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

/** The threshold that the logger obeys; a program without our logger gets one that nothing depends on. */
export const LogThreshold: Context.Reference<LogThreshold> = Context.Reference("effect-nsq/logging/LogThreshold", {
  defaultValue: () => make("info")
})

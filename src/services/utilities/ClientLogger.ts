/**
 * Log lines of the utilities, in the form that NSQ's client library gives them: `2026/01/31 23:59:59 INF (address) text`, on
 * standard error.
 */
import { Cause, Effect, type Layer, Logger, References } from "effect"
import { Clock } from "effect/Clock"
import type { LogLevel } from "effect/LogLevel"
import { formatTime } from "../logging/NsqLogger.ts"
import * as StandardError from "../logging/StandardError.ts"

const words: { readonly [L in LogLevel]: string } = {
  All: "DBG",
  Trace: "DBG",
  Debug: "DBG",
  Info: "INF",
  Warn: "WRN",
  Error: "ERR",
  Fatal: "ERR",
  None: "DBG"
}

/** Marks lines of the utility itself, which have no level. */
const plain = "effect-nsq/utilities/plain"

/** A line as Go's `log` package writes it. */
export const note = (text: string): Effect.Effect<void> => Effect.annotateLogs(Effect.logInfo(text), plain, true)

export const layer: Layer.Layer<never> = Logger.layer([
  Logger.make(({ cause, fiber, logLevel, message }) => {
    const time = formatTime(fiber.getRef(Clock).currentTimeNanosUnsafe()).slice(0, "YYYY/MM/DD HH:MM:SS".length)
    const parts = Array.isArray(message) ? message : [message]
    const trace = cause.reasons.length === 0 ? "" : ` - ${Cause.pretty(cause)}`
    const isPlain = fiber.getRef(References.CurrentLogAnnotations)[plain] === true
    const level = isPlain ? "" : ` ${words[logLevel]}`
    StandardError.writeLine(`${time}${level} ${parts.join(" ")}${trace}`)
  })
])

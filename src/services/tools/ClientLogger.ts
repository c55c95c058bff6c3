/**
 * Log lines of the utilities on standard error, in the form that NSQ's client library gives them:
 * `2026/01/31 23:59:59 INF [topic/channel] (address) text`.
 */
import { Cause, Clock, Effect, type Layer, Logger, type LogLevel, References } from "effect"
import { masked } from "../core/Masked.ts"
import { escapeControls, formatTime } from "../logging/NsqLogger.ts"
import * as StandardError from "../logging/StandardError.ts"

const words: { readonly [L in LogLevel.LogLevel]: string } = {
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

/** What the lines of a consumer are marked with. */
const consumer = "effect-nsq/utilities/consumer"

/** Has the log lines of this effect say which consumer they are of: `[topic/channel]`. */
export const ofConsumer = (topic: string, channel: string) => Effect.annotateLogs(consumer, `${topic}/${channel}`)

/** The line of a log entry. */
export const format: Logger.Logger<unknown, string> = Logger.make(({ cause, fiber, logLevel, message }) => {
  const time = formatTime(fiber.getRef(Clock.Clock).currentTimeNanosUnsafe()).slice(0, "YYYY/MM/DD HH:MM:SS".length)
  const annotations = fiber.getRef(References.CurrentLogAnnotations)
  const of = annotations[consumer]
  const start = annotations[plain] === true
    ? ""
    : of === undefined
    ? ` ${words[logLevel]}`
    : ` ${words[logLevel]} [${String(of)}]`
  const parts = Array.isArray(message) ? message : [message]
  const trace = cause.reasons.length === 0 ? "" : ` - ${Cause.pretty(cause)}`
  const [first = "", ...rest] = trace.split("\n")
  // Peers may have a say in any part, but not in where a line begins.
  return [parts.join(" ") + first, ...rest].map((line) => `${time}${start} ${escapeControls(masked(line))}`).join("\n")
})

export const layer: Layer.Layer<never> = Logger.layer([Logger.map(format, StandardError.writeLine)])

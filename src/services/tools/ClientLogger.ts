/**
 * Log lines of the tools on standard error, in the form of NSQ's client library: `2026/01/31 23:59:59 INF [topic/channel]
 * (address) text`.
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

/** Annotation of the tool's own lines, which have no level. */
const plain = "effect-nsq/utilities/plain"

/** Logs a line in the form of Go's `log` package: the time and the text. */
export const note = (text: string): Effect.Effect<void> => Effect.annotateLogs(Effect.logInfo(text), plain, true)

/** Annotation of a consumer's lines. */
const consumer = "effect-nsq/utilities/consumer"

/** Adds `[topic/channel]` to the log lines of an Effect. */
export const ofConsumer = (topic: string, channel: string) => Effect.annotateLogs(consumer, `${topic}/${channel}`)

/** Formats a log entry. */
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
  // Text from peers may be in any part; it must not forge the start of a line.
  return [parts.join(" ") + first, ...rest].map((line) => `${time}${start} ${escapeControls(masked(line))}`).join("\n")
})

/** Writes log lines to standard error. */
export const layer: Layer.Layer<never> = Logger.layer([Logger.map(format, StandardError.writeLine)])

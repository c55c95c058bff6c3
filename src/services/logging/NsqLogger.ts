/**
 * Formats Effect's log entries as NSQ does (docs/protocol/options.md#logs): prefix, local time with microseconds, level, text.
 * Or, with `format: "json"`, one JSON object per line. Lines can contain input of peers, so control characters are escaped, which
 * prevents forged lines, and credentials of URLs are masked. LogOutput writes the lines. No code may log per message.
 */
import { Cause, Clock, Effect, Formatter, Layer, Logger, type LogLevel, References } from "effect"
import { masked } from "../core/Masked.ts"
import type { NsqLogLevel } from "../options/OptionKind.ts"
import { LogOutput } from "./LogOutput.ts"
import * as Threshold from "./LogThreshold.ts"

/** The log settings of a daemon. */
export interface LogSettings {
  readonly level: NsqLogLevel
  readonly prefix: string
  readonly format: "nsq" | "json"
}

const levels: { readonly [L in LogLevel.LogLevel]: NsqLogLevel } = {
  All: "debug",
  Trace: "debug",
  Debug: "debug",
  Info: "info",
  Warn: "warn",
  Error: "error",
  Fatal: "fatal",
  None: "debug"
}

const levelWords = { debug: "DEBUG", info: "INFO", warn: "WARNING", error: "ERROR", fatal: "FATAL" }

const pad = (value: number, width: number) => String(value).padStart(width, "0")

/** Formats a time as local time in NSQ's form: `2026/01/31 23:59:59.000001`. */
export const formatTime = (epochNanos: bigint): string => {
  const micros = epochNanos / 1_000n
  const date = new Date(Number(micros / 1_000n))
  const day = `${date.getFullYear()}/${pad(date.getMonth() + 1, 2)}/${pad(date.getDate(), 2)}`
  const time = `${pad(date.getHours(), 2)}:${pad(date.getMinutes(), 2)}:${pad(date.getSeconds(), 2)}`
  return `${day} ${time}.${pad(Number(micros % 1_000_000n), 6)}`
}

// oxlint-disable-next-line no-control-regex -- it has to match control characters
const control = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u2028\u2029]/g

/** Escapes control characters other than tabs, such as `\\u000a`, so that input of a peer cannot start a new line. */
export const escapeControls = (text: string): string =>
  text.replace(control, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)

const textOf = (message: unknown): string =>
  (Array.isArray(message) ? message : [message])
    .map((part) => typeof part === "string" ? part : Formatter.format(part))
    .join(" ")

const nsqLines = (prefix: string, { cause, fiber, logLevel, message }: Logger.Options<unknown>): Array<string> => {
  const time = formatTime(fiber.getRef(Clock.Clock).currentTimeNanosUnsafe())
  const head = `${prefix}${time} ${levelWords[levels[logLevel]]}: `
  const text = textOf(message)
  const trace = cause.reasons.length === 0 ? [] : Cause.pretty(cause).split("\n")
  return (text === "" ? trace : [text, ...trace]).map((line) => head + escapeControls(masked(line)))
}

const jsonLine = (prefix: string, { cause, date, fiber, logLevel, message }: Logger.Options<unknown>): string => {
  const annotations = fiber.getRef(References.CurrentLogAnnotations)
  return Formatter.formatJson({
    time: date.toISOString(),
    level: levels[logLevel],
    prefix,
    message: masked(textOf(message)),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    ...(cause.reasons.length === 0 ? {} : { cause: masked(Cause.pretty(cause)) })
  })
}

/** Returns a logger that writes the entries that the threshold allows. */
export const make = (
  { format, prefix }: Pick<LogSettings, "format" | "prefix">,
  threshold: Threshold.LogThreshold,
  output: LogOutput
): Logger.Logger<unknown, void> =>
  Logger.make((entry) => {
    if (entry.logLevel === "None" || !threshold.allows(levels[entry.logLevel])) return
    if (format === "json") output.write(jsonLine(prefix, entry))
    else nsqLines(prefix, entry).forEach(output.write)
  })

/**
 * Replaces Effect's loggers by this one. LogThreshold, which can change at run time, then decides which entries are
 * written; Effect's own minimum level lets all entries pass.
 */
export const layer = (settings: LogSettings): Layer.Layer<never> =>
  Layer.unwrap(Effect.gen(function*() {
    const output = yield* LogOutput
    const threshold = Threshold.make(settings.level)
    return Layer.mergeAll(
      Logger.layer([make(settings, threshold, output)]),
      Layer.succeed(Threshold.LogThreshold, threshold),
      Layer.succeed(References.MinimumLogLevel, "All")
    )
  }))

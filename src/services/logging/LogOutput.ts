/**
 * The sink of formatted log lines: standard error, unless a test or an embedding program provides another one. It takes
 * whole lines and cannot fail; NsqLogger formats the lines.
 */
import { Context } from "effect"
import * as StandardError from "./StandardError.ts"

/** Writes one line, given without its line end, synchronously. */
export interface LogOutput {
  readonly write: (line: string) => void
}

/** The sink of log lines; standard error by default. */
export const LogOutput: Context.Reference<LogOutput> = Context.Reference("effect-nsq/logging/LogOutput", {
  defaultValue: (): LogOutput => ({ write: StandardError.writeLine })
})

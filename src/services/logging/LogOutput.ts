/**
 * Where finished log lines go: standard error, unless a test or an embedding program puts its own sink here. It takes
 * whole lines and cannot fail; what a line says is NsqLogger's business.
 */
import { Context } from "effect"
import * as StandardError from "./StandardError.ts"

/** Takes one line, without its end, synchronously. */
export interface LogOutput {
  readonly write: (line: string) => void
}

/** The sink of log lines; standard error by default. */
export const LogOutput: Context.Reference<LogOutput> = Context.Reference("effect-nsq/logging/LogOutput", {
  defaultValue: (): LogOutput => ({ write: StandardError.writeLine })
})

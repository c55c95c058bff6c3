/**
 * The progress of long work, on standard error if it is a terminal: one line that is drawn again as the work goes on, and erased at
 * the end. The result of the command is on standard output.
 */
import { Effect, type Scope } from "effect"
import process from "node:process"
import * as Time from "../core/Time.ts"

/** How far the work is. */
export interface Progress {
  /** Sets the number of done units, at most the total. */
  readonly set: (done: number) => void
  /** Sets the text at the end of the line. */
  readonly note: (text: string) => void
}

const interval = "200 millis"
const width = 24
const grouped = new Intl.NumberFormat("en-US")
const escape = String.fromCharCode(27)

/** Returns the line: a bar and a percentage with a total above 0, else the number alone. */
export const line = (label: string, done: number, total: number, perSecond: number, note: string): string => {
  const fraction = total > 0 ? Math.min(1, done / total) : 0
  const filled = Math.round(fraction * width)
  const bar = total > 0
    ? `[${"#".repeat(filled)}${" ".repeat(width - filled)}] ${String(Math.floor(fraction * 100)).padStart(3)} %  `
    : ""
  const of = total > 0 ? ` of ${grouped.format(total)}` : ""
  const rate = `  ${grouped.format(Math.round(perSecond))}/s`
  return `${label} ${bar}${grouped.format(Math.round(done))}${of}${rate}${note === "" ? "" : `  ${note}`}`
}

/** Whether progress is shown. */
export const isShown = (): boolean => process.stderr.isTTY

const erased = `\r${escape}[K`

/** Erases the line, so that a result can be printed before the end of the progress. */
export const erase: Effect.Effect<void> = Effect.sync(() => {
  if (isShown()) process.stderr.write(erased)
})

const silent: Progress = { set: () => {}, note: () => {} }

/** Shows progress until the Scope closes. A total of 0 means that it is not known. Does nothing without a terminal. */
export const make = Effect.fnUntraced(function*(
  label: string,
  total: number
): Effect.fn.Return<Progress, never, Scope.Scope> {
  if (!isShown()) return silent
  const { monotonicMillis } = yield* Time.make
  const started = monotonicMillis()
  let done = 0
  let text = ""
  const draw = Effect.sync(() => {
    const seconds = Math.max(0.001, (monotonicMillis() - started) / 1000)
    const shown = line(label, done, total, done / seconds, text)
    process.stderr.write(`${erased}${shown.slice(0, Math.max(1, process.stderr.columns - 1))}`)
  })
  yield* Effect.addFinalizer(() => erase)
  yield* Effect.forkScoped(Effect.forever(Effect.andThen(draw, Effect.sleep(interval))))
  return {
    set: (value) => {
      done = value
    },
    note: (value) => {
      text = value
    }
  }
})

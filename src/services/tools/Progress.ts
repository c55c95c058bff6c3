/**
 * Shows counts and rates on standard error, every second and at the end, if it is a terminal.
 */
import { Clock, Effect, type Scope } from "effect"
import process from "node:process"

/** A progress display. */
export interface Progress {
  /** Adds processed messages and their bytes. */
  readonly add: (messages: number, bytes: number) => void
}

const interval = "1 second"

const megabytes = (bytes: number): string => `${(bytes / 1_000_000).toFixed(1)} MB`

/** Shows progress until the Scope closes. `what` is the participle in the text, for example `published`. */
export const make = Effect.fnUntraced(function*(what: string): Effect.fn.Return<Progress, never, Scope.Scope> {
  if (!process.stderr.isTTY) return { add: () => {} }
  let messages = 0
  let bytes = 0
  let shown = 0
  const started = yield* Clock.currentTimeMillis
  const show = (ending: string) =>
    Effect.map(Clock.currentTimeMillis, (now) => {
      const seconds = Math.max(0.001, (now - started) / 1000)
      process.stderr.write(
        `\r${messages} messages ${what}, ${megabytes(bytes)}, ${Math.round(messages / seconds)} per second  ${ending}`
      )
      shown = messages
    })
  yield* Effect.addFinalizer(() => messages === 0 ? Effect.void : show("\n"))
  yield* Effect.suspend(() => messages === shown ? Effect.void : show("")).pipe(
    Effect.delay(interval),
    Effect.forever,
    Effect.forkScoped
  )
  return {
    add: (count, size) => {
      messages += count
      bytes += size
    }
  }
})

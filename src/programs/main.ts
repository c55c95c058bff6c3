/**
 * The common part of the daemons' programs: exit for an invalid command line as Go programs do, run until a signal or a
 * failure, stop in order, and exit with NSQ's codes. Contains nothing specific to one daemon.
 */
import { Cause, Effect, Exit, Fiber, type Layer, Queue, Result } from "effect"
import process from "node:process"
import * as V8 from "node:v8"
import { DaemonState } from "../services/core/DaemonState.ts"
import { masked } from "../services/core/Masked.ts"
import { formatTime } from "../services/logging/NsqLogger.ts"
import * as StandardError from "../services/logging/StandardError.ts"
import type { FlagError } from "../services/options/GoFlags.ts"

/** Prints a line on standard output and exits with code 0. */
export const printAndExit = (line: string): void => {
  process.stdout.write(`${line}\n`, () => process.exit(0))
}

const exitCodes = { HelpRequested: 0, UsageError: 2, FatalValue: 1 }

const flagErrorText = (error: FlagError, usage: () => string): string => {
  switch (error._tag) {
    case "HelpRequested":
      return usage()
    case "UsageError":
      return `${error.message}\n${usage()}`
    case "FatalValue":
      return `${formatTime(BigInt(Date.now()) * 1_000_000n).slice(0, "YYYY/MM/DD HH:MM:SS".length)} ${error.message}`
  }
}

/** Returns the parsed command line. Exits if it is not valid or requests help. */
export const commandOrExit = <A>(parsed: Result.Result<A, FlagError>, usage: () => string): A => {
  if (Result.isSuccess(parsed)) return parsed.success
  StandardError.writeLine(masked(flagErrorText(parsed.failure, usage).trimEnd()))
  return process.exit(exitCodes[parsed.failure._tag])
}

/** Runs with the settings. Exits with code 1 if they cannot be determined. */
export const settle = <A, E extends { readonly message: string }>(
  settings: Effect.Effect<A, E>,
  fatalLogs: Layer.Layer<never>,
  run: (settings: A) => void
): void => {
  const settled = Effect.tapError(settings, (error: E) => Effect.logFatal(error.message))
  Effect.runCallback(Effect.provide(settled, fatalLogs), {
    onExit: (exit) => {
      if (Exit.isSuccess(exit)) return run(exit.value)
      if (Cause.hasDies(exit.cause)) StandardError.writeLine(Cause.pretty(exit.cause))
      process.exit(1)
    }
  })
}

/** A daemon to run. */
export interface Daemon<A, E, F> {
  /** Building it starts the daemon; closing its Scope stops it. */
  readonly layer: Layer.Layer<A, E>
  /** Formats the FATAL line of a daemon that failed to start or cannot continue. */
  readonly fatalLogs: Layer.Layer<never>
  /** The action of SIGHUP. */
  readonly reload: Effect.Effect<void, never, A>
  /** Fails when the daemon cannot continue. */
  readonly failed: Effect.Effect<never, F, A>
}

const exitOnFailure = <E extends { readonly message: string }>(daemon: Effect.Effect<never, E>) =>
  daemon.pipe(
    Effect.catch((error: E) => Effect.as(Effect.logFatal(error.message), 1)),
    Effect.catchDefect((defect) => Effect.as(Effect.logFatal("unexpected error", defect), 1))
  )

/**
 * Makes V8 count the bytes of waiting messages, which are outside the JavaScript heap, in proportion to its limits. By default
 * V8 marks the whole heap for every 64 MB that arrive, regardless of the heap's size: 0.1 s of work per second of publishing.
 * V8 of Node 22 lacks the flag and would print a warning.
 */
const tuneCollector = (): void => {
  if (Number.parseInt(process.versions.v8) >= 13) V8.setFlagsFromString("--external-memory-accounted-in-global-limit")
}

/**
 * Runs a daemon until SIGINT, SIGTERM or a failure, then exits: with 0 after a signal, with 1 after a failure or if data was
 * lost while it stopped. It always stops in order, even after an uncaught exception outside of all fibers. Further signals
 * during the stop are ignored. SIGHUP reloads; during the start it is delayed until the daemon runs.
 */
export const runDaemon = <A, E extends { readonly message: string }, F extends { readonly message: string }>(
  { failed, fatalLogs, layer, reload }: Daemon<A, E, F>
): void => {
  tuneCollector()
  const state = DaemonState.make()
  const main = Effect.gen(function*() {
    const reloads = yield* Queue.sliding<void>(1)
    const serving = Effect.raceFirst(failed, Effect.forever(Effect.andThen(Queue.take(reloads), reload)))
    const daemon = yield* Effect.forkChild(
      exitOnFailure(Effect.provide(serving, layer)).pipe(Effect.provideService(DaemonState, state))
    )
    let codeAfterInterrupt = 0
    const stop = () => daemon.interruptUnsafe()
    const crash = (error: unknown) => {
      StandardError.writeLine(`uncaught ${error instanceof Error ? error.stack ?? error.message : String(error)}`)
      codeAfterInterrupt = 1
      stop()
    }
    process.on("SIGHUP", () => Queue.offerUnsafe(reloads, undefined))
    process.on("SIGINT", stop).on("SIGTERM", stop).on("uncaughtException", crash)
    const exit = yield* Fiber.await(daemon)
    return Exit.isSuccess(exit) ? exit.value : state.hasLost ? 1 : codeAfterInterrupt
  })
  const keepAlive = setInterval(() => {}, 2 ** 31 - 1)
  Effect.runCallback(Effect.provide(main, fatalLogs), {
    onExit: (exit) => {
      clearInterval(keepAlive)
      if (Exit.isFailure(exit)) StandardError.writeLine(Cause.pretty(exit.cause))
      process.exit(Exit.isSuccess(exit) ? exit.value : 1)
    }
  })
}

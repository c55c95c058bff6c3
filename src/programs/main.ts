/**
 * The common part of the programs: print what the command line requests, or its error, and exit as Go programs do; run a daemon
 * until a signal or a failure, stop it in order, and exit with NSQ's codes. Contains nothing specific to one program.
 */
import { Cause, Effect, Exit, Fiber, Layer, Queue } from "effect"
import process from "node:process"
import { DaemonState } from "../services/core/DaemonState.ts"
import { masked } from "../services/core/Masked.ts"
import * as Version from "../services/core/Version.ts"
import * as NsqLogger from "../services/logging/NsqLogger.ts"
import * as StandardError from "../services/logging/StandardError.ts"
import {
  type Descriptors,
  fromEnvironment,
  InheritedSockets,
  type ListenerName
} from "../services/net/InheritedSockets.ts"
import type { DaemonOptions, Settings } from "../services/options/DaemonOptions.ts"
import * as FlagHint from "../services/options/FlagHint.ts"
import type { LogOptions } from "../services/options/LogOptions.ts"
import type { OptionsError } from "../services/options/OptionsError.ts"
import * as Arguments from "./arguments.ts"
import * as Collector from "./collector.ts"
import * as ServiceManager from "./serviceManager.ts"

/** What this module has to know of a program that does not run. */
export interface Program {
  readonly name: string
  readonly usage: () => string
  /** The output of `--version`. */
  readonly version: string
}

/** Prints a line on standard output; completes when it is written. */
export const printLine = (line: string): Effect.Effect<void> =>
  Effect.callback((resume) => {
    process.stdout.write(`${line}\n`, () => resume(Effect.void))
  })

const printError = (text: string): Effect.Effect<void> =>
  Effect.sync(() => StandardError.writeLine(masked(text.trimEnd())))

/**
 * Prints a usage text that was requested. NSQ's programs print it on standard error, where scripts look for it; a person at a
 * terminal gets it on standard output, to search and to page.
 */
const printHelp = (text: string): Effect.Effect<void> =>
  process.stderr.isTTY ? printLine(text.trimEnd()) : printError(text)

/** Returns the hint for an unknown flag, if there is one. */
const hintOf = (program: string, flag: string): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(Effect.promise(() => import("./programFlags.ts")), ({ flagsOf }) => {
    const hint = FlagHint.hint(program, flag, flagsOf)
    return hint === undefined ? [] : [hint]
  })

/** The forms of values that Go only calls a parse error, by the name of the value in the usage text. */
const forms: Readonly<Record<string, string>> = {
  duration: "a duration such as 90s or 1h30m",
  int: "a whole number"
}

/** Returns the error of a command line again, for below the usage text, which is longer than a screen; with the form of the value. */
const again = (program: string, message: string, usage: string): string => {
  const flag = /for flag -(\S+): parse error$/.exec(message)?.[1]
  const placeholder = flag === undefined ? undefined : new RegExp(`^ {2}-${flag} (\\w+)$`, "m").exec(usage)?.[1]
  const form = forms[placeholder ?? ""]
  return `${program}: ${message}${form === undefined ? "" : `; give ${form}`}`
}

/** Returns the time in the form of Go's `log`. */
export const goTime = (): string =>
  NsqLogger.formatTime(BigInt(Date.now()) * 1_000_000n).slice(0, "YYYY/MM/DD HH:MM:SS".length)

interface Problem {
  readonly message: string
}

/** Formats FATAL lines, independently of the log level and prefix. */
const fatalLogs = (program: string, format: LogOptions["logFormat"]): Layer.Layer<never> =>
  NsqLogger.layer({ format, level: "fatal", prefix: `[${program}] ` })

/** Prints why a program does not run, and returns its exit code. */
export const printReason = (
  { message, reason }: OptionsError,
  { name, usage, version }: Program
): Effect.Effect<number> => {
  switch (reason._tag) {
    case "VersionRequest":
      return Effect.as(printLine(version), 0)
    case "HelpRequest":
      return Effect.as(printHelp(usage()), 0)
    case "UnknownFlag":
      return Effect.flatMap(
        hintOf(name, reason.name),
        ([hint = again(name, message, "")]) => Effect.as(printError([message, usage().trimEnd(), hint].join("\n")), 2)
      )
    case "InvalidCommandLine":
      return Effect.as(printError([message, usage().trimEnd(), again(name, message, usage())].join("\n")), 2)
    case "InvalidItem":
    case "RefusedValue":
      return Effect.as(printError(`${goTime()} ${message}`), 1)
    case "InvalidEnvironment":
    case "InvalidConfigFile":
      return Effect.as(Effect.logFatal(message), 1).pipe(Effect.provide(fatalLogs(name, reason.logFormat)))
  }
}

/** Runs to its exit code and exits the process; with 1 after a defect. */
export const exitWith = (main: Effect.Effect<number>): void => {
  const keepAlive = setInterval(() => {}, 2 ** 31 - 1)
  Effect.runCallback(main, {
    onExit: (exit) => {
      clearInterval(keepAlive)
      if (Exit.isFailure(exit)) StandardError.writeLine(Cause.pretty(exit.cause))
      process.exit(Exit.isSuccess(exit) ? exit.value : 1)
    }
  })
}

/** A daemon to run. */
export interface Daemon<Options, A, E, F> {
  readonly options: DaemonOptions<Options>
  /** Building it, with the options, starts the daemon; closing its Scope stops it. */
  readonly layer: Layer.Layer<A, E>
  /** The action of SIGHUP. Default: logs that there is nothing to reload. */
  readonly reload?: Effect.Effect<void, never, A>
  /** Runs at SIGTERM before the daemon stops; another signal ends it. Default: SIGTERM stops at once. */
  readonly beforeTerm?: Effect.Effect<void, never, A>
  /** Fails when the daemon cannot continue. */
  readonly failed: Effect.Effect<never, F, A>
  /** The listeners that take sockets of the parent process, in the order of the sockets. Default: none. */
  readonly listeners?: ReadonlyArray<ListenerName>
}

const exitOnFailure = <E extends Problem>(daemon: Effect.Effect<never, E>) =>
  daemon.pipe(
    Effect.catch((error: E) => Effect.as(Effect.logFatal(error.message), 1)),
    Effect.catchDefect((defect) => Effect.as(Effect.logFatal("unexpected error", defect), 1))
  )

/** The Layer of a daemon with its options, its log and the warnings about its options. */
const withOptions = <Options extends LogOptions, A, E>(
  layer: Layer.Layer<A, E>,
  daemonOptions: DaemonOptions<Options>,
  { options, warnings }: Settings<Options>
): Layer.Layer<A, E> => {
  const { logFormat: format, logLevel: level, logPrefix: prefix } = options
  const warn = Effect.forEach(warnings, (warning) => Effect.logWarning(warning))
  return layer.pipe(
    Layer.provide(Layer.effectDiscard(warn)),
    Layer.provideMerge(NsqLogger.layer({ format, level, prefix })),
    Layer.provide(daemonOptions.layer(options))
  )
}

/** Runs until SIGINT, SIGTERM or a failure, and returns the exit code. */
const serve = Effect.fnUntraced(function*<A, E extends Problem, F extends Problem>(
  layer: Layer.Layer<A, E>,
  reload: Effect.Effect<void, never, A>,
  failed: Effect.Effect<never, F, A>,
  beforeTerm: Effect.Effect<void, never, A>,
  sockets: Descriptors
) {
  yield* Effect.forkChild(Collector.tune)
  const state = DaemonState.make()
  const manager = ServiceManager.make(process.env)
  const reloads = yield* Queue.sliding<void>(1)
  const terms = yield* Queue.sliding<void>(1)
  /** While it can run what comes before a stop; earlier, SIGTERM stops at once. */
  let isServing = false
  const serving = Effect.suspend(() => {
    isServing = true
    return Effect.raceAllFirst([
      failed,
      Effect.andThen(manager.ready, Effect.never),
      Effect.forever(
        Queue.take(reloads).pipe(
          Effect.andThen(manager.reloading),
          Effect.andThen(reload),
          Effect.andThen(manager.ready)
        )
      ),
      Queue.take(terms).pipe(
        Effect.andThen(beforeTerm),
        Effect.andThen(Effect.sync(() => stop())),
        Effect.andThen(Effect.never)
      )
    ])
  }).pipe(Effect.ensuring(manager.stopping))
  const daemon = yield* Effect.forkChild(
    exitOnFailure(Effect.provide(serving, layer)).pipe(
      Effect.provideService(DaemonState, state),
      Effect.provideService(InheritedSockets, sockets)
    )
  )
  let codeAfterInterrupt = 0
  const stop = (): void => daemon.interruptUnsafe()
  const crash = (error: unknown) => {
    StandardError.writeLine(`uncaught ${error instanceof Error ? error.stack ?? error.message : String(error)}`)
    codeAfterInterrupt = 1
    stop()
  }
  process.on("SIGHUP", () => Queue.offerUnsafe(reloads, undefined))
  const term = () => {
    if (!isServing) return stop()
    isServing = false
    Queue.offerUnsafe(terms, undefined)
  }
  process.on("SIGINT", stop).on("SIGTERM", term).on("uncaughtException", crash)
  const exit = yield* Fiber.await(daemon)
  return Exit.isSuccess(exit) ? exit.value : state.hasLost ? 1 : codeAfterInterrupt
})

/**
 * Runs a daemon with the options of command line, environment and config file until SIGINT, SIGTERM or a failure, then exits:
 * with 0 after a signal, with 1 after a failure or if data was lost while it stopped. It always stops in order, even after an
 * uncaught exception outside of all fibers. Further signals during the stop are ignored. SIGHUP reloads; during the start it is
 * delayed until the daemon runs. systemd learns of the end of the start, of reloads and of the stop, if it wants to.
 */
export const run = <Options extends LogOptions, A, E extends Problem, F extends Problem>(
  { beforeTerm, failed, layer, listeners = [], options: daemonOptions, reload }: Daemon<Options, A, E, F>,
  args: ReadonlyArray<string> = Arguments.read()
): void => {
  const { fromCommandLine, program, usage } = daemonOptions
  const nothing = Effect.logInfo(`SIGHUP received; ${program} has nothing to reload`)
  exitWith(
    fromCommandLine(args, process.env).pipe(
      Effect.flatMap((settings) =>
        serve(
          withOptions(layer, daemonOptions, settings),
          reload ?? nothing,
          failed,
          beforeTerm ?? Effect.void,
          fromEnvironment(process.env, process.pid, listeners)
        ).pipe(
          Effect.provide(fatalLogs(program, settings.options.logFormat))
        )
      ),
      Effect.catch((error) => printReason(error, { name: program, usage, version: Version.banner(program) }))
    )
  )
}

/**
 * The common part of the tools' programs: exit for an invalid command line as Go programs do, run to the end or until a signal,
 * and exit with NSQ's codes. Contains nothing specific to one tool.
 */
import { Cause, Effect, Exit, Layer, Result, type Scope } from "effect"
import type { HttpClient } from "effect/http"
import { constants } from "node:os"
import process from "node:process"
import * as NodeClient from "../services/client/NodeClient.ts"
import { DaemonState } from "../services/core/DaemonState.ts"
import { masked } from "../services/core/Masked.ts"
import * as Version from "../services/core/Version.ts"
import * as NsqLogger from "../services/logging/NsqLogger.ts"
import * as StandardError from "../services/logging/StandardError.ts"
import type { Transport } from "../services/net/Transport.ts"
import * as CommandLine from "../services/options/CommandLine.ts"
import type { LogFormat, LogOptions } from "../services/options/LogOptions.ts"
import type { OptionTable } from "../services/options/OptionTable.ts"
import * as ClientLogger from "../services/tools/ClientLogger.ts"
import * as Arguments from "./arguments.ts"
import * as Main from "./main.ts"

/** The option of every tool. */
type ToolOptions = Pick<LogOptions, "logFormat">

/** A tool to run. */
export interface Tool<Options extends ToolOptions, E extends { readonly message: string }> {
  readonly name: string
  readonly table: OptionTable<Options>
  readonly defaults: () => Options
  /** Whether it has `--version`. Default: true; NSQ's `to_nsq` has none. */
  readonly hasVersion?: boolean
  /**
   * Its work. The exit code is 0 when it completes or is interrupted, unless messages were lost (`DaemonState`), and 1 with the
   * error's message when it fails.
   */
  readonly main: (options: Options) => Effect.Effect<void, E, Transport | HttpClient.HttpClient | Scope.Scope>
  /** Whether further arguments are an error, as in NSQ's `nsq_to_file`. Default: false, they are ignored. */
  readonly onlyFlags?: boolean
  /** Whether SIGHUP ends it like SIGTERM. Default: false. */
  readonly endsOnHangup?: boolean
  /** Level and prefix of its log lines, which have the form of NSQ's daemons. Default: the form of NSQ's client library. */
  readonly logs?: (options: Options) => Pick<NsqLogger.LogSettings, "level" | "prefix">
}

/** Parses the command line and runs the tool. */
export const run = <Options extends ToolOptions, E extends { readonly message: string }>(
  tool: Tool<Options, E>
): void => {
  const { defaults, hasVersion = true, main, name, table } = tool
  const syntax = { table, hasVersion }
  const command = CommandLine.parse(syntax, Arguments.read())
  if (Result.isFailure(command)) {
    const program = { name, usage: () => CommandLine.usage(name, syntax), version: Version.ofTool(name) }
    return Main.exitWith(Main.printReason(command.failure, program))
  }
  const { given, rest } = command.success
  const options: Options = { ...defaults(), ...given }
  const { logFormat: format } = options
  if (tool.onlyFlags === true && rest.length > 0) return end(format, `unknown arguments: [${rest.join(" ")}]`)
  const settings = tool.logs?.(options)
  const logs = settings === undefined && format === "nsq"
    ? ClientLogger.layer
    : NsqLogger.layer({ level: "info", prefix: "", ...settings, format })
  const state = DaemonState.make()
  const work = Effect.scoped(main(options)).pipe(
    Effect.provideService(DaemonState, state),
    Effect.provide(Layer.provideMerge(NodeClient.layer, logs))
  )
  const keepAlive = setInterval(() => {}, 2 ** 31 - 1)
  const fiber = Effect.runFork(work)
  // On EPIPE the reader is gone: exit with the code of a death by SIGPIPE. The tool itself handles other errors.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(128 + constants.signals.SIGPIPE)
  })
  let isStopping = false
  /** Stops in order at the first signal, and ends the process at the second: what the tool waits for may never come. */
  const stop = (signal: NodeJS.Signals) => {
    if (isStopping) process.exit(128 + constants.signals[signal])
    isStopping = true
    fiber.interruptUnsafe()
  }
  process.on("SIGINT", stop).on("SIGTERM", stop)
  if (tool.endsOnHangup === true) process.on("SIGHUP", stop)
  fiber.addObserver((exit) => {
    clearInterval(keepAlive)
    process.exit(exitCode(format, exit) || Number(state.hasLost))
  })
}

const exitCode = <E extends { readonly message: string }>(format: LogFormat, exit: Exit.Exit<void, E>): number => {
  if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return 0
  const failure = Cause.findErrorOption(exit.cause)
  printFatal(format, failure._tag === "Some" ? failure.value.message : Cause.pretty(exit.cause))
  return 1
}

const printFatal = (format: LogFormat, text: string): void => {
  if (format === "json") {
    return Effect.runSync(
      Effect.provide(Effect.logFatal(text), NsqLogger.layer({ format, level: "fatal", prefix: "" }))
    )
  }
  for (const line of text.split("\n")) {
    StandardError.writeLine(`${Main.goTime()} ${NsqLogger.escapeControls(masked(line))}`)
  }
}

const end = (format: LogFormat, text: string): void => {
  printFatal(format, text)
  process.exit(1)
}

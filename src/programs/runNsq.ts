/**
 * The commands of `nsq` that work on a cluster: parses the command line, runs the command, and exits with its code.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Cause, Effect, Exit, Layer, References } from "effect"
import { CliConfig, CliError as ParseError, Command, GlobalFlag } from "effect/cli"
import { constants } from "node:os"
import process from "node:process"
import { CliError } from "../services/cli/CliError.ts"
import { nsq } from "../services/cli/Nsq.ts"
import * as Presenter from "../services/cli/Presenter.ts"
import { NodeClient } from "../services/client/index.ts"
import { masked } from "../services/core/Masked.ts"
import { packageVersion, version } from "../services/core/Version.ts"
import * as StandardError from "../services/logging/StandardError.ts"
import * as NodeDisk from "../services/nsqd/disk/NodeDisk.ts"
import { flushed } from "./standardOutput.ts"

const run = Command.runWith(nsq, { version: `${packageVersion} (NSQ ${version})` })

/** The flags of every command of Effect's CLI that are of use here. */
const builtIns = CliConfig.layer({ builtIns: [GlobalFlag.Help, GlobalFlag.Version, GlobalFlag.Completions] })

/** Log lines of the client would stand between results; its failures are results of the command. */
const quiet = Layer.succeed(References.MinimumLogLevel, "Fatal")

const exitCode = (exit: Exit.Exit<void, unknown>): number => {
  if (Exit.isSuccess(exit) || Cause.hasInterruptsOnly(exit.cause)) return 0
  const failure = Cause.findErrorOption(exit.cause)
  const error = failure._tag === "Some" ? failure.value : undefined
  if (error instanceof CliError) {
    for (const line of error.message.split("\n")) StandardError.writeLine(`nsq: ${masked(line)}`)
    return error.exitCode
  }
  if (ParseError.isCliError(error)) return 2
  StandardError.writeLine(`nsq: ${masked(Cause.pretty(exit.cause))}`)
  return 1
}

/** Runs a command and exits. The first SIGINT or SIGTERM ends it in order, the second at once. */
export const main = (args: ReadonlyArray<string>): void => {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(128 + constants.signals.SIGPIPE)
  })
  const fiber = Effect.runFork(
    run(args).pipe(
      Effect.ensuring(flushed),
      Effect.provide([NodeServices.layer, NodeClient.layer, NodeDisk.layer, builtIns, Presenter.layer, quiet])
    )
  )
  let isStopping = false
  const stop = (signal: NodeJS.Signals): void => {
    if (isStopping) process.exit(128 + constants.signals[signal])
    isStopping = true
    fiber.interruptUnsafe()
  }
  process.on("SIGINT", stop).on("SIGTERM", stop)
  fiber.addObserver((exit) => process.exit(exitCode(exit)))
}

/**
 * `nsq data`: commands for the data directory of a stopped nsqd. The exit code is 0 after success; 1 if `verify` has found damage
 * or a command has failed while it wrote; and 2 if a command cannot run and has changed nothing.
 */
import { Cause, Effect, Result } from "effect"
import * as Fs from "node:fs"
import { constants } from "node:os"
import { join } from "node:path"
import process from "node:process"
import * as ProgressBar from "../services/cli/ProgressBar.ts"
import * as Version from "../services/core/Version.ts"
import * as NsqLogger from "../services/logging/NsqLogger.ts"
import * as StandardError from "../services/logging/StandardError.ts"
import * as DataCommands from "../services/nsqd/data/DataCommands.ts"
import type { DataError } from "../services/nsqd/data/DataError.ts"
import * as DataReport from "../services/nsqd/data/DataReport.ts"
import * as Export from "../services/nsqd/data/Export.ts"
import * as Import from "../services/nsqd/data/Import.ts"
import { Disk, type DiskFile } from "../services/nsqd/disk/Disk.ts"
import * as NodeDisk from "../services/nsqd/disk/NodeDisk.ts"
import * as CommandLine from "../services/options/CommandLine.ts"
import * as OptionTable from "../services/options/OptionTable.ts"
import * as Main from "./main.ts"
import { flushed } from "./standardOutput.ts"

/** Exit codes. */
const done = 0
const damaged = 1
const failed = 1
const cannotRun = 2

const usage = `usage: nsq data <command> [flags]

commands for the data directory of a stopped nsqd:

  verify    reads everything, changes nothing, and prints what is there and what is damaged
  export    writes durable topics back to the format of NSQ's nsqd
  import    moves the disk queues of NSQ's nsqd into the logs of durable topics
  convert   is import after the word log, and export after the word nsq

nsq data <command> --help lists the flags of a command

examples:

  nsq data verify --data-path=/var/lib/nsqd
  nsq data convert log --data-path=/var/lib/nsqd --durability=synced
  nsq data convert nsq --data-path=/var/lib/nsqd --to=/srv/nsqd-1.3.0

exit codes: 0 done; 1 damage was found, or a command failed while it wrote; 2 nothing was done
`

const refuse = (text: string): Effect.Effect<number> =>
  Effect.sync(() => {
    StandardError.writeLine(text)
    return cannotRun
  })

const printResult = (text: string): Effect.Effect<void> => Effect.andThen(ProgressBar.erase, Main.printLine(text))

/** Parses the flags of a command and runs it. */
const withOptions = <Options extends { readonly dataPath: string }>(
  command: string,
  table: OptionTable.OptionTable<Options>,
  defaults: Options,
  args: ReadonlyArray<string>,
  run: (options: Options) => Effect.Effect<number>
): Effect.Effect<number> => {
  const name = `nsq data ${command}`
  const syntax = { table, hasVersion: false }
  const parsed = CommandLine.parse(syntax, args)
  if (Result.isFailure(parsed)) {
    return Main.printReason(parsed.failure, {
      name,
      usage: () => CommandLine.usage(name, syntax),
      version: Version.banner("nsq")
    })
  }
  const { given, rest } = parsed.success
  if (rest.length > 0) return refuse(`unknown arguments: ${rest.join(" ")}`)
  const options: Options = { ...defaults, ...given }
  return options.dataPath === "" ? refuse(`${name}: --data-path is required`) : run(options)
}

const megabyte = 1_000_000

/** The size of the files of a data directory, in megabytes; 0 if it cannot be read. */
const sizeOf = (dataPath: string): number => {
  try {
    const files = Fs.readdirSync(dataPath, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
    return files.reduce((sum, { name, parentPath }) => sum + Fs.statSync(join(parentPath, name)).size, 0) / megabyte
  } catch {
    return 0
  }
}

/** Shows at a terminal how much of the data directory has been read. */
const withProgress = <A, E>(command: string, dataPath: string, work: Effect.Effect<A, E, Disk>) =>
  Effect.gen(function*() {
    if (!ProgressBar.isShown()) return yield* work
    const disk = yield* Disk
    const bar = yield* ProgressBar.make(`nsq data ${command}, MB read:`, Math.ceil(sizeOf(dataPath)))
    let bytes = 0
    const counted = (file: DiskFile): DiskFile => ({
      read: (buffer, position) =>
        Effect.map(file.read(buffer, position), (count) => {
          bytes += count
          bar.set(bytes / megabyte)
          return count
        }),
      write: (buffers, position) => file.write(buffers, position),
      sync: file.sync,
      truncate: (size) => file.truncate(size),
      size: file.size,
      close: file.close
    })
    const open = (path: string) => Effect.map(disk.open(path), counted)
    return yield* Effect.provideService(work, Disk, { ...disk, open })
  }).pipe(Effect.scoped)

/** Prints the error of a command, shows its progress, and provides the disk. */
const end =
  (command: string, dataPath: string) => (work: Effect.Effect<number, DataError, Disk>): Effect.Effect<number> =>
    withProgress(command, dataPath, work).pipe(
      Effect.catch((error) =>
        Effect.map(refuse(`nsq data ${command}: ${error.message}`), (code) => error.isRefusal ? code : failed)
      ),
      Effect.provide([NodeDisk.layer, NsqLogger.layer({ format: "nsq", level: "warn", prefix: "[nsq] " })])
    )

const verify = (args: ReadonlyArray<string>): Effect.Effect<number> =>
  withOptions(
    "verify",
    DataCommands.verifyTable,
    OptionTable.defaults(DataCommands.verifyTable),
    args,
    (options) =>
      DataCommands.verify(options).pipe(
        Effect.flatMap((report) =>
          Effect.as(
            printResult(options.json ? DataReport.toJson(report) : DataReport.toText(report)),
            report.damages.length === 0 ? done : damaged
          )
        ),
        end("verify", options.dataPath)
      )
  )

const exportToNsq = (args: ReadonlyArray<string>): Effect.Effect<number> =>
  withOptions(
    "export",
    DataCommands.exportTable,
    OptionTable.defaults(DataCommands.exportTable),
    args,
    (options) =>
      DataCommands.toNsq(options).pipe(
        Effect.flatMap((result) => Effect.as(printResult(Export.toText(result)), done)),
        end("export", options.dataPath)
      )
  )

const importFromNsq = (args: ReadonlyArray<string>): Effect.Effect<number> =>
  withOptions(
    "import",
    DataCommands.importTable,
    OptionTable.defaults(DataCommands.importTable),
    args,
    (options) =>
      DataCommands.fromNsq(options).pipe(
        Effect.flatMap((result) => Effect.as(printResult(Import.toText(result)), done)),
        end("import", options.dataPath)
      )
  )

/** Import or export, by the format that the data directory gets. */
const convert = ([to = "", ...args]: ReadonlyArray<string>): Effect.Effect<number> =>
  to === "log"
    ? importFromNsq(args)
    : to === "nsq"
    ? exportToNsq(args)
    : refuse("nsq data convert: give the format to convert to, log or nsq, and then flags")

const commands: Readonly<Record<string, (args: ReadonlyArray<string>) => Effect.Effect<number>>> = {
  verify,
  export: exportToNsq,
  import: importFromNsq,
  convert
}

/** Runs a command and exits. */
export const run = ([command = "", ...args]: ReadonlyArray<string>): void => {
  // As for a program that writes to a closed pipe.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(128 + constants.signals.SIGPIPE)
  })
  const main = Object.hasOwn(commands, command) ? commands[command] : undefined
  if (main !== undefined) {
    const finished = Effect.catchCause(main(args), (cause) => refuse(`unexpected error: ${Cause.pretty(cause)}`))
    return Main.exitWith(Effect.ensuring(finished, flushed))
  }
  const isKnown = ["", "--help", "-h"].includes(command)
  const why = isKnown
    ? ""
    : `nsq data: unknown command "${command}"; the commands are ${Object.keys(commands).join(", ")}\n`
  process.stderr.write(isKnown ? usage : `${usage}\n${why}`)
  process.exit(isKnown ? done : cannotRun)
}

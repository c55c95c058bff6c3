/**
 * The program `nsqlookupd`: reads command line, environment and config file, and runs the daemon's Layer.
 */
import { Effect, Layer } from "effect"
import process from "node:process"
import * as Version from "../services/core/Version.ts"
import * as NsqLogger from "../services/logging/NsqLogger.ts"
import { Nsqlookupd } from "../services/nsqlookupd/Nsqlookupd.ts"
import * as LookupdOptions from "../services/nsqlookupd/NsqlookupdOptions.ts"
import type { Settings } from "../services/options/ConfigFile.ts"
import * as Arguments from "./arguments.ts"
import * as Main from "./main.ts"

/** Formats FATAL lines, independently of the log level and prefix. */
const fatalLogs = ({ logFormat }: Partial<LookupdOptions.LookupdOptions>) =>
  NsqLogger.layer({ format: logFormat ?? "nsq", level: "fatal", prefix: "[nsqlookupd] " })

const run = ({ given, warnings }: Settings<LookupdOptions.LookupdOptions>): void => {
  const { logFormat: format, logLevel: level, logPrefix: prefix } = { ...LookupdOptions.defaults(), ...given }
  const warn = Effect.forEach(warnings, (warning) => Effect.logWarning(warning))
  Main.runDaemon({
    layer: Nsqlookupd.layer.pipe(
      Layer.provide(Layer.effectDiscard(warn)),
      Layer.provideMerge(NsqLogger.layer({ format, level, prefix })),
      Layer.provide(LookupdOptions.layer(given))
    ),
    fatalLogs: fatalLogs(given),
    reload: Effect.logInfo("SIGHUP received; nsqlookupd has nothing to reload"),
    failed: Nsqlookupd.use((nsqlookupd) => nsqlookupd.failed)
  })
}

const command = Main.commandOrExit(LookupdOptions.parse(Arguments.read()), LookupdOptions.usage)
if (command.version) Main.printAndExit(Version.banner("nsqlookupd"))
else Main.settle(LookupdOptions.settle(command, process.env), fatalLogs(command.given), run)

/**
 * The program `nsqadmin`: reads command line, environment and config file, and runs the daemon's Layer.
 */
import { Effect, Layer } from "effect"
import process from "node:process"
import * as Version from "../services/core/Version.ts"
import * as NsqLogger from "../services/logging/NsqLogger.ts"
import { Nsqadmin } from "../services/nsqadmin/Nsqadmin.ts"
import * as NsqadminOptions from "../services/nsqadmin/NsqadminOptions.ts"
import type { Settings } from "../services/options/ConfigFile.ts"
import * as Arguments from "./arguments.ts"
import * as Main from "./main.ts"

/** Formats FATAL lines, independently of the log level and prefix. */
const fatalLogs = ({ logFormat }: Partial<NsqadminOptions.NsqadminOptions>) =>
  NsqLogger.layer({ format: logFormat ?? "nsq", level: "fatal", prefix: "[nsqadmin] " })

const run = ({ given, warnings }: Settings<NsqadminOptions.NsqadminOptions>): void => {
  const { logFormat: format, logLevel: level, logPrefix: prefix } = { ...NsqadminOptions.defaults(), ...given }
  const warn = Effect.forEach(warnings, (warning) => Effect.logWarning(warning))
  Main.runDaemon({
    layer: Nsqadmin.layer.pipe(
      Layer.provide(Layer.effectDiscard(warn)),
      Layer.provideMerge(NsqLogger.layer({ format, level, prefix })),
      Layer.provide(NsqadminOptions.layer(given))
    ),
    fatalLogs: fatalLogs(given),
    reload: Effect.logInfo("SIGHUP received; nsqadmin has nothing to reload"),
    failed: Nsqadmin.use((nsqadmin) => nsqadmin.failed)
  })
}

const command = Main.commandOrExit(NsqadminOptions.parse(Arguments.read()), NsqadminOptions.usage)
if (command.version) Main.printAndExit(Version.banner("nsqadmin"))
else Main.settle(NsqadminOptions.settle(command, process.env), fatalLogs(command.given), run)

/**
 * The program `nsqd`: reads command line, environment and config file, and runs the daemon's Layer.
 */
import { Effect, Layer } from "effect"
import process from "node:process"
import * as Version from "../services/core/Version.ts"
import * as NsqLogger from "../services/logging/NsqLogger.ts"
import { Nsqd } from "../services/nsqd/Nsqd.ts"
import * as NsqdConfig from "../services/nsqd/options/NsqdConfig.ts"
import * as NsqdFlags from "../services/nsqd/options/NsqdFlags.ts"
import * as NsqdOptions from "../services/nsqd/options/NsqdOptions.ts"
import { RuntimeOptions } from "../services/nsqd/options/RuntimeOptions.ts"
import type { Settings } from "../services/options/ConfigFile.ts"
import * as Arguments from "./arguments.ts"
import * as Main from "./main.ts"

/** Formats FATAL lines, independently of the log level and prefix. */
const fatalLogs = ({ logFormat }: Partial<NsqdOptions.NsqdOptions>) =>
  NsqLogger.layer({ format: logFormat ?? "nsq", level: "fatal", prefix: "[nsqd] " })

const run = ({ given, warnings }: Settings<NsqdOptions.NsqdOptions>): void => {
  const { logFormat: format, logLevel: level, logPrefix: prefix } = { ...NsqdOptions.defaults(), ...given }
  const warn = Effect.forEach(warnings, (warning) => Effect.logWarning(warning))
  Main.runDaemon({
    layer: Nsqd.layer.pipe(
      Layer.provide(RuntimeOptions.layer),
      Layer.provide(Layer.effectDiscard(warn)),
      Layer.provideMerge(NsqLogger.layer({ format, level, prefix })),
      Layer.provide(NsqdOptions.layer(given))
    ),
    fatalLogs: fatalLogs(given),
    reload: Nsqd.use((nsqd) => nsqd.reload),
    failed: Nsqd.use((nsqd) => nsqd.failed)
  })
}

const command = Main.commandOrExit(NsqdFlags.parse(Arguments.read()), NsqdFlags.usage)
if (command.version) Main.printAndExit(Version.banner("nsqd"))
else Main.settle(NsqdConfig.settle(command, process.env), fatalLogs(command.given), run)
